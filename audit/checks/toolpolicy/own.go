package toolpolicy

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// wide makes a check of one tool that the policy lets agents use.
func wide(id, sev, title, why, remedy string, bad func(s *audit.Subject) []audit.Hit, fires, quiet []audit.Example) audit.Check {
	return audit.Check{ID: "tools." + id, Layer: layer, On: audit.Own, Severity: sev, Title: title, Why: why, Remedy: remedy, Refs: []string{"CWE-862", "OWASP-LLM06"}, Run: bad, Fires: fires, Quiet: quiet}
}

// anyScope gives a hit for the global tools section and every agent's for
// which bad has a message.
func anyScope(bad func(n *audit.Node) (key, msg string)) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		var out []audit.Hit
		look := func(at string, n *audit.Node) {
			if key, msg := bad(n); msg != "" {
				full := at + "." + key
				out = append(out, kit.At(full, "%s: %s.", audit.Show(full), msg)...)
			}
		}
		look("tools", s.Root.Get("tools"))
		for _, a := range view.Agents(s) {
			look(a.Key+".tools", a.Node.Get("tools"))
		}
		return out
	}
}

func note(cond bool, msg string) string {
	if cond {
		return msg
	}
	return ""
}

// Own lists the checks of our own policy keys.
func Own() []audit.Check {
	return append(append(append(lists(), commands()...), people()...), mcp()...)
}

// t makes examples of the tools section.
func t(texts ...string) []audit.Example {
	out := make([]audit.Example, len(texts))
	for i, text := range texts {
		out[i] = audit.Example{Config: "tools: {" + text + "}"}
	}
	return out
}

func lists() []audit.Check {
	return []audit.Check{
		wide("profile_full", "warn", "The profile allows every tool", "Whatever is added later, by a plugin or an MCP server, is allowed from the first day.", "Use the profile coding, messaging or minimal, and add what is missing with alsoAllow.",
			anyScope(func(n *audit.Node) (string, string) {
				return "profile", note(n.Get("profile").Text() == "full", "it is full")
			}), t("profile: full"), t("profile: coding")),
		wide("allow_everything", "warn", "The allow list allows every tool", "Whatever is added later is allowed from the first day.", "List tools or groups.",
			anyScope(func(n *audit.Node) (string, string) {
				return "allow", note(kit.Has(n.Get("allow").Strings(), "*") || kit.Has(n.At("policy.allow").Strings(), "*"), `it contains "*"`)
			}), t("allow: ['*']", "policy: {allow: ['*']}"), t("allow: [read]")),
		wide("allow_owner_only", "warn", "The allow list names tools that only an owner gets", "It looks as if agents had them; somebody will make it so.", "Remove gateway, cron and whatsapp_login from the list.",
			anyScope(func(n *audit.Node) (string, string) {
				var hit []string
				for _, v := range append(n.Get("allow").Strings(), n.At("policy.allow").Strings()...) {
					if kit.Has([]string{"gateway", "automations", "whatsapp_login", "plugins"}, view.Canon(v)) {
						hit = append(hit, v)
					}
				}
				return "allow", note(len(hit) > 0, "it names "+kit.List(hit, 5))
			}), t("allow: [read, cron]"), t("allow: [read]")),
		wide("unknown_group", "warn", "A policy names a group that does not exist", "The entry matches nothing: a denial that denies nothing.", "Correct the name; chitin policy explain shows groups.",
			anyScope(func(n *audit.Node) (string, string) {
				for _, key := range []string{"deny", "allow", "policy.deny", "policy.allow", "alsoAllow"} {
					for _, v := range n.At(key).Strings() {
						if v = strings.ToLower(v); strings.HasPrefix(v, "group:") && v != "group:plugins" && len(view.Expand([]string{v})) == 1 && view.Expand([]string{v})[0] == v {
							return key, audit.Show(v) + " is no group"
						}
					}
				}
				return "", ""
			}), t("deny: ['group:filesystem']"), t("deny: ['group:fs']")),
		wide("deny_write_not_patch", "warn", "write is denied and apply_patch is not", "apply_patch writes files as well.", "Deny group:fs, or add apply_patch and edit.",
			anyScope(func(n *audit.Node) (string, string) {
				deny := view.Expand(append(n.Get("deny").Strings(), n.At("policy.deny").Strings()...))
				return "deny", note(kit.Has(deny, "write") && !kit.Has(deny, "apply_patch"), "apply_patch still writes")
			}), t("deny: [write]"), t("deny: ['group:fs']", "deny: [write, apply_patch]")),
	}
}

