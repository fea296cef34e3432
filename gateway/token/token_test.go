package token_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var route = &gateway.Route{Path: "/x", Scope: gateway.ScopeRead}

func admit(g *gateway.Guard, secret string) (gateway.Caller, *gateway.Refusal) {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/x", nil)
	r.RemoteAddr = "127.0.0.1:9"
	r.Header.Set("Authorization", "Bearer "+secret)
	adm, ref := g.Admit(r, route)
	return adm.Caller, ref
}

// eventually waits at most 200 ms, which is what revocation is allowed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(200 * time.Millisecond)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen within 200 ms", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestTokenLife(t *testing.T) {
	s, w := guardtest.Tokens(t)
	g := guardtest.New(t, guardtest.Options{Named: w})
	ctx := t.Context()
	rec, text, err := s.Create(ctx, token.New{Name: "ci", Tenant: "build", Scopes: gateway.ScopeWrite})
	if err != nil || !token.WellFormed(text) || strings.Contains(string(rec.Digest[:]), text) {
		t.Fatalf("create: %v %q", err, text)
	}
	var c gateway.Caller
	eventually(t, "the new token", func() bool {
		var ref *gateway.Refusal
		c, ref = admit(g, text)
		return ref == nil
	})
	if c.Tenant() != "build" || c.Owner() || c.Scopes() != gateway.ScopeWrite|gateway.ScopeRead || c.Principal() != "token:ci" {
		t.Fatalf("caller %+v", c)
	}
	if _, _, err := s.Create(ctx, token.New{Name: "ci"}); !errors.Is(err, token.ErrExists) {
		t.Errorf("a second ci: %v", err)
	}
	closed := make(chan struct{})
	g.Track(c, func() { close(closed) })
	_, next, err := s.Rotate(ctx, "ci", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "closing what the old token holds", func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
	if _, ref := admit(g, text); ref == nil {
		t.Error("the rotated token still works")
	}
	if c2, ref := admit(g, next); ref != nil || c2.Tenant() != "build" || c2.Scopes() != c.Scopes() {
		t.Errorf("the new token: %v", ref)
	}
	if g.Alive(c) {
		t.Error("the old caller is alive")
	}
	if err := s.Revoke(ctx, "ci"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "revocation", func() bool { _, ref := admit(g, next); return ref != nil })
	if err := s.Revoke(ctx, "ci"); !errors.Is(err, token.ErrNotFound) {
		t.Errorf("revoking twice: %v", err)
	}
}

func TestChangesOfAnotherProcessAreNoticed(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	w, err := token.NewWatch(t.Context(), token.NewStore(db), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	g := guardtest.New(t, guardtest.Options{Named: w})

	other, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	s := token.NewStore(other)
	_, text, err := s.Create(t.Context(), token.New{Name: "x", Scopes: gateway.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "creation", func() bool { _, ref := admit(g, text); return ref == nil })
	if err := s.Revoke(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "revocation", func() bool { _, ref := admit(g, text); return ref != nil })
}

func TestExpiryEndsWhatIsOpen(t *testing.T) {
	s, w := guardtest.Tokens(t)
	g := guardtest.New(t, guardtest.Options{Named: w})
	_, text, err := s.Create(t.Context(), token.New{Name: "brief", Scopes: gateway.ScopeRead, Expires: time.Now().Add(400 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	var c gateway.Caller
	eventually(t, "creation", func() bool { c, _ = admit(g, text); return !c.Anonymous() })
	closed := make(chan struct{})
	if _, ok := g.Track(c, func() { close(closed) }); !ok {
		t.Fatal("not tracked")
	}
	<-closed
	if _, ref := admit(g, text); ref == nil || g.Alive(c) {
		t.Error("an expired token still works")
	}
}

func TestLastUseIsSaved(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s := token.NewStore(db)
	_, text, err := s.Create(t.Context(), token.New{Name: "x", Scopes: gateway.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	w, err := token.NewWatch(context.Background(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g := guardtest.New(t, guardtest.Options{Named: w})
	if _, ref := admit(g, text); ref != nil {
		t.Fatal(ref)
	}
	_ = w.Close()
	list, err := s.List(t.Context())
	if err != nil || len(list) != 1 || time.Since(list[0].Used) > time.Minute {
		t.Fatalf("last use %v (%v)", list, err)
	}
}

func TestNames(t *testing.T) {
	s, _ := guardtest.Tokens(t)
	for _, n := range []string{"", " ", "a b", "main", "..", strings.Repeat("x", 65), "a\nb"} {
		if _, _, err := s.Create(t.Context(), token.New{Name: n}); !errors.Is(err, token.ErrBadName) {
			t.Errorf("%q: %v", n, err)
		}
	}
	if _, _, err := s.Create(t.Context(), token.New{Name: "x", Tenant: "a/b"}); err == nil {
		t.Error("a bad tenant was accepted")
	}
}

func FuzzWellFormed(f *testing.F) {
	f.Add("chtn_0123456789ABCDEFGHIJKLMNOPQRSTUV000000")
	f.Add("")
	s, w := guardtest.Tokens(f)
	g := guardtest.New(f, guardtest.Options{Named: w, Config: gateway.Config{}})
	_, text, err := s.Create(context.Background(), token.New{Name: "x", Scopes: gateway.ScopeRead})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, in string) {
		if token.WellFormed(in) && (len(in) != token.Length || !strings.HasPrefix(in, token.Prefix)) {
			t.Fatalf("%q is called well formed", in)
		}
		for i := range text { // one changed character always breaks the checksum or the lookup
			if in == text[:i]+"~"+text[i+1:] && token.WellFormed(in) {
				t.Fatalf("%q", in)
			}
		}
		if strings.ContainsAny(in, "\r\n\x00") || in == text || in == guardtest.Token {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "http://localhost/x", nil)
		r.RemoteAddr = "127.0.0.1:9"
		r.Header["Authorization"] = []string{in}
		if adm, ref := g.Admit(r, route); ref == nil && !strings.Contains(in, text) && !strings.Contains(in, guardtest.Token) {
			t.Fatalf("%q admits %s", in, adm.Caller.Principal())
		}
	})
}
