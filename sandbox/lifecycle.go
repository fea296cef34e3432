package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Adopt looks after what an earlier gateway left behind: boxes that still
// live are taken over, everything else of this state directory is removed.
// Calls may come in meanwhile.
func (m *Manager) Adopt(ctx context.Context) error {
	claimed := map[string]bool{}
	for _, r := range m.records() {
		if held(r.Holder) {
			claimed[r.ID] = true
			continue
		}
		if r.Owner.Key != "" && !r.Ephemeral && r.Phase == living && m.adoptOne(ctx, r) {
			claimed[r.ID] = true
		}
	}
	var errs []error
	for _, b := range m.o.Backends {
		if !b.Status(ctx).Available {
			continue
		}
		n, err := b.Sweep(ctx, func(id string) bool { return claimed[id] || m.known(id) })
		if n > 0 {
			m.event(Event{Kind: "removed", Backend: b.Name(), Text: fmt.Sprintf("%d left by an earlier run", n)})
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		m.sweepRecords(claimed)
	}
	return errors.Join(errs...)
}

// adoptOne takes over one box, unless its scope has got a new one already.
func (m *Manager) adoptOne(ctx context.Context, r record) bool {
	i := slices.IndexFunc(m.o.Backends, func(b Backend) bool { return b.Name() == r.Backend })
	if i < 0 {
		return false
	}
	be := m.o.Backends[i]
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
	taken := sl.live != nil || m.closing
	m.mu.Unlock()
	if taken {
		return false
	}
	req := Request{ID: r.ID, Owner: r.Owner, Spec: r.Spec, Dir: filepath.Join(m.boxesDir(), r.ID)}
	b, err := be.Adopt(ctx, req)
	if err != nil {
		return false
	}
	if err := m.writeRecord(req, be.Name(), r.Created, living); err != nil {
		_ = b.Close(ctx)
		return false
	}
	want := r.Spec
	if want.Workspace == filepath.Join(req.Dir, ownDir) {
		want.Workspace = ""
	}
	l := &live{box: b, backend: be, req: req, want: want.Hash(), created: r.Created}
	m.mu.Lock()
	sl.live = l
	m.mu.Unlock()
	m.watch(sl, l)
	m.event(Event{Kind: "adopted", Box: r.ID, Backend: be.Name(), Owner: r.Owner})
	return true
}

// known reports whether a box is in use or being made by a living process.
func (m *Manager) known(id string) bool {
	if id == "" || id != filepath.Base(id) {
		return false
	}
	r := m.record(id)
	return (r.Phase == making || r.Phase == living) && (r.Holder == self() || held(r.Holder))
}

// sweepRecords removes directories whose box is gone.
func (m *Manager) sweepRecords(claimed map[string]bool) {
	for _, r := range m.records() {
		if claimed[r.ID] || r.Holder == self() || held(r.Holder) {
			continue
		}
		m.closeRecord(Request{ID: r.ID, Spec: r.Spec}, r.Owner, r.Phase.fate())
	}
}

// SweepEphemeral removes what ephemeral boxes of dead processes left on disk;
// the boxes themselves have ended by their own clock.
func (m *Manager) SweepEphemeral() {
	for _, r := range m.records() {
		if r.Ephemeral && !held(r.Holder) && r.Holder != self() {
			m.closeRecord(Request{ID: r.ID, Spec: r.Spec}, r.Owner, dropFiles)
		}
	}
}

// lives is a snapshot of the boxes in use.
func (m *Manager) lives() map[*slot]*live {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[*slot]*live{}
	for _, s := range m.slots {
		if s.live != nil {
			out[s] = s.live
		}
	}
	return out
}

// List describes the boxes of one tenant, or of all when tenant is "*".
func (m *Manager) List(tenant string) []Info {
	var out []Info
	for _, l := range m.lives() {
		if tenant == "*" || l.req.Owner.Tenant == tenant {
			i := l.box.Info()
			i.Created = l.created
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// end removes a box that still is in its slot, holding the slot so that its
// next box finds the files put away.
func (m *Manager) end(sl *slot, l *live, why string, f fate) bool {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if !m.take(sl, l) {
		return false
	}
	m.discard(l, why, f)
	return true
}

// take removes a box from its slot if it is still there.
func (m *Manager) take(sl *slot, l *live) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sl.live != l {
		return false
	}
	sl.live = nil
	return true
}

// Recreate removes the boxes of a tenant that match, so that the next call
// makes them anew; it returns how many. match nil means all.
func (m *Manager) Recreate(tenant string, match func(Info) bool) int {
	n := 0
	for sl, l := range m.lives() {
		if (tenant == "*" || l.req.Owner.Tenant == tenant) && (match == nil || match(l.box.Info())) && m.end(sl, l, "recreated on request", keepFiles) {
			n++
		}
	}
	return n
}

// EndSession removes the box of a session whose scope is session, and its
// files.
func (m *Manager) EndSession(tenant, key string) {
	for sl, l := range m.lives() {
		o := l.req.Owner
		if o.Scope == "session" && o.Tenant == tenant && o.Key == "session:"+key {
			m.end(sl, l, "its session ended", dropFiles)
		}
	}
	if kept := m.keptWorkspace(Owner{Tenant: tenant, Scope: "session", Key: "session:" + key}); exists(kept) {
		_ = removeTree(kept)
	}
}

// Prune removes boxes that were idle too long or are too old.
func (m *Manager) Prune() int {
	n := 0
	for sl, l := range m.lives() {
		cfg := l.cfg.Resolve()
		why := pruneReason(cfg.Prune, l, time.Now())
		if why != "" && m.end(sl, l, why, keepFiles) {
			m.event(Event{Kind: "pruned", Box: l.req.ID, Backend: l.backend.Name(), Owner: l.req.Owner, Text: why})
			n++
		}
	}
	return n
}

func pruneReason(p PruneConfig, l *live, now time.Time) string {
	if d := time.Duration(*p.MaxAgeDays) * 24 * time.Hour; d > 0 && now.Sub(l.created) > d {
		return "older than prune.maxAgeDays"
	}
	if i, ok := l.box.(Idler); ok && i.Active() > 0 {
		return ""
	}
	if d := time.Duration(*p.IdleHours) * time.Hour; d > 0 && now.Sub(l.box.Info().LastUsed) > d {
		return "unused for prune.idleHours"
	}
	return ""
}

// Run prunes and watches disk limits until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	prune := time.NewTicker(time.Minute)
	disk := time.NewTicker(2 * time.Second)
	defer prune.Stop()
	defer disk.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.ctx.Done():
			return
		case <-prune.C:
			m.noteUse()
			m.Prune()
			m.sweepStrays()
		case <-disk.C:
			m.checkDisks()
		}
	}
}

// endingAtOnce is how many boxes a gateway that stops removes at a time.
const endingAtOnce = 8

// Shutdown lets go of the boxes: those of single sessions and the unclaimed
// end, the others wait for the next gateway. It returns when nothing of this
// process is left.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.stop()
	m.drainPool()
	slots := make(chan struct{}, endingAtOnce)
	for sl, l := range m.lives() {
		d, ok := l.box.(interface{ Detach() })
		if l.req.Owner.Scope != "session" && ok {
			if m.take(sl, l) {
				d.Detach()
			}
			continue
		}
		m.bg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil { // else whoever comes next removes it
				m.end(sl, l, "the gateway stopped", keepFiles)
			}
		})
	}
	done := make(chan struct{})
	go func() { m.bg.Wait(); close(done) }()
	select {
	case <-done:
		m.drainPool()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
