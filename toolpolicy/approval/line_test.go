package approval

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// editor is a human at an editor whose turns ask over a line.
type editor struct {
	*world
	desk  *Desk
	human gateway.Caller
	shown chan Request
	says  chan Answer
}

func newEditor(t *testing.T, scopes gateway.Scope) *editor {
	w := newWorld(t, Options{})
	w.engine, _ = toolpolicy.Compile(toolpolicy.Source{KnownTools: []string{"exec", "sessions_list"}})
	w.session = &toolpolicy.Session{Key: "agent:main:acp:1", Agent: "main", Tenant: "default", Sandboxed: true}
	e := &editor{world: w, shown: make(chan Request, 1), says: make(chan Answer, 1)}
	e.human = gatewaytest.Caller(gatewaytest.ID("editor"), gatewaytest.Owner(false), gatewaytest.Scopes(scopes))
	w.asker = e.human
	e.desk = &Desk{Book: w.book, Policy: func() Decider { return e.engine }}
	return e
}

func (e *editor) line(via string) *Line {
	return NewLine(e.human, e.session.Key, via, func(ctx context.Context, r Request) (Answer, error) {
		e.shown <- r
		select {
		case a := <-e.says:
			return a, nil
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	})
}

type outcome struct {
	g   toolpolicy.Grant
	err error
}

// call starts a turn's call and returns where its outcome comes.
func (e *editor) call(ctx context.Context, l *Line, surface toolpolicy.Surface, tool, args string) chan outcome {
	out := make(chan outcome, 1)
	if l != nil {
		ctx = WithLine(ctx, l)
	}
	go func() {
		g, _, err := e.desk.Approve(ctx, e.human, &toolpolicy.Query{Tool: tool, Surface: surface, Session: e.session, Args: []byte(args)})
		out <- outcome{g, err}
	}()
	return out
}

func (e *editor) waiting(t *testing.T) Request {
	t.Helper()
	for range 400 {
		if rs, err := e.book.List(context.Background(), e.boss); err == nil && len(rs) > 0 {
			return rs[0]
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal("nothing waits")
	return Request{}
}

const human = gateway.ScopeWrite | gateway.ScopeApprovals

func TestYesOverTheLine(t *testing.T) {
	e := newEditor(t, human)
	done := e.call(t.Context(), e.line("acp 1"), toolpolicy.SurfaceACP, "exec", gitStatus)
	r := <-e.shown
	if err := e.book.Decide(t.Context(), e.human, r.ID, Answer{Allow: true}); !errors.Is(err, ErrForbidden) {
		t.Errorf("the asker's own yes past the line: %v", err)
	}
	e.says <- Answer{Allow: true}
	if o := <-done; o.err != nil || !o.g.Valid() || o.g.Plan() != r.Digest {
		t.Fatalf("after a yes: %+v", o)
	}
	var via, by string
	for _, ev := range e.events {
		if ev.Kind == "decided" {
			via, by = ev.Via, ev.By
		}
	}
	if via != "acp 1" || by != e.human.Principal() {
		t.Errorf("the journal says %q answered over %q", by, via)
	}
	if err := e.book.answer(t.Context(), e.line("acp 1"), r, Answer{Allow: true}); !errors.Is(err, ErrForbidden) {
		t.Errorf("a yes replayed: %v", err)
	}
}

func TestNoOverTheLine(t *testing.T) {
	for name, say := range map[string]func(*editor, context.CancelFunc){
		"no":         func(e *editor, _ context.CancelFunc) { e.says <- Answer{} },
		"disconnect": func(_ *editor, hangUp context.CancelFunc) { hangUp() },
		"yes after hanging up": func(e *editor, hangUp context.CancelFunc) {
			hangUp()
			e.says <- Answer{Allow: true}
		},
		"always, for a tool that always asks": func(e *editor, _ context.CancelFunc) { e.says <- Answer{Allow: true, For: time.Hour} },
		"yes after the time": func(e *editor, _ context.CancelFunc) {
			e.advance(time.Hour)
			e.says <- Answer{Allow: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEditor(t, human)
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			done := e.call(ctx, e.line("acp 1"), toolpolicy.SurfaceACP, "exec", gitStatus)
			<-e.shown
			say(e, hangUp)
			if o := <-done; o.err == nil || o.g.Valid() {
				t.Errorf("%+v", o)
			}
		})
	}
}

// Attacks on the one place where an asker's own yes counts.
func TestLineAttacks(t *testing.T) {
	e := newEditor(t, human)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	mine, other := e.line("acp 1"), e.line("acp 2")
	done := e.call(ctx, mine, toolpolicy.SurfaceACP, "exec", gitStatus)
	r := <-e.shown
	foreign := e.line("acp 3")
	foreign.human = gatewaytest.Caller(gatewaytest.ID("editor"), gatewaytest.Tenant("other"), gatewaytest.Owner(true), gatewaytest.Scopes(gateway.AllScopes))
	forged, swapped := r, r
	forged.ID, swapped.Digest = "ap_000000000000000000000000", "0"
	yes := Answer{Allow: true}
	for name, c := range map[string]struct {
		line *Line
		r    Request
		want error
	}{
		"another connection of the same credential": {other, r, ErrForbidden},
		"another tenant": {foreign, r, ErrUnknown},
		"a forged id":    {mine, forged, ErrUnknown},
		"another plan":   {mine, swapped, ErrVoid},
	} {
		if err := e.book.answer(t.Context(), c.line, c.r, yes); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	refused := 0
	e.mu.Lock()
	for _, ev := range e.events {
		if ev.Kind == "refused" && ev.Via != "" {
			refused++
		}
	}
	e.mu.Unlock()
	if refused != 2 {
		t.Errorf("the journal tells of %d refused answers; want 2", refused)
	}
	select {
	case o := <-done:
		t.Fatalf("an attack ended the call: %+v", o)
	default:
	}
	e.says <- Answer{}
	if o := <-done; o.g.Valid() || !errors.Is(o.err, ErrDenied) {
		t.Errorf("%+v", o)
	}
	if err := e.book.answer(t.Context(), mine, r, yes); !errors.Is(err, ErrForbidden) {
		t.Errorf("a yes after the no: %v", err)
	}
}

// Only a turn's calls of that session on ACP are asked over a line, and only
// when its human may approve; everything else waits for another approver.
func TestLineIsNotForOthers(t *testing.T) {
	for name, c := range map[string]struct {
		scopes  gateway.Scope
		surface toolpolicy.Surface
		session string
	}{
		"no approvals scope": {gateway.ScopeWrite, toolpolicy.SurfaceACP, "agent:main:acp:1"},
		"another session":    {human, toolpolicy.SurfaceACP, "agent:main:acp:2"},
		"a direct call":      {human, toolpolicy.SurfaceCLI, "agent:main:acp:1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEditor(t, c.scopes)
			e.session.Sandboxed = c.surface == toolpolicy.SurfaceACP
			ctx, hangUp := context.WithCancel(t.Context())
			l := e.line("acp 1")
			l.session = c.session
			done := e.call(ctx, l, c.surface, "exec", gitStatus)
			r := e.waiting(t)
			if err := e.book.answer(t.Context(), l, r, Answer{Allow: true}); !errors.Is(err, ErrForbidden) {
				t.Errorf("%v", err)
			}
			if len(e.shown) > 0 {
				t.Error("it was shown")
			}
			hangUp()
			if o := <-done; o.g.Valid() {
				t.Error("granted")
			}
		})
	}
}

// A sub-agent of the turn asks over the turn's line, for its own session alone,
// and no yes stands for it.
func TestLineOfASubagent(t *testing.T) {
	e := newEditor(t, human)
	ctx := ExtendLine(WithLine(t.Context(), e.line("acp 1")), t.Context(), "agent:main:subagent:1")
	parent := *e.session
	child := e.engine.Child(e.human, toolpolicy.SurfaceACP, &parent, toolpolicy.Session{Key: "agent:main:subagent:1", Agent: "main"})
	e.session = &child
	for _, say := range []Answer{{Allow: true}, {Allow: true, For: time.Hour}} {
		done := e.call(ctx, nil, toolpolicy.SurfaceSubagent, "exec", gitStatus)
		<-e.shown
		e.says <- say
		if o := <-done; o.g.Valid() != (say.For == 0) {
			t.Errorf("%+v: %+v", say, o)
		}
	}
	if ExtendLine(t.Context(), ctx, "x") != ctx {
		t.Error("a line came from nowhere")
	}
}

func TestAnotherApproverIsFaster(t *testing.T) {
	e := newEditor(t, human)
	done := e.call(t.Context(), e.line("acp 1"), toolpolicy.SurfaceACP, "exec", gitStatus)
	r := <-e.shown
	if err := e.book.Decide(t.Context(), e.boss, r.ID, Answer{Allow: true}); err != nil {
		t.Fatal(err)
	}
	if o := <-done; o.err != nil || !o.g.Valid() {
		t.Errorf("%+v", o)
	}
}

// A yes for the same call again is kept for tools that read, on ACP alone.
func TestAlwaysOverTheLine(t *testing.T) {
	e := newEditor(t, human)
	done := e.call(t.Context(), e.line("acp 1"), toolpolicy.SurfaceACP, "sessions_list", `{"limit":3}`)
	<-e.shown
	e.says <- Answer{Allow: true, For: time.Hour}
	if o := <-done; o.err != nil {
		t.Fatal(o.err)
	}
	if o := <-e.call(t.Context(), nil, toolpolicy.SurfaceACP, "sessions_list", `{"limit":3}`); o.err != nil || !o.g.Valid() {
		t.Errorf("the same call again: %+v", o)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	done = e.call(ctx, nil, toolpolicy.SurfaceACP, "sessions_list", `{"limit":4}`)
	e.waiting(t)
	hangUp()
	if o := <-done; o.g.Valid() {
		t.Error("another call was covered")
	}
	e.session.Label = "untrusted:email"
	ctx, hangUp = context.WithCancel(t.Context())
	done = e.call(ctx, nil, toolpolicy.SurfaceACP, "sessions_list", `{"limit":3}`)
	e.waiting(t)
	hangUp()
	if o := <-done; o.g.Valid() {
		t.Error("a tainted session was covered")
	}
}
