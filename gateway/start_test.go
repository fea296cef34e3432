package gateway_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/secrets"
)

func no() *bool { f := false; return &f }

func TestStartRefusals(t *testing.T) {
	proxy := func(c gateway.TrustedProxyConfig) gateway.Config {
		return gateway.Config{TrustedProxies: []string{"10.0.0.1"}, Auth: gateway.AuthConfig{Mode: gateway.ModeProxy, TrustedProxy: c}}
	}
	mode := func(m gateway.Mode) gateway.Config { return gateway.Config{Auth: gateway.AuthConfig{Mode: m}} }
	for _, tc := range []struct {
		name            string
		cfg             gateway.Config
		token, password string
		code            int // 0: starts
	}{
		{"token", mode(gateway.ModeToken), "a-long-enough-token-of-mine", "", 0},
		{"nothing configured", gateway.Config{}, "", "", 0},
		{"published token", mode(gateway.ModeToken), "change-me-to-a-long-random-token", "", 1},
		{"undefined", mode(gateway.ModeToken), " undefined ", "", 1},
		{"redaction mark", mode(gateway.ModeToken), "**redacted**", "", 1},
		{"unresolved variable", mode(gateway.ModeToken), "${CHITIN_GATEWAY_TOKEN}", "", 1},
		{"published password", mode(gateway.ModePassword), "", "change-me-to-a-strong-password", 1},
		{"password mode without one", mode(gateway.ModePassword), "", "", 1},
		{"blank password", mode(gateway.ModePassword), "", "   ", 1},
		{"bad hash", mode(gateway.ModePassword), "", "$argon2id$v=19$m=1,t=1,p=1$x$y", 1},
		{"both, mode unset", gateway.Config{}, "a-long-enough-token-of-mine", "and a pass phrase", 1},
		{"both, mode set", mode(gateway.ModeToken), "a-long-enough-token-of-mine", "and a pass phrase", 0},
		{"none on loopback", mode(gateway.ModeNone), "", "", 0},
		{"none on lan", gateway.Config{Bind: "lan", Auth: gateway.AuthConfig{Mode: gateway.ModeNone}}, "", "", 78},
		{"none on 0.0.0.0", gateway.Config{Bind: "custom", CustomBindHost: "0.0.0.0", Auth: gateway.AuthConfig{Mode: gateway.ModeNone}}, "", "", 78},
		{"none through serve", gateway.Config{Tailscale: gateway.TailscaleConfig{Mode: "serve"}, Auth: gateway.AuthConfig{Mode: gateway.ModeNone}}, "", "", 78},
		{"funnel with token", gateway.Config{Tailscale: gateway.TailscaleConfig{Mode: "funnel"}, Auth: gateway.AuthConfig{Mode: gateway.ModeToken}}, "a-long-enough-token-of-mine", "", 78},
		{"funnel with password", gateway.Config{Tailscale: gateway.TailscaleConfig{Mode: "funnel"}, Auth: gateway.AuthConfig{Mode: gateway.ModePassword}}, "", "a fine pass phrase", 0},
		{"proxy", proxy(gateway.TrustedProxyConfig{UserHeader: "X-User"}), "", "", 0},
		{"proxy without addresses", mode(gateway.ModeProxy), "", "", 78},
		{"proxy with blank header", proxy(gateway.TrustedProxyConfig{UserHeader: "  "}), "", "", 1},
		{"oidc without audience", gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeOIDC, OIDC: gateway.OIDCConfig{Issuer: "https://i.example"}}}, "", "", 78},
		{"oidc with symmetric keys", gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeOIDC, OIDC: gateway.OIDCConfig{Issuer: "https://i.example", Audience: []string{"a"}, Algorithms: []string{"HS256"}}}}, "", "", 78},
		{"mtls without TLS", mode(gateway.ModeMTLS), "", "", 78},
		{"unknown mode", mode("magic"), "", "", 78},
		{"bad proxy range", gateway.Config{TrustedProxies: []string{"10.0.0.0/99"}}, "", "", 78},
		{"bad scope", gateway.Config{Auth: gateway.AuthConfig{Principals: map[string]gateway.PrincipalConfig{"oidc:a": {Scopes: []string{"root"}}}}}, "", "", 78},
		{"bad origin", gateway.Config{ControlUI: gateway.ControlUIConfig{AllowedOrigins: []string{"example.org"}}}, "", "", 78},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := guardtest.Start(t, guardtest.Options{Config: tc.cfg, Token: tc.token, Password: tc.password})
			var se *gateway.StartError
			code := 0
			if errors.As(err, &se) {
				code = se.ExitCode()
			} else if err != nil {
				t.Fatalf("not a StartError: %v", err)
			}
			if code != tc.code {
				t.Fatalf("exit code %d (%v), want %d", code, err, tc.code)
			}
			if err != nil && se.Hint == "" {
				t.Errorf("%q says nothing about what to do instead", err)
			}
		})
	}
}

