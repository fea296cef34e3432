package attack

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/policytest"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// policyRow is one advisory that the tool policy or the approvals answer. Its
// attack reports whether it got through; it must not with every guard on, and
// must with the named guards off, which shows that the test bites.
type policyRow struct {
	id     string // row of the class, such as D1
	ref    string // CVE or GHSA
	cwe    int
	guards string
	attack func(t *testing.T, off policytest.Off) bool
}

func runPolicyRows(t *testing.T, rows []policyRow) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.id+" "+r.ref, func(t *testing.T) {
			if r.attack(t, policytest.Off{}) {
				t.Errorf("CWE-%d: the attack gets through", r.cwe)
			}
		})
		t.Run(r.id+" mutated", func(t *testing.T) {
			if !r.attack(t, policytest.Without(t, strings.Fields(r.guards)...)) {
				t.Errorf("without %s the attack still fails: the row proves nothing", r.guards)
			}
		})
	}
}

var policyTools = []string{
	"exec", "process", "read", "ls", "write", "edit", "apply_patch", "image", "sessions_list", "sessions_history",
	"sessions_send", "sessions_spawn", "subagents", "session_status", "agents_list", "cron", "gateway", "web_fetch",
	"web_search", "whatsapp_login", "docs__search", "shell", "spawn", "fs_write", "fs_delete", "fs_move",
}

// policyEngine compiles a configuration over the usual tools.
func policyEngine(t *testing.T, off policytest.Off, src toolpolicy.Source) *toolpolicy.Engine {
	t.Helper()
	src.KnownTools = policyTools
	if src.Commands == nil {
		l, _ := shell.New(off.Shell(shell.Options{Patterns: src.Config.Exec.Allowlist}))
		src.Commands = l
	}
	e, problems := toolpolicy.Compile(off.Source(src))
	for _, p := range problems {
		if !p.Warning {
			t.Fatalf("%s: %s", p.Path, p.Message)
		}
	}
	return e
}

func policySession(change func(*toolpolicy.Session)) *toolpolicy.Session {
	s := &toolpolicy.Session{Key: "agent:main:main", Agent: "main", Tenant: "default", Sandboxed: true}
	if change != nil {
		change(s)
	}
	return s
}

// allowed reports whether a call gets a grant.
func allowed(e *toolpolicy.Engine, c gateway.Caller, tool string, sf toolpolicy.Surface, s *toolpolicy.Session, args string) bool {
	g, _ := e.Decide(c, &toolpolicy.Query{Tool: tool, Surface: sf, Session: s, Args: []byte(args)})
	return g.Valid()
}

// anyAllowed reports whether one of the tools gets a grant, or is even shown.
func anyAllowed(e *toolpolicy.Engine, c gateway.Caller, sf toolpolicy.Surface, s *toolpolicy.Session, tools ...string) bool {
	for _, tool := range tools {
		if allowed(e, c, tool, sf, s, `{"command":"id"}`) {
			return true
		}
	}
	return false
}

func guest(scopes gateway.Scope) gateway.Caller {
	return gatewaytest.Caller(gatewaytest.ID("guest"), gatewaytest.Owner(false), gatewaytest.Scopes(scopes))
}

func policyConfig(c toolpolicy.Config) toolpolicy.Source { return toolpolicy.Source{Config: c} }

