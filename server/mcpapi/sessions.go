package mcpapi

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of what is remembered of the library's sessions.
const (
	maxRemembered = 4096
	// touchEvery is how often at least a session's messages go through the
	// library, which closes sessions that it hears nothing of.
	touchEvery = 5 * time.Minute
)

// sessions is what the short way must know of the library's sessions.
type sessions struct {
	mu   sync.RWMutex
	byID map[string]*remembered
}

type remembered struct {
	who     who
	asks    bool // its client can show a form
	ready   atomic.Bool
	touched atomic.Int64 // when the library last heard of it, unix milliseconds

	mu      sync.Mutex
	running map[string]context.CancelFunc // calls of the short way, by request id
	level   bool                          // its client reads log messages
}

func (s *sessions) init() { s.byID = map[string]*remembered{} }

func (s *sessions) get(id string) *remembered {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

func (s *sessions) add(id string, r *remembered) {
	r.running = map[string]context.CancelFunc{}
	r.touch()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= maxRemembered {
		old := time.Now().Add(-sessionIdle).UnixMilli()
		for k, v := range s.byID {
			if v.touched.Load() < old {
				delete(s.byID, k)
			}
		}
	}
	if len(s.byID) < maxRemembered { // the others take the long way
		s.byID[id] = r
	}
}

// forget drops a session and ends its calls.
func (s *sessions) forget(id string) {
	s.mu.Lock()
	r := s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, cancel := range r.running {
		cancel()
	}
}

func (r *remembered) touch() { r.touched.Store(time.Now().UnixMilli()) }

func (r *remembered) fresh() bool {
	return time.Since(time.UnixMilli(r.touched.Load())) < touchEvery
}

// begin registers a call, so that it can be cancelled. A second one with the
// same id is refused.
func (r *remembered) begin(id string, cancel context.CancelFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.running[id]; ok {
		return false
	}
	r.running[id] = cancel
	return true
}

func (r *remembered) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, id)
}

func (r *remembered) cancel(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.running[id]; c != nil {
		c()
	}
}
