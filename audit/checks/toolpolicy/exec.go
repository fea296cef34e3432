// Package toolpolicy holds the checks of layer 2: which tools agents may use
// and how commands run.
package toolpolicy

import (
	"fmt"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerPolicy

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	var out []audit.Check
	for _, l := range [][]audit.Check{elevated(), execHost(), execTrust(), approvals(), safeBins(), boundary()} {
		out = append(out, l...)
	}
	return out
}

func elevated() []audit.Check {
	visit := func(s *audit.Subject, f func(provider string, list []string) []audit.Hit) []audit.Hit {
		el := s.Root.At("tools.elevated")
		if el.Get("enabled").False() || s.Kind == audit.Own && !el.Get("enabled").True() {
			return nil
		}
		var out []audit.Hit
		el.Get("allowFrom").Each(func(p string, n *audit.Node) { out = append(out, f(p, n.Strings())...) })
		return out
	}
	many := make([]string, 26)
	for i := range many {
		many[i] = fmt.Sprintf(`"%d"`, 1000+i)
	}
	return []audit.Check{
		{
			ID: "tools.elevated.allowFrom.<channel>.wildcard", Layer: layer, On: audit.Both, Severity: "critical",
			Title: "Elevated exec allowlist contains wildcard", Why: "Everybody on that channel may run commands on the host.",
			Remedy: "List the exact identities that may.", Refs: []string{"CWE-269", "OWASP-ASI03"},
			Run: func(s *audit.Subject) []audit.Hit {
				return visit(s, func(p string, list []string) []audit.Hit {
					if !kit.Has(list, "*") {
						return nil
					}
					return []audit.Hit{{ID: "tools.elevated.allowFrom." + p + ".wildcard", Key: "tools.elevated.allowFrom." + p, Detail: "tools.elevated.allowFrom." + audit.Show(p) + ` contains "*".`}}
				})
			},
			Fires: kit.Join(kit.Cfg(`{tools:{elevated:{allowFrom:{telegram:["*"]}}}}`), kit.Own("tools: {elevated: {enabled: true, allowFrom: {token: ['*']}}}")),
			Quiet: kit.Join(kit.Cfg(`{tools:{elevated:{enabled:false,allowFrom:{telegram:["*"]}}}}`, `{tools:{elevated:{allowFrom:{telegram:["1"]}}}}`), kit.Own("tools: {elevated: {allowFrom: {token: ['*']}}}")),
		},
		{
			ID: "tools.elevated.allowFrom.<channel>.large", Layer: layer, On: audit.Both, Severity: "warn",
			Title: "Elevated exec allowlist is large", Why: "Nobody knows all of them, and one stolen account is enough.",
			Remedy: "Keep the few who need it.", Refs: []string{"CWE-269"},
			Run: func(s *audit.Subject) []audit.Hit {
				return visit(s, func(p string, list []string) []audit.Hit {
					if len(list) <= 25 || kit.Has(list, "*") {
						return nil
					}
					return []audit.Hit{{ID: "tools.elevated.allowFrom." + p + ".large", Key: "tools.elevated.allowFrom." + p, Detail: fmt.Sprintf("tools.elevated.allowFrom.%s has %d entries.", audit.Show(p), len(list))}}
				})
			},
			Fires: kit.Cfg(`{tools:{elevated:{allowFrom:{discord:[` + strings.Join(many, ",") + `]}}}}`),
			Quiet: kit.Cfg(`{tools:{elevated:{allowFrom:{discord:[` + strings.Join(many[:25], ",") + `]}}}}`),
		},
	}
}

