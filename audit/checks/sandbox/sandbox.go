// Package sandbox holds the checks of layer 3: where commands run and what
// they can reach from there.
package sandbox

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerSandbox

func oc(docker string) string {
	return `{agents:{defaults:{sandbox:{mode:"all",docker:{` + docker + `}}}}}`
}

func own(docker string) string { return "agents: {defaults: {sandbox: {docker: {" + docker + "}}}}" }

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	var out []audit.Check
	for _, l := range [][]audit.Check{basics(), profiles(), dangerous(), weak(), ownMode(), ownLimits(), ownReach()} {
		out = append(out, l...)
	}
	return out
}

func basics() []audit.Check {
	return []audit.Check{
		{
			ID: "sandbox.docker_config_mode_off", Layer: layer, On: audit.Both, Severity: "warn",
			Title:  "Sandbox docker settings configured while sandbox mode is off",
			Why:    "Somebody thought commands run in a container. They run on the host.",
			Remedy: "Set the sandbox mode to all (or non-main), or remove the docker settings.",
			Refs:   []string{"CWE-693"},
			Run:    noop,
			Fires: kit.Join(kit.Cfg(`{agents:{defaults:{sandbox:{docker:{memory:"1g"}}}}}`, `{agents:{entries:{main:{sandbox:{docker:{memory:"1g"}}}}}}`),
				kit.Own("agents: {defaults: {sandbox: {mode: 'off', docker: {memory: 1g}}}}")),
			Quiet: kit.Join(kit.Cfg(oc(`memory:"1g"`), `{agents:{defaults:{sandbox:{docker:{}}}}}`,
				`{agents:{defaults:{sandbox:{docker:{memory:"1g"}}},entries:{a:{sandbox:{mode:"all"}}}}}`), kit.Own(own("memory: 1g"))),
		},
		{
			ID: "sandbox.bind_mount_non_absolute", Layer: layer, On: audit.Both, Severity: "warn",
			Title:  "Sandbox bind mount uses a non-absolute source path",
			Why:    "What is mounted depends on where the gateway was started, and a bare name makes a volume that outlives the sandbox.",
			Remedy: "Write the full host path.",
			Refs:   []string{"CWE-426"},
			Run: binds(func(b bind) (string, bool) {
				return "its source is not an absolute path", !strings.HasPrefix(b.source, "/") && !drive(b.source)
			}),
			Fires: kit.Join(kit.Cfg(oc(`binds:["./data:/data"]`), oc(`binds:["vol:/data"]`)), kit.Own(own("binds: ['data:/data']"))),
			Quiet: kit.Cfg(oc(`binds:["/srv/data:/data:ro"]`)),
		},
		{
			ID: "sandbox.dangerous_bind_mount", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Dangerous bind mount in sandbox config",
			Why:    "System directories, credentials and the engine's socket turn a container into the host.",
			Remedy: "Remove the bind and mount only the project's own directory.",
			Refs:   []string{"CWE-668", "CWE-250"},
			Run:    blockedBinds,
			Fires: kit.Join(kit.Cfg(oc(`binds:["/etc:/x:ro"]`), oc(`binds:["/:/host"]`), oc(`binds:["/var/run/docker.sock:/s"]`), oc(`binds:["/srv/../etc:/x"]`), oc(`binds:["@HOME@/.ssh:/ssh:ro"]`)),
				kit.Own(own("binds: ['/proc:/p:ro']"))),
			Quiet: kit.Join(kit.Cfg(oc(`binds:["/srv/project:/project:ro"]`), oc(`binds:["/srv/etc:/x"]`), oc(`binds:["./etc:/x"]`)), kit.Own(own("binds: ['/srv/p:/p:ro']"))),
		},
		{
			ID: "sandbox.dangerous_network_mode", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Dangerous network mode in sandbox config",
			Why:    "host removes the network boundary; container:<name> joins another container's network with everything that listens there.",
			Remedy: "Use none, egress or a bridge network of its own.",
			Refs:   []string{"CWE-653"},
			Run: kit.Docker("network", func(n *audit.Node) string {
				mode := strings.ToLower(n.Text())
				switch {
				case mode == "host":
					return "the sandbox would use the host's network"
				case strings.HasPrefix(mode, "container:"):
					return "the sandbox would join another container's network"
				}
				return ""
			}),
			Fires: kit.Join(kit.Cfg(oc(`network:"host"`), oc(`network:"container:db",dangerouslyAllowContainerNamespaceJoin:true`)), kit.Own(own("network: host"))),
			Quiet: kit.Join(kit.Cfg(oc(`network:"bridge"`), oc(`network:"none"`)), kit.Own(own("network: egress"))),
		},
	}
}

