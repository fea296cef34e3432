// Package exposure holds the checks that look at several layers at once: who
// can write to an agent, and what that agent can do.
package exposure

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const (
	layer = audit.LayerExternal
	open  = `channels:{telegram:{groupPolicy:"open"}}`
	safe  = `tools:{profile:"messaging",deny:["group:automation","group:runtime","group:fs"],elevated:{enabled:false}}`
)

// Checks lists them in the order in which they run.
func Checks() []audit.Check { return append(matrix(), trust()...) }

func matrix() []audit.Check {
	return []audit.Check{
		{
			ID: "security.exposure.open_groups_with_elevated", Layer: layer, On: audit.OpenClaw, Severity: "critical",
			Title: "Open group/DM policy with elevated tools enabled", Why: "A sentence in an open room can ask for a command on the host.",
			Remedy: "Set the listed policies to allowlist, or tools.elevated.enabled to false.", Refs: []string{"CWE-269", "OWASP-LLM01", "AML.T0051"},
			Run: func(s *audit.Subject) []audit.Hit {
				at := view.OpenInbound(s)
				if len(at) == 0 || s.Root.At("tools.elevated.enabled").False() {
					return nil
				}
				return kit.At(at[0], "%s", audit.Bullets("Anybody can write to the agent at:", at))
			},
			Repair: closeGroups,
			Fires:  kit.Cfg(`{`+open+`}`, `{channels:{x:{dm:{policy:"open"}}}}`, `{channels:{x:{accounts:{a:{dmPolicy:"open"}}}}}`), Quiet: kit.Cfg(`{`+open+`,tools:{elevated:{enabled:false}}}`, `{}`),
		},
		{
			ID: "security.exposure.open_groups_with_runtime_or_fs", Layer: layer, On: audit.OpenClaw, Severity: "warn; critical when commands can run",
			Title: "Open group/DM policy with runtime/filesystem tools exposed", Why: "A sentence in an open room runs commands or reads files of the host.",
			Remedy: `Use tools.profile "messaging", tools.fs.workspaceOnly true and sandbox mode all for agents that strangers reach.`, Refs: []string{"CWE-668", "OWASP-LLM01", "AML.T0051"},
			Repair: closeGroups,
			Run: func(s *audit.Subject) []audit.Hit {
				at, risky := view.OpenInbound(s), view.RiskyContexts(s)
				if len(at) == 0 || len(risky.Lines) == 0 {
					return nil
				}
				return kit.Raise(risky.Runtime, kit.At(at[0], "%s%s", audit.Bullets("Anybody can write to the agent at:", at), audit.Bullets("\nStrong tools are in reach of:", risky.Lines)))
			},
			Fires: kit.Join(kit.Want(audit.Critical, kit.Cfg(`{`+open+`}`)), kit.Want(audit.Warn, kit.Cfg(`{`+open+`,tools:{deny:["group:runtime"]}}`))),
			Quiet: kit.Cfg(`{`+open+`,`+safe+`}`, `{`+open+`,agents:{defaults:{sandbox:{mode:"all"}}}}`, `{`+open+`,tools:{deny:["group:runtime"],fs:{workspaceOnly:true}}}`, `{}`),
		},
		{
			ID: "security.exposure.open_groups_with_control_plane_tools", Layer: layer, On: audit.OpenClaw, Severity: "critical",
			Title: "Open group/DM policy with control-plane tools exposed", Why: "A sentence in an open room changes plugins, updates the gateway or plants a scheduled task.",
			Remedy: "Deny automations, gateway and plugins for agents that strangers reach.", Refs: []string{"CWE-269", "OWASP-ASI02", "AML.T0051"},
			Repair: closeGroups,
			Run: func(s *audit.Subject) []audit.Hit {
				at := view.OpenInbound(s)
				var lines []string
				for _, a := range view.Contexts(s) {
					if t := view.Filter(view.Layers(s, a), "automations", "gateway", "plugins"); len(t) > 0 {
						lines = append(lines, a.Key+": "+strings.Join(t, ", "))
					}
				}
				if len(at) == 0 || len(lines) == 0 {
					return nil
				}
				return kit.At(at[0], "%s%s", audit.Bullets("Anybody can write to the agent at:", at), audit.Bullets("\nControl-plane tools are in reach of:", lines))
			},
			Fires: kit.Cfg(`{`+open+`}`, `{`+open+`,tools:{profile:"messaging"}}`), Quiet: kit.Cfg(`{`+open+`,`+safe+`}`, `{`+open+`,agents:{defaults:{sandbox:{mode:"all"}}}}`+"\n"),
		},
		{
			ID: "security.exposure.open_channels_default_exec", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Open channels reach agents whose exec policy is the permissive default", Why: "Unset, exec on the host runs every command without a question; the peer's audit counts unset as deny.",
			Remedy: `Set tools.exec.mode to "deny" or "ask".`, Refs: []string{"CWE-1188", "CWE-78"},
			Run: func(s *audit.Subject) []audit.Hit {
				at := view.OpenAnywhere(s)
				var ids []string
				for _, a := range view.Agents(s) {
					ex := view.ExecOf(s, a, "")
					hosted := ex.Host == "gateway" || ex.Host == "node" || ex.Host == "auto" && a.Mode(s) == "off"
					if ex.Security == "" && hosted && view.Allows("exec", view.Layers(s, a)) {
						ids = append(ids, a.ID)
					}
				}
				if len(at) == 0 || len(ids) == 0 {
					return nil
				}
				return kit.At(at[0], "tools.exec has no mode, which means full on the host, for: %s.%s", kit.List(ids, 10), audit.Bullets("\nAnybody can write to the agent at:", at))
			},
			Fires: kit.Cfg(`{` + open + `}`), Quiet: kit.Cfg(`{`+open+`,tools:{exec:{mode:"ask"}}}`, `{`+open+`,tools:{deny:["exec"]}}`, `{}`),
		},
	}
}

