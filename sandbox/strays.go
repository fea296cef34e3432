package sandbox

import (
	"context"
	"maps"
	"time"
)

// Lasting is a Backend whose boxes outlive the process that asked for them.
type Lasting interface{ Lasting() }

// owe remembers a box whose removal failed, most often because the engine is
// away.
func (m *Manager) owe(id string) {
	m.mu.Lock()
	m.owed[id] = true
	m.mu.Unlock()
}

// sweepStrays removes what nobody answers for: boxes that could not be
// removed when they should have been, and those that an engine finished
// making after the gateway that had asked for them was killed.
func (m *Manager) sweepStrays() {
	ctx, cancel := context.WithTimeout(m.ctx, time.Minute)
	defer cancel()
	m.mu.Lock()
	owed := maps.Clone(m.owed)
	m.mu.Unlock()
	swept := map[string]bool{}
	for _, b := range m.o.Backends {
		if _, ok := b.(Lasting); !ok || !b.Status(ctx).Available {
			continue // whatever it made ends with us
		}
		n, err := b.Sweep(ctx, m.known)
		swept[b.Name()] = err == nil
		if n > 0 {
			m.event(Event{Kind: "removed", Backend: b.Name(), Text: "what nobody answered for"})
		}
	}
	for _, r := range m.records() {
		if !owed[r.ID] || !swept[r.Backend] {
			continue
		}
		m.closeRecord(Request{ID: r.ID, Spec: r.Spec}, r.Owner, r.Phase.fate())
		m.mu.Lock()
		delete(m.owed, r.ID)
		m.mu.Unlock()
	}
}
