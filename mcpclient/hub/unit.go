package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/link"
	"github.com/chitin-sh/chitin/tool"
)

// phase is where a unit is in its life.
type phase string

const (
	idle     phase = "idle"     // not started, or stopped for lack of calls
	starting phase = "starting" // a start is under way
	ready    phase = "ready"
	down     phase = "down" // failed; see next
	closed   phase = "closed"
)

// unit is one server of one tenant.
type unit struct {
	hub   *Hub
	key   key
	cfg   mcpclient.Server
	print [32]byte
	log   *slog.Logger

	mu       sync.Mutex
	state    phase
	conn     connection
	why      func() string // how the process ended, when there is one
	settled  chan struct{} // closed when the start or list under way is over
	failures int           // in a row
	restarts int
	next     time.Time // down: not before
	since    time.Time // ready: since when
	used     time.Time
	lastErr  string
	stale    bool // the list changed meanwhile
	listing  bool
	inFlight int
	lists    int       // how often the list changed
	listed   time.Time // when it was last asked for
}

// acquire is the live connection, started when need be. The error is one for
// the caller.
func (u *unit) acquire(ctx context.Context) (connection, error) {
	for {
		u.mu.Lock()
		u.used = time.Now()
		switch {
		case u.state == closed:
			u.mu.Unlock()
			return nil, tool.Unavailable("The MCP server "+u.key.server+" was stopped; call again.", nil)
		case u.state == ready && !u.stale && !u.listing:
			defer u.mu.Unlock()
			return u.conn, nil
		case u.state == ready && u.stale && !u.listing:
			u.relistLocked()
		case u.state == down && time.Now().Before(u.next):
			wait, why := time.Until(u.next).Round(time.Second), u.lastErr
			u.mu.Unlock()
			return nil, tool.Unavailable(fmt.Sprintf("The MCP server %s is down and is not started again for %s. See: chitin mcp servers", u.key.server, max(wait, time.Second)), errors.New(why))
		case u.state == idle || u.state == down:
			u.startLocked()
		}
		settled := u.settled
		u.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := u.failed(); err != nil {
			return nil, err
		}
	}
}

// failed is the error of a start that just did not work.
func (u *unit) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state == down {
		return tool.Unavailable("The MCP server "+u.key.server+" could not be started. See: chitin mcp servers", errors.New(u.lastErr))
	}
	return nil
}

// startLocked begins a start; u.mu is held.
func (u *unit) startLocked() {
	u.state, u.settled = starting, make(chan struct{})
	u.hub.bg.Go(u.start)
}

// start dials, lists, and only then lets calls in.
func (u *unit) start() {
	ctx, cancel := context.WithTimeout(u.hub.ctx, u.cfg.StartTimeout())
	defer cancel()
	conn, why, err := u.dial(ctx)
	if err == nil {
		var defs []mcpclient.Definition
		if defs, err = conn.Tools(ctx); err == nil {
			err = u.hub.observe(ctx, u.key, u.cfg, defs)
		}
		if err != nil {
			conn.Close()
			if why != nil {
				if end := why(); end != "" {
					err = fmt.Errorf("%w (%s)", err, end)
				}
			}
		}
	}
	u.mu.Lock()
	if u.state == closed {
		u.mu.Unlock()
		close(u.settled)
		if err == nil {
			conn.Close()
		}
		u.drop()
		return
	}
	if err != nil {
		if ctx.Err() != nil && u.hub.ctx.Err() == nil {
			err = fmt.Errorf("it did not start within %s: %w", u.cfg.StartTimeout(), err)
		}
		u.downLocked(err, "failed")
	} else {
		u.state, u.conn, u.why, u.since, u.used, u.stale = ready, conn, why, time.Now(), time.Now(), false
		u.lastErr = ""
		u.hub.bg.Go(func() { u.watch(conn) })
	}
	settled := u.settled
	u.mu.Unlock()
	close(settled)
	if err != nil {
		u.drop()
		return
	}
	u.log.Info("mcp server started")
	u.hub.event(Event{Kind: "started", Tenant: u.key.tenant, Server: u.key.server})
}

// downLocked notes a failure and when the next start may be; u.mu is held.
func (u *unit) downLocked(err error, kind string) {
	b := u.hub.o.Backoff
	if u.state == ready && time.Since(u.since) >= b.Healthy {
		u.failures = 0
	}
	u.failures++
	pause := b.after(u.failures)
	u.state, u.conn, u.next, u.lastErr = down, nil, time.Now().Add(pause), err.Error()
	u.log.Warn("mcp server "+kind, slog.Any("err", err), slog.Int("failures", u.failures), slog.Duration("pause", pause))
	u.hub.event(Event{Kind: kind, Tenant: u.key.tenant, Server: u.key.server, Text: u.lastErr})
	if kind == "ended" && u.failures <= b.Eager {
		u.hub.bg.Go(func() { u.restart(pause) })
	}
}

