package gateway

import (
	"net/netip"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

const (
	maxBudget   = 1000   // most attempts a configuration may allow per window
	maxKeys     = 10_000 // clients remembered at once
	ladderFirst = 250 * time.Millisecond
	ladderCap   = 5 * time.Second
	maxWaiters  = 256 // delayed answers per loopback client
)

// Outcome is what a verifier found.
type Outcome uint8

// The outcomes. The zero value is a wrong credential.
const (
	Wrong       Outcome = iota // presented and not right
	Right                      // proved
	Absent                     // nothing of this kind was presented
	Slow                       // cannot be answered from memory: ask again without quick
	Unavailable                // cannot be answered now, for example keys unreachable
	Refused                    // proved, but not on the list of those who may call
)

// limitKey is one client as the limiter sees it. Every kind of credential
// shares it, so that changing the kind gives no new attempts.
type limitKey struct {
	addr    netip.Addr
	uid     uint32
	unix    bool
	browser bool // only on loopback, where browsers are not exempt
}

func newLimitKey(c Client) limitKey {
	if c.Unix {
		return limitKey{uid: c.UID, unix: true}
	}
	k := limitKey{addr: c.Addr}
	if c.Addr.IsLoopback() {
		k.addr = netip.IPv6Loopback()
		k.browser = c.Browser
	} else if c.Addr.Is6() { // one customer owns a /64
		if p, err := c.Addr.WithZone("").Prefix(64); err == nil {
			k.addr = p.Addr()
		}
	}
	return k
}

type limits struct {
	max             int
	window, lockout time.Duration
	exemptLoopback  bool
}

func newLimits(c RateLimitConfig) limits {
	l := limits{max: c.MaxAttempts, window: time.Duration(c.WindowMs) * time.Millisecond, lockout: time.Duration(c.LockoutMs) * time.Millisecond}
	if l.max <= 0 {
		l.max = 10
	}
	l.max = min(l.max, maxBudget)
	if l.window <= 0 {
		l.window = time.Minute
	}
	if l.lockout <= 0 {
		l.lockout = 5 * time.Minute
	}
	l.exemptLoopback = c.ExemptLoopback == nil || *c.ExemptLoopback
	return l
}

// limiter counts wrong credentials per client. A comparison happens under its
// lock or after the attempt was counted, so concurrency buys no attempts.
type limiter struct {
	mu       sync.Mutex
	limits   limits
	now      func() time.Time
	entries  map[limitKey]*attempts
	newest   *attempts // most recently failed first
	oldest   *attempts
	overflow time.Time // until when unknown clients are refused: all slots are locked
}

type attempts struct {
	key        limitKey
	prev, next *attempts
	failed     []time.Time
	reserved   int // slow attempts that were counted and are not settled
	locked     time.Time
	step       int // rung of the loopback ladder
	delayed    time.Time
	waiters    int
	turn       chan struct{} // slow comparisons of one client take turns
	pins       int
}

func newLimiter(l limits, now func() time.Time) *limiter {
	return &limiter{limits: l, now: now, entries: map[limitKey]*attempts{}}
}

func (l *limiter) configure(n limits) {
	l.mu.Lock()
	l.limits = n
	l.mu.Unlock()
}

func (l *limiter) exempt(k limitKey) bool {
	return l.limits.exemptLoopback && !k.browser && (k.unix || k.addr.IsLoopback())
}

// try runs compare unless the client is locked out, and counts a wrong answer
// before anybody else can try. compare must be quick.
func (l *limiter) try(k limitKey, compare func() Outcome) (out Outcome, lockedFor, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	e := l.entries[k]
	if wait := l.lockedFor(k, e, now); wait > 0 {
		return Wrong, wait, 0
	}
	out = compare()
	switch out {
	case Right:
		l.forget(e)
	case Wrong:
		delay = l.fail(k, now)
	}
	return out, 0, delay
}

// lockedFor is how long the client stays locked out; 0 means it may try.
func (l *limiter) lockedFor(k limitKey, e *attempts, now time.Time) time.Duration {
	if e == nil {
		if wait := l.overflow.Sub(now); wait > 0 && !l.exempt(k) {
			return wait
		}
		return 0
	}
	if l.exempt(k) {
		if e.waiters >= maxWaiters {
			return time.Second
		}
		return 0
	}
	if wait := e.locked.Sub(now); wait > 0 {
		return wait
	}
	if e.reserved > 0 && len(e.recent(now, l.limits.window))+e.reserved >= l.limits.max {
		return time.Second
	}
	return 0
}

func (e *attempts) recent(now time.Time, window time.Duration) []time.Time {
	i := 0
	for i < len(e.failed) && now.Sub(e.failed[i]) >= window {
		i++
	}
	e.failed = e.failed[i:]
	return e.failed
}

// fail records one wrong credential and returns how long to hold the answer
// back. The caller holds the lock.
func (l *limiter) fail(k limitKey, now time.Time) time.Duration {
	e := l.entry(k, now)
	if e == nil {
		return 0
	}
	l.touch(e)
	if l.exempt(k) {
		return l.climb(e, now)
	}
	e.failed = append(e.recent(now, l.limits.window), now)
	if len(e.failed) >= l.limits.max {
		e.locked = now.Add(l.limits.lockout)
		e.failed = nil
	}
	return 0
}

// climb is the loopback ladder: answers to wrong credentials are held back
// 250 ms, then twice as long each time up to 5 s; answers that are due while
// one is held back share its end.
func (l *limiter) climb(e *attempts, now time.Time) time.Duration {
	if wait := e.delayed.Sub(now); wait > 0 {
		return wait
	}
	if now.Sub(e.delayed) > l.limits.lockout {
		e.step = 0
	}
	d := ladderCap
	if e.step < 5 {
		d = min(ladderFirst<<e.step, ladderCap)
		e.step++
	}
	e.delayed = now.Add(d)
	return d
}

// wait adds n to the number of held-back answers of a client.
func (l *limiter) wait(k limitKey, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[k]; e != nil {
		e.waiters = max(0, e.waiters+n)
	}
}

// entry finds or makes the record of a client, nil when every slot is locked.
func (l *limiter) entry(k limitKey, now time.Time) *attempts {
	if e := l.entries[k]; e != nil {
		return e
	}
	if len(l.entries) >= maxKeys && !l.evict(now) {
		l.overflow = now.Add(l.limits.lockout)
		return nil
	}
	e := &attempts{key: k}
	l.entries[k] = e
	l.link(e)
	return e
}

// evict drops the oldest client that is neither locked nor in the middle of an
// attempt.
func (l *limiter) evict(now time.Time) bool {
	for e := l.oldest; e != nil; e = e.prev {
		if e.pins == 0 && e.waiters == 0 && !e.locked.After(now) {
			l.drop(e)
			return true
		}
	}
	return false
}

func (l *limiter) forget(e *attempts) {
	if e == nil {
		return
	}
	e.failed, e.step, e.delayed, e.locked = nil, 0, time.Time{}, time.Time{}
	if e.pins == 0 && e.waiters == 0 {
		l.drop(e)
	}
}

func (l *limiter) drop(e *attempts) {
	delete(l.entries, e.key)
	l.unlink(e)
}

func (l *limiter) touch(e *attempts) {
	if l.newest != e {
		l.unlink(e)
		l.link(e)
	}
}

func (l *limiter) link(e *attempts) {
	e.prev, e.next = nil, l.newest
	if l.newest != nil {
		l.newest.prev = e
	}
	l.newest = e
	if l.oldest == nil {
		l.oldest = e
	}
}

func (l *limiter) unlink(e *attempts) {
	if e.prev != nil {
		e.prev.next = e.next
	} else if l.newest == e {
		l.newest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else if l.oldest == e {
		l.oldest = e.prev
	}
	e.prev, e.next = nil, nil
}

// tryOff is try, except that a test may have switched the lockout off.
func (l *limiter) tryOff(k limitKey, at *Attempt, compare func() Outcome) (Outcome, time.Duration, time.Duration) {
	if at.Off(mutate.Lockout) {
		return compare(), 0, 0
	}
	return l.try(k, compare)
}
