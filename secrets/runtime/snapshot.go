package runtime

import (
	"maps"
	"slices"

	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/secrets"
)

// Need is one secret-bearing field of the configuration.
type Need struct {
	Path     string // full config path, such as gateway.auth.token
	Field    secrets.Field
	Required bool // without it nothing starts; otherwise only its feature is off
}

// Failure is a need that has no value.
type Failure struct {
	Path     string
	Ref      string // the reference, source:provider:id
	Required bool
	Code     string // one of the codes of package secrets
	Message  string // what is wrong; never holds a secret
	Fix      string // what to do about it
}

// Error names the field, the reference and what is wrong.
func (f Failure) Error() string { return f.Path + " (" + f.Ref + "): " + f.Message }

// Problem is the failure as a configuration problem. An optional secret that
// is missing is a warning: its feature fails closed.
func (f Failure) Problem() problem.Problem {
	return problem.Problem{Path: f.Path, Message: f.Ref + ": " + f.Message, Hint: f.Fix, Warning: !f.Required}
}

// Snapshot is all values of one moment. It does not change.
type Snapshot struct {
	values map[string]secrets.Value
	epoch  uint64
}

// Get returns the value of a config path.
func (s *Snapshot) Get(path string) (secrets.Value, bool) {
	if s == nil {
		return secrets.Value{}, false
	}
	v, ok := s.values[path]
	return v, ok
}

// Epoch counts the snapshots that differed; 0 before the first.
func (s *Snapshot) Epoch() uint64 {
	if s == nil {
		return 0
	}
	return s.epoch
}

// Paths are the config paths that have a value, sorted.
func (s *Snapshot) Paths() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.values))
}

// Values are all distinct values, for the redactor.
func (s *Snapshot) Values() []secrets.Value {
	if s == nil {
		return nil
	}
	seen := map[string]bool{}
	var out []secrets.Value
	for _, v := range s.values {
		if !seen[v.Reveal()] {
			seen[v.Reveal()] = true
			out = append(out, v)
		}
	}
	return out
}

// same reports whether two snapshots hold the same values.
func (s *Snapshot) same(o *Snapshot) bool {
	if s == nil || o == nil || len(s.values) != len(o.values) {
		return s == o
	}
	for path, v := range s.values {
		if w, ok := o.values[path]; !ok || !v.Equal(w) {
			return false
		}
	}
	return true
}
