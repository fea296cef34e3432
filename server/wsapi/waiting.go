package wsapi

import (
	"net/netip"
	"sync"
	"time"
)

// waiting counts connections that nobody proved yet, so that strangers can
// hold only so many open.
type waiting struct {
	mu    sync.Mutex
	total int
	by    map[netip.Addr]int
}

func newWaiting() *waiting { return &waiting{by: map[netip.Addr]int{}} }

// enter takes a place, or refuses.
func (w *waiting) enter(a netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.total >= preAuthTotal || w.by[a] >= preAuthPerAddr {
		return false
	}
	w.total++
	w.by[a]++
	return true
}

// leave gives the place back.
func (w *waiting) leave(a netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total--
	if w.by[a]--; w.by[a] <= 0 {
		delete(w.by, a)
	}
}

const (
	adminWrites = 30
	adminWindow = time.Minute
	maxBudgets  = 4096
)

// budget bounds how often one credential may change things, per method.
type budget struct {
	mu   sync.Mutex
	used map[string]*window
}

type window struct {
	start time.Time
	n     int
}

func newBudget() *budget { return &budget{used: map[string]*window{}} }

// spend takes one, or says how long to wait.
func (b *budget) spend(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.used[key]
	if w == nil || now.Sub(w.start) >= adminWindow {
		if w == nil && len(b.used) >= maxBudgets {
			b.prune(now)
		}
		w = &window{start: now}
		b.used[key] = w
	}
	if w.n >= adminWrites {
		return w.start.Add(adminWindow).Sub(now)
	}
	w.n++
	return 0
}

func (b *budget) prune(now time.Time) {
	for k, w := range b.used {
		if now.Sub(w.start) >= adminWindow {
			delete(b.used, k)
		}
	}
}
