package cron

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
	gocron "github.com/netresearch/go-cron"
)

const (
	// grace is how late a run may begin without having been missed.
	grace = time.Minute
	// sweepEvery is how often creators are looked at: a job whose creator is
	// revoked stops within this time, durably.
	sweepEvery = 30 * time.Second
	// retryAfter is how soon a database that failed is asked again.
	retryAfter = 5 * time.Second
	// maxAtOnce bounds the runs of all tenants together.
	maxAtOnce = 4
)

// Outcome is what a run came to.
type Outcome struct {
	Text  string
	Label string // integrity of the text; "" trusted
}

// Deps of a Scheduler.
type Deps struct {
	DB *store.DB
	// Run does a job's work, with no more than the job's authority. It ends
	// when ctx does.
	Run func(ctx context.Context, j Job) (Outcome, error)
	// Alive reports whether the creator's authority still holds. With an error
	// nothing runs now; with a no it never does again. Without it nothing runs.
	Alive func(ctx context.Context, a Authority) (bool, error)
	// Ended hears of every run that ended or was skipped; may be nil.
	Ended func(j Job, r Run)
	Clock gocron.Clock        // nil: the machine's
	Rand  func(n int64) int64 // [0, n), for jitter; nil: math/rand
	Log   *slog.Logger        // nil: silent
}

// Scheduler runs the jobs of every tenant.
type Scheduler struct {
	Deps
	jobs jobs
	ctx  context.Context
	halt context.CancelFunc
	wake chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	started bool
	running map[string]context.CancelFunc // by tenant and job
}

// New opens the schedules. What a killed process left running is marked
// unknown and not run again. Nothing runs before Start.
func New(ctx context.Context, d Deps) (*Scheduler, error) {
	if d.Clock == nil {
		d.Clock = gocron.RealClock{}
	}
	if d.Rand == nil {
		d.Rand = rand.Int64N
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Alive == nil {
		d.Alive = func(context.Context, Authority) (bool, error) { return false, nil }
	}
	s := &Scheduler{Deps: d, jobs: jobs{d.DB}, wake: make(chan struct{}, 1), running: map[string]context.CancelFunc{}}
	n, err := s.jobs.abandon(ctx, d.Clock.Now())
	if err != nil {
		return nil, err
	}
	if n > 0 {
		d.Log.Warn("scheduled runs were interrupted; they are not repeated", "runs", n)
	}
	s.ctx, s.halt = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// Start begins to run jobs as they get due.
func (s *Scheduler) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closed {
		return
	}
	s.started = true
	s.wg.Go(s.loop)
}

// Close cancels what runs and waits for it until ctx ends.
func (s *Scheduler) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.halt()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Scheduler) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// loop sleeps until the next job is ripe, something changes or creators are to
// be looked at. A clock that jumps is noticed within sweepEvery.
func (s *Scheduler) loop() {
	swept := time.Time{}
	for s.ctx.Err() == nil {
		if now := s.Clock.Now(); now.Sub(swept) >= sweepEvery || now.Before(swept) {
			swept = now
			s.sweep()
		}
		t := s.Clock.NewTimer(s.tick())
		select {
		case <-t.C():
		case <-s.wake:
		case <-s.ctx.Done():
		}
		t.Stop()
	}
}

// tick starts what is ripe and says how long to sleep.
func (s *Scheduler) tick() time.Duration {
	now := s.Clock.Now()
	free := s.free()
	if free > 0 {
		ripe, err := s.jobs.ripe(s.ctx, now, free)
		if err != nil {
			s.warn("schedules cannot be read", err)
			return sweepEvery
		}
		for _, j := range ripe {
			if err := s.fire(j, now); err != nil {
				s.warn("a schedule cannot be run; it is tried again", err)
				return retryAfter
			}
		}
		free = s.free()
	}
	next, err := s.jobs.nextFire(s.ctx)
	if err != nil {
		s.warn("schedules cannot be read", err)
	}
	if free == 0 || next.IsZero() {
		return sweepEvery // the end of a run wakes the loop
	}
	return min(max(next.Sub(now), time.Millisecond), sweepEvery)
}

func (s *Scheduler) free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maxAtOnce - len(s.running)
}

