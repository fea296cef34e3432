package peer

// Difference is one place where our answer about an OpenClaw installation is
// not the peer's.
type Difference struct {
	// IDs are the checks that it is about.
	IDs []string
	// Peer and Ours say what each does, Why which is right and why.
	Peer, Ours, Why string
}

// Differences lists all of them. Everything else is the same: id, severity and
// trigger.
func Differences() []Difference {
	return []Difference{
		{[]string{"config.invalid"}, "A configuration that its schema refuses gets no report at all, exit 1.", "The refusal is a finding, and everything else is audited as well.",
			"The most dangerous files, with network host or an unconfined profile, are the ones that were never looked at."},
		{[]string{"sandbox.bind_mount_non_absolute", "sandbox.dangerous_seccomp_profile", "sandbox.dangerous_apparmor_profile", "sandbox.dangerous_network_mode", "config.agent_roster.invalid_default_count"},
			"Has the checks and cannot reach them, because the configuration is refused first.", "Reported.", "The file is there and somebody wants it to work."},
		{[]string{"logging.redact_off"}, "Dropped with the key.", "Reported wherever logging.redactSensitive is off.", "Older releases obey the key, and a newer one refuses the file; in both cases somebody wanted secrets in logs."},
		{[]string{"gateway.tools_invoke_http.dangerous_allow"}, "Compares exact names.", "Knows the alias cron and patterns with *.", "cron opens the automations tool over HTTP as well as its own name does."},
		{[]string{"gateway.token_published_example", "gateway.password_published_example", "gateway.token_low_entropy", "gateway.password_low_entropy"}, "Judges the length only.", "Also strings from example files, and long ones that repeat themselves.",
			"The gateway refuses example strings at its start, so the audit should say so before; 32 equal letters are no secret."},
		{[]string{"gateway.auth_ambiguous", "gateway.funnel_without_password_mode"}, "Silent; the gateway refuses to start.", "Reported.", "An audit should say what the start will say."},
		{[]string{"gateway.trusted_proxies_broad"}, "Any range is accepted.", "Ranges wider than /16 (IPv6 /48) are reported.", "Every machine of the range may speak as the proxy."},
		{[]string{"config.secrets.gateway_token_in_config"}, "Reports a password in the file, not a token.", "Reports a token as info when the gateway is published, or when others may read the file.", "Both open the same door. In a private file on a private gateway it stays quiet, as the peer does; chitin secrets audit reports it there."},
		{[]string{"secrets.ref_unknown_provider", "secrets.ref_shadowed"}, "Part of another command.", "Reported here too.", "Both decide which credential is in force."},
		{[]string{"secrets.provider.env_no_allowlist", "secrets.provider.file_relative", "secrets.provider.file_missing", "secrets.provider.file_writable", "secrets.provider.file_readable", "secrets.provider.file_readable_by_all", "secrets.provider.file_symlink", "secrets.provider.file_directory",
			"secrets.provider.exec_relative", "secrets.provider.exec_shell", "secrets.provider.exec_writable", "secrets.provider.exec_passes_everything", "secrets.provider.exec_secret_args", "secrets.provider.timeout_long"},
			"Part of another command.", "Reported here too, without running any provider.", "A secret file that others can read is a hole in the set-up, whoever looks for it."},
		{[]string{"sandbox.dangerously_allow_reserved_targets", "sandbox.dangerously_allow_external_bind_sources", "sandbox.dangerously_allow_namespace_join"}, "One warn of config.insecure_or_dangerous_flags each.", "That warn, and a critical finding each.",
			"Each takes the sandbox's own guard away, which is more than a debugging switch."},
		{[]string{"sandbox.cap_drop_empty", "sandbox.root_writable", "sandbox.user_root", "sandbox.limits_off", "sandbox.reserved_bind_target"}, "Not looked at.", "Reported when they are written down.", "A weakened container is a weakened sandbox."},
		{[]string{"sandbox.dangerous_bind_mount"}, "Compares the path as written.", "Also follows links of the host path.", "A link into /etc mounts /etc."},
		{[]string{"security.exposure.open_channels_default_exec"}, "Counts an unset exec policy as deny.", "Reports the permissive default when strangers reach the agent.", "At run time unset means full on the host."},
		{[]string{"tools.web.fetch.private_network"}, "The switch is not tracked.", "Reported.", "It is the same switch as the browser's, which is tracked."},
		{[]string{"config.duplicate_key"}, "The last key wins silently.", "Reported.", "Whoever reviews the first one approves something that is not in force."},
		{[]string{"config.missing"}, "Defaults are judged silently.", "Said as info.", "A misspelt path looks like a clean report otherwise."},
		{[]string{"channels.<channel>.dm.open", "channels.<channel>.dm.open_invalid", "channels.<channel>.dm.disabled", "channels.<channel>.dm.locked", "channels.<channel>.groups.open", "channels.<channel>.allowFrom.mutable_entries_inert", "channels.<channel>.allowFrom.dangerous_name_matching_enabled",
			"channels.<channel>.account.read_only_resolution", "channels.dm.session_collision.<channel>.<n>", "channels.telegram.allowFrom.invalid_entries", "channels.telegram.groups.allowFrom.wildcard", "channels.telegram.groups.allowFrom.missing"},
			"Has the checks; its command line loads a channel description without them, so they never speak.", "Reported from the configuration.", "An open Telegram bot is what the checks were written for."},
		{[]string{"browser.control_invalid_config", "browser.extension_relay_legacy_auth", "browser.control_no_auth", "browser.remote_cdp_http", "browser.remote_cdp_private_host"},
			"Has the checks; --deep loads no collector for the bundled plugin, so they never speak.", "Reported with --deep when the configuration has a browser section.", "As above."},
		{[]string{"gateway.probe_auth_secretref_unavailable"}, "Rarely reached.", "Reported with --deep whenever the credential is a reference that cannot be read here.", "The probe then says less."},
		{[]string{"security.exposure.open_groups_with_elevated", "security.exposure.open_groups_with_runtime_or_fs", "security.exposure.open_groups_with_control_plane_tools", "security.exposure.open_channels_with_exec", "security.trust_model.multi_user_heuristic"},
			"With --fix, group policies are closed and the report still shows them open.", "With --fix they are gone from the report. Without --fix: the same.", "The report should be about the file that is on disk."},
		{[]string{"plugins.<id>.security_audit_failed"}, "A plugin's own collector threw.", "Never: no code of a plugin runs.", "The peer's --deep imports plugins before it scans them. Auditing a suspicious plugin runs it."},
		{[]string{"channels.<channel>.routing.owner_missing.<account>", "channels.<channel>.dm.wildcard_routing_unverified.<account>", "channels.<channel>.warning.<n>"}, "Texts of channel plugins.", "Never: they come from the plugins' code.", "No code of a plugin runs."},
		{[]string{"sandbox.browser_cdp_bridge_unrestricted"}, "Documented, absent from its code.", "Absent.", "There is no trigger to follow."},
		{[]string{"fs.log_file.perms_readable"}, "The documentation says --fix repairs it; it does not.", "--fix repairs it.", "It is a plain chmod."},
		{[]string{"fs.config.symlink", "fs.state_dir.symlink"}, "The same.", "The same; --fix changes nothing behind a link.", "What lies behind a link may be somebody else's."},
		{[]string{"listen.beyond_bind", "listen.port_taken", "listen.engine_tcp", "listen.debugger"}, "Takes an unset bind for loopback, also in a container, where it is every interface.", "--deep looks at the sockets.", "The socket is the truth."},
		{[]string{"logging.file_world_directory"}, "Not looked at.", "Reported.", "A predictable file in a shared directory can be made first by somebody else."},
		{[]string{"security.audit.waiver_expired", "security.audit.waiver_unused", "security.audit.waiver_incomplete", "security.audit.waiver_unknown_check", "security.audit.waiver_far_end"}, "Suppressions have no owner and no end.", "security.audit.waivers is read from OpenClaw configurations as well; these ids speak only about it.", "A waiver without an end hides a risk for ever."},
		{[]string{"container.privileged", "container.cap_added", "container.cap_not_dropped", "container.new_privileges", "container.seccomp_unconfined", "container.apparmor_unconfined", "container.host_pid", "container.host_ipc", "container.host_userns", "container.host_cgroup", "container.root_user", "container.writable_root",
			"container.no_memory_limit", "container.no_pids_limit", "container.no_cpu_limit", "container.host_network", "container.unfiltered_network", "container.published_port", "container.engine_socket", "container.system_mount", "container.device", "container.secret_in_env", "container.restarts", "container.image_unpinned"},
			"Containers are not inspected.", "--deep inspects every container with the label openclaw.sandbox=1.", "What runs can differ from what is configured."},
	}
}

// Behaviour lists differences that are not about single checks.
func Behaviour() [][3]string {
	return [][3]string{
		{"Exit code", "0 whatever it finds; 1 for an invalid configuration", "3 at or above --fail-on (critical unless told), so that a pipeline can stop"},
		{"Formats", "text, JSON", "text, the same JSON with more fields, SARIF 2.1.0, JUnit, OCSF"},
		{"--deep", "imports plugins and runs their code", "reads plugins and skills as text; runs nothing of the subject"},
		{"Side effects", "makes a database in the state directory, migrates old keys", "none; the state database is read from a copy"},
		{"--fix --json", "the report shows file modes after and settings before the repair", "the report is made anew after the repair"},
		{"--fix", "resets every known path, also stricter ones", "repairs what a finding is about, through descriptors, never behind a link or a hard link; a row in a journal for each change"},
		{"Titles and details", "its own words", "our own words; titles keep the words that suppressions match on"},
		{"Gateway probe", "a WebSocket with the credential", "a GET of /health without the credential"},
		{"Suppressions", "exact id, substrings of title and detail", "the same, and waivers with owner, reason and end"},
	}
}
