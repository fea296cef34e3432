package gateway

import (
	"fmt"
	"strings"
)

// AllScopes is the full set, which an owner's credential holds.
const AllScopes = ScopeRead | ScopeWrite | ScopeApprovals | ScopeAdmin

// scopeNames is in wire order: the order in which a set is listed.
var scopeNames = [...]struct {
	scope Scope
	name  string
}{
	{ScopeAdmin, "operator.admin"},
	{ScopeRead, "operator.read"},
	{ScopeWrite, "operator.write"},
	{ScopeApprovals, "operator.approvals"},
}

// Closure adds the scopes that others imply: admin includes every scope, write
// includes read.
func (s Scope) Closure() Scope {
	s &= AllScopes
	if s&ScopeAdmin != 0 {
		return AllScopes
	}
	if s&ScopeWrite != 0 {
		s |= ScopeRead
	}
	return s
}

// Names lists the set in wire order. The empty set gives an empty list.
func (s Scope) Names() []string {
	out := make([]string, 0, len(scopeNames))
	for _, n := range scopeNames {
		if s&n.scope != 0 {
			out = append(out, n.name)
		}
	}
	return out
}

// String is the set joined with commas; a single scope is its name.
func (s Scope) String() string { return strings.Join(s.Names(), ",") }

// ParseScope reads one scope name, with or without its "operator." prefix.
func ParseScope(name string) (Scope, error) {
	full := strings.TrimSpace(name)
	if !strings.HasPrefix(full, "operator.") {
		full = "operator." + full
	}
	for _, n := range scopeNames {
		if n.name == full {
			return n.scope, nil
		}
	}
	return 0, fmt.Errorf("unknown scope %q: use operator.read, operator.write, operator.approvals or operator.admin", name)
}

// ParseScopes reads a list of scope names into a closed set. An empty list is
// the empty set, which may do nothing.
func ParseScopes(names []string) (Scope, error) {
	var out Scope
	for _, n := range names {
		s, err := ParseScope(n)
		if err != nil {
			return 0, err
		}
		out |= s
	}
	return out.Closure(), nil
}
