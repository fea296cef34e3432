package approval

import (
	"errors"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// client is a human at an MCP client, whose exec asks.
func client(t *testing.T, scopes gateway.Scope, owner bool) *editor {
	e := newEditor(t, scopes)
	e.engine, _ = toolpolicy.Compile(toolpolicy.Source{KnownTools: []string{"exec", "cron"}, Config: toolpolicy.Config{Exec: toolpolicy.ExecConfig{Mode: "ask"}}})
	e.human = gatewaytest.Caller(gatewaytest.ID("editor"), gatewaytest.Owner(owner), gatewaytest.Scopes(scopes))
	e.asker = e.human
	return e
}

func (e *editor) clientLine(via string) *Line {
	l := e.line(via)
	l.client = true
	return l
}

func TestYesOverAClientLineIsForOneCall(t *testing.T) {
	e := client(t, human, false)
	l := e.clientLine("mcp 1")
	done := e.call(t.Context(), l, toolpolicy.SurfaceMCP, "exec", gitStatus)
	r := <-e.shown
	if err := e.book.answer(t.Context(), l, r, Answer{Allow: true, For: time.Hour}); !errors.Is(err, ErrForbidden) {
		t.Errorf("a yes that stands: %v", err)
	}
	e.says <- Answer{Allow: true}
	if o := <-done; o.err != nil || o.g.Plan() != r.Digest {
		t.Fatalf("after a yes: %+v", o)
	}
	done = e.call(t.Context(), l, toolpolicy.SurfaceMCP, "exec", gitStatus)
	if again := <-e.shown; again.ID == r.ID {
		t.Error("the same request was shown twice")
	}
	e.says <- Answer{}
	if o := <-done; o.err == nil {
		t.Error("the first yes covers the second call")
	}
}

// What a client's user is never asked about: it waits for another approver.
func TestClientLineIsNotFor(t *testing.T) {
	petition := func(e *editor, tool string, surface toolpolicy.Surface) toolpolicy.Petition {
		_, d := e.engine.Decide(e.human, &toolpolicy.Query{Tool: tool, Surface: surface, Session: e.session, Args: []byte(gitStatus)})
		return d.Petition()
	}
	with := func(e *editor, l *Line, p toolpolicy.Petition) *Line { return lineFor(WithLine(t.Context(), l), p) }
	e := client(t, human, false)
	if with(e, e.clientLine("1"), petition(e, "exec", toolpolicy.SurfaceMCP)) == nil {
		t.Fatal("a plain call is not covered")
	}
	if with(e, e.line("1"), petition(e, "exec", toolpolicy.SurfaceMCP)) != nil {
		t.Error("an editor's line covers a client's call")
	}
	if with(e, e.clientLine("1"), petition(e, "exec", toolpolicy.SurfaceHTTP)) != nil {
		t.Error("a client's line covers another surface")
	}
	for name, c := range map[string]*editor{"without the scope": client(t, gateway.ScopeWrite, false), "owner without the scope": client(t, gateway.ScopeWrite, true)} {
		if with(c, c.clientLine("1"), petition(c, "exec", toolpolicy.SurfaceMCP)) != nil {
			t.Errorf("%s: covered", name)
		}
	}
	host := client(t, human, false)
	host.session.Sandboxed = false
	if p := petition(host, "exec", toolpolicy.SurfaceMCP); p.Valid() && with(host, host.clientLine("1"), p) != nil {
		t.Error("a call on the host is covered")
	}
	for _, tool := range []string{"cron", "gateway"} {
		if !toolpolicy.OwnerOnly(tool) {
			t.Errorf("%s is not for owners only", tool)
		}
	}
}
