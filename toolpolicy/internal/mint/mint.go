// Package mint carries a human's yes into toolpolicy.Approved. It is internal
// to the policy's folder: whoever cannot import it cannot make a Grant.
package mint

import "github.com/chitin-sh/chitin/gateway"

// Claims is everything an approved Grant is made of.
type Claims struct {
	Tool     string
	Surface  string
	Caller   gateway.Caller
	Host     bool
	Plan     string // digest of the approved plan
	Approval string // id of the approval
}

// Proof wraps claims. Its zero value proves nothing.
type Proof struct{ claims *Claims }

// Prove makes a proof. Only package approval calls it, after it checked a
// human's decision against the plan that is about to run.
func Prove(c Claims) Proof { return Proof{claims: &c} }

// Claims returns what was proved, and whether anything was.
func (p Proof) Claims() (Claims, bool) {
	if p.claims == nil {
		return Claims{}, false
	}
	return *p.claims, true
}
