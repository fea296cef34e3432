package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// ledger is the memory of authority: a credential's authority began at some
// epoch, and everything minted before that is dead. It also knows what each
// credential has open, so that revoking closes it.
type ledger struct {
	epoch atomic.Uint64
	mu    sync.RWMutex
	floor uint64            // callers minted before it are dead, whatever their credential
	since map[string]uint64 // by credential: callers minted before it are dead
	live  map[string]*Grip  // by credential: head of the list of open things
}

// Grip holds something open, such as a WebSocket or a call in flight, that
// must close when the authority behind it ends.
type Grip struct {
	ledger     *ledger
	credential string
	close      func()
	prev, next *Grip
	timer      *time.Timer
	released   bool
}

func newLedger() *ledger {
	l := &ledger{since: map[string]uint64{}, live: map[string]*Grip{}}
	l.epoch.Store(1)
	return l
}

// alive reports whether the authority behind a caller still holds.
func (l *ledger) alive(c Caller) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.aliveLocked(c)
}

func (l *ledger) aliveLocked(c Caller) bool {
	if c.Anonymous() || c.expired() {
		return false
	}
	return c.epoch >= l.floor && c.epoch >= l.since[c.credential]
}

// track registers close to be called once when the caller's authority ends.
// ok is false when it has ended already; close is then not called.
func (l *ledger) track(c Caller, close func()) (*Grip, bool) {
	g := &Grip{ledger: l, credential: c.credential, close: close}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.aliveLocked(c) {
		return nil, false
	}
	g.next = l.live[c.credential]
	if g.next != nil {
		g.next.prev = g
	}
	l.live[c.credential] = g
	if c.expires != 0 {
		g.timer = time.AfterFunc(time.Until(time.UnixMilli(c.expires)), func() {
			if g.Release() {
				close()
			}
		})
	}
	return g, true
}

// Release ends the tracking and reports whether it was still tracked. It is
// safe to call more than once and on nil.
func (g *Grip) Release() bool {
	if g == nil {
		return false
	}
	g.ledger.mu.Lock()
	defer g.ledger.mu.Unlock()
	return g.releaseLocked()
}

func (g *Grip) releaseLocked() bool {
	if g.released {
		return false
	}
	g.released = true
	if g.timer != nil {
		g.timer.Stop()
	}
	if g.prev != nil {
		g.prev.next = g.next
	} else if g.next != nil {
		g.ledger.live[g.credential] = g.next
	} else {
		delete(g.ledger.live, g.credential)
	}
	if g.next != nil {
		g.next.prev = g.prev
	}
	g.prev, g.next = nil, nil
	return true
}

// revoke ends the authority of everything that the credential proved so far
// and closes what it holds open.
func (l *ledger) revoke(credential string) {
	l.mu.Lock()
	l.since[credential] = l.epoch.Add(1)
	closing := l.detach(nil, credential)
	l.mu.Unlock()
	closeAll(closing)
}

// revokeAll ends every authority there is.
func (l *ledger) revokeAll() {
	l.mu.Lock()
	l.floor = l.epoch.Add(1)
	clear(l.since)
	var closing []*Grip
	for c := range l.live {
		closing = l.detach(closing, c)
	}
	l.mu.Unlock()
	closeAll(closing)
}

func (l *ledger) detach(into []*Grip, credential string) []*Grip {
	for g := l.live[credential]; g != nil; g = l.live[credential] {
		g.releaseLocked()
		into = append(into, g)
	}
	return into
}

// closeAll closes without waiting for each other: one stuck connection must
// not keep another one open.
func closeAll(gs []*Grip) {
	for _, g := range gs {
		go g.close()
	}
}

// open is the number of tracked things of a credential, for tests and status.
func (l *ledger) open(credential string) int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := 0
	for g := l.live[credential]; g != nil; g = g.next {
		n++
	}
	return n
}