func TestTokenInConfigExcludesProxyMode(t *testing.T) {
	cfg := gateway.Config{TrustedProxies: []string{"10.0.0.1"}, Auth: gateway.AuthConfig{
		Mode: gateway.ModeProxy, TrustedProxy: gateway.TrustedProxyConfig{UserHeader: "X-User"},
		Token: secrets.Field{Ref: &secrets.Ref{Source: "env", ID: "T"}},
	}}
	_, err := guardtest.Start(t, guardtest.Options{Config: cfg, Token: "a-long-enough-token-of-mine"})
	var se *gateway.StartError
	if !errors.As(err, &se) || se.Code != 1 {
		t.Fatalf("got %v", err)
	}
}

func TestListenRefusesNoneBeyondLoopback(t *testing.T) {
	_, err := gateway.Listen(t.Context(), gateway.Config{Bind: "lan", Port: -1}, gateway.ListenOptions{Mode: gateway.ModeNone})
	var se *gateway.StartError
	if !errors.As(err, &se) || se.Code != 78 || se.Message != "Refusing to bind gateway to lan without auth." {
		t.Fatalf("got %v", err)
	}
}

// protected is a route that asks for a proof.
var protected = &gateway.Route{Path: "/tools/invoke", Scope: gateway.ScopeWrite}

func request(peer string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/tools/invoke", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func bearer(s string) []string { return []string{"Authorization", "Bearer " + s} }

const local = "127.0.0.1:4000"

func admitted(t *testing.T, g *gateway.Guard, r *http.Request) gateway.Caller {
	t.Helper()
	adm, ref := g.Admit(r, protected)
	if ref != nil {
		t.Fatalf("refused: %v %s", ref.Status, ref.Reason)
	}
	return adm.Caller
}

func refused(t *testing.T, g *gateway.Guard, r *http.Request, want gateway.Reason) *gateway.Refusal {
	t.Helper()
	adm, ref := g.Admit(r, protected)
	if ref == nil {
		t.Fatalf("admitted as %s, want %s", adm.Caller.Principal(), want)
	}
	if ref.Reason != want {
		t.Fatalf("refused for %s, want %s", ref.Reason, want)
	}
	if !adm.Caller.Anonymous() {
		t.Fatal("a refusal carries a caller")
	}
	return ref
}

func TestReloadRotatesTheToken(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{})
	c := admitted(t, g, request(local, bearer(guardtest.Token)...))
	closed := make(chan struct{})
	if _, ok := g.Track(c, func() { close(closed) }); !ok {
		t.Fatal("not tracked")
	}
	begin := time.Now()
	if err := g.Reload(gateway.Config{}, secrets.NewValue("the-next-token-0123456789abcd"), secrets.Value{}); err != nil {
		t.Fatal(err)
	}
	<-closed
	if d := time.Since(begin); d > 200*time.Millisecond {
		t.Errorf("closing took %v", d)
	}
	if g.Alive(c) {
		t.Error("the caller outlived its token")
	}
	if _, ok := g.Track(c, func() {}); ok {
		t.Error("a dead caller opened something")
	}
	refused(t, g, request(local, bearer(guardtest.Token)...), gateway.ReasonWrong)
	admitted(t, g, request(local, bearer("the-next-token-0123456789abcd")...))
}

