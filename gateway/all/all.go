// Package all lists every way of proving who is calling.
package all

import (
	"context"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/mtls"
	"github.com/chitin-sh/chitin/gateway/oidc"
	"github.com/chitin-sh/chitin/gateway/password"
	"github.com/chitin-sh/chitin/gateway/peercred"
	"github.com/chitin-sh/chitin/gateway/tailscale"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/gateway/trustedproxy"
	"github.com/chitin-sh/chitin/secrets"
)

// Builder makes the verifiers of a configuration, for gateway.Deps.Build.
// named may be nil; it outlives reloads and is closed by whoever made it.
func Builder(named *token.Watch) func(context.Context, gateway.Setup) ([]gateway.Verifier, error) {
	return func(_ context.Context, s gateway.Setup) ([]gateway.Verifier, error) {
		if named != nil {
			named.OnRevoke(s.Revoke)
		}
		return build(named, s)
	}
}

// build orders the verifiers: presented secrets first, then what the
// connection itself proves. The first that finds its kind decides.
func build(named *token.Watch, s gateway.Setup) ([]gateway.Verifier, error) {
	auth := s.Config.Auth
	var out []gateway.Verifier
	switch s.Mode {
	case gateway.ModeToken, gateway.ModeUnix:
		out = append(out, token.NewVerifier(named, s.Token, true))
	case gateway.ModePassword:
		p, err := password.NewVerifier(s.Password, false)
		if err != nil {
			return nil, err
		}
		out = append(out, looksNamed(named), p)
	case gateway.ModeOIDC:
		o, err := oidc.NewVerifier(auth.OIDC)
		if err != nil {
			return nil, err
		}
		out = append(out, looksNamed(named), o)
	case gateway.ModeProxy:
		p, err := proxied(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p...)
	case gateway.ModeMTLS:
		out = append(out, mtls.NewVerifier(auth.MTLS))
	}
	out = append(out, peercred.NewVerifier(auth))
	if s.Mode == gateway.ModeNone {
		out = append(out, gateway.Nobody{})
	}
	if tailnetPages(s) {
		out = append(out, tailscale.NewVerifier(tailscale.NewClient(s.Config.Tailscale.Socket)))
	}
	return out, nil
}

// looksNamed accepts only named tokens and leaves other secrets to the mode.
func looksNamed(named *token.Watch) gateway.Verifier {
	return token.NewVerifier(named, secrets.Value{}, false)
}

func proxied(s gateway.Setup) ([]gateway.Verifier, error) {
	var assert trustedproxy.Assert
	if s.Config.Auth.TrustedProxy.RequireJWT {
		o, err := oidc.NewVerifier(s.Config.Auth.OIDC)
		if err != nil {
			return nil, err
		}
		assert = o.Verify
	}
	out := []gateway.Verifier{trustedproxy.NewVerifier(s.Config.Auth.TrustedProxy, s.Trusted, assert)}
	if !s.Password.IsZero() {
		p, err := password.NewVerifier(s.Password, true)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// tailnetPages reports whether Tailscale identities may open the browser
// interface without a secret.
func tailnetPages(s gateway.Setup) bool {
	if s.Config.Tailscale.Mode != "serve" {
		return false
	}
	if p := s.Config.Auth.AllowTailscale; p != nil {
		return *p
	}
	return s.Mode == gateway.ModeToken
}