func commands() []audit.Check {
	out := commandChecks()
	for i := range out {
		if out[i].ID == "tools.elevated_level_full" {
			out[i].Repair = kit.Set(out[i].Run, "ask")
		}
	}
	return out
}

func commandChecks() []audit.Check {
	return []audit.Check{
		wide("exec_mode_full", "warn", "Commands never need a question", "On the host as well as in the sandbox, every command of the model runs.", "Leave tools.exec.mode unset, or use ask.",
			anyScope(func(n *audit.Node) (string, string) {
				return "exec.mode", note(n.At("exec.mode").Text() == "full" || n.At("exec.security").Text() == "full", "it is full")
			}), t("exec: {mode: full}", "exec: {security: full}"), t("exec: {mode: ask}")),
		wide("exec_allowlist_interpreter", "warn", "An interpreter runs without a question", "python, sh or node with code in their arguments run anything.", "Remove it, or set tools.exec.strictInlineEval.",
			anyScope(func(n *audit.Node) (string, string) {
				if n.At("exec.strictInlineEval").True() {
					return "", ""
				}
				for _, v := range n.At("exec.allowlist").Strings() {
					first, _, _ := strings.Cut(v, " ")
					if interpreterPattern(filepath.Base(first)) {
						return "exec.allowlist", audit.Show(v)
					}
				}
				return "", ""
			}), t("exec: {allowlist: ['python3 **']}"), t("exec: {allowlist: ['git status']}", "exec: {strictInlineEval: true, allowlist: ['python3 **']}")),
		wide("exec_allowlist_anything", "critical", "An entry of the allow list matches any command", "The list allows everything.", "Name the program and its arguments.",
			anyScope(func(n *audit.Node) (string, string) {
				for _, v := range n.At("exec.allowlist").Strings() {
					if first, _, _ := strings.Cut(v, " "); strings.Trim(first, "*") == "" {
						return "exec.allowlist", audit.Show(v)
					}
				}
				return "", ""
			}), t("exec: {allowlist: ['**']}", "exec: {allowlist: ['* x']}"), t("exec: {allowlist: ['git *']}")),
		wide("exec_trusted_dir_risky", "warn", "Programs are looked up where others can put some", "A planted program under a safe name runs without a question.", "Trust /usr/bin and /bin only.",
			anyScope(func(n *audit.Node) (string, string) {
				for _, v := range n.At("exec.trustedDirs").Strings() {
					if why := riskyDir(v); why != "" && why != "package manager's directory" {
						return "exec.trustedDirs", audit.Show(v) + " (" + why + ")"
					}
				}
				return "", ""
			}), t("exec: {trustedDirs: [/tmp/bin]}"), t("exec: {trustedDirs: [/usr/bin]}")),
		wide("elevated_level_full", "critical", "Elevated commands run without a question", "Who gets on the list runs commands on the host unseen.", "Set tools.elevated.level to ask.",
			anyScope(func(n *audit.Node) (string, string) {
				return "elevated.level", note(n.At("elevated.enabled").True() && n.At("elevated.level").Text() == "full", "it is full")
			}), t("elevated: {enabled: true, level: full}"), t("elevated: {enabled: true, level: ask}", "elevated: {level: full}")),
		wide("elevated_enabled", "info", "There is a way out of the sandbox to the host", "It is meant for few and for a while.", "Switch tools.elevated.enabled off when it is not used.",
			anyScope(func(n *audit.Node) (string, string) {
				return "elevated.enabled", note(n.At("elevated.enabled").True(), "it is on")
			}), t("elevated: {enabled: true}"), t("elevated: {enabled: false}")),
	}
}

