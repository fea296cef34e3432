package app

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/session"
)

// Limits of turns that nobody waits for.
const (
	maxRuns   = 64
	runsGrace = 5 * time.Second
)

var errBusy = errors.New("too many turns are under way")

// runs are the turns that were started and that nobody waits for. Each is on
// record, so that a killed gateway knows that it does not know how it ended.
type runs struct {
	app  *App
	ctx  context.Context
	stop context.CancelFunc
	// grace is what turns under way get when the gateway stops.
	grace time.Duration

	mu     sync.Mutex
	closed bool
	active int
	wg     sync.WaitGroup
}

func newRuns(a *App) *runs {
	r := &runs{app: a, grace: runsGrace}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// start begins a turn and returns its run's id.
func (r *runs) start(ctx context.Context, label string, t agent.Turn) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.active >= maxRuns {
		return "", errBusy
	}
	key := t.Session.Key.String()
	run := session.Run{ID: strings.ToLower(rand.Text()), Session: key, Parent: key, Label: label}
	if err := r.app.sessions.BeginRun(ctx, t.Session.Tenant, run); err != nil {
		return "", err
	}
	r.active++
	r.wg.Go(func() { r.do(run.ID, t) })
	return run.ID, nil
}

func (r *runs) do(id string, t agent.Turn) {
	out, err := r.app.loop.Run(r.ctx, t)
	state, text := session.RunDone, out.Text
	switch {
	case r.ctx.Err() != nil:
		state, text = session.RunCancelled, "the gateway was stopped"
	case err != nil:
		state, text = session.RunFailed, err.Error()
		r.app.log.Warn("turn failed", "session", t.Session.Key.String(), "run", id, "err", err)
	}
	if err := r.app.sessions.EndRun(context.WithoutCancel(r.ctx), t.Session.Tenant, id, state, r.app.redactor.String(text)); err != nil {
		r.app.log.Error("the end of a run was not recorded", "run", id, "err", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active--
}

// Close lets turns under way end for a while, cancels the rest and waits for
// them until ctx ends. Nothing starts any more.
func (r *runs) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	defer r.stop()
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	grace := time.NewTimer(r.grace)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-grace.C:
	case <-ctx.Done():
	}
	r.stop()
	select { // they end at once; that is waited for also when ctx has ended
	case <-done:
		return nil
	case <-time.After(time.Second):
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