func TestReloadWithoutChangeKeepsSessions(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{})
	c := admitted(t, g, request(local, bearer(guardtest.Token)...))
	cfg := gateway.Config{Auth: gateway.AuthConfig{RateLimit: gateway.RateLimitConfig{MaxAttempts: 3, ExemptLoopback: no()}}}
	if err := g.Reload(cfg, secrets.NewValue(guardtest.Token), secrets.Value{}); err != nil {
		t.Fatal(err)
	}
	if !g.Alive(c) {
		t.Error("a harmless reload ended a session")
	}
	for range 3 {
		refused(t, g, request(local, bearer("nope")...), gateway.ReasonWrong)
	}
	if ref := refused(t, g, request(local, bearer(guardtest.Token)...), gateway.ReasonLocked); ref.RetryAfterSeconds() != "300" {
		t.Errorf("Retry-After %s", ref.RetryAfterSeconds())
	}
	refused(t, g, request(local), gateway.ReasonLocked)
}

func TestReloadThatFailsChangesNothing(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{})
	c := admitted(t, g, request(local, bearer(guardtest.Token)...))
	if err := g.Reload(gateway.Config{Auth: gateway.AuthConfig{Mode: "magic"}}, secrets.Value{}, secrets.Value{}); err == nil {
		t.Fatal("accepted")
	}
	if !g.Alive(c) {
		t.Error("a refused reload ended a session")
	}
	admitted(t, g, request(local, bearer(guardtest.Token)...))
}

func TestWhoMayCallChangedEndsEverything(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{})
	c := admitted(t, g, request(local, bearer(guardtest.Token)...))
	cfg := gateway.Config{Auth: gateway.AuthConfig{TenantOf: "principal"}}
	if err := g.Reload(cfg, secrets.NewValue(guardtest.Token), secrets.Value{}); err != nil {
		t.Fatal(err)
	}
	if g.Alive(c) {
		t.Error("a caller survived a change of who may call")
	}
}

func TestRefusalsAreFolded(t *testing.T) {
	var n, total int
	g, err := guardtest.Start(t, guardtest.Options{Refused: func(e gateway.RefusalEvent) { n++; total += e.Count }})
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		refused(t, g, request("203.0.113.9:1"), gateway.ReasonMissing)
	}
	_ = g.Close()
	if n != 2 || total != 500 {
		t.Errorf("%d events for %d refusals, want 2 for 500", n, total)
	}
}

func TestHookCaller(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{})
	if _, ok := g.ProveHook("", secrets.Value{}); ok {
		t.Fatal("no secret proves anybody")
	}
	if _, ok := g.ProveHook("x", secrets.NewValue("y")); ok {
		t.Fatal("a wrong secret proves somebody")
	}
	c, ok := g.ProveHook("y", secrets.NewValue("y"))
	if !ok || c.Owner() || c.Has(gateway.ScopeAdmin) || !c.Has(gateway.ScopeWrite) || c.Kind() != gateway.KindHook {
		t.Fatalf("hook caller %+v", c)
	}
	g.Revoke(gateway.HookCredential(secrets.NewValue("y")))
	if g.Alive(c) {
		t.Error("the caller outlived its secret")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	g, err := guardtest.Start(t, guardtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := admitted(t, g, request(local, bearer(guardtest.Token)...))
	closed := make(chan struct{})
	g.Track(c, func() { close(closed) })
	_ = g.Close()
	select {
	case <-closed:
	case <-time.After(time.Second):
		t.Fatal("Close left something open")
	}
}
