package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/secrets"
)

// Verifier proves bearer tokens.
type Verifier struct {
	named     *Watch // nil: there are no named tokens
	main      Digest
	hasMain   bool
	exclusive bool
}

// NewVerifier accepts the tokens of named (may be nil) and, unless zero, the
// gateway's own token. An exclusive verifier answers for every bearer secret,
// another only for those that look like named tokens.
func NewVerifier(named *Watch, main secrets.Value, exclusive bool) *Verifier {
	v := &Verifier{named: named, exclusive: exclusive, hasMain: !main.IsZero()}
	if v.hasMain {
		v.main = sha256.Sum256([]byte(main.Reveal()))
	}
	return v
}

// Kind is token.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindToken }

// Verify compares digests, so neither content nor length of a token shows in
// the time it takes.
func (v *Verifier) Verify(_ context.Context, a *gateway.Attempt, _ bool) (gateway.Identity, gateway.Outcome) {
	if a.Scheme != gateway.SchemeBearer && a.Scheme != gateway.SchemeFrame {
		return gateway.Identity{}, gateway.Absent
	}
	if !v.exclusive && !strings.HasPrefix(a.Secret, Prefix) {
		return gateway.Identity{}, gateway.Absent
	}
	if v.hasMain && subtle.ConstantTimeCompare(v.main[:], a.Digest[:]) == 1 || a.Off(mutate.Compare) && v.hasMain {
		all := gateway.AllScopes
		return gateway.Identity{
			Kind: gateway.KindToken, ID: "main", Credential: gateway.CredentialToken,
			Tenant: gateway.DefaultTenant, Scopes: &all, Owner: true,
		}, gateway.Right
	}
	if v.named != nil && len(a.Secret) == Length {
		if e, ok := v.named.find(a.Digest, time.Now(), a.Off(mutate.Expiry)); ok {
			return e.identity(a.Off(mutate.Expiry)), gateway.Right
		}
	}
	return gateway.Identity{}, gateway.Wrong
}

func (e *entry) identity(forever bool) gateway.Identity {
	id := gateway.Identity{
		Kind: gateway.KindToken, ID: e.Name, Credential: e.Credential(),
		Tenant: e.Tenant, Scopes: &e.Scopes, Owner: e.Owner, Expires: e.Expires,
	}
	if forever {
		id.Expires = time.Time{}
	}
	return id
}
