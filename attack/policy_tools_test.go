package attack

import (
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/policytest"
)

func TestPolicyAdvisoriesD(t *testing.T) {
	owner := gatewaytest.Caller()
	box := policySession(nil)
	layer := func(deny ...string) toolpolicy.Layer { return toolpolicy.Layer{Deny: deny} }
	party := func(key, principal string, ancestors ...string) toolpolicy.Party {
		return toolpolicy.Party{Key: key, Tenant: "default", Principal: principal, Agent: "main", Sandboxed: true, Ancestors: ancestors}
	}
	me := owner.Principal()
	runPolicyRows(t, []policyRow{
		{"D1", "GHSA-943q-mwmv-hhvh", 284, "surface", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, owner, "http", box, "sessions_spawn", "sessions_send", "cron", "gateway", "whatsapp_login") ||
				anyAllowed(e, owner, "acp", box, "exec", "spawn", "shell", "sessions_spawn", "sessions_send", "gateway", "fs_write", "fs_delete", "fs_move", "apply_patch")
		}},
		{"D2", "GHSA-qrp5-gfw2-gxv4", 862, "lists", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Deny: []string{"group:plugins"}}))
			return allowed(e, owner, "docs__search", "http", box, "{}")
		}},
		{"D3", "CVE-2026-53845", 693, "lists", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Deny: []string{"exec"}}))
			for _, sf := range []toolpolicy.Surface{"http", "agent", "hook", "cli", "subagent"} {
				if anyAllowed(e, owner, sf, box, "exec", "bash") {
					return true
				}
			}
			return false
		}},
		{"D4", "GHSA-v4f6-x5g5-2g4g", 863, "lists sandbox", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Deny: []string{"web_search"}}))
			return e.Visible(owner, &toolpolicy.Query{Tool: "web_search", Surface: "agent", Session: box})
		}},
		{"D5", "GHSA-mm9g-83wh-mhwj", 863, "inherited", func(t *testing.T, off policytest.Off) bool {
			creator := policyEngine(t, off, policyConfig(toolpolicy.Config{Deny: []string{"exec"}}))
			today := policyEngine(t, off, toolpolicy.Source{})
			run := policySession(func(s *toolpolicy.Session) { s.Inherited = creator.Inherit(owner, "agent", box) })
			return allowed(today, owner, "exec", "cron", run, `{"command":"id"}`)
		}},
		{"D6", "CVE-2026-32048", 732, "inherited", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			child := e.Child(owner, "agent", box, toolpolicy.Session{Key: "agent:other:sub", Agent: "other", Tenant: "default"})
			return !child.Sandboxed
		}},
		{"D7", "CVE-2026-27646", 863, "inherited", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return !e.Child(owner, "acp", box, toolpolicy.Session{Agent: "main", Tenant: "default"}).Sandboxed
		}},
		{"D8", "GHSA-q3jj-46pq-826r", 277, "inherited subagent", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{Agents: map[string]toolpolicy.AgentConfig{"main": {Deny: []string{"write"}}}})
			child := e.Child(owner, "acp", box, toolpolicy.Session{Agent: "other", Tenant: "default", Sandboxed: true})
			return allowed(e, owner, "write", "subagent", &child, `{"path":"a"}`)
		}},
		{"D9", "CVE-2026-32915", 863, "reach", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Sessions: toolpolicy.SessionsConfig{Visibility: "all"}}))
			ok, _ := e.MayReach(owner, party("a:1", me, "root"), party("a:2", me, "root"))
			return ok
		}},
		{"D10", "GHSA-wcxr-59v9-rxr8", 863, "reach", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Sessions: toolpolicy.SessionsConfig{Visibility: "all"}}))
			up, _ := e.MayReach(owner, party("a:1", me, "root"), party("root", me))
			other, _ := e.MayReach(owner, party("root", me), party("x", "token:bob"))
			return up || other
		}},
		{"D11", "CVE-2026-42434", 863, "elevated host", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			for _, args := range []string{`{"command":"id","host":"node"}`, `{"command":"id","host":"gateway"}`, `{"command":"id","Host":"gateway"}`, `{"command":"id","ho\u0073t":"gateway"}`,
				`{"command":"id","node":"n1"}`, `{"command":"id","elevated":true}`, `{"command":"id","elevated":"full"}`, `{"command":"id","ELEVATED":1}`, `{"command":"id","hoſt":"gateway"}`} {
				if allowed(e, owner, "exec", "agent", box, args) {
					return true
				}
			}
			return false
		}},
		{"D12", "CVE-2026-32039", 639, "lists", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{ToolsBySender: map[string]toolpolicy.Layer{"*": layer("exec"), "channel:telegram:1": {}, "name:boss": {}}}))
			for _, sender := range []string{"channel:slack:1", "id:1", "1", "name:boss", "channel:telegram:1 ", "channel:Telegram:1"} {
				if allowed(e, owner, "exec", "agent", policySession(func(s *toolpolicy.Session) { s.Sender = sender }), `{"command":"id"}`) {
					return true
				}
			}
			return false
		}},
		{"D13", "CVE-2026-53863", 639, "lists", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{ByGroup: map[string]toolpolicy.Layer{"ops": layer("write"), "dev": layer("exec")}}))
			s := policySession(func(s *toolpolicy.Session) { s.Group = "chosen-by-attacker" })
			return anyAllowed(e, owner, "agent", s, "exec", "write")
		}},
		{"D14", "CVE-2026-53809", 863, "lists", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{ByProvider: map[string]toolpolicy.Layer{"bedrock": layer("exec")}}))
			for _, p := range []string{"bedrock", "amazon-bedrock/x", "aws-bedrock", "BEDROCK/x", " Bedrock"} {
				if allowed(e, owner, "exec", "agent", policySession(func(s *toolpolicy.Session) { s.Provider = p }), `{"command":"id"}`) {
					return true
				}
			}
			return false
		}},
		{"D15", "GHSA-f8r2-vg7x-gh8m", 178, "name", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return anyAllowed(e, owner, "http", box, "Exec", "EXEC", " exec", "exec ", "exec\n", "ｅｘｅｃ", "ехес", "exec\x00", "ex\u200bec", "exec/", "apply_Patch", "group:fs", "*", "e*")
		}},
		{"D17", "CVE-2026-42074", 306, "elevated host exec", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			args := `{"command":"id","dangerouslyDisableSandbox":true,"sandbox":false,"elevated":true}`
			g, _ := e.Decide(owner, &toolpolicy.Query{Tool: "exec", Surface: "agent", Session: box, Args: []byte(args)})
			return g.Host()
		}},
		{"D20", "elevated from a tainted or sub-agent call", 863, "elevated", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{
				Elevated: &toolpolicy.Elevated{Enabled: true, Level: "full", AllowFrom: map[string][]string{"token": {"test"}}},
				Exec:     toolpolicy.ExecConfig{Mode: "full"},
			}))
			tainted := policySession(func(s *toolpolicy.Session) { s.Label = "untrusted:email" })
			child := policySession(func(s *toolpolicy.Session) { s.Depth = 1 })
			const args = `{"command":"id","elevated":true}`
			if !allowed(e, owner, "exec", "agent", box, args) {
				t.Fatal("elevated does not work for the named principal")
			}
			return allowed(e, owner, "exec", "agent", tainted, args) || allowed(e, owner, "exec", "subagent", child, args) ||
				allowed(e, guest(gateway.AllScopes), "exec", "agent", box, args) || allowed(e, owner, "exec", "cron", box, args)
		}},
		{"D21", "argument names that differ by case", 178, "folding", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Rules: toolpolicy.RulesConfig{Inline: `permit(principal, action, resource == Tool::"write") when { context.args.path like "reports/*" };`}}))
			return allowed(e, owner, "write", "http", box, `{"path":"reports/a","PATH":"/etc/x"}`)
		}},
		{"D22", "a forbid that cannot be evaluated", 636, "rule-error", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, policyConfig(toolpolicy.Config{Rules: toolpolicy.RulesConfig{Inline: `forbid(principal, action, resource == Tool::"write") when { context.args.path like "secret/*" };`}}))
			return allowed(e, owner, "write", "http", box, `{"file_path":"secret/a"}`)
		}},
		{"D23", "a read-only workspace", 732, "sandbox", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			s := policySession(func(s *toolpolicy.Session) { s.ReadOnly = true })
			return anyAllowed(e, owner, "http", s, "write", "edit", "apply_patch")
		}},
		{"D24", "another tenant's session", 639, "caller", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{})
			return allowed(e, owner, "read", "http", policySession(func(s *toolpolicy.Session) { s.Tenant = "other" }), "{}")
		}},
		{"D25", "host tools over HTTP without a sandbox", 269, "host exec", func(t *testing.T, off policytest.Off) bool {
			e := policyEngine(t, off, toolpolicy.Source{Gateway: toolpolicy.Policy{Allow: []string{"*"}}})
			s := policySession(func(s *toolpolicy.Session) { s.Sandboxed = false })
			return anyAllowed(e, owner, "http", s, "exec", "process", "read", "ls", "write", "edit", "apply_patch", "image")
		}},
	})
}
