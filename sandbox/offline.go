package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Recorded is a box as the state directory remembers it, for commands that
// run beside a gateway.
type Recorded struct {
	ID       string    `json:"id"`
	Backend  string    `json:"backend"`
	Tenant   string    `json:"tenant"`
	Scope    string    `json:"scope"`
	Key      string    `json:"key"` // empty: warm, not yet assigned
	Image    string    `json:"image,omitempty"`
	Access   string    `json:"access"`
	Profile  string    `json:"profile"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"lastUsed"`
	Held     bool      `json:"held"` // a running process answers for it
}

// Recorded lists every box of the state directory, whoever made it.
func (m *Manager) Recorded() []Recorded {
	var out []Recorded
	for _, r := range m.records() {
		if r.Backend == "" {
			continue
		}
		x := Recorded{ID: r.ID, Backend: r.Backend, Tenant: r.Owner.Tenant, Scope: r.Owner.Scope, Key: r.Owner.Key, Image: r.Spec.Image,
			Access: r.Spec.Access, Profile: r.Spec.Profile(), Created: r.Created, LastUsed: r.Created, Held: held(r.Holder) || r.Holder == self()}
		if fi, err := os.Stat(filepath.Join(m.boxesDir(), r.ID, recordFile)); err == nil {
			x.LastUsed = fi.ModTime()
		}
		out = append(out, x)
	}
	return out
}

// Remove ends recorded boxes, also under a running gateway, which then makes
// new ones when they are needed. It returns those that it ended.
func (m *Manager) Remove(ctx context.Context, match func(Recorded) bool) ([]Recorded, error) {
	chosen := map[string]bool{}
	var out []Recorded
	for _, r := range m.Recorded() {
		if match(r) {
			chosen[r.ID] = true
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	var errs []error
	for _, b := range m.o.Backends {
		uses := false
		for _, r := range out {
			uses = uses || r.Backend == b.Name()
		}
		if !uses {
			continue
		}
		if _, err := b.Sweep(ctx, func(id string) bool { return !chosen[id] }); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, r := range m.records() {
		if chosen[r.ID] && !held(r.Holder) {
			m.closeRecord(Request{ID: r.ID, Spec: r.Spec}, r.Owner, r.Phase.fate())
		}
	}
	return out, nil
}

// noteUse keeps the time of last use on disk, for commands beside a gateway
// and for the next gateway.
func (m *Manager) noteUse() {
	for _, l := range m.lives() {
		t := l.box.Info().LastUsed
		_ = os.Chtimes(filepath.Join(m.boxesDir(), l.req.ID, recordFile), t, t)
	}
}
