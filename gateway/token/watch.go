package token

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchEvery = 50 * time.Millisecond
	touchEvery = 30 * time.Second
)

// Watch keeps the tokens of a store in memory and follows changes that any
// process makes: a token revoked by a command dies here within 100 ms.
type Watch struct {
	store   *Store
	current atomic.Pointer[map[Digest]*entry]
	log     *slog.Logger
	mu      sync.Mutex
	revoke  func(credential string)
	epoch   int64
	stop    context.CancelFunc
	done    chan struct{}
}

type entry struct {
	Record
	used  atomic.Int64 // Unix milliseconds of the last use here
	saved int64
	ended bool // its expiry was announced
}

// NewWatch loads the tokens and starts following changes until ctx ends.
func NewWatch(ctx context.Context, s *Store, log *slog.Logger) (*Watch, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &Watch{store: s, log: log, revoke: func(string) {}, stop: stop, done: make(chan struct{})}
	empty := map[Digest]*entry{}
	w.current.Store(&empty)
	if err := w.reload(ctx); err != nil {
		stop()
		return nil, err
	}
	go w.run(ctx)
	return w, nil
}

// OnRevoke sets who hears of credentials that ended.
func (w *Watch) OnRevoke(f func(credential string)) {
	w.mu.Lock()
	w.revoke = f
	w.mu.Unlock()
}

// Close stops following and saves when tokens were last used.
func (w *Watch) Close() error {
	w.stop()
	<-w.done
	return nil
}

func (w *Watch) run(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	conn, err := w.store.db.Conn(ctx)
	if err == nil {
		defer func() { _ = conn.Close() }()
	}
	var version int64
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			w.save(context.WithoutCancel(ctx))
			return
		case now := <-tick.C:
			if changed(ctx, conn, &version) {
				if err := w.reload(ctx); err != nil && ctx.Err() == nil {
					w.log.Error("tokens could not be read", "err", err)
				}
			}
			w.expire(now)
			if now.Sub(saved) > touchEvery {
				saved = now
				w.save(ctx)
			}
		}
	}
}

// changed asks the database whether anybody else wrote to it, which costs no
// read of a table. When in doubt the answer is yes.
func changed(ctx context.Context, conn *sql.Conn, version *int64) bool {
	if conn == nil {
		return true
	}
	var v int64
	if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&v); err != nil {
		return true
	}
	was := *version
	*version = v
	return was != v
}

// reload reads the tokens if the epoch moved and announces those that ended.
func (w *Watch) reload(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	epoch, err := w.store.epoch(ctx)
	if err != nil || epoch == w.epoch {
		return err
	}
	list, err := w.store.List(ctx)
	if err != nil {
		return err
	}
	old := *w.current.Load()
	next := make(map[Digest]*entry, len(list))
	for _, r := range list {
		e := &entry{Record: r}
		if was := old[r.Digest]; was != nil {
			e.used.Store(was.used.Load())
			e.saved, e.ended = was.saved, was.ended
		}
		next[r.Digest] = e
	}
	w.current.Store(&next)
	w.epoch = epoch
	for d, e := range old {
		if next[d] == nil {
			w.revoke(e.Credential())
		}
	}
	return nil
}

// expire announces tokens whose time is over.
func (w *Watch) expire(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range *w.current.Load() {
		if !e.ended && !e.Expires.IsZero() && !now.Before(e.Expires) {
			e.ended = true
			w.revoke(e.Credential())
		}
	}
}

func (w *Watch) save(ctx context.Context) {
	used := map[string]int64{}
	w.mu.Lock()
	for _, e := range *w.current.Load() {
		if u := e.used.Load(); u > e.saved {
			used[e.ID], e.saved = u, u
		}
	}
	w.mu.Unlock()
	if len(used) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := w.store.touch(ctx, used); err != nil {
		w.log.Warn("last use of tokens could not be saved", "err", err)
	}
}

// find returns the token with a digest if it is in force.
func (w *Watch) find(d Digest, now time.Time, ignoreExpiry bool) (*entry, bool) {
	e := (*w.current.Load())[d]
	if e == nil || !ignoreExpiry && !e.Expires.IsZero() && !now.Before(e.Expires) {
		return nil, false
	}
	e.used.Store(now.UnixMilli())
	return e, true
}
