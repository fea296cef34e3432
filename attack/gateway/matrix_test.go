package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/server/httpapi"
)

// The credentials of the matrix.
var credentials = []string{"none", "wrong", "expired", "revoked", "narrow", "foreign", "right"}

// present puts a credential of one kind on a request.
type present func(r *http.Request) *http.Request

// mode is one authentication mode with a way to present each credential. A
// credential that a mode cannot have is left out with the reason in absent.
type mode struct {
	name    string
	options guardtest.Options
	after   func(d *door) // what happens after everybody was known
	give    func(d *door) map[string]present
	absent  map[string]string
	// open are credentials that a mode admits although their name says no.
	open map[string]bool
}

// TestEveryRouteInEveryMode drives every route of the table in every mode with
// every credential.
func TestEveryRouteInEveryMode(t *testing.T) {
	cells := 0
	for _, m := range modes(t) {
		t.Run(m.name, func(t *testing.T) {
			d := newDoor(t, m.options)
			give := m.give(d)
			if m.after != nil {
				m.after(d)
			}
			time.Sleep(150 * time.Millisecond)
			for _, cred := range credentials {
				p, ok := give[cred]
				if !ok {
					if m.absent[cred] == "" {
						t.Errorf("no %s credential and no reason", cred)
					}
					continue
				}
				for _, r := range httpapi.Routes() {
					for _, method := range r.Methods {
						cells++
						check(t, d, m, cred, p, r, method)
					}
				}
			}
		})
	}
	t.Logf("%d cells", cells)
}

func check(t *testing.T, d *door, m mode, cred string, p present, r gateway.Route, method string) {
	t.Helper()
	tenant := "default"
	if cred == "foreign" {
		tenant = "other"
	}
	path := strings.NewReplacer("{key}", "default:thing", "*", "wake").Replace(r.Path)
	w := d.do(p(req(method, path, `{"tool":"x","text":"x"}`)))
	proved := m.open[cred] || cred == "narrow" || cred == "foreign" || cred == "right"
	fail := func(want string) {
		t.Errorf("%s %s with %s: %d %s, want %s", method, r.Path, cred, w.Code, w.Body.String(), want)
	}
	switch r.Auth {
	case gateway.AuthPublic:
		if w.Code != 200 {
			fail("200")
		}
	case gateway.AuthOptional:
		if w.Code != 200 || method == "GET" && strings.Contains(w.Body.String(), "uptimeMs") != proved {
			fail("200 with details only for the proved")
		}
	case gateway.AuthOwn:
		// A gateway credential is no webhook token; pages are for everybody.
		if want := map[bool]int{true: 401, false: 200}[strings.Contains(r.Path, "/*")]; w.Code != want && !(r.Path == "/hooks" && w.Code == 404) {
			fail("401 for webhooks, a page, or 404")
		}
	default:
		checkRequired(r, w.Code, w.Body.String(), cred, tenant, proved, fail)
	}
}

func checkRequired(r gateway.Route, code int, body, cred, tenant string, proved bool, fail func(string)) {
	narrow := cred == "narrow" && r.Scope&^gateway.ScopeRead != 0
	switch {
	case !proved:
		if code != 401 {
			fail("401")
		}
	case narrow:
		if code != 403 || !strings.Contains(body, "MISSING_SCOPE") {
			fail("403 missing scope")
		}
	case strings.Contains(r.Path, "{key}") && tenant != "default":
		if code != 404 || strings.Contains(body, "default") {
			fail("404 like a session that does not exist")
		}
	case code != 200:
		fail("200")
	}
}

func header(k, v string) present {
	return func(r *http.Request) *http.Request { r.Header.Set(k, v); return r }
}

func nothing(r *http.Request) *http.Request { return r }

// remote spreads guesses over addresses, so that lockouts stay out of the way.
func remote(p present) present {
	n := 0
	return func(r *http.Request) *http.Request {
		n++
		r.RemoteAddr = "203.0.113." + strconv.Itoa(n%250+1) + ":9"
		return p(r)
	}
}

