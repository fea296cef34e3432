package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
)

// adoptingAtOnce is how many boxes a gateway that starts takes over at a time.
const adoptingAtOnce = 8

// orphan reports whether a box was left by a manager that is gone.
func (m *Manager) orphan(r record) bool {
	m.mu.Lock()
	mine := m.mine[r.ID]
	m.mu.Unlock()
	return !mine && !held(r.Holder)
}

// adoptable reports whether a box that was left may be taken over.
func (m *Manager) adoptable(r record) bool {
	return r.Owner.Key != "" && !r.Ephemeral && r.Phase == living && m.orphan(r)
}

// Adopt looks after what an earlier gateway left behind: boxes that still
// live are taken over, everything else of this state directory is removed.
// Calls may come in meanwhile.
func (m *Manager) Adopt(ctx context.Context) error {
	// What nobody will take goes first: it may be in the way, and a gateway
	// that is killed again soon must not leave more and more of it.
	errs := m.sweepOrphans(ctx, func(r record) bool { return !m.orphan(r) || m.adoptable(r) })
	var wg sync.WaitGroup
	slots := make(chan struct{}, adoptingAtOnce)
	for _, r := range m.records() {
		if !m.adoptable(r) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			m.adoptOne(ctx, r)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	errs = append(errs, m.sweepOrphans(ctx, func(r record) bool { return !m.orphan(r) })...)
	m.mu.Lock()
	m.settled = len(errs) == 0
	m.mu.Unlock()
	return errors.Join(errs...)
}

// sweepOrphans removes the boxes of this state directory that keep does not
// claim, and then what they left on disk.
func (m *Manager) sweepOrphans(ctx context.Context, keep func(record) bool) (errs []error) {
	swept := map[string]bool{"": true}
	for _, b := range m.o.Backends {
		if !b.Status(ctx).Available {
			continue
		}
		n, err := b.Sweep(ctx, func(id string) bool { return m.known(id) || m.recorded(id, keep) })
		if n > 0 {
			m.event(Event{Kind: "removed", Backend: b.Name(), Text: fmt.Sprintf("%d left by an earlier run", n)})
		}
		if err != nil {
			errs = append(errs, err)
		}
		swept[b.Name()] = err == nil
	}
	for _, r := range m.records() {
		if m.orphan(r) && !keep(r) && swept[r.Backend] {
			m.closeRecord(Request{ID: r.ID, Spec: r.Spec}, r.Owner, m.fateOf(r))
		}
	}
	return errs
}

// recorded reports whether a box has a record that keep claims.
func (m *Manager) recorded(id string, keep func(record) bool) bool {
	if id == "" || id != filepath.Base(id) {
		return false
	}
	r := m.record(id)
	return r.Backend != "" && (r.Phase == making || r.Phase == living) && keep(r)
}

// known reports whether a box is in use or being made by a living process.
func (m *Manager) known(id string) bool {
	return m.recorded(id, func(r record) bool { return !m.orphan(r) })
}

// adoptOne takes over one box, unless its scope has got a new one already.
func (m *Manager) adoptOne(ctx context.Context, r record) {
	key := slotKey(r.Owner)
	m.mu.Lock()
	sl := m.slots[key]
	if sl == nil {
		sl = &slot{}
		m.slots[key] = sl
	}
	m.mu.Unlock()
	sl.mu.Lock()
	defer sl.mu.Unlock()
	m.mu.Lock()
	taken := sl.live != nil || m.closing || m.ended[key]
	m.mu.Unlock()
	if taken {
		return
	}
	l := m.takeOver(ctx, r)
	if l == nil {
		return
	}
	m.mu.Lock()
	sl.live = l
	m.mu.Unlock()
	m.watch(sl, l)
}

// takeOver reconnects to a box that was left, or returns nil. Its slot is
// locked.
func (m *Manager) takeOver(ctx context.Context, r record) *live {
	i := slices.IndexFunc(m.o.Backends, func(b Backend) bool { return b.Name() == r.Backend })
	if i < 0 || !m.adoptable(m.record(r.ID)) {
		return nil
	}
	be := m.o.Backends[i]
	req := Request{ID: r.ID, Owner: r.Owner, Spec: r.Spec, Dir: filepath.Join(m.boxesDir(), r.ID)}
	b, err := be.Adopt(ctx, req)
	if err != nil {
		return nil
	}
	if err := m.writeRecord(req, be.Name(), r.Created, living); err != nil {
		_ = b.Close(ctx)
		return nil
	}
	want := r.Spec
	if want.Workspace == filepath.Join(req.Dir, ownDir) {
		want.Workspace = ""
	}
	m.own(r.ID, true)
	m.event(Event{Kind: "adopted", Box: r.ID, Backend: be.Name(), Owner: r.Owner})
	return &live{box: b, backend: be, req: req, want: want.Hash(), created: r.Created}
}

// inherit looks, for a call that comes while boxes are still being taken
// over, for what was left to its scope: a box that can be used, or else its
// files. The slot is locked.
func (m *Manager) inherit(ctx context.Context, owner Owner) *live {
	m.mu.Lock()
	settled := m.settled
	m.mu.Unlock()
	if settled || m.o.Ephemeral {
		return nil
	}
	for _, r := range m.records() {
		if slotKey(r.Owner) != slotKey(owner) || !m.orphan(r) || r.Ephemeral {
			continue
		}
		if m.adoptable(r) {
			if l := m.takeOver(ctx, r); l != nil {
				return l
			}
		}
		if b := m.BackendNamed(r.Backend); b != nil && b.Status(ctx).Available {
			if _, err := b.Sweep(ctx, func(id string) bool { return id != r.ID }); err == nil {
				m.closeRecord(Request{ID: r.ID, Spec: r.Spec}, r.Owner, m.fateOf(r))
			}
		}
	}
	return nil
}

// disown notes that a scope has ended whose box may not have been taken over
// yet.
func (m *Manager) disown(o Owner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.settled {
		m.ended[slotKey(o)] = true
	}
}

// fateOf is what becomes of the files of a box that was left.
func (m *Manager) fateOf(r record) fate {
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.Phase.fate() || fate(m.ended[slotKey(r.Owner)])
}
