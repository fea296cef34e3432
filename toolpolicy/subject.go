package toolpolicy

import (
	"strings"

	"github.com/chitin-sh/chitin/gateway"
)

// Subject is what a decision looks at in a caller. Explanations also take one
// that nobody authenticated, to ask "what if"; no Grant ever comes from it.
type Subject struct {
	Kind   gateway.Kind
	ID     string
	Tenant string
	Scopes gateway.Scope
	Owner  bool
}

// SubjectOf is the subject of a proved caller.
func SubjectOf(c gateway.Caller) Subject {
	return Subject{Kind: c.Kind(), ID: c.ID(), Tenant: c.Tenant(), Scopes: c.Scopes(), Owner: c.Owner()}
}

// ParseSubject reads a principal as the journal writes it, kind:id. The tenant
// is the default one.
func ParseSubject(principal string) (Subject, bool) {
	kind, id, ok := strings.Cut(principal, ":")
	if !ok || kind == "" || id == "" {
		return Subject{}, false
	}
	return Subject{Kind: gateway.Kind(kind), ID: id, Tenant: gateway.DefaultTenant}, true
}

// Principal is the identity as the journal writes it.
func (s Subject) Principal() string {
	if s.Kind == gateway.KindAnonymous {
		return "anonymous"
	}
	return string(s.Kind) + ":" + s.ID
}

func (s *Subject) has(want gateway.Scope) bool {
	return s.Kind != gateway.KindAnonymous && s.Scopes&want == want
}