// withNamed adds the credentials that named tokens give every mode that takes
// bearer secrets.
func withNamed(d *door, out map[string]present) map[string]present {
	brief := tokenOf("brief", "default", gateway.AllScopes)
	brief.Expires = time.Now().Add(20 * time.Millisecond)
	gone := d.named(tokenOf("gone", "default", gateway.AllScopes))
	for cred, secret := range map[string]string{
		"expired": d.named(brief), "revoked": gone,
		"narrow":  d.named(tokenOf("narrow", "default", gateway.ScopeRead)),
		"foreign": d.named(tokenOf("foreign", "other", gateway.AllScopes)),
	} {
		out[cred] = header("Authorization", "Bearer "+secret)
		if cred == "expired" || cred == "revoked" {
			out[cred] = remote(out[cred])
		}
	}
	if err := d.tokens.Revoke(context.Background(), "gone"); err != nil {
		d.t.Fatal(err)
	}
	return out
}

func modes(t *testing.T) []mode {
	return []mode{
		{
			name: "token",
			give: func(d *door) map[string]present {
				return withNamed(d, map[string]present{
					"none": nothing, "wrong": remote(header("Authorization", "Bearer wrong")), "right": header("Authorization", "Bearer "+guardtest.Token),
				})
			},
		},
		{
			name:    "password",
			options: guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModePassword}}, Password: guardtest.Password},
			give: func(d *door) map[string]present {
				return withNamed(d, map[string]present{
					"none": nothing, "wrong": remote(basic("wrong")), "right": basic(guardtest.Password),
				})
			},
		},
		proxyMode(), noneMode(), unixMode(), oidcMode(t), mtlsMode(t),
	}
}

func basic(pw string) present {
	return func(r *http.Request) *http.Request { r.SetBasicAuth("anybody", pw); return r }
}

func proxyMode() mode {
	allow := func(users ...string) gateway.Config {
		return gateway.Config{TrustedProxies: []string{"10.0.0.1"}, Auth: gateway.AuthConfig{
			Mode: gateway.ModeProxy,
			TrustedProxy: gateway.TrustedProxyConfig{
				UserHeader: "X-User", AllowUsers: users,
				IdentityScopes: map[string][]string{"narrow": {"operator.read"}, "right": {"operator.admin"}},
			},
			Principals: map[string]gateway.PrincipalConfig{"trusted-proxy:foreign": {Tenant: "other", Scopes: []string{"operator.admin"}}},
		}}
	}
	as := func(user string) present {
		return func(r *http.Request) *http.Request {
			r.RemoteAddr = "10.0.0.1:9"
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			if user != "" {
				r.Header.Set("X-User", user)
			}
			return r
		}
	}
	return mode{
		name:    "trusted-proxy",
		options: guardtest.Options{Config: allow("right", "narrow", "foreign", "gone")},
		after: func(d *door) {
			if err := d.guard.Reload(allow("right", "narrow", "foreign"), secrets.Value{}, secrets.Value{}); err != nil {
				d.t.Fatal(err)
			}
		},
		give: func(*door) map[string]present {
			return map[string]present{"none": as(""), "wrong": as("stranger"), "revoked": as("gone"), "narrow": as("narrow"), "foreign": as("foreign"), "right": as("right")}
		},
		absent: map[string]string{"expired": "a header does not expire; requireJwt does, see oidc"},
	}
}

func noneMode() mode {
	return mode{
		name:    "none",
		options: modeNone(),
		give: func(*door) map[string]present {
			return map[string]present{
				"none": nothing, "wrong": header("Authorization", "Bearer wrong"),
				"narrow": header("X-OpenClaw-Scopes", "operator.read"), "right": nothing,
			}
		},
		absent: map[string]string{"expired": "there is no credential", "revoked": "there is no credential", "foreign": "there is one tenant"},
		open:   map[string]bool{"none": true, "wrong": true},
	}
}

func unixMode() mode {
	self := uint32(os.Getuid())
	as := func(uid uint32) present {
		return func(r *http.Request) *http.Request {
			r.RemoteAddr = "@"
			return r.WithContext(guardtest.OnConn(r.Context(), gateway.Conn{Unix: true, Known: true, UID: uid}))
		}
	}
	id := func(n uint32) string { return "unix:" + strconv.FormatUint(uint64(self+n), 10) }
	cfg := func(extra ...string) gateway.Config {
		return gateway.Config{Auth: gateway.AuthConfig{
			Mode: gateway.ModeUnix, Unix: gateway.UnixConfig{AllowUsers: extra},
			Principals: map[string]gateway.PrincipalConfig{
				id(1): {Scopes: []string{"operator.read"}}, id(2): {Tenant: "other", Scopes: []string{"operator.admin"}},
			},
		}}
	}
	return mode{
		name:    "unix",
		options: guardtest.Options{Config: cfg(strings.TrimPrefix(id(3), "unix:"))},
		after: func(d *door) {
			if err := d.guard.Reload(cfg(), secrets.Value{}, secrets.Value{}); err != nil {
				d.t.Fatal(err)
			}
		},
		give: func(*door) map[string]present {
			return map[string]present{"none": nothing, "wrong": as(self + 9), "revoked": as(self + 3), "narrow": as(self + 1), "foreign": as(self + 2), "right": as(self)}
		},
		absent: map[string]string{"expired": "a uid does not expire"},
	}
}