// closeGroups sets every open group policy to allowlist. Policies of private
// messages are left to a human, since pairing may be wanted.
func closeGroups(s *audit.Subject) []audit.Change {
	var out []audit.Change
	for _, key := range view.OpenInbound(s) {
		if strings.HasSuffix(key, ".groupPolicy") {
			out = append(out, audit.Change{Kind: "config", Path: s.ConfigPath, Key: key, Value: "allowlist"})
		}
	}
	return out
}

func trust() []audit.Check {
	return []audit.Check{
		{
			ID: "security.trust_model.group_scope_main", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Group rooms share the main session", Why: "Every member of the room reads and writes in the owner's own conversation.",
			Remedy: `Set session.groupScope to "per-group" and remove it from bindings.`, Refs: []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				if s.Root.At("session.groupScope").Text() == "main" {
					return kit.At("session.groupScope", "session.groupScope is main.")
				}
				for _, b := range s.Root.Get("bindings").Items() {
					if b.At("session.groupScope").Text() == "main" {
						return kit.At("bindings", "A binding sets session.groupScope to main.")
					}
				}
				return nil
			},
			Fires: kit.Cfg(`{session:{groupScope:"main"}}`, `{bindings:[{agentId:"a",session:{groupScope:"main"}}]}`), Quiet: kit.Cfg(`{session:{groupScope:"per-group"}}`, `{}`),
		},
		{
			ID: "security.trust_model.multi_user_heuristic", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Potential multi-user setup detected (personal-assistant model warning)", Why: "OpenClaw keeps one owner's things from strangers, not one user's from another's.",
			Remedy: "Give people who do not trust each other a gateway each, best under an account each; chitin's tenants are made for it.", Refs: []string{"CWE-653"},
			Run: func(s *audit.Subject) []audit.Hit {
				signals := view.SharedSignals(s)
				if len(signals) == 0 {
					return nil
				}
				detail := audit.Bullets("Several people may reach this gateway:", signals)
				if r := view.RiskyContexts(s); len(r.Lines) > 0 {
					detail += audit.Bullets("\nStrong tools are in reach of:", r.Lines)
				}
				return kit.At("channels", "%s", detail)
			},
			Fires: kit.Cfg(`{`+open+`}`, `{channels:{x:{allowFrom:["*"]}}}`, `{channels:{x:{groupPolicy:"allowlist",rooms:{r:{}}}}}`, `{channels:{x:{dm:{allowFrom:["*"]}}}}`),
			Quiet: kit.Cfg(`{channels:{x:{dmPolicy:"pairing",groupPolicy:"allowlist"}}}`, `{channels:{x:{allowFrom:["1","2"]}}}`, `{}`),
		},
		{
			ID: "security.trust_model.cross_agent_session_access_default", Layer: layer, On: audit.OpenClaw, Severity: "info; warn when something says that agents are not equally trusted",
			Title: "Agents share Gateway-wide session access (default)", Why: "An agent that was talked into it reads every other agent's conversations.",
			Remedy: "Set tools.sessions.visibility to agent, tree or self, or list pairs in tools.agentToAgent.allow.", Refs: []string{"CWE-668", "OWASP-ASI07"},
			Run: crossAgent,
			Fires: kit.Join(kit.Want(audit.Info, kit.Cfg(`{agents:{ownership:"explicit",entries:{a:{},b:{}}}}`)),
				kit.Want(audit.Warn, kit.Cfg(`{agents:{entries:{a:{},b:{tools:{profile:"messaging"}}}}}`, `{agents:{entries:{a:{},b:{}}},`+open+`}`))),
			Quiet: kit.Cfg(`{}`, `{agents:{entries:{a:{},b:{}}},tools:{sessions:{visibility:"self"}}}`, `{agents:{entries:{a:{},b:{}}},tools:{agentToAgent:{enabled:false}}}`,
				`{agents:{entries:{a:{},b:{}}},tools:{agentToAgent:{allow:["a"]}}}`, `{agents:{defaults:{sandbox:{mode:"all"}},entries:{a:{},b:{}}}}`),
		},
	}
}

