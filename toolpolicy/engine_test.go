package toolpolicy_test

import (
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

var shellList, _ = shell.New(shell.Options{})

// tools is a registry like the real one.
var tools = []string{
	"exec", "process", "read", "ls", "write", "edit", "apply_patch", "image",
	"sessions_list", "sessions_history", "sessions_send", "sessions_spawn", "subagents",
	"session_status", "agents_list", "cron", "gateway", "web_fetch", "whatsapp_login",
	"browser", "telegram", "docs__search", "docs__fetch",
}

func compile(tb testing.TB, src toolpolicy.Source) *toolpolicy.Engine {
	tb.Helper()
	if src.KnownTools == nil {
		src.KnownTools = tools
	}
	e, problems := toolpolicy.Compile(src)
	for _, p := range problems {
		if !p.Warning {
			tb.Fatalf("%s: %s", p.Path, p.Message)
		}
	}
	return e
}

func session(sandboxed bool) *toolpolicy.Session {
	return &toolpolicy.Session{Key: "agent:main:main", Agent: "main", Tenant: "default", Sandboxed: sandboxed}
}

func verdict(e *toolpolicy.Engine, c gateway.Caller, tool string, sf toolpolicy.Surface, s *toolpolicy.Session, args string) toolpolicy.Decision {
	_, d := e.Decide(c, &toolpolicy.Query{Tool: tool, Surface: sf, Session: s, Args: []byte(args)})
	return d
}

func TestDefaultFloors(t *testing.T) {
	e := compile(t, toolpolicy.Source{})
	owner := gatewaytest.Caller()
	guest := gatewaytest.Caller(gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeWrite))
	box, host := session(true), session(false)
	rows := []struct {
		name    string
		caller  gateway.Caller
		tool    string
		surface toolpolicy.Surface
		session *toolpolicy.Session
		want    toolpolicy.Verdict
		layer   string
	}{
		{"exec in the sandbox", owner, "exec", "http", box, toolpolicy.Allow, "all"},
		{"exec for a guest", guest, "exec", "http", box, toolpolicy.Allow, "all"},
		{"exec on the host", owner, "exec", "http", host, toolpolicy.Deny, "host"},
		{"read on the host", owner, "read", "http", host, toolpolicy.Deny, "host"},
		{"patch on the host", owner, "apply_patch", "mcp", host, toolpolicy.Deny, "host"},
		{"status", owner, "session_status", "http", box, toolpolicy.Allow, "all"},
		{"agents", owner, "agents_list", "http", box, toolpolicy.Allow, "all"},
		{"fetch", owner, "web_fetch", "http", box, toolpolicy.Allow, "all"},
		{"spawn", owner, "sessions_spawn", "http", box, toolpolicy.Deny, "surface"},
		{"send", owner, "sessions_send", "http", box, toolpolicy.Deny, "surface"},
		{"cron", owner, "cron", "http", box, toolpolicy.Deny, "surface"},
		{"cron by its other name", owner, "automations", "http", box, toolpolicy.Deny, "surface"},
		{"gateway", owner, "gateway", "http", box, toolpolicy.Deny, "surface"},
		{"login", owner, "whatsapp_login", "http", box, toolpolicy.Deny, "surface"},
		{"gateway by hand", owner, "gateway", "cli", box, toolpolicy.Allow, "all"},
		{"gateway for a guest", guest, "gateway", "cli", host, toolpolicy.Deny, "owner-only"},
		{"gateway by a model", owner, "gateway", "agent", host, toolpolicy.Ask, "surface"},
		{"gateway by a boxed model", owner, "gateway", "agent", box, toolpolicy.Deny, "sandbox"},
		{"channel by a boxed model", owner, "telegram", "agent", box, toolpolicy.Deny, "sandbox"},
		{"exec over acp", owner, "exec", "acp", box, toolpolicy.Ask, "surface"},
		{"bash over acp", owner, "bash", "acp", box, toolpolicy.Ask, "surface"},
		{"unknown class over acp", owner, "write", "acp", box, toolpolicy.Ask, "surface"},
		{"read over acp", owner, "read", "acp", box, toolpolicy.Allow, "all"},
		{"host exec asks", owner, "exec", "cli", host, toolpolicy.Ask, "exec"},
		{"cron run of cron", owner, "cron", "cron", host, toolpolicy.Deny, "surface"},
		{"unknown surface", owner, "read", "carrier-pigeon", box, toolpolicy.Deny, "surface"},
		{"nobody", gateway.Caller{}, "read", "cli", box, toolpolicy.Deny, "caller"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			d := verdict(e, r.caller, r.tool, r.surface, r.session, `{"command":"id"}`)
			if d.Verdict != r.want || d.Layer != r.layer {
				t.Errorf("%s by %s over %s: %s at %s (%s), want %s at %s", r.tool, r.caller.Principal(), r.surface, d.Verdict, d.Layer, d.Reason, r.want, r.layer)
			}
			x := e.Explain(r.caller, &toolpolicy.Query{Tool: r.tool, Surface: r.surface, Session: r.session, Args: []byte(`{"command":"id"}`)})
			if x.Verdict != r.want.String() || len(x.Flip) == 0 {
				t.Errorf("explanation says %s with flips %q", x.Verdict, x.Flip)
			}
		})
	}
}
