// Package hub keeps MCP servers running for the tenants that use them, one
// process or connection each, and mounts the approved tools: it decides per
// call whether a tool is still what was approved.
package hub

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/link"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets"
)

// Boxes gives servers their sandboxes: one per server and tenant.
type Boxes interface {
	Box(ctx context.Context, tenant, server string) (sandbox.Box, error)
	// Drop removes the box, with whatever still runs in it.
	Drop(tenant, server string)
}

// Pins is where approvals are kept. Package pins has it.
type Pins interface {
	All(ctx context.Context) ([]mcpclient.Pin, error)
	Put(ctx context.Context, list []mcpclient.Pin) error
	FirstContact(ctx context.Context, tenant, server string, at time.Time) (bool, error)
}

// Event is something that the journal wants to know. Text names no secret.
type Event struct {
	Kind   string // started, failed, ended, stopped, quarantined, approved, revoked, refused
	Tenant string
	Server string
	Tool   string // mounted name, or the server's own where it has none
	By     string // who did it
	Text   string
	Digest string
}

// Options make a hub. Pins is required.
type Options struct {
	Pins    Pins
	Boxes   Boxes // nil: no stdio server can start
	Secret  func(path string) (secrets.Value, bool)
	Version string
	Log     *slog.Logger
	OnEvent func(Event) // must not call back
	// OnChange hears that other tools can be seen or named; it may call back.
	OnChange func()
	Backoff  Backoff
	// Grace is how long a server may stay silent after a cancelled call.
	Grace time.Duration
	// dial replaces the connection in tests.
	dial func(ctx context.Context, u *unit, s mcpclient.Server) (connection, func() string, error)
}

// Hub is every server of a gateway. It is safe for concurrent use.
type Hub struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	bg     sync.WaitGroup

	mu    sync.Mutex
	cfg   mcpclient.Config
	units map[key]*unit
	book  map[key][]mcpclient.Pin
	index map[string]map[string]*mountedTool // tenant → mounted name
	off   bool

	writing sync.Mutex // one change of pins at a time, on disk and in the book

	quarantines, restarts atomic.Int64
}

// key is one server of one tenant.
type key struct{ tenant, server string }

// Open reads what is known of the servers' tools; nothing is started.
func Open(ctx context.Context, cfg mcpclient.Config, o Options) (*Hub, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Backoff = o.Backoff.orDefault()
	known, err := o.Pins.All(ctx)
	if err != nil {
		return nil, err
	}
	h := &Hub{o: o, cfg: cfg, units: map[key]*unit{}, book: map[key][]mcpclient.Pin{}}
	h.ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, p := range known {
		k := key{p.Tenant, p.Server}
		h.book[k] = append(h.book[k], p)
	}
	for k, list := range h.book {
		mcpclient.Names(k.server, list)
	}
	h.reindex()
	return h, nil
}

// reindex follows the book and the configuration; h.mu is held or not needed.
func (h *Hub) reindex() {
	old := h.index
	h.index = map[string]map[string]*mountedTool{}
	for k, list := range h.book {
		s, ok := h.cfg.Servers[k.server]
		if !ok || !s.On() || !s.Serves(k.tenant) {
			continue
		}
		for _, p := range list {
			if p.Mounted == "" || !p.Present || p.Problem != "" || !s.Tools.Offers(p.Tool) {
				continue
			}
			if h.index[k.tenant] == nil {
				h.index[k.tenant] = map[string]*mountedTool{}
			}
			t := old[k.tenant][p.Mounted]
			if t == nil || t.pin.Tool != p.Tool || !t.pin.Same(p) {
				t = newMounted(h, k, p)
			}
			h.index[k.tenant][p.Mounted] = t
		}
	}
}

// Names is every mounted name of any tenant, for the policy to know.
func (h *Hub) Names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]bool{}
	for _, m := range h.index {
		for n := range m {
			all[n] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Servers is the configured servers' names.
func (h *Hub) Servers() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.cfg.Servers))
}

