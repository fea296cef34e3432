package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/toolpolicy"
)

// fakeBackend makes boxes that do nothing.
type fakeBackend struct {
	name string
	st   Status

	mu    sync.Mutex
	boxes map[string]*fakeBox
	made  int
	fail  error
	slow  time.Duration
}

func newFake(name string, tier Tier) *fakeBackend {
	return &fakeBackend{name: name, st: Status{Available: true, Tier: tier, Boot: "1"}, boxes: map[string]*fakeBox{}}
}

func (f *fakeBackend) Name() string                      { return f.name }
func (f *fakeBackend) Status(ctx context.Context) Status { return f.st }

func (f *fakeBackend) Create(_ context.Context, r Request) (Box, error) {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	f.made++
	b := &fakeBox{be: f, id: r.ID, owner: r.Owner, spec: r.Spec, prove: r.Prove, done: make(chan struct{}), used: time.Now()}
	f.boxes[r.ID] = b
	return b, nil
}

func (f *fakeBackend) Adopt(_ context.Context, r Request) (Box, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.boxes[r.ID]
	if b == nil || b.spec.Hash() != r.Spec.Hash() {
		return nil, ErrGone
	}
	return b, nil
}

func (f *fakeBackend) Sweep(_ context.Context, keep func(string) bool) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for id := range f.boxes {
		if !keep(id) {
			delete(f.boxes, id)
			n++
		}
	}
	return n, nil
}

func (f *fakeBackend) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.boxes)
}

type fakeBox struct {
	be     *fakeBackend
	id     string
	mu     sync.Mutex
	owner  Owner
	spec   Spec
	prove  bool
	done   chan struct{}
	used   time.Time
	active int
	stuck  error // Close fails with it
}

func (b *fakeBox) Info() Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Info{ID: b.id, Backend: b.be.name, Tenant: b.owner.Tenant, Key: b.owner.Key, Scope: b.owner.Scope, Workspace: b.spec.Workspace, LastUsed: b.used}
}
func (b *fakeBox) Start(context.Context, Cmd) (Proc, error) { return nil, errors.New("a fake") }
func (b *fakeBox) Files() Files                             { return nil }
func (b *fakeBox) Done() <-chan struct{}                    { return b.done }
func (b *fakeBox) Active() int                              { return b.active }
func (b *fakeBox) Detach()                                  {}
func (b *fakeBox) Assign(o Owner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owner = o
}
func (b *fakeBox) Close(context.Context) error {
	b.be.mu.Lock()
	defer b.be.mu.Unlock()
	if b.stuck != nil {
		return b.stuck
	}
	delete(b.be.boxes, b.id)
	return nil
}

