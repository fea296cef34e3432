package sandbox

import (
	"context"
	"slices"
	"strings"
	"time"
)

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
	m.disown(Owner{Tenant: tenant, Scope: "session", Key: "session:" + key})
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
	disk := time.NewTimer(diskRest)
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
			disk.Reset(m.checkDisks())
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
