// Package app wires the rooms to the corridor and the corridor to the doors:
// New, Start, Stop and Reload of one gateway. It is the only package that
// imports everything.
package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// cleanup is a list of named steps that are undone last first.
type cleanup struct {
	mu    sync.Mutex
	steps []step
}

type step struct {
	name string
	run  func(context.Context) error
}

func (c *cleanup) add(name string, run func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps = append(c.steps, step{name, run})
}

// run undoes every step, even after one failed, and joins the errors.
func (c *cleanup) run(ctx context.Context) error {
	c.mu.Lock()
	steps := c.steps
	c.steps = nil
	c.mu.Unlock()
	var errs []error
	for i := len(steps) - 1; i >= 0; i-- {
		if err := steps[i].run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", steps[i].name, err))
		}
	}
	return errors.Join(errs...)
}

// closing adapts a plain Close.
func closing(f func() error) func(context.Context) error {
	return func(context.Context) error { return f() }
}