// restart starts a server that ended again, unless a call did so before.
func (u *unit) restart(pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-u.hub.ctx.Done():
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != down || time.Now().Before(u.next) {
		return
	}
	u.restarts++
	u.hub.restarts.Add(1)
	u.startLocked()
}

// watch waits for the end of a connection, or for a time without calls.
func (u *unit) watch(conn connection) {
	for {
		var unused <-chan time.Time
		if d := u.cfg.Idle(); d > 0 {
			t := time.NewTimer(d)
			defer t.Stop()
			unused = t.C
		}
		select {
		case <-unused:
			if u.retire(conn) {
				return
			}
			continue
		case <-conn.Done():
		}
		break
	}
	u.mu.Lock()
	why, mine := u.why, u.conn == conn
	u.mu.Unlock()
	if !mine {
		return
	}
	err := ending(conn.Err(), why)
	u.mu.Lock()
	mine = u.conn == conn
	if mine {
		u.downLocked(err, "ended")
	}
	u.mu.Unlock()
	if mine {
		u.drop()
	}
}

// ending is why a connection ended, in the words of whoever knows most.
func ending(err error, why func() string) error {
	end := ""
	if why != nil {
		end = why()
	}
	switch {
	case errors.Is(err, link.ErrHung):
		return err
	case end != "":
		return errors.New(end)
	case err == nil:
		return errors.New("the server closed the connection")
	}
	return err
}

// retire stops a server that nobody used for long.
func (u *unit) retire(conn connection) bool {
	u.mu.Lock()
	if u.conn != conn || u.state != ready || u.inFlight > 0 || time.Since(u.used) < u.cfg.Idle() {
		gone := u.conn != conn
		u.mu.Unlock()
		return gone
	}
	u.state, u.conn = idle, nil
	u.mu.Unlock()
	conn.Close()
	u.drop()
	u.hub.event(Event{Kind: "stopped", Tenant: u.key.tenant, Server: u.key.server, Text: "unused for " + u.cfg.Idle().String()})
	return true
}

// relistLocked asks for the tools again; calls wait for the answer. u.mu is
// held.
func (u *unit) relistLocked() {
	u.listing, u.stale, u.settled = true, false, make(chan struct{})
	u.lists++
	u.listed = time.Now()
	conn := u.conn
	u.hub.bg.Go(func() {
		ctx, cancel := context.WithTimeout(u.hub.ctx, u.cfg.StartTimeout())
		defer cancel()
		defs, err := conn.Tools(ctx)
		if err == nil {
			err = u.hub.observe(ctx, u.key, u.cfg, defs)
		}
		u.mu.Lock()
		u.listing = false
		settled, mine := u.settled, u.conn == conn
		if err != nil && mine {
			// No call goes through on a list that could not be looked at.
			u.downLocked(fmt.Errorf("its new list of tools cannot be taken: %w", err), "ended")
		}
		u.mu.Unlock()
		close(settled)
		if err != nil && mine {
			conn.Close()
			u.drop()
		}
	})
}

// listChanged is called by the connection when the server says so. The next
// call waits for the new list in any case; without one a server that cries all
// the time is asked less and less often.
func (u *unit) listChanged() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stale = true
	u.relistSoonLocked()
}

// relistSoonLocked asks for the list when it is time to; u.mu is held.
func (u *unit) relistSoonLocked() {
	if u.state != ready || u.listing || !u.stale {
		return
	}
	pause := min(100*time.Millisecond<<min(u.lists/4, 12), 5*time.Minute)
	if left := pause - time.Since(u.listed); left > 0 {
		time.AfterFunc(left, func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.relistSoonLocked()
		})
		return
	}
	u.relistLocked()
}

// close ends the unit for good.
func (u *unit) close(why string) {
	u.mu.Lock()
	conn, was := u.conn, u.state
	u.state, u.conn = closed, nil
	u.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	if was == ready {
		u.drop()
		u.hub.event(Event{Kind: "stopped", Tenant: u.key.tenant, Server: u.key.server, Text: why})
	}
}

// drop lets go of the box.
func (u *unit) drop() {
	if u.cfg.Kind() == mcpclient.Stdio && u.hub.o.Boxes != nil {
		u.hub.o.Boxes.Drop(u.key.tenant, u.key.server)
	}
}
