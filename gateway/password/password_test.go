package password_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/gateway/password"
)

var route = &gateway.Route{Path: "/x", Scope: gateway.ScopeAdmin}

func request(peer string, set func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/x", nil)
	r.RemoteAddr = peer
	set(r)
	return r
}

func basic(pw string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth("me", pw) }
}

func bearer(pw string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+pw) }
}

func guard(t *testing.T, pw string) *gateway.Guard {
	t.Helper()
	return guardtest.New(t, guardtest.Options{Password: pw, Config: gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModePassword}}})
}

func TestBearerAndBasic(t *testing.T) {
	hash, err := password.Hash(guardtest.Password)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q %v", hash, err)
	}
	for name, configured := range map[string]string{"text": guardtest.Password, "hash": hash} {
		g := guard(t, configured)
		for how, set := range map[string]func(*http.Request){"basic": basic(guardtest.Password), "bearer": bearer(guardtest.Password)} {
			adm, ref := g.Admit(request("127.0.0.1:1", set), route)
			if ref != nil || adm.Caller.Principal() != "password:main" || !adm.Caller.Owner() {
				t.Errorf("%s by %s: %v", name, how, ref)
			}
		}
		for how, set := range map[string]func(*http.Request){"wrong": basic("nope"), "empty": basic(""), "the hash itself": bearer(hash), "no colon": func(r *http.Request) { r.Header.Set("Authorization", "Basic eA==") }} {
			if _, ref := g.Admit(request("192.0.2.1:1", set), route); ref == nil || ref.Reason != gateway.ReasonWrong {
				t.Errorf("%s, %s: %v", name, how, ref)
			}
		}
	}
}

func TestConcurrentGuessesStayInTheBudget(t *testing.T) {
	g := guard(t, guardtest.Password)
	var wrong atomic.Int32
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, ref := g.Admit(request("192.0.2.1:1", basic("guess")), route); ref != nil && ref.Reason == gateway.ReasonWrong {
				wrong.Add(1)
			}
		})
	}
	wg.Wait()
	if n := wrong.Load(); n != 10 {
		t.Errorf("%d guesses were compared, want 10", n)
	}
	if _, ref := g.Admit(request("192.0.2.1:1", basic(guardtest.Password)), route); ref == nil || ref.Reason != gateway.ReasonLocked {
		t.Errorf("the right password during lockout: %v", ref)
	}
}

// TestManyAtOnceWithTheRightPassword: the first hash must not lock out its
// own neighbours.
func TestManyAtOnceWithTheRightPassword(t *testing.T) {
	g := guard(t, guardtest.Password)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, ref := g.Admit(request("192.0.2.1:1", basic(guardtest.Password)), route); ref != nil {
				t.Errorf("refused: %s", ref.Reason)
			}
		})
	}
	wg.Wait()
}

func TestLocalFallbackBehindAProxy(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{Password: guardtest.Password, Config: gateway.Config{
		TrustedProxies: []string{"10.0.0.1"},
		Auth:           gateway.AuthConfig{Mode: gateway.ModeProxy, TrustedProxy: gateway.TrustedProxyConfig{UserHeader: "X-User"}},
	}})
	if _, ref := g.Admit(request("127.0.0.1:1", bearer(guardtest.Password)), route); ref != nil {
		t.Errorf("the owner on the machine itself: %v", ref.Reason)
	}
	if _, ref := g.Admit(request("203.0.113.4:1", bearer(guardtest.Password)), route); ref == nil {
		t.Error("the local password works from afar")
	}
	proxied := request("10.0.0.1:1", bearer(guardtest.Password))
	proxied.Header.Set("X-Forwarded-For", "203.0.113.4")
	if _, ref := g.Admit(proxied, route); ref == nil {
		t.Error("the local password works through the proxy")
	}
}