func execHost() []audit.Check {
	return []audit.Check{
		{
			ID: "tools.exec.host_sandbox_no_sandbox_defaults", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Exec host is sandbox but sandbox mode is off", Why: "Commands fail, and the quick cure is to run them on the host.",
			Remedy: "Set agents.defaults.sandbox.mode to all.", Refs: []string{"CWE-693"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.If(s.Root.At("tools.exec.host").Text() == "sandbox" && (view.Agent{}).Mode(s) == "off", "tools.exec.host", "tools.exec.host is sandbox and agents.defaults.sandbox.mode is off.")
			},
			Fires: kit.Cfg(`{tools:{exec:{host:"sandbox"}}}`), Quiet: kit.Cfg(`{tools:{exec:{host:"sandbox"}},agents:{defaults:{sandbox:{mode:"all"}}}}`, `{}`),
		},
		{
			ID: "tools.exec.host_sandbox_no_sandbox_agents", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Agent exec host uses sandbox while sandbox mode is off", Why: "Commands fail, and the quick cure is to run them on the host.",
			Remedy: "Enable the sandbox for these agents.", Refs: []string{"CWE-693"},
			Run: func(s *audit.Subject) []audit.Hit {
				var ids []string
				for _, a := range view.Agents(s) {
					if a.Node.At("tools.exec.host").Text() == "sandbox" && a.Mode(s) == "off" {
						ids = append(ids, a.ID)
					}
				}
				if len(ids) == 0 {
					return nil
				}
				return kit.At("agents.entries."+ids[0]+".tools.exec.host", "tools.exec.host is sandbox without a sandbox for: %s.", kit.List(ids, 5))
			},
			Fires: kit.Cfg(`{agents:{entries:{main:{tools:{exec:{host:"sandbox"}}}}}}`), Quiet: kit.Cfg(`{agents:{entries:{main:{sandbox:{mode:"all"},tools:{exec:{host:"sandbox"}}}}}}`, `{}`),
		},
	}
}

func execTrust() []audit.Check {
	open := `channels:{telegram:{groupPolicy:"open"}}`
	return []audit.Check{
		{
			ID: "tools.exec.security_full_configured", Layer: layer, On: audit.OpenClaw, Severity: "warn; critical when a channel is open to anybody",
			Title: "Exec security=full is configured", Why: "Every command runs without a question, also those that a stranger's text put into the model's mind.",
			Remedy: `Use tools.exec.mode "ask" or "allowlist".`, Refs: []string{"CWE-78", "OWASP-LLM06"},
			Run: func(s *audit.Subject) []audit.Hit {
				var ids []string
				key := ""
				for _, sc := range view.ExecScopes(s, "deny") {
					if sc.Security == "full" {
						ids = append(ids, sc.ID)
						if key == "" {
							key = sc.Key
						}
					}
				}
				openAt := view.OpenAnywhere(s)
				hits := kit.If(len(ids) > 0, key, "Commands run without a question for: %s.", kit.List(ids, 20))
				if len(hits) > 0 && len(openAt) > 0 {
					hits[0].Detail += audit.Bullets("\nAnybody can write to the agent at:", openAt)
				}
				return kit.Raise(len(openAt) > 0, hits)
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{tools:{exec:{security:"full"}}}`, `{tools:{exec:{mode:"full"}}}`, `{agents:{entries:{a:{tools:{exec:{mode:"full"}}}}}}`)),
				kit.Want(audit.Critical, kit.Cfg(`{tools:{exec:{mode:"full"}},`+open+`}`))),
			Quiet: kit.Cfg(`{}`, `{tools:{exec:{mode:"ask"}}}`, `{tools:{exec:{security:"full"}},agents:{entries:{main:{tools:{exec:{security:"deny"}}}}}}`),
		},
		{
			ID: "security.exposure.open_channels_with_exec", Layer: layer, On: audit.OpenClaw, Severity: "warn; critical when a scope has full exec",
			Title: "Open channels can reach exec-enabled agents", Why: "A stranger's message is one step from a command.",
			Remedy: "Set dmPolicy and groupPolicy to pairing or allowlist, or deny exec for the agents that strangers reach.", Refs: []string{"CWE-78", "OWASP-LLM01"},
			Run: func(s *audit.Subject) []audit.Hit {
				openAt := view.OpenAnywhere(s)
				var lines []string
				full := false
				for _, sc := range view.ExecScopes(s, "deny") {
					if sc.Security != "deny" {
						lines = append(lines, sc.ID+": security="+sc.Security+", host="+sc.Host)
						full = full || sc.Security == "full"
					}
				}
				if len(openAt) == 0 || len(lines) == 0 {
					return nil
				}
				return kit.Raise(full, kit.At(openAt[0], "%s%s", audit.Bullets("Anybody can write to the agent at:", openAt), audit.Bullets("\nCommands are allowed for:", lines)))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{tools:{exec:{security:"allowlist"}},`+open+`}`)), kit.Want(audit.Critical, kit.Cfg(`{tools:{exec:{mode:"full"}},channels:{x:{accounts:{a:{dmPolicy:"open"}}}}}`))),
			Quiet: kit.Cfg(`{`+open+`}`, `{tools:{exec:{mode:"full"}}}`),
		},
		{
			ID: "tools.exec.fs_tools_disabled_but_exec_enabled", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Filesystem tool policy does not make exec read-only", Why: "Denying write and edit looks like a read-only agent; its shell writes all the same.",
			Remedy: `Deny exec and process as well, or hold it with sandbox mode all and workspaceAccess ro.`, Refs: []string{"CWE-863"},
			Run:   drift,
			Fires: kit.Cfg(`{tools:{deny:["write","edit","apply_patch"]}}`, `{agents:{entries:{main:{tools:{deny:["group:fs"]}}}}}`, `{tools:{deny:["group:fs"],exec:{host:"gateway"}},agents:{defaults:{sandbox:{mode:"all"}}}}`),
			Quiet: kit.Cfg(`{tools:{deny:["write","edit","apply_patch","exec"]}}`, `{tools:{deny:["group:fs"]},agents:{defaults:{sandbox:{mode:"all",workspaceAccess:"ro"}}}}`, `{tools:{deny:["write"]}}`),
		},
	}
}

