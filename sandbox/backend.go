package sandbox

import (
	"context"
	"fmt"
	"time"
)

// Tier is how strong a backend's isolation is.
type Tier string

// The tiers, weakest first: a shared kernel behind user namespaces, Landlock
// and seccomp; a container of an engine; a kernel of its own in user space.
const (
	TierNamespace Tier = "namespace"
	TierContainer Tier = "container"
	TierGVisor    Tier = "gvisor"
)

// Rank orders tiers; an unknown one is below all.
func (t Tier) Rank() int {
	switch t {
	case TierNamespace:
		return 1
	case TierContainer:
		return 2
	case TierGVisor:
		return 3
	}
	return 0
}

// Status is what a backend says of itself on this machine.
type Status struct {
	Available bool     `json:"available"`
	Tier      Tier     `json:"tier"`
	Reason    string   `json:"reason,omitempty"`   // why not, or why weaker
	Version   string   `json:"version,omitempty"`  // of the engine or kernel
	Boot      string   `json:"boot,omitempty"`     // changes when proofs must be renewed
	Warnings  []string `json:"warnings,omitempty"` // known weaknesses of these versions
	Refuse    string   `json:"refuse,omitempty"`   // a known escape: not to be used
}

// Owner is whose box it is. Tenant and Key together name it; two tenants
// never share one.
type Owner struct {
	Tenant string `json:"tenant"`
	Scope  string `json:"scope"`
	Key    string `json:"key"`
}

// Request asks a backend for one box.
type Request struct {
	ID    string // unique below the state directory, [a-z0-9]+
	Owner Owner
	Spec  Spec
	// Dir is the box's own directory on the host, 0700, made by the manager
	// and removed by it when the box is gone.
	Dir string
	// Prove asks for the probes inside before the box is handed out; a
	// mismatch is a *ProofError and no box.
	Prove bool
	// Ephemeral boxes end soon after the process that made them; nobody will
	// adopt one.
	Ephemeral bool
	// Progress receives lines while something slow is prepared; may be nil.
	Progress func(string)
}

// Backend makes boxes. Every method may be called concurrently; errors wrap
// ErrUnavailable when the backend itself cannot serve, ErrRefused when it
// will not.
type Backend interface {
	Name() string
	// Status is cheap to ask often.
	Status(ctx context.Context) Status
	// Create makes and starts a box. On error nothing is left behind except
	// what Sweep finds.
	Create(ctx context.Context, r Request) (Box, error)
	// Adopt reconnects to a box that outlived the gateway; ErrGone when there
	// is none.
	Adopt(ctx context.Context, r Request) (Box, error)
	// Sweep removes every box of this state directory that keep does not
	// claim, and reports how many. Boxes of other state directories are not
	// touched.
	Sweep(ctx context.Context, keep func(id string) bool) (int, error)
}

// Watched is a Box that says when it died.
type Watched interface{ Done() <-chan struct{} }

// Idler is a Box that knows how many processes callers have running in it.
type Idler interface{ Active() int }

// ProofError says that a box did not hold what its spec declared.
type ProofError struct{ Mismatches []string }

// Error lists the mismatches.
func (e *ProofError) Error() string {
	return fmt.Sprintf("sandbox: the probes inside contradict the profile: %v", e.Mismatches)
}

// Unwrap makes a failed proof a refusal.
func (e *ProofError) Unwrap() error { return ErrRefused }

// Event is something that the journal, the findings or a person waiting may
// want to know. Text holds no secret.
type Event struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // created, adopted, removed, gone, progress, proof_failed, warning, pruned, disk_limit
	Critical bool      `json:"critical,omitempty"`
	Box      string    `json:"box,omitempty"`
	Backend  string    `json:"backend,omitempty"`
	Owner    Owner     `json:"owner,omitzero"`
	Text     string    `json:"text,omitempty"`
}
