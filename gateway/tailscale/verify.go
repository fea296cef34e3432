package tailscale

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

const (
	rememberFor   = 30 * time.Second
	maxRemembered = 1024
)

// Verifier proves tailnet users to the browser interface. A header alone
// proves nothing: the daemon must name the same user for the address.
type Verifier struct {
	who func(ctx context.Context, addr netip.Addr) (string, bool, error)

	mu    sync.Mutex
	known map[netip.Addr]memory
}

type memory struct {
	login string
	until time.Time
}

// NewVerifier asks the daemon through c.
func NewVerifier(c *Client) *Verifier {
	return &Verifier{who: c.WhoIs, known: map[netip.Addr]memory{}}
}

// Kind is tailscale.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindTailscale }

// Verify answers only on the private listener and only for pages and their
// WebSocket, never for the tool routes.
func (v *Verifier) Verify(ctx context.Context, a *gateway.Attempt, quick bool) (gateway.Identity, gateway.Outcome) {
	private := a.Conn != nil && a.Conn.Tailscale && a.Client.Proxied && a.Route.Page
	if !private && !a.Off(mutate.Tailscale) {
		return gateway.Identity{}, gateway.Absent
	}
	h := a.Request.Header
	claims := h["Tailscale-User-Login"]
	if len(claims) == 0 || h.Get("X-Forwarded-Proto") == "" || h.Get("X-Forwarded-Host") == "" {
		return gateway.Identity{}, gateway.Absent
	}
	if len(claims) != 1 || h.Get("Tailscale-Funnel-Request") != "" {
		return gateway.Identity{}, gateway.Refused
	}
	login, ok := v.recall(a.Client.Addr)
	if !ok {
		if quick {
			return gateway.Identity{}, gateway.Slow
		}
		var err error
		if login, ok, err = v.who(ctx, a.Client.Addr); err != nil {
			return gateway.Identity{}, gateway.Unavailable
		}
		if ok {
			v.remember(a.Client.Addr, login)
		}
	}
	if !ok || !strings.EqualFold(strings.TrimSpace(claims[0]), login) {
		return gateway.Identity{}, gateway.Refused
	}
	login = strings.ToLower(login)
	return gateway.Identity{Kind: gateway.KindTailscale, ID: login, Credential: "tailscale:" + login}, gateway.Right
}

func (v *Verifier) recall(addr netip.Addr) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m, ok := v.known[addr]
	return m.login, ok && time.Now().Before(m.until)
}

func (v *Verifier) remember(addr netip.Addr, login string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= maxRemembered {
		clear(v.known)
	}
	v.known[addr] = memory{login, time.Now().Add(rememberFor)}
}
