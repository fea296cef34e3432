package gateway

import (
	"context"
	"time"
)

// trySlow runs a comparison that takes time, such as a password hash. One
// client's comparisons take turns, and each is counted as a failure before it
// starts and only given back when it succeeds.
func (l *limiter) trySlow(ctx context.Context, k limitKey, compare func() Outcome) (out Outcome, lockedFor, delay time.Duration) {
	e, wait := l.pin(k)
	if wait > 0 {
		return Wrong, wait, 0
	}
	defer l.unpin(e)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return Unavailable, 0, 0
	}
	if wait := l.reserve(e); wait > 0 {
		return Wrong, wait, 0
	}
	out = Wrong
	defer func() { delay = l.settle(e, out) }() // also when compare panics
	out = compare()
	return out, 0, 0
}

func (l *limiter) pin(k limitKey) (*attempts, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if wait := l.lockedFor(k, l.entries[k], now); wait > 0 && !l.onlyReserved(l.entries[k], now) {
		return nil, wait
	}
	e := l.entry(k, now)
	if e == nil {
		return nil, l.limits.lockout
	}
	if e.pins >= maxWaiters {
		return nil, time.Second
	}
	if e.turn == nil {
		e.turn = make(chan struct{}, 1)
	}
	e.pins++
	return e, 0
}

// onlyReserved reports that a client is held back only by its own attempt in
// progress: the next one waits for its turn instead of being refused.
func (l *limiter) onlyReserved(e *attempts, now time.Time) bool {
	return e != nil && !e.locked.After(now) && e.waiters < maxWaiters && e.reserved > 0
}

func (l *limiter) unpin(e *attempts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.pins--
	if e.pins == 0 && e.waiters == 0 && len(e.failed) == 0 && e.step == 0 && !e.locked.After(l.now()) {
		l.drop(e)
	}
}

func (l *limiter) reserve(e *attempts) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.lockedFor(e.key, e, l.now()); wait > 0 {
		return wait
	}
	e.reserved++
	return 0
}

func (l *limiter) settle(e *attempts, out Outcome) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.reserved--
	switch out {
	case Right:
		l.forget(e)
	case Wrong:
		return l.fail(e.key, l.now())
	}
	return 0
}
