package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chitin-sh/chitin/gateway/internal/mint"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/secrets"
)

// Deps is what the guard needs from outside.
type Deps struct {
	// Build makes the verifiers; package all has it.
	Build func(ctx context.Context, s Setup) ([]Verifier, error)
	// Token and Password are the resolved secrets of the configuration.
	Token, Password secrets.Value
	// Refused hears of refusals, folded; nil drops them.
	Refused func(RefusalEvent)
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: silent
}

// Guard decides who a request comes from. It is safe for concurrent use and
// its configuration can be replaced while it runs.
type Guard struct {
	state  atomic.Pointer[authority]
	limit  *limiter
	ledger *ledger
	folder *folder
	deps   Deps
	ctx    context.Context
	off    atomic.Uint32 // defences that a test switched off
	reload sync.Mutex
	stop   context.CancelFunc
	done   chan struct{}
}

// New checks the configuration as far as it needs resolved secrets, builds the
// verifiers and starts the guard. A *StartError says why it will not start.
// The guard runs until ctx ends or Close is called.
func New(ctx context.Context, cfg Config, deps Deps) (*Guard, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Build == nil {
		return nil, errors.New("gateway: no verifiers: set Deps.Build")
	}
	ctx, stop := context.WithCancel(ctx)
	g := &Guard{
		limit: newLimiter(newLimits(cfg.Auth.RateLimit), deps.Now), ledger: newLedger(),
		folder: newFolder(deps.Refused, deps.Now), deps: deps, ctx: ctx, stop: stop, done: make(chan struct{}),
	}
	a, err := g.build(cfg, deps.Token, deps.Password)
	if err != nil {
		stop()
		return nil, err
	}
	g.state.Store(a)
	go g.housekeeping()
	return g, nil
}

func (g *Guard) housekeeping() {
	defer close(g.done)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			g.folder.tick(false)
		case <-g.ctx.Done():
			g.folder.tick(true)
			return
		}
	}
}

// Close ends every authority, closes what callers hold open and stops the
// guard.
func (g *Guard) Close() error {
	g.reload.Lock()
	defer g.reload.Unlock()
	g.stop()
	<-g.done
	g.ledger.revokeAll()
	return closeVerifiers(g.state.Load().verifiers, nil)
}

