package agent

import (
	"context"
	"sync"
)

// locks let the turns of one session follow each other.
type locks struct {
	mu   sync.Mutex
	held map[string]*turnLock
}

type turnLock struct {
	free  chan struct{} // holds one value while nobody runs
	users int
}

// take waits for the session's turn or for the end of ctx; the returned func
// lets the next one run.
func (l *locks) take(ctx context.Context, key string) (func(), error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*turnLock{}
	}
	t := l.held[key]
	if t == nil {
		t = &turnLock{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		l.held[key] = t
	}
	t.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(l.held, key)
		}
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
