// Package lazyctx makes contexts that can be cancelled or time out and that
// cost next to nothing as long as nobody waits for them: most calls are
// answered before anybody asks.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// ctx is a context of its own until somebody waits for it; from then on a
// standard one stands behind it.
type ctx struct {
	parent   context.Context
	deadline time.Time // zero: none of its own

	mu     sync.Mutex
	real   context.Context
	cancel context.CancelFunc
	ended  bool
}

// WithCancel is like context.WithCancel.
func WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	c := &ctx{parent: parent}
	return c, c.end
}

// WithTimeout is like context.WithTimeout.
func WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	c := &ctx{parent: parent, deadline: time.Now().Add(d)}
	if t, ok := parent.Deadline(); ok && t.Before(c.deadline) {
		c.deadline = time.Time{}
	}
	return c, c.end
}

// Deadline is when the context times out.
func (c *ctx) Deadline() (time.Time, bool) {
	if !c.deadline.IsZero() {
		return c.deadline, true
	}
	return c.parent.Deadline()
}

// Done is closed when the context is over.
func (c *ctx) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		if c.deadline.IsZero() {
			c.real, c.cancel = context.WithCancel(c.parent)
		} else {
			c.real, c.cancel = context.WithDeadline(c.parent, c.deadline)
		}
		if c.ended {
			c.cancel()
		}
	}
	return c.real.Done()
}

// Err says why the context is over, nil while it is not.
func (c *ctx) Err() error {
	c.mu.Lock()
	real, ended := c.real, c.ended
	c.mu.Unlock()
	switch {
	case real != nil:
		return real.Err()
	case c.parent.Err() != nil:
		return c.parent.Err()
	case ended:
		return context.Canceled
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value looks up the parent's values.
func (c *ctx) Value(key any) any {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	if real != nil { // lets contexts made from this one find the standard one
		return real.Value(key)
	}
	return c.parent.Value(key)
}

func (c *ctx) end() {
	c.mu.Lock()
	c.ended = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
