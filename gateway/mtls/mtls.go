// Package mtls proves callers by client certificates.
package mtls

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

// Verifier proves clients whose certificate the TLS layer verified against the
// configured authorities.
type Verifier struct{ cfg gateway.MTLSConfig }

// NewVerifier names users by the configured field of their certificate.
func NewVerifier(cfg gateway.MTLSConfig) *Verifier { return &Verifier{cfg} }

// Kind is mtls.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindMTLS }

// Verify believes only a verified chain, never a header about one.
func (v *Verifier) Verify(_ context.Context, a *gateway.Attempt, _ bool) (gateway.Identity, gateway.Outcome) {
	t := a.Request.TLS
	if t == nil || len(t.PeerCertificates) == 0 {
		return gateway.Identity{}, gateway.Absent
	}
	if len(t.VerifiedChains) == 0 || len(t.VerifiedChains[0]) == 0 {
		return gateway.Identity{}, gateway.Refused
	}
	cert := t.VerifiedChains[0][0]
	name := v.name(cert)
	allowed := v.cfg.AllowUsers == nil || slices.Contains(v.cfg.AllowUsers, name) || a.Off(mutate.AllowUsers)
	if name == "" || !allowed {
		return gateway.Identity{}, gateway.Refused
	}
	sum := sha256.Sum256(cert.Raw)
	return gateway.Identity{
		Kind: gateway.KindMTLS, ID: name, Credential: "mtls:" + hex.EncodeToString(sum[:16]), Expires: cert.NotAfter,
	}, gateway.Right
}

// name is the configured identity field; a certificate with several names of
// that kind names nobody.
func (v *Verifier) name(c *x509.Certificate) string {
	only := func(list []string) string {
		if len(list) != 1 {
			return ""
		}
		return list[0]
	}
	switch v.cfg.Identity {
	case "dns":
		return only(c.DNSNames)
	case "email":
		return only(c.EmailAddresses)
	case "uri":
		if len(c.URIs) != 1 {
			return ""
		}
		return c.URIs[0].String()
	}
	return c.Subject.CommonName
}