func drift(s *audit.Subject) []audit.Hit {
	var lines []string
	key := ""
	for _, a := range append([]view.Agent{{Key: "tools"}}, view.Agents(s)...) {
		mode, access := a.Mode(s), a.Sandbox(s, "workspaceAccess", "none")
		host := view.ExecOf(s, a, "").Host
		if mode == "all" && host != "gateway" && host != "node" && access != "rw" {
			continue
		}
		layers := view.Layers(s, a)
		if !view.Allows("exec", layers) || len(view.Filter(layers, "write", "edit", "apply_patch")) > 0 {
			continue
		}
		label := a.Key
		if a.ID != "" {
			label += ".tools"
		}
		lines = append(lines, label+": exec.host="+host+", sandbox="+mode+", workspaceAccess="+access)
		if key == "" {
			key = label
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return kit.At(key, "%s", audit.Bullets("write, edit and apply_patch are denied and exec is not:", lines))
}

func approvals() []audit.Check {
	file := func(text string) []audit.Example {
		return []audit.Example{{Config: `{}`, Files: map[string]string{"state/exec-approvals.json": text}}}
	}
	return []audit.Check{
		{
			ID: "tools.exec.auto_allow_skills_enabled", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "autoAllowSkills is enabled for exec approvals", Why: "Whatever a skill brings runs on the host, although nobody approved it.",
			Remedy: "Switch autoAllowSkills off in the exec approvals and list commands by hand.", Refs: []string{"CWE-862"},
			Run: func(s *audit.Subject) []audit.Hit {
				ap := view.Approvals(s)
				var at []string
				if ap.At("defaults.autoAllowSkills").True() {
					at = append(at, "defaults.autoAllowSkills")
				}
				ap.Get("agents").Each(func(id string, n *audit.Node) {
					if n.Get("autoAllowSkills").True() {
						at = append(at, "agents."+id+".autoAllowSkills")
					}
				})
				if len(at) == 0 {
					return nil
				}
				return []audit.Hit{{File: filepath.Join(s.StateDir, "exec-approvals"), Detail: audit.Bullets("Skills' programs are allowed at:", at)}}
			},
			Fires: file(`{"version":1,"defaults":{"autoAllowSkills":true}}`), Quiet: file(`{"version":1,"defaults":{"autoAllowSkills":false}}`),
		},
		{
			ID: "tools.exec.allowlist_interpreter_without_strict_inline_eval", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Interpreter allowlist entries are missing strictInlineEval hardening", Why: "An allowed interpreter with -c or -e runs any code; allowing python is allowing everything.",
			Remedy: "Set tools.exec.strictInlineEval to true, or remove interpreters from the allow list.", Refs: []string{"CWE-95"},
			Run:   interpreterApprovals,
			Fires: file(`{"version":1,"agents":{"main":{"allowlist":[{"pattern":"/usr/bin/python3.11"}]}}}`),
			Quiet: kit.Join(file(`{"version":1,"agents":{"main":{"allowlist":[{"pattern":"/usr/bin/git"}]}}}`),
				[]audit.Example{{Config: `{tools:{exec:{strictInlineEval:true}}}`, Files: map[string]string{"state/exec-approvals.json": `{"version":1,"agents":{"main":{"allowlist":[{"pattern":"python3"}]}}}`}}}),
		},
	}
}

func interpreterApprovals(s *audit.Subject) []audit.Hit {
	global := s.Root.At("tools.exec.strictInlineEval").True()
	strict := map[string]bool{}
	for _, a := range view.Agents(s) {
		n := a.Node.At("tools.exec.strictInlineEval")
		strict[a.ID] = n.True() || global && !n.False()
	}
	var at []string
	view.Approvals(s).Get("agents").Each(func(id string, n *audit.Node) {
		if on, known := strict[id]; on || !known && global {
			return
		}
		for _, e := range n.Get("allowlist").Items() {
			p := e.Get("pattern").Text()
			if p == "" {
				p = e.Text()
			}
			if interpreterPattern(p) {
				at = append(at, "agents."+id+".allowlist: "+p)
			}
		}
	})
	if len(at) == 0 {
		return nil
	}
	return []audit.Hit{{File: filepath.Join(s.StateDir, "exec-approvals"), Detail: audit.Bullets("Interpreters are allowed without tools.exec.strictInlineEval:", at)}}
}

func interpreterPattern(p string) bool {
	base := path.Base(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(p)), `\`, "/"))
	base = strings.TrimSuffix(strings.Trim(base, "*?[]"), ".exe")
	if interpreter(base) || base == "osascript" || base == "make" || base == "find" || base == "xargs" {
		return true
	}
	return interpreter(strings.TrimRight(base, "0123456789.-"))
}

// interpreter reports programs that run code given as an argument.
func interpreter(bin string) bool {
	switch bin {
	case "ash", "awk", "bash", "busybox", "bun", "cmd", "cscript", "dash", "deno", "fish", "gawk", "gsed", "ksh", "lua", "mawk", "nawk",
		"node", "nodejs", "perl", "php", "powershell", "pypy", "pwsh", "python", "python2", "python3", "ruby", "sed", "sh", "toybox", "wscript", "zsh":
		return true
	}
	for _, stem := range []string{"python", "ruby", "perl", "php", "node"} {
		rest, ok := strings.CutPrefix(bin, stem)
		if ok && rest != "" && strings.Trim(rest, "0123456789.") == "" {
			return true
		}
	}
	return false
}

// perExec calls f for the global exec section and for every agent's.
func perExec(s *audit.Subject, f func(at string, own *audit.Node)) {
	f("tools.exec", s.Root.At("tools.exec"))
	for _, a := range view.Agents(s) {
		f(a.Key+".tools.exec", a.Node.At("tools.exec"))
	}
}

func safeBins() []audit.Check {
	list := func(text string) []audit.Example { return kit.Cfg(`{tools:{exec:{` + text + `}}}`) }
	return []audit.Check{
		{
			ID: "tools.exec.safe_bins_interpreter_unprofiled", Layer: layer, On: audit.Both, Severity: "warn",
			Title: "safeBins includes interpreter/runtime binaries without explicit profiles", Why: "A program that runs code from its arguments is no filter; on this list it runs without a question.",
			Remedy: "Remove interpreters from safeBins, or give them a tight profile.", Refs: []string{"CWE-95"},
			Run: func(s *audit.Subject) []audit.Hit {
				global := s.Root.At("tools.exec.safeBinProfiles")
				return binHits(s, "Interpreters among safeBins:", func(own *audit.Node, bin string) bool {
					return interpreter(bin) && !global.Get(bin).Set() && !own.Get("safeBinProfiles", bin).Set()
				})
			},
			Fires: kit.Join(list(`safeBins:["Python3","head"]`), kit.Cfg(`{agents:{entries:{a:{tools:{exec:{safeBins:["sh"]}}}}}}`)), Quiet: kit.Join(list(`safeBins:["head"]`), list(`safeBins:["python3"],safeBinProfiles:{python3:{}}`)),
		},
		{
			ID: "tools.exec.safe_bins_broad_behavior", Layer: layer, On: audit.Both, Severity: "warn",
			Title: "safeBins includes binaries with broader semantics than low-risk stream filters", Why: "jq reads the environment and loads modules; awk and sed run commands and write files.",
			Remedy: "Remove them from safeBins and allow single commands instead.", Refs: []string{"CWE-78"},
			Run: func(s *audit.Subject) []audit.Hit {
				return binHits(s, "More than filters among safeBins:", func(_ *audit.Node, bin string) bool {
					return kit.Has([]string{"jq", "awk", "gawk", "mawk", "nawk", "sed", "gsed"}, bin)
				})
			},
			Fires: list(`safeBins:["jq"]`), Quiet: list(`safeBins:["cut"]`),
		},
		{
			ID: "tools.exec.safe_bin_trusted_dirs_risky", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "safeBinTrustedDirs includes risky mutable directories", Why: "A program that somebody planted there under a safe name runs without a question.",
			Remedy: "Trust /bin and /usr/bin only.", Refs: []string{"CWE-426"},
			Run: func(s *audit.Subject) []audit.Hit {
				var lines []string
				key := ""
				perExec(s, func(at string, own *audit.Node) {
					for _, d := range own.Get("safeBinTrustedDirs").Strings() {
						if why := riskyDir(d); why != "" {
							lines = append(lines, at+".safeBinTrustedDirs: "+d+" ("+why+")")
							if key == "" {
								key = at + ".safeBinTrustedDirs"
							}
						}
					}
				})
				if len(lines) == 0 {
					return nil
				}
				return kit.At(key, "%s", audit.Bullets("Directories that others can often write to:", lines[:min(10, len(lines))]))
			},
			Fires: kit.Join(list(`safeBinTrustedDirs:["/tmp/x"]`), list(`safeBinTrustedDirs:["bin"]`), list(`safeBinTrustedDirs:["/usr/local/bin"]`), list(`safeBinTrustedDirs:["/home/u/bin"]`)),
			Quiet: list(`safeBinTrustedDirs:["/usr/bin","/opt/tools","/tmpfs"]`),
		},
	}
}

func binHits(s *audit.Subject, heading string, bad func(own *audit.Node, bin string) bool) []audit.Hit {
	var lines []string
	key := ""
	perExec(s, func(at string, own *audit.Node) {
		seen := map[string]bool{}
		for _, bin := range own.Get("safeBins").Strings() {
			bin = strings.ToLower(bin)
			if !seen[bin] && bad(own, bin) {
				seen[bin] = true
				lines = append(lines, at+".safeBins: "+bin)
				if key == "" {
					key = at + ".safeBins"
				}
			}
		}
	})
	if len(lines) == 0 {
		return nil
	}
	sort.Strings(lines)
	return kit.At(key, "%s", audit.Bullets(heading, lines))
}

func riskyDir(d string) string {
	if !strings.HasPrefix(d, "/") {
		return "relative"
	}
	d = strings.ToLower(path.Clean(d))
	for _, tmp := range []string{"/tmp", "/var/tmp", "/private/tmp"} {
		if d == tmp || strings.HasPrefix(d, tmp+"/") {
			return "temporary directory"
		}
	}
	switch d {
	case "/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin", "/home/linuxbrew/.linuxbrew/bin":
		return "package manager's directory"
	}
	if strings.HasPrefix(d, "/users/") || strings.HasPrefix(d, "/home/") || strings.Contains(d, "/.local/bin") {
		return "below a home directory"
	}
	return ""
}
