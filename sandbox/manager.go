package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/toolpolicy"
)

// ManagerOptions make a manager.
type ManagerOptions struct {
	StateDir string
	// Backends in order of preference.
	Backends []Backend
	// ConfigFor is an agent's effective configuration, with its override
	// merged; called for every choice, so that a reload takes effect.
	ConfigFor func(agent string) Config
	// BindRoots are the workspaces that configured binds may come from.
	BindRoots func() []string
	// Ephemeral makes boxes that end with this process.
	Ephemeral bool
	Log       *slog.Logger
	// Recover finishes or undoes what a crash left half-applied in a workspace,
	// before its log is removed. May be nil.
	Recover func(workspace, intentDir, user string) error
	// OnEvent hears what happens; it must not block long. May be nil.
	OnEvent func(Event)
}

// SessionRef is what a choice needs to know of a session.
type SessionRef struct {
	Key          string
	Agent        string
	Tenant       string
	Main         bool
	WorkspaceDir string // the agent's workspace on the host; "" when it has none
}

// Manager owns the boxes of one state directory.
type Manager struct {
	o   ManagerOptions
	dir string // <state>/sandbox

	mu      sync.Mutex
	slots   map[string]*slot
	pool    map[string]*profilePool
	proved  map[string]bool
	owed    map[string]bool     // boxes that could not be removed yet
	disks   map[string]*diskUse // used by Run alone
	mine    map[string]bool     // boxes this manager answers for
	settled bool                // everything an earlier process left is taken over or gone
	ended   map[string]bool     // scopes that ended before that
	closing bool
	bg      sync.WaitGroup
	stop    context.CancelFunc
	ctx     context.Context
}

// slot is the place of one box: whoever holds mu makes or replaces it.
type slot struct {
	mu sync.Mutex
	// live is what the fast path reads, under the manager's lock.
	live *live
}

// live is a box that can be used.
type live struct {
	box     Box
	backend Backend
	req     Request
	want    string // hash or profile that the box answers
	cfg     Config // as given, to notice that nothing changed
	ws      string
	created time.Time
}

// NewManager makes a manager; it does nothing until it is asked.
func NewManager(o ManagerOptions) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ConfigFor == nil {
		o.ConfigFor = func(string) Config { return Config{} }
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Manager{o: o, dir: filepath.Join(o.StateDir, "sandbox"), slots: map[string]*slot{}, pool: map[string]*profilePool{},
		proved: map[string]bool{}, owed: map[string]bool{}, disks: map[string]*diskUse{}, ended: map[string]bool{}, mine: map[string]bool{}, ctx: ctx, stop: cancel}
}

// Sandboxed reports whether a session's tools run in a sandbox; it touches
// nothing.
func (m *Manager) Sandboxed(agent string, main bool) bool {
	return m.o.ConfigFor(agent).Resolve().Sandboxed(main)
}

// Choose decides where one granted call runs and makes the box when needed.
// The host is chosen only where the grant says so or the configuration turns
// the sandbox off, never because a sandbox could not be made.
func (m *Manager) Choose(ctx context.Context, g toolpolicy.Grant, s SessionRef, needBox bool) (Place, error) {
	if !g.Valid() {
		return Place{}, fmt.Errorf("%w: no grant", ErrRefused)
	}
	if !needBox {
		return Place{ok: true}, nil
	}
	if g.Host() {
		return Place{ok: true, host: true}, nil
	}
	cfg := m.o.ConfigFor(s.Agent)
	if !cfg.Sandboxed(s.Main) {
		return Place{ok: true, host: true}, nil
	}
	if s.Tenant == "" {
		s.Tenant = g.Caller().Tenant()
	}
	b, err := m.box(ctx, cfg, s)
	if err != nil {
		return Place{}, err
	}
	return Place{ok: true, box: b}, nil
}

// BoxFor returns the box of a session whatever the mode says, for what the
// gateway itself does in one: warming up, measurements. Calls of tools go
// through Choose.
func (m *Manager) BoxFor(ctx context.Context, s SessionRef) (Box, error) {
	return m.box(ctx, m.o.ConfigFor(s.Agent), s)
}

// ownerFor names the box of a session. With scope shared everything of one
// tenant that sees the same workspace shares; nothing else does.
func ownerFor(cfg Config, s SessionRef) Owner {
	o := Owner{Tenant: s.Tenant, Scope: cfg.Scope}
	switch cfg.Scope {
	case "session":
		o.Key = "session:" + s.Key
	case "shared":
		o.Key = "shared"
		if cfg.WorkspaceAccess != "none" {
			o.Key += ":" + s.WorkspaceDir
		}
	default:
		o.Scope, o.Key = "agent", "agent:"+s.Agent
	}
	return o
}

func slotKey(o Owner) string { return o.Tenant + "\x00" + o.Key }

