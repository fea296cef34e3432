package mcpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
)

// MetadataPath is where clients look for what protects /mcp (RFC 9728); the
// resource's own path may follow it.
const MetadataPath = "/.well-known/oauth-protected-resource"

// Resource is the gateway as an OAuth protected resource: tokens of its issuer
// count only when they are made out to its identifier (RFC 8707).
type Resource struct {
	ID     string // its identifier, an absolute URL; "" when there is none
	Issuer string
}

// ResourceOf finds the resource in the settings of the identity provider: the
// first audience that is a URL. Tokens in an assertion header come from a
// proxy, which clients do not speak to about tokens.
func ResourceOf(mode gateway.Mode, c gateway.OIDCConfig) Resource {
	if mode != gateway.ModeOIDC || c.AssertionHeader != "" {
		return Resource{}
	}
	for _, a := range c.Audience {
		u, err := url.Parse(a)
		if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Fragment == "" && u.RawQuery == "" {
			return Resource{ID: a, Issuer: c.Issuer}
		}
	}
	return Resource{}
}

// Metadata answers with the resource's metadata. It is read at each request,
// so that a reload changes it.
func Metadata(of func() Resource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r := of()
		if r.ID == "" {
			http.Error(w, "Not Found", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"resource": r.ID, "authorization_servers": []string{r.Issuer}, "bearer_methods_supported": []string{"header"},
			"scopes_supported": (gateway.ScopeRead | gateway.ScopeWrite).Names(), "resource_name": "chitin",
		})
	})
}

// Challenge is the value of WWW-Authenticate for a refused request to /mcp, ""
// when the gateway is no such resource.
func (r Resource) Challenge(ref *gateway.Refusal) string {
	u, err := url.Parse(r.ID)
	if r.ID == "" || err != nil {
		return ""
	}
	meta := url.URL{Scheme: u.Scheme, Host: u.Host, Path: MetadataPath + strings.TrimSuffix(u.Path, "/")}
	out := `Bearer realm="chitin", resource_metadata="` + meta.String() + `"`
	switch ref.Reason {
	case gateway.ReasonScope:
		out += `, error="insufficient_scope", scope="` + strings.Join(ref.Missing.Names(), " ") + `"`
	case gateway.ReasonMissing:
		out += `, scope="operator.write"`
	default:
		out += `, error="invalid_token"`
	}
	return out
}
