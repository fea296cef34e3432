// Package trustedproxy proves callers by what a trusted proxy says: a header
// with the user's name, if wanted backed by the proxy's signed assertion.
package trustedproxy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

// Assert verifies a proxy's signed assertion.
type Assert func(ctx context.Context, a *gateway.Attempt, quick bool) (gateway.Identity, gateway.Outcome)

// Verifier proves users that a proxy vouches for.
type Verifier struct {
	cfg     gateway.TrustedProxyConfig
	trusted gateway.Trusted
	assert  Assert
	own     func() []netip.Addr
}

// NewVerifier believes the proxies that trusted says yes to. assert may be nil
// unless the configuration demands a signed assertion.
func NewVerifier(cfg gateway.TrustedProxyConfig, trusted gateway.Trusted, assert Assert) *Verifier {
	return &Verifier{cfg: cfg, trusted: trusted, assert: assert, own: cached(interfaceAddrs)}
}

// Kind is trusted-proxy.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindProxy }

// Verify follows a fixed order; whatever fails looks the same from outside.
func (v *Verifier) Verify(ctx context.Context, a *gateway.Attempt, quick bool) (gateway.Identity, gateway.Outcome) {
	if !a.Client.Proxied {
		return gateway.Identity{}, gateway.Absent
	}
	if !v.trusted(a) || !v.peerAllowed(a) || !v.headersPresent(a) {
		return gateway.Identity{}, gateway.Refused
	}
	if v.cfg.RequireJWT {
		return v.asserted(ctx, a, quick)
	}
	vals := a.Request.Header.Values(v.cfg.UserHeader)
	if len(vals) != 1 {
		return gateway.Identity{}, gateway.Refused
	}
	user := strings.TrimSpace(vals[0])
	if !v.userAllowed(a, user) {
		return gateway.Identity{}, gateway.Refused
	}
	return gateway.Identity{
		Kind: gateway.KindProxy, ID: user, Credential: "trusted-proxy:" + user, Narrowable: true,
	}, gateway.Right
}

// peerAllowed guards against spoofing: a loopback peer must be allowed on
// purpose, and a peer that has one of this machine's own addresses is not a
// proxy but a local process that chose its source address.
func (v *Verifier) peerAllowed(a *gateway.Attempt) bool {
	if a.Client.Peer.IsLoopback() {
		return v.cfg.AllowLoopback || a.Off(mutate.Loopback)
	}
	return a.Off(mutate.OwnAddress) || !slices.Contains(v.own(), a.Client.Peer)
}

func (v *Verifier) headersPresent(a *gateway.Attempt) bool {
	if a.Off(mutate.RequiredHeaders) {
		return true
	}
	for _, h := range v.cfg.RequiredHeaders {
		if strings.TrimSpace(a.Request.Header.Get(h)) == "" {
			return false
		}
	}
	return true
}

// userAllowed compares exactly. No list means every user of the proxy, an
// empty list nobody.
func (v *Verifier) userAllowed(a *gateway.Attempt, user string) bool {
	if user == "" || len(user) > 256 || strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	return v.cfg.AllowUsers == nil || slices.Contains(v.cfg.AllowUsers, user) || a.Off(mutate.AllowUsers)
}

func (v *Verifier) asserted(ctx context.Context, a *gateway.Attempt, quick bool) (gateway.Identity, gateway.Outcome) {
	if v.assert == nil {
		return gateway.Identity{}, gateway.Refused
	}
	id, out := v.assert(ctx, a, quick)
	switch out {
	case gateway.Right:
	case gateway.Absent, gateway.Wrong:
		return gateway.Identity{}, gateway.Refused
	default:
		return gateway.Identity{}, out
	}
	if !v.userAllowed(a, id.ID) {
		return gateway.Identity{}, gateway.Refused
	}
	id.Kind, id.Credential, id.Narrowable = gateway.KindProxy, "trusted-proxy:"+id.ID, true
	return id, gateway.Right
}

// interfaceAddrs are this machine's own addresses.
func interfaceAddrs() []netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

// cached asks f at most every five seconds.
func cached(f func() []netip.Addr) func() []netip.Addr {
	var mu sync.Mutex
	var at time.Time
	var have []netip.Addr
	return func() []netip.Addr {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() || time.Since(at) > 5*time.Second {
			at, have = time.Now(), f()
		}
		return have
	}
}
