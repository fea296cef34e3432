//go:build linux

package embedded

import (
	"context"
	"errors"
	"sync"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
)

// Registry knows the boxes that live in this process. Its zero value is ready.
type Registry struct {
	mu    sync.Mutex
	boxes map[string]sandbox.Box
}

// add remembers a box until it is done.
func (r *Registry) add(id string, b sandbox.Box) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.boxes == nil {
		r.boxes = map[string]sandbox.Box{}
	}
	r.boxes[id] = b
}

func (r *Registry) remove(id string, b sandbox.Box) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.boxes[id] == b {
		delete(r.boxes, id)
	}
}

// Sweep closes every box that keep does not claim and removes the control
// groups that a killed gateway left in tree, which may be nil. It reports how
// many boxes there were.
func (r *Registry) Sweep(ctx context.Context, tree *cgroup.Tree, keep func(id string) bool) (int, error) {
	r.mu.Lock()
	var gone []sandbox.Box
	for id, b := range r.boxes {
		if keep == nil || !keep(id) {
			gone = append(gone, b)
		}
	}
	r.mu.Unlock()
	n := len(gone)
	var errs error
	for _, b := range gone {
		errs = errors.Join(errs, b.Close(ctx))
	}
	if tree != nil {
		left, err := tree.Sweep(keep)
		n, errs = n+left, errors.Join(errs, err)
	}
	return n, errs
}