func crossAgent(s *audit.Subject) []audit.Hit {
	agents, a2a := view.Agents(s), s.Root.At("tools.agentToAgent")
	if len(agents) < 2 || s.Root.At("tools.sessions.visibility").Or("all") != "all" || a2a.Get("enabled").False() || a2a.Get("allow").Len() > 0 {
		return nil
	}
	unclamped := s.Root.At("agents.defaults.sandbox.sessionToolsVisibility").Text() == "all"
	var reach, signals, ids []string
	for _, a := range agents {
		ids = append(ids, a.ID)
		mode := a.Mode(s)
		if mode != "off" {
			signals = append(signals, a.ID+": sandbox.mode="+mode)
		}
		tools := view.Filter(view.Layers(s, a), "sessions_list", "sessions_history", "sessions_search", "sessions_send", "session_status")
		if len(tools) > 0 && (mode != "all" || unclamped) {
			reach = append(reach, a.ID+": "+strings.Join(tools, ", "))
		}
		for _, key := range []string{"profile", "allow", "deny"} {
			if a.Node.Get("tools", key) != nil {
				signals = append(signals, a.ID+": tools."+key)
			}
		}
	}
	if len(reach) == 0 {
		return nil
	}
	signals = append(signals, view.SharedSignals(s)...)
	hits := kit.At("tools.sessions.visibility", "%s", audit.Bullets("Agents that reach the sessions of all ("+kit.List(ids, 20)+"):", reach))
	if len(signals) > 0 {
		hits[0].Severity = audit.Warn
		hits[0].Detail += audit.Bullets("\nSigns that they are not equally trusted:", signals)
	}
	return hits
}
