// Package mint carries a proved identity into gateway.Mint. It is internal to
// the gateway's folder: whoever cannot import it cannot make a Caller.
package mint

// Claims is everything a Caller is made of. Names are plain types so that this
// package imports nothing.
type Claims struct {
	Kind       string
	ID         string
	Tenant     string
	Scopes     uint16
	Owner      bool
	Credential string
	Epoch      uint64
	Expires    int64 // Unix milliseconds; 0 never
}

// Proof wraps claims. Its zero value proves nobody.
type Proof struct{ claims *Claims }

// Prove makes a proof. Only the guard, after an authenticator said yes, and
// test helpers call it.
func Prove(c Claims) Proof { return Proof{claims: &c} }

// Claims returns what was proved, and whether anything was.
func (p Proof) Claims() (Claims, bool) {
	if p.claims == nil {
		return Claims{}, false
	}
	return *p.claims, true
}
