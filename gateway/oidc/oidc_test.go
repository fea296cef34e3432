package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
)

// issuer is an identity provider on loopback.
type issuer struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	fetches atomic.Int32
	down    atomic.Bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": is.URL, "jwks_uri": is.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		is.fetches.Add(1)
		if is.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Use: "sig", Algorithm: "ES256"}}})
	})
	is.Server = httptest.NewServer(mux)
	t.Cleanup(is.Close)
	return is
}

func (is *issuer) claims(more map[string]any) map[string]any {
	c := map[string]any{"iss": is.URL, "aud": []string{"chitin"}, "sub": "bob", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for k, v := range more {
		if v == nil {
			delete(c, k)
			continue
		}
		c[k] = v
	}
	return c
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := j.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (is *issuer) token(t *testing.T, more map[string]any) string {
	return sign(t, jose.ES256, is.key, "k1", is.claims(more))
}

var route = &gateway.Route{Path: "/x"}

func admit(g *gateway.Guard, peer string, header ...string) (gateway.Caller, *gateway.Refusal) {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/x", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	adm, ref := g.Admit(r, route)
	return adm.Caller, ref
}

func guard(t *testing.T, is *issuer, change func(*gateway.OIDCConfig)) *gateway.Guard {
	t.Helper()
	o := gateway.OIDCConfig{Issuer: is.URL, Audience: []string{"chitin"}}
	if change != nil {
		change(&o)
	}
	return guardtest.New(t, guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeOIDC, OIDC: o}}})
}

func TestTokens(t *testing.T) {
	is := newIssuer(t)
	g := guard(t, is, nil)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := is.token(t, nil)
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	for _, tc := range []struct {
		name, token string
		want        gateway.Reason // empty: admitted
	}{
		{"right", good, ""},
		{"other key", sign(t, jose.ES256, other, "k1", is.claims(nil)), gateway.ReasonWrong},
		{"public key as shared secret", sign(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), "k1", is.claims(nil)), gateway.ReasonWrong},
		{"no signature", "eyJhbGciOiJub25lIn0." + body + ".", gateway.ReasonWrong},
		{"changed body", head + "." + body[:len(body)-2] + "AA." + sig, gateway.ReasonWrong},
		{"other issuer", is.token(t, map[string]any{"iss": "https://evil.example"}), gateway.ReasonWrong},
		{"other audience", is.token(t, map[string]any{"aud": "someone-else"}), gateway.ReasonWrong},
		{"no audience", is.token(t, map[string]any{"aud": nil}), gateway.ReasonWrong},
		{"expired", is.token(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), gateway.ReasonWrong},
		{"no expiry", is.token(t, map[string]any{"exp": nil}), gateway.ReasonWrong},
		{"not yet", is.token(t, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), gateway.ReasonWrong},
		{"no subject", is.token(t, map[string]any{"sub": ""}), gateway.ReasonIdentity},
		{"no token", "nope", gateway.ReasonWrong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, ref := admit(g, "203.0.113."+string(rune('1'+len(tc.name)%9))+":1", "Authorization", "Bearer "+tc.token)
			switch {
			case tc.want == "" && (ref != nil || c.Principal() != "oidc:bob" || c.Owner() || c.Has(gateway.ScopeAdmin) || !c.Has(gateway.ScopeWrite) || c.Expires().IsZero()):
				t.Errorf("%+v %v", c, ref)
			case tc.want != "" && (ref == nil || ref.Reason != tc.want):
				t.Errorf("admitted %v, %v", c.Principal(), ref)
			}
		})
	}
}

func TestClaimsDecideTenantAndScopes(t *testing.T) {
	is := newIssuer(t)
	g := guard(t, is, func(o *gateway.OIDCConfig) { o.TenantClaim, o.ScopesClaim, o.UserClaim = "org", "groups", "email" })
	c, ref := admit(g, "127.0.0.1:1", "Authorization", "Bearer "+is.token(t, map[string]any{"email": "b@x.example", "org": "blue", "groups": []string{"operator.read", "staff"}}))
	if ref != nil || c.Tenant() != "blue" || c.Scopes() != gateway.ScopeRead || c.ID() != "b@x.example" {
		t.Fatalf("%+v %v", c, ref)
	}
	for name, more := range map[string]map[string]any{
		"no tenant":        {"email": "b@x.example", "groups": "operator.read"},
		"bad tenant":       {"email": "b@x.example", "org": "../blue", "groups": "operator.read"},
		"unverified email": {"email": "b@x.example", "email_verified": false, "org": "blue"},
	} {
		if _, ref := admit(g, "127.0.0.1:1", "Authorization", "Bearer "+is.token(t, more)); ref == nil || ref.Reason != gateway.ReasonIdentity {
			t.Errorf("%s: %v", name, ref)
		}
	}
}

func TestUnreachableKeysAreNoVerdict(t *testing.T) {
	is := newIssuer(t)
	is.down.Store(true)
	g := guard(t, is, nil)
	for range 30 {
		if _, ref := admit(g, "203.0.113.5:1", "Authorization", "Bearer "+is.token(t, nil)); ref == nil || ref.Reason != gateway.ReasonUnavailable {
			t.Fatalf("%v", ref)
		}
	}
	if n := is.fetches.Load(); n > 1 {
		t.Errorf("the issuer was asked %d times within a second", n)
	}
}

func TestUnknownKeyIdsDoNotHammerTheIssuer(t *testing.T) {
	is := newIssuer(t)
	g := guard(t, is, nil)
	for i := range 9 {
		bad := sign(t, jose.ES256, is.key, "other"+string(rune('a'+i)), is.claims(nil))
		if _, ref := admit(g, "203.0.113.5:1", "Authorization", "Bearer "+bad); ref == nil {
			t.Fatal("admitted with an unknown key id")
		}
	}
	if n := is.fetches.Load(); n > 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestProxyAssertion(t *testing.T) {
	is := newIssuer(t)
	g := guardtest.New(t, guardtest.Options{Config: gateway.Config{
		TrustedProxies: []string{"10.0.0.1"},
		Auth: gateway.AuthConfig{
			Mode:         gateway.ModeProxy,
			TrustedProxy: gateway.TrustedProxyConfig{UserHeader: "X-User", RequireJWT: true, AllowUsers: []string{"bob"}},
			OIDC:         gateway.OIDCConfig{Issuer: is.URL, Audience: []string{"chitin"}, AssertionHeader: "X-Pomerium-Jwt-Assertion"},
		},
	}})
	fwd := []string{"X-Forwarded-For", "203.0.113.7"}
	c, ref := admit(g, "10.0.0.1:1", append(fwd, "X-Pomerium-Jwt-Assertion", is.token(t, nil), "X-User", "root")...)
	if ref != nil || c.Principal() != "trusted-proxy:bob" {
		t.Fatalf("%v %v", c.Principal(), ref)
	}
	for name, h := range map[string][]string{
		"bare header":    {"X-User", "bob"},
		"forged":         {"X-User", "bob", "X-Pomerium-Jwt-Assertion", "a.b.c"},
		"somebody else":  {"X-Pomerium-Jwt-Assertion", is.token(t, map[string]any{"sub": "eve"})},
		"two assertions": {"X-Pomerium-Jwt-Assertion", is.token(t, nil), "X-Pomerium-Jwt-Assertion", is.token(t, nil)},
	} {
		if _, ref := admit(g, "10.0.0.1:1", append(fwd, h...)...); ref == nil || ref.Status != 401 {
			t.Errorf("%s: %v", name, ref)
		}
	}
}