func noop(s *audit.Subject) []audit.Hit {
	fallback := "off"
	if s.Kind == audit.Own {
		fallback = "all"
	}
	var paths []string
	def := s.Root.At("agents.defaults.sandbox")
	any := false
	for _, a := range view.Agents(s) {
		off := a.Mode(s) == "off"
		any = any || a.Written && !off
		if off && a.Node.At("sandbox.docker").Len() > 0 {
			paths = append(paths, a.Key+".sandbox.docker")
		}
	}
	if def.Get("docker").Len() > 0 && def.Get("mode").Or(fallback) == "off" && !any {
		paths = append([]string{"agents.defaults.sandbox.docker"}, paths...)
	}
	if len(paths) == 0 {
		return nil
	}
	return kit.At(paths[0], "%s", audit.Bullets("These settings have no effect while the sandbox is off:", paths))
}

func profiles() []audit.Check {
	unconfined := func(n *audit.Node) string {
		if strings.EqualFold(n.Text(), "unconfined") {
			return "unconfined switches it off"
		}
		return ""
	}
	return []audit.Check{
		{
			ID: "sandbox.dangerous_seccomp_profile", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Seccomp unconfined in sandbox config",
			Why:    "Every system call of the kernel is open to the sandbox, also those that escapes are made of.",
			Remedy: "Remove docker.seccompProfile, or name a profile file.",
			Refs:   []string{"CWE-693"}, Run: kit.Docker("seccompProfile", unconfined),
			Fires: kit.Join(kit.Cfg(oc(`seccompProfile:"Unconfined"`)), kit.Own(own("seccompProfile: unconfined"))), Quiet: kit.Cfg(oc(`seccompProfile:"/etc/p.json"`), `{}`),
		},
		{
			ID: "sandbox.dangerous_apparmor_profile", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "AppArmor unconfined in sandbox config",
			Why:    "The engine's own profile keeps a container from writing to kernel interfaces; without it a bug is enough.",
			Remedy: "Remove docker.apparmorProfile, or name a loaded profile.",
			Refs:   []string{"CWE-693"}, Run: kit.Docker("apparmorProfile", unconfined),
			Fires: kit.Join(kit.Cfg(oc(`apparmorProfile:"unconfined"`)), kit.Own(own("apparmorProfile: unconfined"))), Quiet: kit.Cfg(oc(`apparmorProfile:"docker-default"`), `{}`),
		},
	}
}

func flag(id, key, title, why string) audit.Check {
	run := kit.Docker(key, func(n *audit.Node) string {
		if n.True() {
			return "the guard is switched off"
		}
		return ""
	})
	return audit.Check{
		ID: id, Layer: layer, On: audit.Both, Severity: "critical", Title: title, Why: why,
		Remedy: "Remove docker." + key + ".", Refs: []string{"CWE-693", "CWE-250"},
		Run: run, Repair: kit.Set(run, "false"),
		Fires: kit.Join(kit.Cfg(oc(key+":true")), kit.Own(own(key+": true"))), Quiet: kit.Cfg(oc(key+":false"), `{}`),
	}
}

func dangerous() []audit.Check {
	return []audit.Check{
		flag("sandbox.dangerously_allow_reserved_targets", "dangerouslyAllowReservedContainerTargets", "Binds may cover the sandbox's own directories",
			"A bind over /workspace or /agent replaces what the agent and the gateway believe to be theirs."),
		flag("sandbox.dangerously_allow_external_bind_sources", "dangerouslyAllowExternalBindSources", "Binds may come from anywhere on the host",
			"Whoever edits the configuration, or makes the agent do it, mounts any directory of the host."),
		flag("sandbox.dangerously_allow_namespace_join", "dangerouslyAllowContainerNamespaceJoin", "The sandbox may join another container's network",
			"What listens on that container's loopback trusts its own network; the sandbox then is inside."),
	}
}