func people() []audit.Check {
	out := peopleChecks()
	for i := range out {
		if out[i].ID == "tools.approvals_allow_self" {
			out[i].Repair = kit.Set(out[i].Run, "false")
		}
	}
	return out
}

func peopleChecks() []audit.Check {
	return []audit.Check{
		wide("fs_workspace_only_off", "critical", "File tools may leave the workspace", "They read keys and write start-up files.", "Remove the key; chitin refuses it.",
			anyScope(func(n *audit.Node) (string, string) {
				for _, key := range []string{"fs.workspaceOnly", "exec.applyPatch.workspaceOnly"} {
					if n.At(key).False() {
						return key, "it is false"
					}
				}
				return "", ""
			}), t("fs: {workspaceOnly: false}", "exec: {applyPatch: {workspaceOnly: false}}"), t("fs: {workspaceOnly: true}")),
		wide("sessions_visibility_all", "warn", "Session tools reach every session of the principal", "An agent that was talked into it reads the others' conversations.", "Use tree or self.",
			anyScope(func(n *audit.Node) (string, string) {
				return "sessions.visibility", note(n.At("sessions.visibility").Text() == "all", "it is all")
			}), t("sessions: {visibility: all}"), t("sessions: {visibility: tree}")),
		wide("approvals_allow_self", "warn", "Whoever asks may approve", "A stolen session approves its own calls.", "Remove tools.approvals.allowSelf.",
			anyScope(func(n *audit.Node) (string, string) {
				return "approvals.allowSelf", note(n.At("approvals.allowSelf").True(), "it is on")
			}), t("approvals: {allowSelf: true}"), t("approvals: {allowSelf: false}")),
		wide("approvals_timeout_long", "info", "A call may wait for approval for more than a day", "Whoever approves tomorrow no longer knows what it was about.", "Set tools.approvals.timeoutSeconds to 1800.",
			anyScope(func(n *audit.Node) (string, string) {
				v, ok := n.At("approvals.timeoutSeconds").Num()
				return "approvals.timeoutSeconds", note(ok && v > 86_400, fmt.Sprintf("%.0f seconds", v))
			}), t("approvals: {timeoutSeconds: 200000}"), t("approvals: {timeoutSeconds: 1800}")),
		wide("sender_wildcard_allow", "warn", "A rule for any sender allows everything", "Strangers get the tools that were meant for named people.", "Deny for *, and allow for named senders.",
			anyScope(func(n *audit.Node) (string, string) {
				star := n.Get("toolsBySender", "*")
				return "toolsBySender", note(kit.Has(star.Get("allow").Strings(), "*"), `"*" allows "*"`)
			}), t("toolsBySender: {'*': {allow: ['*']}}"), t("toolsBySender: {'*': {deny: [exec]}}")),
		wide("sender_by_name", "warn", "A rule recognises senders by a name that they choose", "Whoever takes the name gets the tools.", "Use id: or e164: keys.",
			anyScope(func(n *audit.Node) (string, string) {
				hit := ""
				n.Get("toolsBySender").Each(func(k string, v *audit.Node) {
					if (strings.HasPrefix(k, "name:") || strings.HasPrefix(k, "username:")) && v.Get("allow").Len() > 0 {
						hit = k
					}
				})
				return "toolsBySender", note(hit != "", audit.Show(hit)+" allows tools")
			}), t("toolsBySender: {'name:Bob': {allow: [exec]}}"), t("toolsBySender: {'id:42': {allow: [exec]}}", "toolsBySender: {'name:Bob': {deny: [exec]}}")),
	}
}

// server makes a check of every MCP server of the configuration.
func server(id, sev, title, why, remedy, ref string, bad func(n *audit.Node) (key, msg string), fires, quiet string) audit.Check {
	cfg := func(text string) []audit.Example { return kit.Own("mcp: {servers: {jira: {" + text + "}}}") }
	return audit.Check{
		ID: "mcp.server." + id, Layer: audit.LayerPlugins, On: audit.Own, Severity: sev, Title: title, Why: why, Remedy: remedy, Refs: []string{ref, "OWASP-ASI04"},
		Run:   kit.Servers(bad),
		Fires: cfg(fires), Quiet: cfg(quiet),
	}
}

