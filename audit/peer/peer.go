// Package peer says what OpenClaw's own audit does, as facts: which checks it
// has, and where ours differ on purpose.
package peer

import "strings"

// Version is the release that the facts are of.
const Version = "2026.9.6"

// IDs are the ids of the peer's own checks. <channel> and <n> stand for parts
// that it fills in.
func IDs() []string {
	return strings.Fields(`
fs.state_dir.symlink fs.state_dir.perms_world_writable fs.state_dir.perms_group_writable fs.state_dir.perms_readable
fs.config.symlink fs.config.perms_writable fs.config.perms_world_readable fs.config.perms_group_readable
fs.config_include.perms_writable fs.config_include.perms_world_readable fs.config_include.perms_group_readable
fs.credentials_dir.perms_writable fs.credentials_dir.perms_readable fs.auth_profiles.perms_writable fs.auth_profiles.perms_readable
fs.sessions_store.perms_readable fs.log_file.perms_readable fs.synced_dir
gateway.bind_no_auth gateway.loopback_no_auth gateway.trusted_proxies_missing gateway.env_token_overrides_config
gateway.token_placeholder_value gateway.password_placeholder_value gateway.token_too_short gateway.password_too_short
gateway.auth_no_rate_limit gateway.control_ui.allowed_origins_required gateway.control_ui.allowed_origins_wildcard
gateway.control_ui.host_header_origin_fallback gateway.real_ip_fallback_enabled gateway.tailscale_funnel gateway.tailscale_serve
gateway.trusted_proxy_auth gateway.trusted_proxy_no_proxies gateway.trusted_proxy_no_user_header gateway.trusted_proxy_allow_loopback
gateway.trusted_proxy_device_auto_approve gateway.trusted_proxy_device_auto_approve_admin gateway.trusted_proxy_no_allowlist
gateway.tools_invoke_http.dangerous_allow gateway.http.no_auth gateway.http.session_key_override_enabled
gateway.nodes.allow_commands_dangerous gateway.nodes.deny_commands_ineffective discovery.mdns_full_mode mcp.apps.enabled
gateway.probe_failed gateway.probe_auth_secretref_unavailable config.insecure_or_dangerous_flags
config.agent_roster.invalid_default_count config.secrets.gateway_password_in_config config.secrets.hooks_token_in_config
security.audit.suppressions.active summary.attack_surface
hooks.token_too_short hooks.token_reuse_gateway_token hooks.path_root hooks.default_session_key_unset
hooks.allowed_agent_ids_unrestricted hooks.request_session_key_enabled hooks.request_session_key_prefixes_missing
hooks.installs_unpinned_npm_specs hooks.installs_missing_integrity hooks.installs_version_drift
tools.elevated.allowFrom.<channel>.wildcard tools.elevated.allowFrom.<channel>.large
tools.exec.host_sandbox_no_sandbox_defaults tools.exec.host_sandbox_no_sandbox_agents tools.exec.security_full_configured
security.exposure.open_channels_with_exec tools.exec.fs_tools_disabled_but_exec_enabled tools.exec.auto_allow_skills_enabled
tools.exec.allowlist_interpreter_without_strict_inline_eval tools.exec.safe_bins_interpreter_unprofiled
tools.exec.safe_bins_broad_behavior tools.exec.safe_bin_trusted_dirs_risky tools.exec.agent_skill_mcp_boundary_drift
tools.exec.mcporter_registry_inspection_incomplete tools.profile_minimal_overridden
models.legacy models.weak_tier models.small_params
security.exposure.open_groups_with_elevated security.exposure.open_groups_with_runtime_or_fs
security.exposure.open_groups_with_control_plane_tools security.trust_model.multi_user_heuristic
security.trust_model.group_scope_main security.trust_model.cross_agent_session_access_default
sandbox.docker_config_mode_off sandbox.bind_mount_non_absolute sandbox.dangerous_bind_mount sandbox.dangerous_network_mode
sandbox.dangerous_seccomp_profile sandbox.dangerous_apparmor_profile sandbox.browser_container.non_loopback_publish
sandbox.browser_container.hash_label_missing sandbox.browser_container.hash_epoch_stale
sandbox.browser_container.docker_probe_timeout sandbox.browser_cdp_bridge_unrestricted
browser.control_invalid_config browser.extension_relay_legacy_auth browser.control_no_auth browser.remote_cdp_http
browser.remote_cdp_private_host
plugins.extensions_no_allowlist plugins.allow_phantom_entries plugins.tools_reachable_permissive_policy
plugins.installs_unpinned_npm_specs plugins.installs_missing_integrity plugins.installs_version_drift
plugins.code_safety plugins.code_safety.entry_path plugins.code_safety.entry_escape plugins.code_safety.manifest_parse_error
plugins.code_safety.scan_failed plugins.<id>.security_audit_failed
skills.workspace.symlink_escape skills.workspace.scan_truncated skills.code_safety skills.code_safety.scan_failed
channels.<channel>.dm.open channels.<channel>.dm.open_invalid channels.<channel>.dm.disabled channels.<channel>.dm.locked
channels.<channel>.allowFrom.mutable_entries_inert channels.<channel>.allowFrom.dangerous_name_matching_enabled
channels.<channel>.account.read_only_resolution channels.<channel>.routing.owner_missing.<account>
channels.<channel>.dm.wildcard_routing_unverified.<account> channels.<channel>.warning.<n> channels.<channel>.groups.open
channels.dm.session_collision.<channel>.<n> channels.telegram.allowFrom.invalid_entries
channels.telegram.groups.allowFrom.wildcard channels.telegram.groups.allowFrom.missing`)
}
