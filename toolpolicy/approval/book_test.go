package approval

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// world is a book with a clock, an asker, an approver and a petition.
type world struct {
	t       *testing.T
	db      *store.DB
	book    *Book
	now     time.Time
	mu      sync.Mutex
	events  []Event
	asker   gateway.Caller
	boss    gateway.Caller
	engine  *toolpolicy.Engine
	session *toolpolicy.Session
}

func (w *world) RecordApproval(_ context.Context, e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, db: db, now: time.Unix(1_800_000_000, 0)}
	o.Now = func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	o.Recorder = w
	if w.book, err = Open(t.Context(), db, o); err != nil {
		t.Fatal(err)
	}
	w.asker = gatewaytest.Caller(gatewaytest.ID("laptop"), gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeWrite))
	w.boss = gatewaytest.Caller(gatewaytest.ID("boss"), gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeApprovals))
	w.engine, _ = toolpolicy.Compile(toolpolicy.Source{KnownTools: []string{"exec", "write", "apply_patch"}})
	w.session = &toolpolicy.Session{Key: "agent:main:main", Agent: "main", Tenant: "default"}
	return w
}

func (w *world) advance(d time.Duration) { w.mu.Lock(); w.now = w.now.Add(d); w.mu.Unlock() }

func (w *world) petition(surface toolpolicy.Surface, args string) toolpolicy.Petition {
	w.t.Helper()
	_, d := w.engine.Decide(w.asker, &toolpolicy.Query{Tool: "exec", Surface: surface, Session: w.session, Args: []byte(args)})
	if !d.Petition().Valid() {
		w.t.Fatalf("no petition: %+v", d)
	}
	return d.Petition()
}