func closeVerifiers(old, keep []Verifier) error {
	kept := map[Verifier]bool{}
	for _, v := range keep {
		kept[v] = true
	}
	var errs []error
	for _, v := range old {
		if c, ok := v.(io.Closer); ok && !kept[v] {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// Admission is a request that the guard let in.
type Admission struct {
	Caller Caller // anonymous on routes that strangers may use
	Client Client
}

// Admit decides about a request to a route.
func (g *Guard) Admit(r *http.Request, route *Route) (Admission, *Refusal) {
	a := g.state.Load()
	adm, ref := g.admit(a, r, route)
	if ref != nil {
		g.folder.add(ref, adm.Client, route.Path)
	}
	return adm, ref
}

func (g *Guard) admit(a *authority, r *http.Request, route *Route) (Admission, *Refusal) {
	conn := connOf(r)
	client, ref := g.screen(a, r, conn, route)
	adm := Admission{Client: client}
	if ref != nil || route.Auth == AuthOwn || route.Auth == AuthPublic {
		return adm, ref
	}
	at := Attempt{Request: r, Conn: conn, Client: client, Route: route, Mode: a.mode, off: mutate.Switch(g.off.Load())}
	at.readAuthorization()
	caller, ref := g.prove(r.Context(), a, &at)
	if ref != nil {
		return adm, ref
	}
	if missing := route.Scope &^ caller.Scopes(); missing != 0 && !at.Off(mutate.Scope) {
		return adm, refuseScope(missing, caller.Scopes())
	}
	adm.Caller = caller
	return adm, nil
}

// Screen is Admit's first half, for routes that prove callers themselves: all
// the defences that need no credential.
func (g *Guard) Screen(r *http.Request, route *Route) (Client, *Refusal) {
	c, ref := g.screen(g.state.Load(), r, connOf(r), route)
	if ref != nil {
		g.folder.add(ref, c, route.Path)
	}
	return c, ref
}

func (g *Guard) screen(a *authority, r *http.Request, conn *Conn, route *Route) (Client, *Refusal) {
	off := mutate.Switch(g.off.Load())
	client, attributed := a.attribute(r, conn)
	if !a.checkHost(r, conn) && off&mutate.Host == 0 {
		return client, refuse(ReasonHost)
	}
	if route.Auth == AuthPublic {
		return client, nil
	}
	if credentialInQuery(r.URL.RawQuery) && off&mutate.Query == 0 {
		return client, refuse(ReasonQuery)
	}
	if !attributed && off&mutate.Attribution == 0 {
		return client, refuse(ReasonAttribution)
	}
	if off&mutate.Origin == 0 && !a.checkBrowser(r, client, route) {
		return client, refuse(ReasonOrigin)
	}
	return client, nil
}

// Prove checks a secret that did not come in the Authorization header, such as
// the connect frame of a WebSocket. An empty secret presents none: the
// header or the connection may still prove somebody.
func (g *Guard) Prove(r *http.Request, client Client, route *Route, secret string) (Caller, *Refusal) {
	a := g.state.Load()
	at := Attempt{Request: r, Conn: connOf(r), Client: client, Route: route, Mode: a.mode, off: mutate.Switch(g.off.Load())}
	if secret != "" {
		if len(secret) > maxSecret {
			secret = ""
		}
		at.present(SchemeFrame, secret)
	} else {
		at.readAuthorization()
	}
	caller, ref := g.prove(r.Context(), a, &at)
	if ref != nil {
		g.folder.add(ref, client, route.Path)
	}
	return caller, ref
}

// prove is the one place where a credential is compared.
func (g *Guard) prove(ctx context.Context, a *authority, at *Attempt) (Caller, *Refusal) {
	epoch := g.ledger.epoch.Load() // before looking anything up: a revocation in between kills the caller
	key := newLimitKey(at.Client)
	var id Identity
	out, wait, delay := g.limit.tryOff(key, at, func() (o Outcome) {
		id, o = a.verify(ctx, at, true)
		return o
	})
	if wait == 0 && out == Slow {
		out, wait, delay = g.limit.trySlow(ctx, key, func() (o Outcome) {
			id, o = a.verify(ctx, at, false)
			return o
		})
	}
	if wait > 0 {
		ref := refuse(ReasonLocked)
		ref.RetryAfter = wait
		return Caller{}, ref
	}
	if out != Right {
		ref := refuse(outcomeReason(out))
		ref.Delay, ref.key = delay, key
		return Caller{}, ref
	}
	return g.mint(a, at, id, epoch)
}

func outcomeReason(o Outcome) Reason {
	switch o {
	case Absent:
		return ReasonMissing
	case Unavailable:
		return ReasonUnavailable
	case Refused:
		return ReasonIdentity
	}
	return ReasonWrong
}

// verify asks each verifier in turn; the first that finds its kind of
// credential decides, so that an ambient identity never rescues a wrong
// secret.
func (a *authority) verify(ctx context.Context, at *Attempt, quick bool) (Identity, Outcome) {
	for _, v := range a.verifiers {
		if id, out := v.Verify(ctx, at, quick); out != Absent {
			return id, out
		}
	}
	return Identity{}, Absent
}

func (g *Guard) mint(a *authority, at *Attempt, id Identity, epoch uint64) (Caller, *Refusal) {
	claims, ok := a.place(id, epoch)
	if !ok {
		return Caller{}, refuse(ReasonIdentity)
	}
	c := Mint(mint.Prove(claims))
	c = narrowByHeader(at, id, c)
	if !g.Alive(c) && !at.Off(mutate.Epoch) {
		return Caller{}, refuse(ReasonRevoked)
	}
	return c, nil
}

// Hold waits as long as the refusal's answer has to be held back, or until ctx
// ends.
func (g *Guard) Hold(ctx context.Context, r *Refusal) {
	if r == nil || r.Delay <= 0 {
		return
	}
	g.limit.wait(r.key, 1)
	defer g.limit.wait(r.key, -1)
	t := time.NewTimer(r.Delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-g.ctx.Done():
	}
}

// Alive reports whether the authority behind a caller still holds: ask at use,
// not only at the door.
func (g *Guard) Alive(c Caller) bool {
	if c.epoch == 0 {
		return c == Process() // never came through a guard
	}
	if mutate.Switch(g.off.Load())&mutate.Epoch != 0 {
		return !c.Anonymous()
	}
	return g.ledger.alive(c)
}

// Track registers close to be called once when the caller's authority ends.
// ok is false when it has ended already. Release the grip when done.
func (g *Guard) Track(c Caller, close func()) (*Grip, bool) {
	if mutate.Switch(g.off.Load())&mutate.Epoch != 0 {
		return &Grip{ledger: g.ledger, released: true}, true
	}
	return g.ledger.track(c, close)
}

// Open is the number of tracked things that a credential has open.
func (g *Guard) Open(credential string) int { return g.ledger.open(credential) }

// Revoke ends everything that a credential proved so far and closes what it
// holds open. A credential that is still configured proves anew.
func (g *Guard) Revoke(credential string) { g.ledger.revoke(credential) }

// Mode is the authentication mode in force.
func (g *Guard) Mode() Mode { return g.state.Load().mode }

// Mutate switches defences off. Its parameter's type is internal to the
// gateway's folder: only package gatewaytest can call it.
func (g *Guard) Mutate(off mutate.Switch) { g.off.Store(uint32(off)) }
