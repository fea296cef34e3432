package toolpolicy_test

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/toolpolicy"
)

func find(ps []problem.Problem, path string) *problem.Problem {
	for i := range ps {
		if ps[i].Path == path {
			return &ps[i]
		}
	}
	return nil
}

func TestProblems(t *testing.T) {
	no := false
	rows := []struct {
		name    string
		src     toolpolicy.Source
		path    string
		warning bool
		hint    string
	}{
		{"unknown name", toolpolicy.Source{Config: toolpolicy.Config{Deny: []string{"web_fetsh"}}}, "tools.deny", true, "web_fetch"},
		{"swapped letters", toolpolicy.Source{Config: toolpolicy.Config{Policy: &toolpolicy.Policy{Allow: []string{"exce"}}}}, "tools.policy.allow", true, "did you mean exec?"},
		{"unknown group", toolpolicy.Source{Gateway: toolpolicy.Policy{Deny: []string{"group:files"}}}, "gateway.tools.deny", true, "group:fs"},
		{"look-alike", toolpolicy.Source{Config: toolpolicy.Config{Deny: []string{"ехес"}}}, "tools.deny", false, "lower-case"},
		{"blank", toolpolicy.Source{Config: toolpolicy.Config{Allow: []string{" "}}}, "tools.allow", false, ""},
		{"allow and alsoAllow", toolpolicy.Source{Config: toolpolicy.Config{Allow: []string{"read"}, AlsoAllow: []string{"exec"}}}, "tools.alsoAllow", false, "alsoAllow"},
		{"profile", toolpolicy.Source{Config: toolpolicy.Config{Profile: "codign"}}, "tools.profile", false, "coding"},
		{"agent", toolpolicy.Source{Agents: map[string]toolpolicy.AgentConfig{"ops": {Deny: []string{"raed"}}}}, "agents.entries.ops.tools.deny", true, "read"},
		{"write alone", toolpolicy.Source{Config: toolpolicy.Config{Deny: []string{"write"}}}, "tools.deny", true, "apply_patch"},
		{"mode and ask", toolpolicy.Source{Config: toolpolicy.Config{Exec: toolpolicy.ExecConfig{Mode: "ask", Ask: "always"}}}, "tools.exec.mode", false, ""},
		{"outside the workspace", toolpolicy.Source{Config: toolpolicy.Config{FS: toolpolicy.FSConfig{WorkspaceOnly: &no}}}, "tools.fs.workspaceOnly", false, ""},
		{"elevated wildcard", toolpolicy.Source{Config: toolpolicy.Config{Elevated: &toolpolicy.Elevated{Enabled: true, AllowFrom: map[string][]string{"token": {"*"}}}}}, "tools.elevated.allowFrom.token", false, "exact"},
		{"elevated kind", toolpolicy.Source{Config: toolpolicy.Config{Elevated: &toolpolicy.Elevated{AllowFrom: map[string][]string{"hook": {"x"}}}}}, "tools.elevated.allowFrom.hook", false, "token"},
		{"sender kind", toolpolicy.Source{Config: toolpolicy.Config{ToolsBySender: map[string]toolpolicy.Layer{"phone:1": {}}}}, "tools.toolsBySender.phone:1", false, "e164"},
		{"visibility", toolpolicy.Source{Config: toolpolicy.Config{Sessions: toolpolicy.SessionsConfig{Visibility: "everyone"}}}, "tools.sessions.visibility", false, "tree"},
		{"no rule file", toolpolicy.Source{Config: toolpolicy.Config{Rules: toolpolicy.RulesConfig{Files: []string{"x.cedar"}}}}, "tools.rules.files[0]", false, ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			r.src.KnownTools = tools
			e, problems := toolpolicy.Compile(r.src)
			p := find(problems, r.path)
			if p == nil {
				t.Fatalf("problems %+v, want one at %s", problems, r.path)
			}
			if p.Warning != r.warning || !strings.Contains(p.Hint+p.Message, r.hint) {
				t.Errorf("%+v", *p)
			}
			g, _ := e.Decide(gatewaytest.Caller(), &toolpolicy.Query{Tool: "session_status", Surface: "cli", Session: session(true)})
			if g.Valid() && !r.warning {
				t.Error("an engine of a broken configuration allows")
			}
		})
	}
	if _, ps := toolpolicy.Compile(toolpolicy.Source{KnownTools: tools, Config: toolpolicy.Config{Deny: []string{"bash", "group:web", "docs", "s*", "EXEC "}}}); len(ps) != 0 {
		t.Errorf("good names are reported: %+v", ps)
	}
}

func TestDecisionNamesKeyAndLine(t *testing.T) {
	e := compile(t, toolpolicy.Source{
		Config: toolpolicy.Config{Policy: &toolpolicy.Policy{Deny: []string{"browser", "group:web"}}},
		Line: func(path string) int {
			return map[string]int{"tools.policy.deny": 3, "tools.policy.deny[1]": 5}[path]
		},
	})
	d := verdict(e, gatewaytest.Caller(), "web_fetch", "cli", session(true), "{}")
	if d.Layer != "policy" || d.Rule != "group:web" || d.Key != "tools.policy.deny" || d.Line != 5 || d.Flip == "" {
		t.Errorf("%+v", d)
	}
}

