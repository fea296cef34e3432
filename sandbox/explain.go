package sandbox

import (
	"context"
	"fmt"
)

// Explanation says what an agent's calls would run in, and why.
type Explanation struct {
	Agent     string         `json:"agent"`
	Mode      string         `json:"mode"`
	Sandboxed bool           `json:"sandboxed"` // of a main session
	Scope     string         `json:"scope"`
	Access    string         `json:"workspaceAccess"`
	MinTier   string         `json:"minTier"`
	Backend   string         `json:"backend,omitempty"` // chosen
	Tier      string         `json:"tier,omitempty"`
	Profile   string         `json:"profile,omitempty"`
	Spec      *Spec          `json:"spec,omitempty"`
	Reason    string         `json:"reason"`
	Dangerous []string       `json:"dangerous,omitempty"`
	Notes     []string       `json:"notes,omitempty"` // how a limit is kept, where that is weaker than it sounds
	Backends  []BackendState `json:"backends"`
}

// BackendState is one backend's status by name.
type BackendState struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
}

// Explain says what an agent's calls would run in. It makes nothing.
func (m *Manager) Explain(ctx context.Context, agent string) Explanation {
	cfg := m.o.ConfigFor(agent).Resolve()
	e := Explanation{Agent: agent, Mode: cfg.Mode, Sandboxed: cfg.Sandboxed(true), Scope: cfg.Scope, Access: cfg.WorkspaceAccess,
		MinTier: cfg.MinTier, Dangerous: cfg.DangerousKeys()}
	for _, b := range m.o.Backends {
		e.Backends = append(e.Backends, BackendState{b.Name(), b.Status(ctx)})
	}
	be, st, err := m.pick(ctx, cfg)
	if err != nil {
		e.Reason = err.Error()
		return e
	}
	e.Backend, e.Tier = be.Name(), string(specTier(st.Tier, cfg.Docker.Runtime))
	spec, err := BuildSpec(cfg, be.Name(), "", nil)
	if err != nil {
		e.Reason = err.Error()
		return e
	}
	e.Spec, e.Profile, e.Notes = &spec, spec.Profile(), spec.notes()
	switch {
	case cfg.Backend != "auto":
		e.Reason = "the configuration names this backend"
	default:
		e.Reason = "the first backend that answers here and reaches minTier"
	}
	return e
}

// notes says how limits are kept that no kernel enforces by itself.
func (s Spec) notes() []string {
	switch {
	case s.Limits.Disk <= 0:
		return []string{"no disk limit is set"}
	case s.Access != "none":
		return []string{"the disk limit does not hold for the agent's own workspace (workspaceAccess " + s.Access + ")"}
	}
	return []string{fmt.Sprintf("the disk limit is a watcher, not a quota of the file system: it looks every %v while something runs (every %v while nothing does), so a command may write more in between before everything in the sandbox is ended",
		diskPause, diskRest)}
}

// BackendNamed finds a backend.
func (m *Manager) BackendNamed(name string) Backend {
	for _, b := range m.o.Backends {
		if b.Name() == name {
			return b
		}
	}
	return nil
}

// Proof is the outcome of proving a profile.
type Proof struct {
	Backend    string   `json:"backend"`
	Tier       string   `json:"tier"`
	Profile    string   `json:"profile"`
	Mismatches []string `json:"mismatches"`
}

// Prove makes a box of a configuration, with the probes inside, and removes
// it. A box that does not hold is a *ProofError.
func (m *Manager) Prove(ctx context.Context, cfg Config) (Proof, error) {
	cfg = cfg.Resolve()
	be, st, err := m.pick(ctx, cfg)
	if err != nil {
		return Proof{}, err
	}
	var roots []string
	if m.o.BindRoots != nil {
		roots = m.o.BindRoots()
	}
	spec, err := BuildSpec(cfg, be.Name(), "", roots)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Backend: be.Name(), Tier: string(specTier(st.Tier, cfg.Docker.Runtime)), Profile: spec.Profile(), Mismatches: []string{}}
	l, err := m.create(ctx, be, st, spec, Owner{}, "")
	if err != nil {
		return p, err
	}
	m.discard(l, "", dropFiles)
	return p, nil
}