func mcp() []audit.Check {
	return []audit.Check{
		server("plain_http", "warn", "An MCP server is reached in clear text", "Whoever is on the path changes its tools' descriptions, which are instructions to the model.", "Use https.", "CWE-319",
			func(n *audit.Node) (string, string) {
				u, err := url.Parse(n.Get("url").Text())
				return "url", note(err == nil && u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1", "plain HTTP to "+audit.Show(u.Host))
			}, "url: 'http://mcp.example/x'", "url: 'https://mcp.example/x'"),
		server("command_relative", "warn", "An MCP server's program is found through PATH", "Whoever controls PATH or a directory in it is the server.", "Write the full path.", "CWE-426",
			func(n *audit.Node) (string, string) {
				c := n.Get("command").Text()
				return "command", note(c != "" && !filepath.IsAbs(c), audit.Show(c))
			}, "command: jira-mcp", "command: /usr/bin/jira-mcp"),
		server("package_unpinned", "warn", "An MCP server is fetched anew at each start", "Whoever publishes the next version runs code here.", "Install it once, with an exact version.", "CWE-494",
			func(n *audit.Node) (string, string) {
				runner := filepath.Base(n.Get("command").Text())
				if !kit.Has([]string{"npx", "uvx", "bunx", "pipx", "pnpm", "yarn"}, runner) {
					return "", ""
				}
				for _, a := range n.Get("args").Strings() {
					if !strings.HasPrefix(a, "-") && a != "run" && a != "dlx" && a != "exec" {
						at := strings.LastIndexByte(a, '@')
						pinned := at > 0 && at+1 < len(a) && a[at+1] >= '0' && a[at+1] <= '9' || strings.Contains(a, "==")
						return "args", note(!pinned, audit.Show(a)+" has no exact version")
					}
				}
				return "", ""
			}, "command: /usr/bin/npx, args: ['-y', 'jira-mcp']", "command: /usr/bin/npx, args: ['-y', 'jira-mcp@1.2.3']"),
		server("shell", "critical", "An MCP server is started through a shell", "What stands in the arguments is run as code.", "Name the program itself.", "CWE-78",
			func(n *audit.Node) (string, string) {
				return "command", note(kit.Has([]string{"sh", "bash", "dash", "zsh"}, filepath.Base(n.Get("command").Text())) && kit.Has(n.Get("args").Strings(), "-c"), "a shell with -c")
			}, "command: /bin/sh, args: ['-c', 'x']", "command: /usr/bin/jira-mcp"),
		server("secret_in_args", "critical", "A secret stands in an MCP server's arguments", "Every account of the host sees arguments in the process list.", "Pass it as a reference in env.", "CWE-214",
			func(n *audit.Node) (string, string) {
				for _, a := range n.Get("args").Strings() {
					low := strings.ToLower(a)
					if name, v, ok := strings.Cut(low, "="); ok && v != "" && (strings.HasSuffix(name, "token") || strings.HasSuffix(name, "key") || strings.HasSuffix(name, "password") || strings.HasSuffix(name, "secret")) {
						return "args", "it has " + audit.Show(name)
					}
				}
				return "", ""
			}, "command: /usr/bin/x, args: ['--api-key=abc']", "command: /usr/bin/x, args: ['--port=1']"),
		server("url_credentials", "critical", "A secret stands in an MCP server's address", "Addresses are logged by every proxy on the way.", "Use a header with a reference.", "CWE-598",
			func(n *audit.Node) (string, string) {
				u, err := url.Parse(n.Get("url").Text())
				if err != nil {
					return "", ""
				}
				q := strings.ToLower(u.RawQuery)
				return "url", note(u.User != nil || strings.Contains(q, "token=") || strings.Contains(q, "key=") || strings.Contains(q, "secret="), "the address carries a credential")
			}, "url: 'https://mcp.example/x?token=abc'", "url: 'https://mcp.example/x'"),
	}
}
