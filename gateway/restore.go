package gateway

import (
	"slices"

	"github.com/chitin-sh/chitin/gateway/internal/mint"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

// Stored is a caller as something that outlives it keeps it, such as a
// schedule. It has no ownership: that cannot be stored.
type Stored struct {
	Kind       Kind
	ID         string
	Tenant     string
	Scopes     Scope
	Credential string
	Epoch      uint64 // 0: before this process
	Expires    int64  // Unix milliseconds; 0 never
}

// Stored is what Restore needs to speak for the caller later.
func (c Caller) Stored() Stored {
	return Stored{
		Kind: c.kind, ID: c.id, Tenant: c.tenant, Scopes: c.scopes & (ScopeRead | ScopeWrite),
		Credential: c.credential, Epoch: c.epoch, Expires: c.expires,
	}
}

// Restore gives back a stored caller for work that it left behind: the same
// principal, so that rules about it hold, never an owner, with no more than
// operator.write and no more than the configuration gives the principal now.
// ok is false when its credential was revoked or ran out, or when this gateway
// no longer lets in such callers or has them in another tenant.
func (g *Guard) Restore(s Stored) (c Caller, ok bool) {
	a := g.state.Load()
	epoch := g.ledger.epoch.Load() // before looking: a revocation in between kills the caller
	c = Mint(mint.Prove(mint.Claims{
		Kind: string(s.Kind), ID: s.ID, Tenant: s.Tenant, Scopes: uint16(s.Scopes & (ScopeRead | ScopeWrite)),
		Credential: s.Credential, Epoch: epoch, Expires: s.Expires,
	}))
	if c.Anonymous() || c.credential == "" || !a.lets(s) || g.endedSince(s) {
		return Caller{}, false
	}
	if p := a.principals[c.Principal()]; p.scopes != nil {
		c = c.Narrow(p.scopes.Closure(), false)
	}
	return c, true
}

// lets reports whether the configuration still admits callers like s.
func (a *authority) lets(s Stored) bool {
	if p := a.principals[string(s.Kind)+":"+s.ID]; p.tenant != "" && p.tenant != s.Tenant {
		return false
	}
	own := Process() // whoever runs this very process needs no door
	return s.Kind == own.kind && s.ID == own.id && s.Credential == own.credential ||
		slices.ContainsFunc(a.verifiers, func(v Verifier) bool { return v.Kind() == s.Kind })
}

// endedSince reports whether the credential ended after s was stored. Unlike
// Alive it does not mind that everybody had to prove anew meanwhile.
func (g *Guard) endedSince(s Stored) bool {
	if s.Expires != 0 && g.deps.Now().UnixMilli() >= s.Expires {
		return true
	}
	if mutate.Switch(g.off.Load())&mutate.Epoch != 0 {
		return false
	}
	g.ledger.mu.RLock()
	defer g.ledger.mu.RUnlock()
	return max(s.Epoch, 1) < g.ledger.since[s.Credential]
}
