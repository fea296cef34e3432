package sandbox

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

func sb(text string) string { return "agents: {defaults: {sandbox: {" + text + "}}}" }

// weak are settings of the container itself that the peer's audit does not
// look at.
func weak() []audit.Check {
	return []audit.Check{
		{ID: "sandbox.cap_drop_empty", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "The sandbox keeps the engine's default capabilities",
			Why: "Raw sockets, chown and mknod are not needed to run commands, and each has been part of an escape.", Remedy: "Remove docker.capDrop, so that all are dropped.", Refs: []string{"CWE-250"},
			Run: kit.Docker("capDrop", func(n *audit.Node) string {
				if n.Is(audit.List) && !kit.Has(upper(n.Strings()), "ALL") {
					return "it does not contain ALL"
				}
				return ""
			}), Fires: kit.Cfg(oc(`capDrop:[]`), oc(`capDrop:["NET_RAW"]`)), Quiet: kit.Cfg(oc(`capDrop:["ALL"]`), `{}`)},
		{ID: "sandbox.root_writable", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "The sandbox's own system is writable",
			Why: "What a command plants in /usr stays for the next session of the same sandbox.", Remedy: "Remove docker.readOnlyRoot.", Refs: []string{"CWE-732"},
			Run: kit.Docker("readOnlyRoot", func(n *audit.Node) string {
				if n.False() {
					return "the root file system is writable"
				}
				return ""
			}), Fires: kit.Cfg(oc(`readOnlyRoot:false`)), Quiet: kit.Cfg(oc(`readOnlyRoot:true`), `{}`)},
		{ID: "sandbox.user_root", Layer: layer, On: audit.Both, Severity: "warn", Title: "Commands in the sandbox run as root",
			Why: "Root inside is root outside the moment anything is shared, unless the engine maps users.", Remedy: "Set docker.user to an id that is nobody on the host, or leave it unset with chitin.", Refs: []string{"CWE-250"},
			Run: kit.Docker("user", func(n *audit.Node) string {
				name, _, _ := strings.Cut(n.Str, ":")
				if name == "0" || name == "root" {
					return "it is root"
				}
				return ""
			}), Fires: kit.Join(kit.Cfg(oc(`user:"0:0"`), oc(`user:"root"`)), kit.Own(own("user: '0'"))), Quiet: kit.Cfg(oc(`user:"1000:1000"`), `{}`)},
		{ID: "sandbox.limits_off", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "A sandbox limit is switched off",
			Why: "One loop then takes all memory or every process slot of a host that others share.", Remedy: "Set docker.pidsLimit and docker.memory to values above 0.", Refs: []string{"CWE-770"},
			Run: func(s *audit.Subject) []audit.Hit {
				var out []audit.Hit
				for _, key := range []string{"pidsLimit", "memory", "cpus"} {
					out = append(out, kit.Docker(key, func(n *audit.Node) string {
						if v := strings.TrimSpace(n.Str); v == "0" || strings.HasPrefix(v, "-") {
							return "no limit"
						}
						return ""
					})(s)...)
				}
				return out
			}, Fires: kit.Cfg(oc(`pidsLimit:-1`), oc(`memory:"0"`)), Quiet: kit.Cfg(oc(`pidsLimit:256,memory:"1g"`), `{}`)},
		{ID: "sandbox.reserved_bind_target", Layer: layer, On: audit.Both, Severity: "warn", Title: "A bind covers the sandbox's own directories",
			Why: "The sandbox is refused when it starts; people then switch the guard off.", Remedy: "Mount it somewhere else, such as /mnt/project.", Refs: []string{"CWE-706"},
			Run: binds(func(b bind) (string, bool) {
				for _, dir := range []string{"/workspace", "/agent"} {
					if below(b.target, dir) || b.target == "/" {
						return "its target is reserved", true
					}
				}
				return "", false
			}), Fires: kit.Join(kit.Cfg(oc(`binds:["/srv/p:/workspace:ro"]`)), kit.Own(own("binds: ['/srv/p:/agent/x']"))), Quiet: kit.Cfg(oc(`binds:["/srv/p:/p:ro"]`))},
	}
}

func upper(list []string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strings.ToUpper(v)
	}
	return out
}

