package toolpolicy_test

import (
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// What asks over ACP asks for the sub-agents of a turn there too, whatever
// depth they have.
func TestSubagentsOfACPAsk(t *testing.T) {
	e, problems := toolpolicy.Compile(toolpolicy.Source{KnownTools: []string{"exec", "read", "write", "sessions_spawn"}})
	for _, p := range problems {
		t.Log(p)
	}
	caller := gatewaytest.Caller(gatewaytest.Owner(true), gatewaytest.Scopes(gateway.AllScopes))
	top := toolpolicy.Session{Key: "agent:main:acp:1", Agent: "main", Tenant: "default", Sandboxed: true}
	for _, tc := range []struct {
		surface toolpolicy.Surface
		exec    toolpolicy.Verdict
	}{{toolpolicy.SurfaceACP, toolpolicy.Ask}, {toolpolicy.SurfaceAgent, toolpolicy.Allow}} {
		child := e.Child(caller, tc.surface, &top, toolpolicy.Session{Key: "agent:main:subagent:1", Agent: "main"})
		grandchild := e.Child(caller, toolpolicy.SurfaceSubagent, &child, toolpolicy.Session{Key: "agent:main:subagent:2", Agent: "main"})
		for _, s := range []toolpolicy.Session{child, grandchild} {
			for tool, want := range map[string]toolpolicy.Verdict{"exec": tc.exec, "write": tc.exec, "read": toolpolicy.Allow} {
				if _, d := e.Decide(caller, &toolpolicy.Query{Tool: tool, Surface: toolpolicy.SurfaceSubagent, Session: &s, Args: []byte(`{"command":"id"}`)}); d.Verdict != want {
					t.Errorf("%s for a sub-agent of depth %d under %s: %s (%s); want %s", tool, s.Depth, tc.surface, d.Verdict, d.Layer, want)
				}
			}
		}
	}
}