// testManager has one backend and a configuration that a test may change.
func testManager(t *testing.T, cfg *Config, backends ...Backend) *Manager {
	t.Helper()
	m := NewManager(ManagerOptions{StateDir: t.TempDir(), Backends: backends, ConfigFor: func(string) Config { return *cfg }})
	t.Cleanup(func() {
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func noPool() PoolConfig { zero := 0; return PoolConfig{Ready: &zero, Max: &zero} }

func get(t *testing.T, m *Manager, s SessionRef) *fakeBox {
	t.Helper()
	b, err := m.BoxFor(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return b.(*fakeBox)
}

func TestTenantsNeverShare(t *testing.T) {
	for _, scope := range []string{"session", "agent", "shared"} {
		for _, access := range []string{"none", "rw"} {
			be := newFake("docker", TierContainer)
			m := testManager(t, &Config{Scope: scope, WorkspaceAccess: access, Pool: noPool()}, be)
			ws := t.TempDir()
			boxes := map[*fakeBox]string{}
			for _, tenant := range []string{"a", "b", "a\x00agent:main"} {
				b := get(t, m, SessionRef{Key: "k", Agent: "main", Tenant: tenant, WorkspaceDir: ws})
				if was, dup := boxes[b]; dup {
					t.Errorf("scope %s, access %s: tenants %q and %q share a box", scope, access, was, tenant)
				}
				boxes[b] = tenant
			}
		}
	}
}

func TestScopes(t *testing.T) {
	one := SessionRef{Key: "s1", Agent: "a", Tenant: "t"}
	otherSession := SessionRef{Key: "s2", Agent: "a", Tenant: "t"}
	otherAgent := SessionRef{Key: "s1", Agent: "b", Tenant: "t"}
	for _, c := range []struct {
		scope                   string
		sameSession, sameAgents bool
	}{{"session", false, true}, {"agent", true, false}, {"shared", true, true}} {
		m := testManager(t, &Config{Scope: c.scope, Pool: noPool()}, newFake("docker", TierContainer))
		b := get(t, m, one)
		if got := get(t, m, otherSession) == b; got != c.sameSession {
			t.Errorf("%s: sessions share: %v", c.scope, got)
		}
		if got := get(t, m, otherAgent) == b; got != c.sameAgents {
			t.Errorf("%s: agents share: %v", c.scope, got)
		}
	}
}

func TestAChangeOfConfigurationMakesANewBox(t *testing.T) {
	be := newFake("docker", TierContainer)
	cfg := &Config{Pool: noPool()}
	m := testManager(t, cfg, be)
	s := SessionRef{Agent: "a", Tenant: "t"}
	first := get(t, m, s)
	if !first.prove {
		t.Error("a new profile was not proved")
	}
	if get(t, m, s) != first {
		t.Error("the same configuration made another box")
	}
	cfg.Prune.IdleHours = new(int) // not part of what a box is
	if get(t, m, s) != first {
		t.Error("a key that does not shape the box made another")
	}
	cfg.Docker.Memory = "600m"
	second := get(t, m, s)
	if second == first || !second.prove || be.count() != 1 {
		t.Errorf("same %v, proved %v, %d boxes", second == first, second.prove, be.count())
	}
	other := get(t, m, SessionRef{Agent: "b", Tenant: "t"})
	if other.prove {
		t.Error("a proved profile was proved again")
	}
}

func TestADeadBoxIsReplaced(t *testing.T) {
	be := newFake("docker", TierContainer)
	m := testManager(t, &Config{Pool: noPool()}, be)
	s := SessionRef{Agent: "a", Tenant: "t"}
	b := get(t, m, s)
	close(b.done)
	if get(t, m, s) == b {
		t.Fatal("a dead box was handed out")
	}
}

func TestNoSilentFallBack(t *testing.T) {
	weak := newFake("namespace", TierNamespace)
	gone := newFake("docker", TierContainer)
	gone.st = Status{Tier: TierContainer, Reason: "not running"}
	bad := newFake("podman", TierContainer)
	bad.st.Refuse = "a known escape"
	cfg := &Config{MinTier: "container", Pool: noPool()}
	m := testManager(t, cfg, gone, bad, weak)
	_, err := m.BoxFor(t.Context(), SessionRef{Agent: "a", Tenant: "t"})
	if !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	if e := m.Explain(t.Context(), "a"); e.Backend != "" || e.Reason == "" || len(e.Backends) != 3 {
		t.Errorf("%+v", e)
	}
	cfg.MinTier = "namespace"
	if b := get(t, m, SessionRef{Agent: "a", Tenant: "t"}); b.be != weak {
		t.Errorf("%s", b.be.name)
	}
	cfg.Backend = "docker"
	if _, err := m.BoxFor(t.Context(), SessionRef{Agent: "a", Tenant: "t"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a named backend was replaced by another: %v", err)
	}
}

func TestChooseWithoutAGrant(t *testing.T) {
	m := testManager(t, &Config{Mode: "off"}, newFake("docker", TierContainer))
	for _, need := range []bool{true, false} {
		p, err := m.Choose(t.Context(), toolpolicy.Grant{}, SessionRef{Agent: "a", Tenant: "t"}, need)
		if !errors.Is(err, ErrRefused) || p.Valid() || p.Host() || p.Box() != nil {
			t.Errorf("%+v %v", p, err)
		}
	}
}

func TestAFailedProofIsCriticalAndRefused(t *testing.T) {
	be := newFake("docker", TierContainer)
	be.fail = &ProofError{Mismatches: []string{"uid: 0"}}
	var events []Event
	m := NewManager(ManagerOptions{StateDir: t.TempDir(), Backends: []Backend{be}, OnEvent: func(e Event) { events = append(events, e) }})
	_, err := m.BoxFor(t.Context(), SessionRef{Agent: "a", Tenant: "t"})
	if !errors.Is(err, ErrRefused) || !slices.ContainsFunc(events, func(e Event) bool { return e.Kind == "proof_failed" && e.Critical }) {
		t.Fatalf("%v %+v", err, events)
	}
	if len(m.records()) != 0 {
		t.Error("something was left on disk")
	}
}

func TestOneCreationForManyCallers(t *testing.T) {
	be := newFake("docker", TierContainer)
	be.slow = 50 * time.Millisecond
	m := testManager(t, &Config{Pool: noPool()}, be)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := m.BoxFor(t.Context(), SessionRef{Agent: "a", Tenant: "t"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if be.made != 1 {
		t.Errorf("%d boxes were made", be.made)
	}
}

func TestPoolGivesEachBoxOnce(t *testing.T) {
	be := newFake("docker", TierContainer)
	two := 2
	m := testManager(t, &Config{Scope: "session", Pool: PoolConfig{Ready: &two, Max: &two}}, be)
	if err := m.Warm(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	seen := map[*fakeBox]bool{}
	ws := map[string]bool{}
	for i := range 6 {
		for end := time.Now().Add(5 * time.Second); m.Warmed() == 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		b := get(t, m, SessionRef{Agent: "a", Tenant: fmt.Sprint("t", i%2), Key: fmt.Sprint(i)})
		if seen[b] || ws[b.spec.Workspace] {
			t.Fatal("a box was handed out twice")
		}
		seen[b], ws[b.spec.Workspace] = true, true
		if i := b.Info(); i.Tenant == "" || i.Key == "" {
			t.Fatalf("a claimed box kept no owner: %+v", i)
		}
	}
	m.EndSession("t0", "0")
	for b := range seen {
		if b.Info().Key == "session:0" && be.boxes[b.id] != nil {
			t.Error("a box outlived its session")
		}
	}
}

func TestPrune(t *testing.T) {
	be := newFake("docker", TierContainer)
	m := testManager(t, &Config{Pool: noPool()}, be)
	idle, busy, old, fresh := get(t, m, SessionRef{Agent: "idle"}), get(t, m, SessionRef{Agent: "busy"}), get(t, m, SessionRef{Agent: "old"}), get(t, m, SessionRef{Agent: "fresh"})
	idle.used = time.Now().Add(-25 * time.Hour)
	busy.used, busy.active = time.Now().Add(-25*time.Hour), 1
	for _, l := range m.lives() {
		if l.box == old {
			l.created = time.Now().Add(-8 * 24 * time.Hour)
		}
	}
	if n := m.Prune(); n != 2 {
		t.Fatalf("%d were pruned", n)
	}
	for b, want := range map[*fakeBox]bool{idle: false, busy: true, old: false, fresh: true} {
		if got := be.boxes[b.id] != nil; got != want {
			t.Errorf("%s lives: %v", b.owner.Key, got)
		}
	}
}

func TestAdoptionTakesOverWhatLivesAndRemovesTheRest(t *testing.T) {
	be := newFake("docker", TierContainer)
	state := t.TempDir()
	cfg := Config{Pool: noPool()}
	mk := func() *Manager {
		return NewManager(ManagerOptions{StateDir: state, Backends: []Backend{be}, ConfigFor: func(string) Config { return cfg }})
	}
	m := mk()
	kept := get(t, m, SessionRef{Agent: "kept", Tenant: "t"})
	lost := get(t, m, SessionRef{Agent: "lost", Tenant: "t"})
	be.mu.Lock()
	delete(be.boxes, lost.id)
	be.boxes["stray"] = &fakeBox{be: be, id: "stray"}
	be.mu.Unlock()
	// The records name this process as their holder; a dead one is wanted.
	for _, r := range m.records() {
		r.Holder = "1@0"
		req := Request{ID: r.ID, Owner: r.Owner, Spec: r.Spec, Dir: filepath.Join(m.boxesDir(), r.ID)}
		if err := m.writeRecord(req, "docker", r.Created, r.Phase); err != nil {
			t.Fatal(err)
		}
	}
	next := mk()
	if err := next.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := next.List("t"); len(got) != 1 || got[0].ID != kept.id {
		t.Fatalf("%+v", got)
	}
	if be.boxes["stray"] != nil {
		t.Error("an orphan lives")
	}
	if get(t, next, SessionRef{Agent: "kept", Tenant: "t"}) != kept {
		t.Error("an adopted box was not used")
	}
	if len(next.List("other")) != 0 {
		t.Error("another tenant sees it")
	}
}