// box returns the live box of a session, or makes it.
func (m *Manager) box(ctx context.Context, raw Config, s SessionRef) (Box, error) {
	owner := ownerFor(withScope(raw), s)
	key := slotKey(owner)
	m.mu.Lock()
	if m.closing {
		m.mu.Unlock()
		return nil, fmt.Errorf("%w: the gateway is stopping", ErrUnavailable)
	}
	sl := m.slots[key]
	if sl == nil {
		sl = &slot{}
		m.slots[key] = sl
	}
	l := sl.live
	m.mu.Unlock()
	if l != nil && l.ws == s.WorkspaceDir && alive(l.box) && reflect.DeepEqual(l.cfg, raw) {
		return l.box, nil
	}
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return m.replace(ctx, sl, raw, owner, s)
}

// withScope fills in only what naming a box needs, which is cheap enough for
// every call.
func withScope(c Config) Config {
	if c.Scope == "" {
		c.Scope = "agent"
	}
	if c.WorkspaceAccess == "" {
		c.WorkspaceAccess = "none"
	}
	return c
}

func alive(b Box) bool {
	if w, ok := b.(Watched); ok {
		select {
		case <-w.Done():
			return false
		default:
		}
	}
	return true
}

// replace makes the slot's box fit the configuration; the slot is locked.
func (m *Manager) replace(ctx context.Context, sl *slot, raw Config, owner Owner, s SessionRef) (Box, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg := raw.Resolve()
	be, st, err := m.pick(ctx, cfg)
	if err != nil {
		return nil, err
	}
	ws := s.WorkspaceDir
	if cfg.WorkspaceAccess == "none" || ws == "" {
		ws = ""
	}
	var roots []string
	if m.o.BindRoots != nil {
		roots = m.o.BindRoots()
	}
	spec, err := BuildSpec(cfg, be.Name(), ws, roots)
	if err != nil {
		return nil, err
	}
	want := spec.Hash()
	m.mu.Lock()
	l := sl.live
	if l != nil && l.want == want && l.backend == be && alive(l.box) {
		l = &live{box: l.box, backend: be, req: l.req, want: want, cfg: raw, ws: s.WorkspaceDir, created: l.created}
		sl.live = l
		m.mu.Unlock()
		return l.box, nil
	}
	sl.live = nil
	m.mu.Unlock()
	if l != nil {
		if !alive(l.box) {
			m.event(goneEvent(l))
		}
		m.discard(l, "its configuration changed or it ended", keepFiles)
	}
	l = m.inherit(ctx, owner)
	if l != nil && (l.want != want || l.backend != be) {
		m.discard(l, "its configuration changed", keepFiles)
		l = nil
	}
	if l == nil {
		if l, err = m.make(ctx, be, st, spec, owner, want, cfg); err != nil {
			return nil, err
		}
	}
	l.cfg, l.ws = raw, s.WorkspaceDir
	m.mu.Lock()
	closing := m.closing
	if !closing {
		sl.live = l
	}
	m.mu.Unlock()
	if closing {
		m.discard(l, "the gateway is stopping", keepFiles)
		return nil, fmt.Errorf("%w: the gateway is stopping", ErrUnavailable)
	}
	m.watch(sl, l)
	return l.box, nil
}

// pick chooses the backend. It never falls below the demanded tier and says
// why each one was passed over.
func (m *Manager) pick(ctx context.Context, cfg Config) (Backend, Status, error) {
	var why []error
	for _, b := range m.o.Backends {
		if cfg.Backend != "auto" && b.Name() != cfg.Backend {
			continue
		}
		st := b.Status(ctx)
		tier := specTier(st.Tier, cfg.Docker.Runtime)
		switch {
		case !st.Available:
			why = append(why, fmt.Errorf("%s: %s", b.Name(), st.Reason))
		case st.Refuse != "":
			why = append(why, fmt.Errorf("%s: %s", b.Name(), st.Refuse))
		case tier.Rank() < Tier(cfg.MinTier).Rank():
			why = append(why, fmt.Errorf("%s: its tier %s is below %s", b.Name(), tier, cfg.MinTier))
		default:
			return b, st, nil
		}
	}
	if len(why) == 0 {
		why = append(why, fmt.Errorf("no backend %q is built in", cfg.Backend))
	}
	return nil, Status{}, fmt.Errorf("%w: %w; see: chitin sandbox explain", ErrUnavailable, errors.Join(why...))
}

// specTier is the tier of a backend with a runtime: an engine that runs
// gVisor isolates as gVisor does.
func specTier(t Tier, runtime string) Tier {
	if runtime == "runsc" {
		return TierGVisor
	}
	return t
}