func (s *Scheduler) warn(msg string, err error) {
	if !errors.Is(err, context.Canceled) {
		s.Log.Warn(msg, "err", err)
	}
}

// sweep stops the jobs and runs of creators whose authority has ended.
func (s *Scheduler) sweep() {
	all, err := s.jobs.enabled(s.ctx)
	if err != nil {
		s.warn("schedules cannot be read", err)
	}
	for _, j := range all {
		if ok, err := s.Alive(s.ctx, j.Authority); err != nil {
			s.warn("a schedule's creator cannot be looked up", err)
		} else if !ok && s.ctx.Err() == nil {
			s.stop(j)
		}
	}
}

func (s *Scheduler) stop(j Job) {
	if err := s.jobs.stop(s.ctx, j.Tenant, j.ID, ErrRevoked.Error()); err != nil {
		s.warn("a schedule cannot be stopped", err)
	}
	s.cancel(j.Tenant, j.ID)
}

// fire claims one due time and runs it, or records why not.
func (s *Scheduler) fire(j Job, now time.Time) error {
	if ok, err := s.Alive(s.ctx, j.Authority); err != nil || !ok {
		if err == nil && s.ctx.Err() == nil {
			s.stop(j)
		}
		return err
	}
	r := Run{ID: newID(), Cause: CauseSchedule, State: RunRunning, Due: j.Due, Started: now}
	skip := func(why string) { r.State, r.Outcome, r.Ended = RunSkipped, why, now }
	if late := now.Sub(j.Fire); late > grace {
		r.Cause = CauseMissed
		if j.Missed == MissedSkip {
			skip("missed: nothing could run when it was due")
		}
	}
	due := j.Schedule.Next(j.Due)
	if due.Before(now.Add(-grace)) && !due.IsZero() {
		due = j.Schedule.Next(now) // many due times that passed are one
	}
	if !due.After(j.Due) {
		due = time.Time{} // a schedule that stands still ends
	}
	ctx, release, err := s.reserve(j)
	if errors.Is(err, ErrClosed) {
		return err
	}
	if err != nil && r.State == RunRunning {
		skip("the run before it had not ended")
	}
	mine, err := s.jobs.claim(s.ctx, j, r, due, s.jitter(j, due))
	if mine && r.State == RunRunning {
		go s.work(ctx, release, j, r)
		return nil
	}
	release()
	if mine {
		s.ended(j, r)
	}
	return err
}

func (s *Scheduler) jitter(j Job, due time.Time) time.Time {
	if due.IsZero() || j.Jitter <= 0 {
		return due
	}
	return due.Add(time.Duration(s.Rand(int64(j.Jitter))))
}

// reserve takes the one place that a job has. release is never nil.
func (s *Scheduler) reserve(j Job) (ctx context.Context, release func(), err error) {
	key := j.Tenant + "\x00" + j.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, func() {}, ErrClosed
	}
	if s.running[key] != nil {
		return nil, func() {}, ErrRunning
	}
	ctx, cancel := context.WithTimeout(s.ctx, j.Timeout)
	s.running[key] = cancel
	s.wg.Add(1) // under the lock: Close waits for it or it never happens
	return ctx, func() {
		defer s.wg.Done()
		cancel()
		s.mu.Lock()
		delete(s.running, key)
		s.mu.Unlock()
	}, nil
}

func (s *Scheduler) cancel(tenant, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.running[tenant+"\x00"+id]; c != nil {
		c()
	}
}

// work does a claimed run and records its end.
func (s *Scheduler) work(ctx context.Context, release func(), j Job, r Run) {
	defer func() { release(); s.nudge() }()
	out, err := s.Run(ctx, j)
	r.State, r.Outcome, r.Label = RunDone, out.Text, out.Label
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.State, r.Outcome = RunFailed, "its time was up"
	case ctx.Err() != nil:
		r.State, r.Outcome = RunCancelled, "cancelled"
	case err != nil:
		r.State, r.Outcome = RunFailed, err.Error()
	}
	r.Ended = s.Clock.Now()
	if err := s.jobs.end(context.WithoutCancel(ctx), j, r); err != nil {
		s.warn("the end of a scheduled run cannot be recorded", err)
	}
	s.ended(j, r)
}

func (s *Scheduler) ended(j Job, r Run) {
	if s.Ended != nil {
		s.Ended(j, r)
	}
}
