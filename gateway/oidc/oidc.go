// Package oidc proves callers by signed tokens: of an identity provider in the
// Authorization header, or of an identity-aware proxy in a header of its own.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	upstream "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

const (
	maxRemembered = 4096
	rememberFor   = time.Minute // how long a verified token is believed without looking again
)

// allowedAlgs are asymmetric: with a symmetric one the public key would sign.
var allowedAlgs = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"}

// Verifier proves tokens of one issuer.
type Verifier struct {
	cfg    gateway.OIDCConfig
	verify *upstream.IDTokenVerifier

	mu         sync.Mutex
	remembered map[[sha256.Size]byte]memory
}

type memory struct {
	id    gateway.Identity
	until time.Time
}

// NewVerifier accepts tokens as configured. Keys are fetched when first
// needed.
func NewVerifier(cfg gateway.OIDCConfig) (*Verifier, error) {
	names := cfg.Algorithms
	if names == nil {
		names = allowedAlgs
	}
	var algs []jose.SignatureAlgorithm
	for _, n := range names {
		if !slices.Contains(allowedAlgs, n) {
			return nil, &gateway.StartError{Code: 78, Message: fmt.Sprintf("gateway.auth.oidc.algorithms: %q cannot be trusted with a public key.", n), Hint: "use " + strings.Join(allowedAlgs, ", ")}
		}
		algs = append(algs, jose.SignatureAlgorithm(n))
	}
	keys := newKeySet(cfg.Issuer, cfg.JWKSURL, cfg.JWKSFile, algs)
	return &Verifier{
		cfg:        cfg,
		verify:     upstream.NewVerifier(cfg.Issuer, keys, &upstream.Config{SkipClientIDCheck: true, SupportedSigningAlgs: names}),
		remembered: map[[sha256.Size]byte]memory{},
	}, nil
}

// Kind is oidc.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindOIDC }

// Verify answers from memory for tokens that were verified within the last
// minute; everything else is verified anew.
func (v *Verifier) Verify(ctx context.Context, a *gateway.Attempt, quick bool) (gateway.Identity, gateway.Outcome) {
	raw, present := v.token(a)
	if !present {
		return gateway.Identity{}, gateway.Absent
	}
	if strings.Count(raw, ".") != 2 || len(raw) > 16<<10 {
		return gateway.Identity{}, gateway.Wrong
	}
	digest := sha256.Sum256([]byte(raw))
	if id, ok := v.recall(digest); ok {
		return id, gateway.Right
	}
	if quick {
		return gateway.Identity{}, gateway.Slow
	}
	id, out := v.look(ctx, a, raw)
	if out == gateway.Right {
		v.remember(digest, id)
	}
	return id, out
}

// token finds the signed token: in the assertion header if one is configured,
// else as bearer.
func (v *Verifier) token(a *gateway.Attempt) (string, bool) {
	if v.cfg.AssertionHeader != "" {
		vals := a.Request.Header.Values(v.cfg.AssertionHeader)
		if len(vals) != 1 {
			return "", len(vals) > 1
		}
		return strings.TrimSpace(vals[0]), true
	}
	return a.Secret, a.Scheme == gateway.SchemeBearer || a.Scheme == gateway.SchemeFrame
}

func (v *Verifier) look(ctx context.Context, a *gateway.Attempt, raw string) (gateway.Identity, gateway.Outcome) {
	u := &unreachable{}
	t, err := v.verify.Verify(context.WithValue(ctx, unreachableKey{}, u), raw)
	if u.yes {
		return gateway.Identity{}, gateway.Unavailable
	}
	if err != nil {
		return gateway.Identity{}, gateway.Wrong
	}
	if !a.Off(mutate.Compare) && !slices.ContainsFunc(t.Audience, func(s string) bool { return slices.Contains(v.cfg.Audience, s) }) {
		return gateway.Identity{}, gateway.Wrong
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return gateway.Identity{}, gateway.Wrong
	}
	return v.identify(a, t.Expiry, claims)
}

func (v *Verifier) identify(a *gateway.Attempt, expiry time.Time, claims map[string]any) (gateway.Identity, gateway.Outcome) {
	name := v.cfg.UserClaim
	if name == "" {
		name = "sub"
	}
	user, _ := claims[name].(string)
	if user == "" || len(user) > 256 {
		return gateway.Identity{}, gateway.Refused
	}
	if name == "email" {
		if ok, stated := claims["email_verified"].(bool); stated && !ok {
			return gateway.Identity{}, gateway.Refused
		}
	}
	if v.cfg.AllowUsers != nil && !slices.Contains(v.cfg.AllowUsers, user) && !a.Off(mutate.AllowUsers) {
		return gateway.Identity{}, gateway.Refused
	}
	sum := sha256.Sum256([]byte(v.cfg.Issuer + "\x00" + user))
	id := gateway.Identity{Kind: gateway.KindOIDC, ID: user, Credential: "oidc:" + hex.EncodeToString(sum[:16]), Expires: expiry}
	if c := v.cfg.TenantClaim; c != "" {
		t, _ := claims[c].(string)
		if !gateway.ValidTenant(t) {
			return gateway.Identity{}, gateway.Refused
		}
		id.Tenant = t
	}
	if c := v.cfg.ScopesClaim; c != "" {
		s := gateway.Declared(stringList(claims[c]))
		id.Scopes = &s
	}
	return id, gateway.Right
}

// stringList reads a claim that is a list or text with spaces.
func stringList(c any) []string {
	switch c := c.(type) {
	case string:
		return strings.Fields(c)
	case []any:
		var out []string
		for _, e := range c {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func (v *Verifier) recall(d [sha256.Size]byte) (gateway.Identity, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m, ok := v.remembered[d]
	if ok && !time.Now().Before(m.until) {
		delete(v.remembered, d)
		ok = false
	}
	return m.id, ok
}

func (v *Verifier) remember(d [sha256.Size]byte, id gateway.Identity) {
	until := time.Now().Add(rememberFor)
	if id.Expires.Before(until) {
		until = id.Expires
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.remembered) >= maxRemembered {
		for k := range v.remembered { // any one: it only costs a second look
			delete(v.remembered, k)
			break
		}
	}
	v.remembered[d] = memory{id, until}
}
