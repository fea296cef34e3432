package sandbox

import (
	"context"
	"time"
)

// profilePool holds started boxes that belong to nobody yet. Each has a
// workspace of its own, empty, and is claimed at most once.
type profilePool struct {
	ready   []*live
	filling bool
	missed  []time.Time // claims that found nothing
	cfg     Config
	spec    Spec
	be      Backend
}

// Assignable is a Box that can be given its owner after its start.
type Assignable interface{ Assign(Owner) }

// missMemory is how long a claim that found nothing counts as demand.
const missMemory = 2 * time.Minute

func poolKey(be Backend, s Spec) string { return be.Name() + "\x00" + s.Profile() }

// claim takes a warm box for an owner.
func (m *Manager) claim(be Backend, spec Spec, owner Owner, want string, cfg Config) *live {
	m.mu.Lock()
	p := m.pool[poolKey(be, spec)]
	var l *live
	for p != nil && len(p.ready) > 0 && l == nil {
		l = p.ready[0]
		p.ready = p.ready[1:]
		if !alive(l.box) {
			go m.discard(l, "", dropFiles)
			l = nil
		}
	}
	if p != nil && l == nil {
		p.missed = append(p.missed, time.Now())
	}
	m.mu.Unlock()
	if l == nil {
		return nil
	}
	a, ok := l.box.(Assignable)
	l.req.Owner = owner
	if !ok || m.writeRecord(l.req, be.Name(), l.created, living) != nil {
		m.discard(l, "", dropFiles)
		return nil
	}
	a.Assign(owner)
	l.want = want
	m.event(Event{Kind: "created", Box: l.req.ID, Backend: be.Name(), Owner: owner, Text: "from the warm pool"})
	m.demand(be, spec, cfg)
	return l
}

// demand remembers that a profile is used and fills its pool in the
// background.
func (m *Manager) demand(be Backend, spec Spec, cfg Config) {
	if *cfg.Pool.Ready == 0 || *cfg.Pool.Max == 0 {
		return
	}
	m.mu.Lock()
	k := poolKey(be, spec)
	p := m.pool[k]
	if p == nil {
		p = &profilePool{}
		m.pool[k] = p
	}
	p.cfg, p.spec, p.be = cfg, spec, be
	start := !p.filling && !m.closing
	p.filling = p.filling || start
	m.mu.Unlock()
	if start {
		m.bg.Go(func() { m.fill(p) })
	}
}

// breath is how long the pool waits after a claim: the call that claimed is
// about to use the machine.
const breath = 250 * time.Millisecond

// fill starts boxes one at a time until there are enough.
func (m *Manager) fill(p *profilePool) {
	select {
	case <-time.After(breath):
	case <-m.ctx.Done():
	}
	for m.wants(p) {
		ctx, cancel := context.WithTimeout(m.ctx, 2*time.Minute)
		m.mu.Lock()
		be, spec := p.be, p.spec
		m.mu.Unlock()
		st := be.Status(ctx)
		l, err := m.create(ctx, be, st, spec, Owner{}, "")
		cancel()
		m.mu.Lock()
		if err != nil || m.closing {
			p.filling = false
			m.mu.Unlock()
			if err == nil {
				m.discard(l, "", dropFiles)
			}
			return
		}
		m.mu.Unlock()
		prefault(m.ctx, l.box)
		m.mu.Lock()
		p.ready = append(p.ready, l)
		m.mu.Unlock()
	}
}

// prefault runs a shell once, so that the first command of whoever claims the
// box finds everything in memory.
func prefault(ctx context.Context, b Box) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if p, err := b.Start(ctx, Cmd{Argv: []string{"sh", "-c", "true"}, Stdin: NoStdin}); err == nil {
		_, _ = p.Wait(ctx)
	}
}

// wants reports whether the pool should grow, and otherwise marks it as not
// being filled.
func (m *Manager) wants(p *profilePool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := 0
	for _, q := range m.pool {
		total += len(q.ready)
	}
	recent := 0
	for _, t := range p.missed {
		if time.Since(t) < missMemory {
			recent++
		}
	}
	p.missed = p.missed[len(p.missed)-recent:]
	more := !m.closing && len(p.ready) < *p.cfg.Pool.Ready+recent && total < *p.cfg.Pool.Max
	p.filling = more
	return more
}

// Warm prepares an agent's profile ahead of its first call.
func (m *Manager) Warm(ctx context.Context, agent string) error {
	cfg := m.o.ConfigFor(agent).Resolve()
	if cfg.Mode == "off" || cfg.WorkspaceAccess != "none" {
		return nil
	}
	be, _, err := m.pick(ctx, cfg)
	if err != nil {
		return err
	}
	spec, err := BuildSpec(cfg, be.Name(), "", nil)
	if err != nil {
		return err
	}
	m.demand(be, spec, cfg)
	return nil
}

// drainPool removes every unclaimed box.
func (m *Manager) drainPool() {
	m.mu.Lock()
	var all []*live
	for _, p := range m.pool {
		all = append(all, p.ready...)
		p.ready = nil
	}
	m.mu.Unlock()
	for _, l := range all {
		m.discard(l, "", dropFiles)
	}
}

// Warmed is how many unclaimed boxes are ready.
func (m *Manager) Warmed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, p := range m.pool {
		n += len(p.ready)
	}
	return n
}