// value makes a check's function of a key of every sandbox section, absent
// ones included where fallback is the default.
func value(key string, bad func(v string) string) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		return kit.Sandboxes(s, func(at string, n *audit.Node) []audit.Hit {
			v := n.At(key)
			if !v.Set() {
				return nil
			}
			if msg := bad(strings.TrimSpace(v.Str)); msg != "" {
				return kit.At(at+"."+key, "%s.%s is %s: %s.", at, key, audit.Show(v.Str), msg)
			}
			return nil
		})
	}
}

func is(want, msg string) func(string) string {
	return func(v string) string {
		if v == want {
			return msg
		}
		return ""
	}
}

func above(limit float64, msg string) func(string) string {
	return func(v string) string {
		if f, err := strconv.ParseFloat(v, 64); err == nil && f > limit {
			return msg
		}
		return ""
	}
}

func ownMode() []audit.Check {
	return []audit.Check{
		{ID: "sandbox.mode_off", Layer: layer, On: audit.Own, Severity: "critical", Title: "Commands run on the host",
			Why: "One wrong line of a model, or one sentence of a stranger in an e-mail, acts with the gateway's own rights.", Remedy: "Set agents.defaults.sandbox.mode to all.", Refs: []string{"CWE-653", "OWASP-LLM06", "AML.T0053"},
			Run: func(s *audit.Subject) []audit.Hit {
				var out []audit.Hit
				if s.Root.At("agents.defaults.sandbox.mode").Text() == "off" {
					out = kit.At("agents.defaults.sandbox.mode", "agents.defaults.sandbox.mode is off.")
				}
				for _, a := range view.Agents(s) {
					if a.Node.At("sandbox.mode").Text() == "off" {
						out = append(out, kit.At(a.Key+".sandbox.mode", "%s.sandbox.mode is off.", a.Key)...)
					}
				}
				return out
			}, Fires: kit.Cfg(sb("mode: 'off'"), "agents: {entries: {main: {sandbox: {mode: 'off'}}}}"), Quiet: kit.Cfg("{}", sb("mode: all"))},
		{ID: "sandbox.mode_non_main", Layer: layer, On: audit.Own, Severity: "warn", Title: "The main session runs on the host",
			Why: "The main session reads the same mail and pages as the others.", Remedy: "Set the sandbox mode to all.", Refs: []string{"CWE-653"},
			Run: value("mode", is("non-main", "only sub-agents and background work are held")), Fires: kit.Cfg(sb("mode: non-main")), Quiet: kit.Cfg(sb("mode: all"), "{}")},
		{ID: "sandbox.scope_shared", Layer: layer, On: audit.Own, Severity: "warn", Title: "Agents share one sandbox",
			Why: "What one agent plants, the next one runs.", Remedy: "Use the scope agent or session.", Refs: []string{"CWE-668"},
			Run: value("scope", is("shared", "everything of a tenant runs in one place")), Fires: kit.Cfg(sb("scope: shared")), Quiet: kit.Cfg(sb("scope: agent"), "{}")},
		{ID: "sandbox.workspace_rw", Layer: layer, On: audit.Own, Severity: "info", Title: "The sandbox writes to the agent's workspace",
			Why: "Files that a command leaves there are read by the agent, by editors and by git hooks outside the sandbox.", Remedy: "Use ro or none where writing is not needed.", Refs: []string{"CWE-732"},
			Run: value("workspaceAccess", is("rw", "the workspace is writable")), Fires: kit.Cfg(sb("workspaceAccess: rw")), Quiet: kit.Cfg(sb("workspaceAccess: ro"), "{}")},
		{ID: "sandbox.min_tier_namespace", Layer: layer, On: audit.Own, Severity: "info", Title: "The weakest isolation is acceptable to this configuration",
			Why: "When the engine is down, commands run with namespaces alone instead of being refused.", Remedy: "Set agents.defaults.sandbox.minTier to container or gvisor.", Refs: []string{"CWE-636"},
			Run: value("minTier", is("namespace", "a missing engine is not noticed")), Fires: kit.Cfg(sb("minTier: namespace")), Quiet: kit.Cfg(sb("minTier: container"), "{}")},
		{ID: "sandbox.backend_namespace", Layer: layer, On: audit.Own, Severity: "warn", Title: "The backend is the weakest one",
			Why: "Namespaces and a filter are one kernel bug away from the host, with no engine profile between.", Remedy: "Use auto, docker or gvisor.", Refs: []string{"CWE-693"},
			Run: value("backend", is("namespace", "no container engine is used")), Fires: kit.Cfg(sb("backend: namespace")), Quiet: kit.Cfg(sb("backend: gvisor"), "{}")},
		{ID: "sandbox.prune_idle_off", Layer: layer, On: audit.Own, Severity: "info", Title: "Idle sandboxes are never removed",
			Why: "Each keeps its files and a process; a forgotten one is never rebuilt from a patched image.", Remedy: "Set prune.idleHours to 24.", Refs: []string{"CWE-459"},
			Run: value("prune.idleHours", is("0", "0 means never")), Fires: kit.Cfg(sb("prune: {idleHours: 0}")), Quiet: kit.Cfg(sb("prune: {idleHours: 24}"), "{}")},
		{ID: "sandbox.prune_age_long", Layer: layer, On: audit.Own, Severity: "info", Title: "Sandboxes live longer than a month",
			Why: "An old sandbox has an old system inside.", Remedy: "Set prune.maxAgeDays to 7.", Refs: []string{"CWE-1104"},
			Run: value("prune.maxAgeDays", func(v string) string {
				if v == "0" {
					return "0 means never"
				}
				return above(31, "more than a month")(v)
			}), Fires: kit.Cfg(sb("prune: {maxAgeDays: 365}"), sb("prune: {maxAgeDays: 0}")), Quiet: kit.Cfg(sb("prune: {maxAgeDays: 7}"), "{}")},
	}
}