func (w *world) plan(p toolpolicy.Petition, args string) *Plan {
	w.t.Helper()
	plan, err := Build(w.t.Context(), p, []byte(args), Context{Cwd: "/w", Env: []string{"A=1"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return &plan
}

func (w *world) ask(args string) (Request, toolpolicy.Petition, *Plan) {
	w.t.Helper()
	p := w.petition(toolpolicy.SurfaceCLI, args)
	plan := w.plan(p, args)
	r, err := w.book.Ask(w.t.Context(), p, plan)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, p, plan
}

const gitStatus = `{"command":"git status"}`

func TestAllowOnce(t *testing.T) {
	w := newWorld(t, Options{})
	r, p, plan := w.ask(gitStatus)
	if err := w.book.Decide(t.Context(), w.boss, r.ID, Answer{Allow: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.book.Wait(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	g, err := w.book.Redeem(t.Context(), r.ID, p, plan)
	if err != nil || !g.Valid() || g.Plan() != plan.Digest() || !g.Host() || g.Tool() != "exec" {
		t.Fatalf("%+v %v", g, err)
	}
	if g, err := w.book.Redeem(t.Context(), r.ID, p, plan); err == nil || g.Valid() {
		t.Fatal("a yes was used twice")
	}
	var kinds []string
	for _, e := range w.events {
		kinds = append(kinds, e.Kind)
	}
	if len(kinds) != 3 || kinds[0] != "asked" || kinds[1] != "decided" || kinds[2] != "redeemed" {
		t.Errorf("journal has %v", kinds)
	}
}

func TestSilenceDenies(t *testing.T) {
	w := newWorld(t, Options{Timeout: time.Minute})
	r, p, plan := w.ask(gitStatus)
	w.advance(2 * time.Minute)
	if err := w.book.Wait(t.Context(), r); !errors.Is(err, ErrDenied) {
		t.Errorf("after the time: %v", err)
	}
	if err := w.book.Decide(t.Context(), w.boss, r.ID, Answer{Allow: true}); !errors.Is(err, ErrSettled) {
		t.Errorf("late yes: %v", err)
	}
	if g, _ := w.book.Redeem(t.Context(), r.ID, p, plan); g.Valid() {
		t.Error("redeemed after the time")
	}

	r, _, _ = w.ask(gitStatus)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	if err := w.book.Wait(ctx, r); !errors.Is(err, ErrDenied) {
		t.Errorf("after hanging up: %v", err)
	}

	r, p, plan = w.ask(gitStatus)
	if _, err := Open(t.Context(), w.db, Options{Now: w.book.o.Now}); err != nil {
		t.Fatal(err)
	}
	if err := w.book.Decide(t.Context(), w.boss, r.ID, Answer{Allow: true}); !errors.Is(err, ErrSettled) {
		t.Errorf("after a restart: %v", err)
	}
	if g, _ := w.book.Redeem(t.Context(), r.ID, p, plan); g.Valid() {
		t.Error("redeemed after a restart")
	}
}

func TestOtherProcessDecides(t *testing.T) {
	w := newWorld(t, Options{})
	r, _, _ := w.ask(gitStatus)
	w.book.o.Now = time.Now // the wait below is real
	if _, err := w.db.ExecContext(t.Context(), "UPDATE approvals SET expires = ?", time.Now().Add(time.Minute).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	other := Attach(w.db, Options{})
	done := make(chan error, 1)
	go func() { done <- w.book.Wait(t.Context(), r) }()
	start := time.Now()
	if err := other.Decide(t.Context(), w.boss, r.ID, Answer{Allow: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 2*pollEvery {
		t.Errorf("noticed after %v", d)
	}
}

func TestWhoMayDecide(t *testing.T) {
	w := newWorld(t, Options{})
	r, _, _ := w.ask(gitStatus)
	for name, c := range map[string]gateway.Caller{
		"no scope":      gatewaytest.Caller(gatewaytest.ID("x"), gatewaytest.Scopes(gateway.ScopeWrite), gatewaytest.Owner(false)),
		"other tenant":  gatewaytest.Caller(gatewaytest.ID("x"), gatewaytest.Tenant("other")),
		"the asker":     gatewaytest.Caller(gatewaytest.ID("laptop")),
		"asker renamed": gatewaytest.Caller(gatewaytest.ID("boss"), gatewaytest.Credential("token:laptop")),
		"nobody":        {},
	} {
		if err := w.book.Decide(t.Context(), c, r.ID, Answer{Allow: true}); err == nil {
			t.Errorf("%s decided", name)
		}
	}
	if err := w.book.Decide(t.Context(), w.boss, r.ID, Answer{}); err != nil {
		t.Errorf("boss cannot deny: %v", err)
	}
	self := newWorld(t, Options{AllowSelf: true})
	r, _, _ = self.ask(gitStatus)
	if err := self.book.Decide(t.Context(), gatewaytest.Caller(gatewaytest.ID("laptop")), r.ID, Answer{Allow: true}); err != nil {
		t.Errorf("configured self approval: %v", err)
	}
}

func TestStandingPattern(t *testing.T) {
	w := newWorld(t, Options{})
	r, _, _ := w.ask(gitStatus)
	a := Answer{Allow: true, Pattern: "git status **", For: time.Hour, Uses: 2}
	if err := w.book.Decide(t.Context(), w.boss, r.ID, a); err != nil {
		t.Fatal(err)
	}
	states := []string{}
	for _, line := range []string{`{"command":"git status -s"}`, `{"command":"git push"}`, `{"command":"git status; id"}`, `{"command":"git status"}`, `{"command":"git status"}`} {
		r, p, plan := w.ask(line)
		states = append(states, r.State)
		if g, err := w.book.Redeem(t.Context(), r.ID, p, plan); g.Valid() != (r.State == StateApproved) {
			t.Errorf("%s: %s but %v", line, r.State, err)
		}
	}
	want := []string{StateApproved, StatePending, StatePending, StateApproved, StatePending}
	for i := range want {
		if states[i] != want[i] {
			t.Fatalf("states %v, want %v", states, want)
		}
	}
	w.session.Label = "untrusted:email"
	r, _, _ = w.ask(`{"command":"git status"}`)
	if r.State != StatePending {
		t.Error("a pattern stood for a tainted session")
	}
}

func TestPatternMustCover(t *testing.T) {
	w := newWorld(t, Options{})
	for _, p := range []string{"git log", "sh **", "env **", "* **", "./git **", "python3 **"} {
		r, _, _ := w.ask(gitStatus)
		if err := w.book.Decide(t.Context(), w.boss, r.ID, Answer{Allow: true, Pattern: p, For: time.Hour}); err == nil {
			t.Errorf("pattern %q stands", p)
		}
	}
}

func TestFull(t *testing.T) {
	w := newWorld(t, Options{MaxPending: 2})
	w.ask(gitStatus)
	w.ask(gitStatus)
	p := w.petition(toolpolicy.SurfaceCLI, gitStatus)
	if _, err := w.book.Ask(t.Context(), p, w.plan(p, gitStatus)); !errors.Is(err, ErrFull) {
		t.Errorf("third request: %v", err)
	}
}