// Apply takes a configuration into use. Servers whose entry or secrets are
// others now are stopped; the next call starts them. OnChange is not called:
// whoever applies a configuration looks at Names anyway.
func (h *Hub) Apply(cfg mcpclient.Config) {
	h.mu.Lock()
	h.cfg = cfg
	var old []*unit
	for k, u := range h.units {
		if s, ok := cfg.Servers[k.server]; !ok || !s.On() || !s.Serves(k.tenant) || u.print != h.fingerprint(k.server, s) {
			old = append(old, u)
			delete(h.units, k)
		}
	}
	h.reindex()
	h.mu.Unlock()
	for _, u := range old {
		u.close("its configuration changed")
	}
}

// fingerprint tells configurations of a server apart, secrets included.
func (h *Hub) fingerprint(name string, s mcpclient.Server) [32]byte {
	b, err := json.Marshal(struct {
		S mcpclient.Server
		E map[string]string
	}{s, h.values(name, s)})
	if err != nil {
		return [32]byte{}
	}
	return sha256.Sum256(b)
}

// values is what env, headers and oauth hold now; a reference without a value is left
// out and named by missing.
func (h *Hub) values(name string, s mcpclient.Server) map[string]string {
	out := map[string]string{}
	for kind, m := range map[string]map[string]secrets.Field{"env": s.Env, "headers": s.Headers, "oauth": {"clientSecret": s.OAuth.ClientSecret}} {
		for k, f := range m {
			if v, ok := h.value(name, kind, k, f); ok {
				out[kind+"."+k] = v
			}
		}
	}
	return out
}

func (h *Hub) value(server, kind, k string, f secrets.Field) (string, bool) {
	if f.IsLiteral() {
		return f.Literal.Reveal(), true
	}
	if f.IsZero() {
		return "", true
	}
	if h.o.Secret == nil {
		return "", false
	}
	v, ok := h.o.Secret(mcpclient.SecretPath(server, kind, k))
	return v.Reveal(), ok && !v.IsZero()
}

// unit is the server of a tenant, made when it is first asked for; nil when
// the tenant has no such server.
func (h *Hub) unit(k key) *unit {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.cfg.Servers[k.server]
	if !ok || !s.On() || !s.Serves(k.tenant) || h.off {
		return nil
	}
	u := h.units[k]
	if u == nil {
		u = &unit{hub: h, key: k, cfg: s, print: h.fingerprint(k.server, s), state: idle, log: h.o.Log.With(slog.String("server", k.server), slog.String("tenant", k.tenant))}
		h.units[k] = u
	}
	return u
}

// Idle reports whether nothing of a tenant's server runs or starts: what is left
// of it in a sandbox belongs to an earlier gateway.
func (h *Hub) Idle(tenant, server string) bool {
	h.mu.Lock()
	u := h.units[key{tenant, server}]
	h.mu.Unlock()
	if u == nil {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state == idle || u.state == down
}

// Close stops every server.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.off = true
	all := slices.Collect(maps.Values(h.units))
	h.mu.Unlock()
	h.cancel()
	var stopped sync.WaitGroup
	for _, u := range all {
		stopped.Go(func() { u.close("the gateway stopped") })
	}
	stopped.Wait()
	done := make(chan struct{})
	go func() { h.bg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hub) event(e Event) {
	if e.Kind == "quarantined" {
		h.quarantines.Add(1)
	}
	if h.o.OnEvent != nil {
		h.o.OnEvent(e)
	}
}

func (h *Hub) changed() {
	if h.o.OnChange != nil {
		h.o.OnChange()
	}
}

// connection is a link as the hub uses it.
type connection interface {
	Tools(ctx context.Context) ([]mcpclient.Definition, error)
	Call(ctx context.Context, name string, args json.RawMessage) (link.Outcome, error)
	Done() <-chan struct{}
	Err() error
	Close()
}