// signer is an identity provider.
type signer struct {
	key  *ecdsa.PrivateKey
	file string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{key, filepath.Join(t.TempDir(), "keys.json")}
	if err := os.WriteFile(s.file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *signer) sign(claims map[string]any) string {
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		panic(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	sig, err := js.Sign(raw)
	if err != nil {
		panic(err)
	}
	out, err := sig.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return out
}

func oidcMode(t *testing.T) mode {
	s, evil := newSigner(t), newSigner(t)
	cfg := func(allow ...string) gateway.Config {
		return gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeOIDC, OIDC: gateway.OIDCConfig{
			Issuer: "https://id.example", Audience: []string{"chitin"}, JWKSFile: s.file, ScopesClaim: "scope", TenantClaim: "tenant", AllowUsers: allow,
		}}}
	}
	as := func(by *signer, sub, tenant, scope string, life time.Duration) present {
		return remote(header("Authorization", "Bearer "+by.sign(map[string]any{
			"iss": "https://id.example", "aud": "chitin", "sub": sub, "tenant": tenant, "scope": scope, "exp": time.Now().Add(life).Unix(), "iat": time.Now().Add(-2 * time.Hour).Unix(),
		})))
	}
	all := "operator.admin"
	return mode{
		name:    "oidc",
		options: guardtest.Options{Config: cfg("right", "gone")},
		after: func(d *door) {
			if err := d.guard.Reload(cfg("right"), secrets.Value{}, secrets.Value{}); err != nil {
				d.t.Fatal(err)
			}
		},
		give: func(*door) map[string]present {
			return map[string]present{
				"none": nothing, "wrong": as(evil, "right", "default", all, time.Hour), "expired": as(s, "right", "default", all, -time.Hour),
				"revoked": as(s, "gone", "default", all, time.Hour), "narrow": as(s, "right", "default", "operator.read", time.Hour),
				"foreign": as(s, "right", "other", all, time.Hour), "right": as(s, "right", "default", all, time.Hour),
			}
		},
	}
}

func mtlsMode(t *testing.T) mode {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	cfg := func(allow ...string) gateway.Config {
		return gateway.Config{
			TLS: gateway.TLSConfig{Enabled: true, AutoGenerate: true},
			Auth: gateway.AuthConfig{
				Mode: gateway.ModeMTLS, MTLS: gateway.MTLSConfig{CAPath: ca, AllowUsers: allow},
				Principals: map[string]gateway.PrincipalConfig{
					"mtls:narrow": {Scopes: []string{"operator.read"}}, "mtls:foreign": {Tenant: "other", Scopes: []string{"operator.admin"}}, "mtls:right": {Scopes: []string{"operator.admin"}},
				},
			},
		}
	}
	as := func(name string, verified bool, until time.Duration) present {
		cert := &x509.Certificate{Raw: []byte(name), Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(until)}
		return func(r *http.Request) *http.Request {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
			if verified {
				r.TLS.VerifiedChains = [][]*x509.Certificate{{cert}}
			}
			return r
		}
	}
	return mode{
		name:    "mtls",
		options: guardtest.Options{Config: cfg("right", "narrow", "foreign", "gone")},
		after: func(d *door) {
			if err := d.guard.Reload(cfg("right", "narrow", "foreign"), secrets.Value{}, secrets.Value{}); err != nil {
				d.t.Fatal(err)
			}
		},
		give: func(*door) map[string]present {
			return map[string]present{
				"none": nothing, "wrong": as("right", false, time.Hour), "expired": as("right", true, -time.Hour),
				"revoked": as("gone", true, time.Hour), "narrow": as("narrow", true, time.Hour),
				"foreign": as("foreign", true, time.Hour), "right": as("right", true, time.Hour),
			}
		},
	}
}
