package mcpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// who tells callers apart by everything that their authority rests on.
type who struct {
	tenant, principal, credential string
	scopes                        gateway.Scope
	owner                         bool
}

func whoIs(c gateway.Caller) who {
	return who{c.Tenant(), c.Principal(), c.Credential(), c.Scopes(), c.Owner()}
}

// String tells two of them apart, whatever their names contain.
func (w who) String() string {
	return fmt.Sprintf("%q %q %q %d %t", w.tenant, w.principal, w.credential, w.scopes, w.owner)
}

func tokenInfo(ctx context.Context, _ string, r *http.Request) (*auth.TokenInfo, error) {
	c := gateway.FromContext(r.Context())
	if c.Anonymous() {
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{
		UserID:     whoIs(c).String(),
		Expiration: time.Now().Add(24 * time.Hour), // Alive is asked at every call
		Extra:      map[string]any{"caller": c, "session": r.Header.Get(SessionHeader)},
	}, nil
}

// hideCredential keeps the caller's secret from the protocol library and from
// whatever a tool could see of the request.
func hideCredential(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer proved")
		r.Header.Del("Cookie")
		next.ServeHTTP(w, r)
	})
}

// caller is who sent this very message, not who opened the session.
func (d *Door) caller(extra *mcp.RequestExtra, need gateway.Scope) (gateway.Caller, string, error) {
	if extra == nil || extra.TokenInfo == nil {
		return gateway.Caller{}, "", errors.New("nobody was identified")
	}
	c, _ := extra.TokenInfo.Extra["caller"].(gateway.Caller)
	session, _ := extra.TokenInfo.Extra["session"].(string)
	return c, session, d.may(c, need)
}

func (d *Door) may(c gateway.Caller, need gateway.Scope) error {
	switch {
	case c.Anonymous() || !d.Alive(c):
		return errors.New("the credential is no longer valid")
	case !c.Has(need):
		return errors.New("missing scope: " + need.String())
	}
	return nil
}

// hold ends ctx when the caller's authority does. A client that hangs up does
// not end its call: it may come back for the answer, or cancel it.
func (d *Door) hold(ctx context.Context, c gateway.Caller) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	if d.Track == nil {
		return ctx, cancel, nil
	}
	release, ok := d.Track(c, cancel)
	if !ok {
		cancel()
		return nil, nil, errors.New("the credential is no longer valid")
	}
	return ctx, func() { release(); cancel() }, nil
}