func ownLimits() []audit.Check {
	return []audit.Check{
		{ID: "sandbox.pids_limit_high", Layer: layer, On: audit.Own, Severity: "warn", Title: "A sandbox may start thousands of processes",
			Why: "A fork bomb inside takes the process table of the host.", Remedy: "Set docker.pidsLimit to 256.", Refs: []string{"CWE-770"},
			Run: value("docker.pidsLimit", func(v string) string {
				if strings.HasPrefix(v, "-") {
					return "no limit"
				}
				return above(4096, "more than 4096")(v)
			}), Fires: kit.Cfg(own("pidsLimit: 100000"), own("pidsLimit: -1")), Quiet: kit.Cfg(own("pidsLimit: 256"), "{}")},
		{ID: "sandbox.memory_limit_high", Layer: layer, On: audit.Own, Severity: "warn", Title: "A sandbox may take 16 GiB of memory or more",
			Why: "The kernel then kills somebody else's process on the shared host.", Remedy: "Set docker.memory to what the work needs, such as 1g.", Refs: []string{"CWE-770"},
			Run: value("docker.memory", func(v string) string {
				if b, ok := size(v); ok && b >= 16<<30 {
					return "16 GiB or more"
				}
				return ""
			}), Fires: kit.Cfg(own("memory: 64g")), Quiet: kit.Cfg(own("memory: 1g"), "{}")},
		{ID: "sandbox.disk_limit_high", Layer: layer, On: audit.Own, Severity: "info", Title: "A sandbox may fill 64 GiB of disk or more",
			Why: "A full disk stops the gateway's journal, and with it the gateway.", Remedy: "Set docker.diskLimit to what the work needs.", Refs: []string{"CWE-770"},
			Run: value("docker.diskLimit", func(v string) string {
				if b, ok := size(v); ok && b >= 64<<30 {
					return "64 GiB or more"
				}
				return ""
			}), Fires: kit.Cfg(own("diskLimit: 500g")), Quiet: kit.Cfg(own("diskLimit: 1g"), "{}")},
		{ID: "sandbox.image_unpinned", Layer: layer, On: audit.Own, Severity: "info", Title: "The sandbox image can change under its name",
			Why: "Whoever can push the tag, or stand in for the registry, decides what runs inside.", Remedy: "Write name@sha256:… in docker.image.", Refs: []string{"CWE-494", "AML.T0010"},
			Run: value("docker.image", func(v string) string {
				if !strings.Contains(v, "@sha256:") {
					return "no digest"
				}
				return ""
			}), Fires: kit.Cfg(own("image: 'debian:12'")), Quiet: kit.Cfg(own("image: 'debian@sha256:aa'"), "{}")},
		{ID: "sandbox.image_latest", Layer: layer, On: audit.Own, Severity: "warn", Title: "The sandbox image follows latest",
			Why: "The next rebuild brings whatever was pushed last, unseen.", Remedy: "Pin a version, best a digest.", Refs: []string{"CWE-494"},
			Run: value("docker.image", func(v string) string {
				name := v[strings.LastIndexByte(v, '/')+1:]
				if !strings.Contains(v, "@sha256:") && (strings.HasSuffix(name, ":latest") || !strings.Contains(name, ":")) {
					return "the tag is latest"
				}
				return ""
			}), Fires: kit.Cfg(own("image: 'debian:latest'"), own("image: debian")), Quiet: kit.Cfg(own("image: 'debian:12'"), own("image: 'debian@sha256:aa'"), "{}")},
		{ID: "sandbox.ulimit_unlimited", Layer: layer, On: audit.Own, Severity: "info", Title: "A resource limit is unlimited",
			Why: "The limit was written down to hold something, and holds nothing.", Remedy: "Give it a number.", Refs: []string{"CWE-770"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.Sandboxes(s, func(at string, n *audit.Node) []audit.Hit {
					var out []audit.Hit
					n.At("docker.ulimits").Each(func(k string, v *audit.Node) {
						if strings.Contains(v.Str, "-1") || strings.Contains(v.Str, "unlimited") {
							out = append(out, kit.At(at+".docker.ulimits."+k, "%s.docker.ulimits.%s is unlimited.", at, audit.Show(k))...)
						}
					})
					return out
				})
			}, Fires: kit.Cfg(own("ulimits: {nofile: '-1:-1'}")), Quiet: kit.Cfg(own("ulimits: {nofile: '1024:4096'}"), "{}")},
	}
}