func TestElevatedGates(t *testing.T) {
	open := toolpolicy.Config{Elevated: &toolpolicy.Elevated{Enabled: true, AllowFrom: map[string][]string{"token": {"test"}}}}
	full := toolpolicy.Config{Elevated: &toolpolicy.Elevated{Enabled: true, AllowFrom: map[string][]string{"token": {"test"}}, Level: "full"}}
	narrowed := map[string]toolpolicy.AgentConfig{"main": {Elevated: &toolpolicy.Elevated{}}}
	const args = `{"command":"id","elevated":true}`
	rows := []struct {
		name    string
		src     toolpolicy.Source
		caller  gateway.Caller
		surface toolpolicy.Surface
		change  func(*toolpolicy.Session)
		want    string
	}{
		{"off by default", toolpolicy.Source{}, gatewaytest.Caller(), "cli", nil, "deny"},
		{"asks", toolpolicy.Source{Config: open}, gatewaytest.Caller(), "cli", nil, "ask"},
		{"full", toolpolicy.Source{Config: full}, gatewaytest.Caller(), "cli", nil, "allow"},
		{"another principal", toolpolicy.Source{Config: full}, gatewaytest.Caller(gatewaytest.ID("x")), "cli", nil, "deny"},
		{"another kind", toolpolicy.Source{Config: full}, gatewaytest.Caller(gatewaytest.Kind(gateway.KindPassword)), "cli", nil, "deny"},
		{"no admin", toolpolicy.Source{Config: full}, gatewaytest.Caller(gatewaytest.Scopes(gateway.ScopeWrite)), "cli", nil, "deny"},
		{"agent narrows", toolpolicy.Source{Config: full, Agents: narrowed}, gatewaytest.Caller(), "cli", nil, "deny"},
		{"over http", toolpolicy.Source{Config: full}, gatewaytest.Caller(), "http", nil, "deny"},
		{"tainted", toolpolicy.Source{Config: full}, gatewaytest.Caller(), "agent", func(s *toolpolicy.Session) { s.Label = "untrusted:x" }, "deny"},
		{"sub-agent", toolpolicy.Source{Config: full}, gatewaytest.Caller(), "agent", func(s *toolpolicy.Session) { s.Depth = 1 }, "deny"},
		{"in a cron run", toolpolicy.Source{Config: full}, gatewaytest.Caller(), "cron", nil, "deny"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := session(true)
			if r.change != nil {
				r.change(s)
			}
			e := compile(t, r.src)
			g, d := e.Decide(r.caller, &toolpolicy.Query{Tool: "exec", Surface: r.surface, Session: s, Args: []byte(args)})
			if d.Verdict.String() != r.want || g.Host() != (r.want == "allow") {
				t.Errorf("%s at %s (%s), host %v; want %s", d.Verdict, d.Layer, d.Reason, g.Host(), r.want)
			}
			if d.Verdict == toolpolicy.Ask && !(d.Petition().Host() && d.Petition().Elevated()) {
				t.Error("the petition does not say that it is about the host")
			}
		})
	}
}

func TestGatewayToolsReopenForOwners(t *testing.T) {
	e := compile(t, toolpolicy.Source{Gateway: toolpolicy.Policy{Allow: []string{"cron", "sessions_*", "whatsapp_login", "exec"}, Deny: []string{"web_fetch"}}})
	guest := gatewaytest.Caller(gatewaytest.Owner(false))
	for _, r := range []struct {
		caller gateway.Caller
		tool   string
		box    bool
		want   toolpolicy.Verdict
	}{
		{gatewaytest.Caller(), "cron", true, toolpolicy.Allow}, {gatewaytest.Caller(), "sessions_send", true, toolpolicy.Allow},
		{gatewaytest.Caller(), "gateway", true, toolpolicy.Deny}, {gatewaytest.Caller(), "whatsapp_login", true, toolpolicy.Deny},
		{gatewaytest.Caller(), "exec", false, toolpolicy.Deny}, {gatewaytest.Caller(), "web_fetch", true, toolpolicy.Deny},
		{guest, "sessions_send", true, toolpolicy.Deny}, {guest, "cron", true, toolpolicy.Deny},
	} {
		if d := verdict(e, r.caller, r.tool, "http", session(r.box), "{}"); d.Verdict != r.want {
			t.Errorf("%s by owner=%v: %s (%s), want %s", r.tool, r.caller.Owner(), d.Verdict, d.Reason, r.want)
		}
	}
}

func TestServersCannotTakeNames(t *testing.T) {
	e := compile(t, toolpolicy.Source{
		KnownTools: []string{"exec", "read", "bash__x", "exec__y", "group:fs__z", "notes__add"},
		Config:     toolpolicy.Config{Policy: &toolpolicy.Policy{Allow: []string{"read", "notes"}, Deny: []string{"bash"}}},
	})
	for tool, want := range map[string]toolpolicy.Verdict{"exec": toolpolicy.Deny, "bash__x": toolpolicy.Deny, "exec__y": toolpolicy.Deny, "notes__add": toolpolicy.Allow, "read": toolpolicy.Allow} {
		if d := verdict(e, gatewaytest.Caller(), tool, "cli", session(true), "{}"); d.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", tool, d.Verdict, d.Reason, want)
		}
	}
}