func TestPolicyAdvisoriesC(t *testing.T) {
	owner := gatewaytest.Caller()
	host := func(s *toolpolicy.Session) { s.Sandboxed = false }
	runPolicyRows(t, []policyRow{
		{"C2", "CVE-2026-28466", 863, "exec", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			args := `{"command":"id","approved":true,"approvalId":"ap_1","ask":"off","security":"full","mode":"full"}`
			return allowed(e, owner, "exec", "cli", policySession(host), args)
		}},
		{"C10", "CVE-2026-42433", 863, "owner", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, guest(gateway.ScopeWrite), "cli", policySession(host), "gateway", "cron")
		}},
		{"C11", "CVE-2026-41379", 863, "owner", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, guest(gateway.ScopeWrite), "websocket", policySession(host), "gateway", "cron")
		}},
		{"C16", "GHSA-5hff-46vh-rxmw", 862, "caller", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, guest(gateway.ScopeRead), "websocket", policySession(nil), "exec", "write", "edit", "apply_patch", "subagents", "sessions_send", "process")
		}},
		{"C17", "CVE-2026-44118", 290, "owner surface", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return allowed(e, guest(gateway.ScopeWrite), "gateway", "mcp", policySession(host), `{"owner":true,"scopes":["operator.admin"]}`)
		}},
		{"C18", "CVE-2026-53818", 862, "owner surface sandbox", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			for _, sf := range []toolpolicy.Surface{"mcp", "hook", "cron"} {
				for _, tool := range []string{"gateway", "cron"} {
					q := &toolpolicy.Query{Tool: tool, Surface: sf, Session: policySession(nil)}
					if e.Visible(owner, q) || allowed(e, owner, tool, sf, policySession(nil), "{}") {
						return true
					}
				}
			}
			return false
		}},
		{"C19", "GHSA-cf2p-f286-mphf", 863, "surface", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, owner, "http", policySession(nil), "gateway", "cron", "sessions_spawn", "sessions_send")
		}},
		{"C20", "CVE-2026-43574", 863, "elevated lists", func(t *testing.T, off policytest.Off) bool {
			nobody := policyEngine(t, off, policyConfig(toolpolicy.Config{Elevated: &toolpolicy.Elevated{Enabled: true, AllowFrom: map[string][]string{}, Level: "full"},
				Exec: toolpolicy.ExecConfig{Mode: "full"}}))
			empty := policyEngine(t, off, policyConfig(toolpolicy.Config{Allow: []string{}}))
			return allowed(nobody, owner, "exec", "cli", policySession(nil), `{"command":"id","elevated":true}`) ||
				anyAllowed(empty, owner, "cli", policySession(nil), policyTools...)
		}},
		{"C21", "CVE-2026-53852", 636, "caller", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, guest(0), "cli", policySession(nil), policyTools...)
		}},
		{"C22", "GHSA-724r-v4wf-mqc5", 863, "caller", func(t *testing.T, off policytest.Off) bool {
			src := toolpolicy.Source{Agents: map[string]toolpolicy.AgentConfig{"ops": {Deny: []string{"read"}}}}
			e := policyEngine(t, off, src)
			for _, id := range []string{" ", "ops ", "OPS", "ops\u200b", "оps", "\u00a0", "ops\x00"} {
				if allowed(e, owner, "read", "cli", policySession(func(s *toolpolicy.Session) { s.Agent = id }), "{}") {
					return true
				}
			}
			return false
		}},
		{"C23", "GHSA-cwj3-vqpp-pmxr", 862, "surface sandbox", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return allowed(e, owner, "gateway", "agent", policySession(nil), `{"action":"config.patch"}`) ||
				allowed(e, owner, "gateway", "agent", policySession(host), `{"action":"config.patch"}`)
		}},
		{"C24", "CVE-2026-41329", 648, "surface sandbox", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, owner, "cron", policySession(nil), "gateway", "cron") || anyAllowed(e, owner, "hook", policySession(nil), "gateway", "cron")
		}},
		{"C25", "CVE-2026-9350", 862, "exec", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Exec: toolpolicy.ExecConfig{Mode: "deny"}}))
			for _, sf := range []toolpolicy.Surface{"http", "websocket", "mcp", "agent", "hook", "cron", "subagent", "cli"} {
				if anyAllowed(e, owner, sf, policySession(nil), "exec", "bash") {
					return true
				}
			}
			return false
		}},
		{"C26", "CVE-2026-56693", 602, "subagent inherited", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			child := e.Child(owner, "agent", policySession(nil), *policySession(func(s *toolpolicy.Session) { s.Leaf = true }))
			return anyAllowed(e, owner, "subagent", &child, "gateway", "cron", "agents_list", "sessions_spawn", "sessions_send")
		}},
	})
}