// make claims a warm box or starts one.
func (m *Manager) make(ctx context.Context, be Backend, st Status, spec Spec, owner Owner, want string, cfg Config) (*live, error) {
	own := spec.Workspace == ""
	kept := m.keptWorkspace(owner)
	if own && !exists(kept) {
		if l := m.claim(be, spec, owner, want, cfg); l != nil {
			return l, nil
		}
	}
	l, err := m.create(ctx, be, st, spec, owner, kept)
	if err != nil {
		return nil, err
	}
	l.want = want
	m.event(Event{Kind: "created", Box: l.req.ID, Backend: be.Name(), Owner: owner})
	if own {
		m.demand(be, spec, cfg)
	}
	return l, nil
}

// create makes one box with a record on disk that outlives a crash at any
// point.
func (m *Manager) create(ctx context.Context, be Backend, st Status, spec Spec, owner Owner, kept string) (*live, error) {
	profile := spec.Profile()
	req := Request{ID: newID(), Owner: owner, Spec: spec, Ephemeral: m.o.Ephemeral}
	var err error
	if spec.Workspace != "" {
		if err := errors.Join(CheckWorkspace(spec.Workspace, m.o.StateDir), grantWorkspace(spec)); err != nil {
			return nil, err
		}
	}
	if req.Dir, err = m.openRecord(&req, be.Name(), kept); err != nil {
		m.closeRecord(req, owner, keepFiles)
		return nil, fmt.Errorf("sandbox: prepare its directory: %w", err)
	}
	proof := be.Name() + "\x00" + st.Boot + "\x00" + profile
	m.mu.Lock()
	req.Prove = !m.proved[proof]
	m.mu.Unlock()
	req.Progress = func(line string) {
		m.event(Event{Kind: "progress", Box: req.ID, Backend: be.Name(), Owner: owner, Text: line})
	}
	b, err := be.Create(ctx, req)
	if err != nil {
		m.closeRecord(req, owner, keepFiles)
		var pe *ProofError
		if errors.As(err, &pe) {
			m.event(Event{Kind: "proof_failed", Critical: true, Box: req.ID, Backend: be.Name(), Owner: owner, Text: pe.Error()})
		}
		return nil, err
	}
	m.mu.Lock()
	m.proved[proof] = true
	m.mu.Unlock()
	l := &live{box: b, backend: be, req: req, want: spec.Hash(), created: time.Now()}
	if err := m.writeRecord(req, be.Name(), l.created, living); err != nil {
		m.discard(l, "", keepFiles)
		return nil, err
	}
	return l, nil
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// watch forgets a box that dies by itself, so that the next call makes a new
// one.
func (m *Manager) watch(sl *slot, l *live) {
	w, ok := l.box.(Watched)
	if !ok {
		return
	}
	m.bg.Go(func() {
		select {
		case <-w.Done():
		case <-m.ctx.Done():
			return
		}
		// Whoever makes the next box of the slot must find the files put away.
		sl.mu.Lock()
		defer sl.mu.Unlock()
		if m.take(sl, l) {
			m.event(goneEvent(l))
			m.discard(l, "", keepFiles)
		}
	})
}

func goneEvent(l *live) Event {
	return Event{Kind: "gone", Box: l.req.ID, Backend: l.backend.Name(), Owner: l.req.Owner,
		Text: "the sandbox ended by itself or by somebody's hand; the next call gets a new one"}
}

// discard removes a box and what belongs to it.
func (m *Manager) discard(l *live, why string, f fate) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// Nobody may adopt a box that is about to go. If this cannot be written,
	// somebody who does will find it gone.
	_ = m.writeRecord(l.req, l.backend.Name(), l.created, f.end())
	if err := l.box.Close(ctx); err != nil {
		// Whatever ran inside has lost its supervisor's connection and was
		// killed, so the next box may have the files at once.
		m.putAway(l.req, l.req.Owner, f)
		m.owe(l.req.ID)
		m.o.Log.Warn("sandbox could not be removed", "box", l.req.ID, "error", err)
		m.event(Event{Kind: "warning", Box: l.req.ID, Backend: l.backend.Name(), Owner: l.req.Owner, Text: "it could not be removed: " + err.Error()})
		return
	}
	m.closeRecord(l.req, l.req.Owner, f)
	if why != "" {
		m.event(Event{Kind: "removed", Box: l.req.ID, Backend: l.backend.Name(), Owner: l.req.Owner, Text: why})
	}
}

func (m *Manager) event(e Event) {
	e.Time = time.Now()
	if e.Critical {
		m.o.Log.Error("sandbox", "event", e.Kind, "box", e.Box, "backend", e.Backend, "text", e.Text)
	} else {
		m.o.Log.Debug("sandbox", "event", e.Kind, "box", e.Box, "backend", e.Backend, "text", e.Text)
	}
	if m.o.OnEvent != nil {
		m.o.OnEvent(e)
	}
}
