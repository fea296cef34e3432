package hooks

import (
	"context"
	"crypto/sha256"
	"math"
	"strconv"
	"sync"
	"time"
)

const (
	maxFailures = 20
	failWindow  = time.Minute
	failLockout = time.Minute
)

func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

const (
	replayWindow = 5 * time.Minute // after the first one completed
	maxReplays   = 10_000
	maxKey       = 256
)

// replays remembers answers by idempotency key, so that a webhook that is sent
// twice acts once.
type replays struct {
	mu   sync.Mutex
	now  func() time.Time
	seen map[[sha256.Size]byte]*replay
}

type replay struct {
	body [sha256.Size]byte
	done chan struct{}
	at   time.Time // zero while it runs
	res  answer
}

// answer is what a webhook is answered.
type answer struct {
	code int
	body map[string]any
}

func newReplays(now func() time.Time) *replays {
	return &replays{now: now, seen: map[[sha256.Size]byte]*replay{}}
}

// once runs act unless the same key was seen within the window. The same key
// with another body is a conflict: one sender must not be able to suppress
// another's message.
func (r *replays) once(ctx context.Context, scope, key string, body []byte, act func() answer) (answer, bool) {
	id := sha256.Sum256([]byte(scope + "\x00" + key))
	sum := sha256.Sum256(body)
	r.mu.Lock()
	if old := r.seen[id]; old != nil && (old.at.IsZero() || r.now().Sub(old.at) < replayWindow) {
		r.mu.Unlock()
		if old.body != sum {
			return failed(409, "idempotency key was used for another body"), false
		}
		select {
		case <-old.done:
			return old.res, true
		case <-ctx.Done():
			return failed(503, "the first request with this idempotency key is still running"), false
		}
	}
	if len(r.seen) >= maxReplays {
		r.prune()
	}
	if len(r.seen) >= maxReplays {
		r.mu.Unlock()
		return failed(503, "too many webhooks at once"), false
	}
	e := &replay{body: sum, done: make(chan struct{})}
	r.seen[id] = e
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		e.at = r.now()
		if e.res.code == 0 || e.res.code >= 500 { // a failure may be tried again
			delete(r.seen, id)
		}
		r.mu.Unlock()
		close(e.done)
	}()
	e.res = act()
	return e.res, false
}

func (r *replays) prune() {
	now := r.now()
	for id, e := range r.seen {
		if !e.at.IsZero() && now.Sub(e.at) >= replayWindow {
			delete(r.seen, id)
		}
	}
}

func failed(code int, msg string) answer {
	return answer{code, map[string]any{"ok": false, "error": msg}}
}