func size(v string) (int64, bool) {
	if v == "" {
		return 0, false
	}
	mult := int64(1)
	switch v[len(v)-1] | 0x20 {
	case 'k':
		mult = 1 << 10
	case 'm':
		mult = 1 << 20
	case 'g':
		mult = 1 << 30
	case 't':
		mult = 1 << 40
	}
	if mult > 1 {
		v = v[:len(v)-1]
	}
	n, err := strconv.ParseInt(v, 10, 40)
	return n * mult, err == nil
}

func ownReach() []audit.Check {
	return []audit.Check{
		{ID: "sandbox.bind_writable", Layer: layer, On: audit.Own, Severity: "info", Title: "A host directory is writable from the sandbox",
			Why: "What is written there is used outside the sandbox, with other rights.", Remedy: "Add :ro to the bind.", Refs: []string{"CWE-732"},
			Run:   binds(func(b bind) (string, bool) { return "it is writable", kit.Has(strings.Split(b.options, ","), "rw") }),
			Fires: kit.Cfg(own("binds: ['/srv/p:/p:rw']")), Quiet: kit.Cfg(own("binds: ['/srv/p:/p:ro']"), "{}")},
		{ID: "sandbox.bind_world_directory", Layer: layer, On: audit.Own, Severity: "warn", Title: "A shared scratch directory is mounted into the sandbox",
			Why: "Everybody's sockets and temporary files are there.", Remedy: "Mount a directory of its own.", Refs: []string{"CWE-379"},
			Run: binds(func(b bind) (string, bool) {
				for _, d := range []string{"/tmp", "/var/tmp", "/dev/shm", "/home", "/var", "/usr", "/opt", "/mnt", "/srv"} {
					if b.source == d {
						return "it is a shared top directory", true
					}
				}
				return "", false
			}), Fires: kit.Cfg(own("binds: ['/tmp:/t:ro']")), Quiet: kit.Cfg(own("binds: ['/srv/p:/p:ro']"), "{}")},
		{ID: "sandbox.env_secret", Layer: layer, On: audit.Own, Severity: "critical", Title: "A secret is put into the sandbox's environment",
			Why: "Every command inside reads it, and a model that is talked into it prints it.", Remedy: "Let the tool that needs it lease it from secrets, or use egress so that it never enters the sandbox.", Refs: []string{"CWE-526", "CWE-522"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.Sandboxes(s, func(at string, n *audit.Node) []audit.Hit {
					var out []audit.Hit
					n.At("docker.env").Each(func(k string, v *audit.Node) {
						if SecretName(k) && v.Str != "" {
							out = append(out, kit.At(at+".docker.env."+k, "%s.docker.env has %s.", at, audit.Show(k))...)
						}
					})
					return out
				})
			}, Fires: kit.Cfg(own("env: {API_KEY: x}"), own("env: {GITHUB_TOKEN: y}")), Quiet: kit.Cfg(own("env: {LANG: C.UTF-8, TOKENIZERS_PARALLELISM: 'false'}"), "{}")},
		{ID: "sandbox.network_custom", Layer: layer, On: audit.Own, Severity: "warn", Title: "The sandbox uses an engine network without a filter",
			Why: "It reaches every host that the network reaches, the cloud's metadata service and the private network among them.", Remedy: "Use none, or egress, which goes through chitin's filtering proxy.", Refs: []string{"CWE-918", "AML.T0025"},
			Run: value("docker.network", func(v string) string {
				if v == "none" || v == "egress" || v == "host" || strings.HasPrefix(v, "container:") {
					return ""
				}
				return fmt.Sprintf("%q has no filter", audit.Show(v))
			}), Fires: kit.Cfg(own("network: bridge")), Quiet: kit.Cfg(own("network: egress"), "{}", own("network: none"))},
		{ID: "sandbox.tools_allow_control_plane", Layer: layer, On: audit.Own, Severity: "critical", Title: "Sandboxed sessions may use control-plane tools",
			Why: "gateway, cron and nodes act outside the sandbox; allowing them inside undoes it.", Remedy: "Remove them from sandbox.tools.allow.", Refs: []string{"CWE-250", "OWASP-ASI02"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.Sandboxes(s, func(at string, n *audit.Node) []audit.Hit {
					var bad []string
					for _, t := range n.At("tools.allow").Strings() {
						if t == "*" || kit.Has([]string{"automations", "gateway", "nodes", "browser", "canvas"}, view.Canon(t)) {
							bad = append(bad, t)
						}
					}
					return kit.If(len(bad) > 0, at+".tools.allow", "%s.tools.allow includes %s.", at, kit.List(bad, 10))
				})
			}, Fires: kit.Cfg(sb("tools: {allow: [exec, gateway]}"), sb("tools: {allow: ['*']}")), Quiet: kit.Cfg(sb("tools: {allow: [exec, read]}"), "{}")},
		{ID: "sandbox.tools_deny_replaced", Layer: layer, On: audit.Own, Severity: "warn", Title: "The sandbox's deny list was replaced by a weaker one",
			Why: "A list of your own replaces the built-in one, and with it the denial of browser, cron, nodes and the gateway.", Remedy: "Put browser, canvas, nodes, cron and gateway on the list, or leave it out.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.Sandboxes(s, func(at string, n *audit.Node) []audit.Hit {
					deny := n.At("tools.deny")
					if !deny.Is(audit.List) {
						return nil
					}
					var open []string
					for _, t := range []string{"browser", "canvas", "nodes", "automations", "gateway"} {
						if view.Allows(t, []view.Policy{{Deny: view.Expand(deny.Strings())}}) {
							open = append(open, t)
						}
					}
					return kit.If(len(open) > 0, at+".tools.deny", "%s.tools.deny does not deny %s.", at, kit.List(open, 10))
				})
			}, Fires: kit.Cfg(sb("tools: {deny: []}")), Quiet: kit.Cfg(sb("tools: {deny: [browser, canvas, nodes, cron, gateway]}"), "{}")},
	}
}

// SecretName reports variable and key names that hold credentials.
func SecretName(k string) bool {
	k = strings.ToUpper(k)
	for _, end := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "ACCESS_KEY_ID", "CREDENTIALS"} {
		if strings.HasSuffix(k, end) {
			return true
		}
	}
	return false
}
