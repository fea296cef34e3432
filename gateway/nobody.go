package gateway

import (
	"context"

	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

// Nobody is the verifier of mode none: whoever is directly on this machine is
// the owner. Nothing that came through a proxy is.
type Nobody struct{}

// Kind is none.
func (Nobody) Kind() Kind { return KindNone }

// Verify admits direct local clients.
func (Nobody) Verify(_ context.Context, a *Attempt, _ bool) (Identity, Outcome) {
	if !a.Client.Local && !a.Off(mutate.Loopback) {
		return Identity{}, Absent
	}
	all := AllScopes
	return Identity{Kind: KindNone, ID: "local", Credential: "none:local", Tenant: DefaultTenant, Scopes: &all, Owner: true, Narrowable: true}, Right
}
