package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/server/hooks"
)

const secret = "hook-secret-0123456789abcdefghij"

// target records what came in.
type target struct {
	calls atomic.Int32
	mu    sync.Mutex
	last  any
	who   gateway.Caller
	block chan struct{}
}

func (g *target) seen(c gateway.Caller, v any) {
	g.calls.Add(1)
	g.mu.Lock()
	g.last, g.who = v, c
	g.mu.Unlock()
	if g.block != nil {
		<-g.block
	}
}

func (g *target) Mail(_ context.Context, _ gateway.Caller, m hooks.Mail) (map[string]any, error) {
	if !strings.HasPrefix(string(m.Raw), "From:") {
		return nil, hooks.ErrNotMail
	}
	return map[string]any{"bytes": len(m.Raw)}, nil
}

func (g *target) Wake(_ context.Context, c gateway.Caller, w hooks.Wake) (string, error) {
	g.seen(c, w)
	return "queued", nil
}

func (g *target) Agent(_ context.Context, c gateway.Caller, a hooks.Agent) (map[string]any, error) {
	g.seen(c, a)
	switch a.AgentID {
	case "ghost":
		return nil, hooks.ErrUnknownAgent
	case "broken":
		return nil, errors.New("secret detail")
	}
	return map[string]any{"runId": "r1", "ok": false}, nil
}

func surface(t *testing.T, cfg hooks.Config) (*hooks.Handler, *target) {
	t.Helper()
	cfg.Enabled = true
	g := &target{}
	return hooks.New(hooks.Deps{
		Guard: guardtest.New(t, guardtest.Options{}), Config: func() hooks.Config { return cfg },
		Token: func() secrets.Value { return secrets.NewValue(secret) }, Target: g, DefaultAgent: func() string { return "main" },
	}), g
}

func send(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	h, g := surface(t, hooks.Config{AllowedAgentIDs: []string{"main", "ghost", "broken"}})
	for _, tc := range []struct {
		name, method, path, body string
		header                   []string
		code                     int
		want                     string
	}{
		{"wake", "POST", "/hooks/wake", `{"text":"hi"}`, nil, 200, `{"eventOutcome":"queued","mode":"now","ok":true}`},
		{"wake later", "POST", "/hooks/wake", `{"text":"hi","mode":"next-heartbeat"}`, nil, 200, `{"eventOutcome":"queued","mode":"next-heartbeat","ok":true}`},
		{"wake without text", "POST", "/hooks/wake", `{"text":" "}`, nil, 400, `{"error":"text required","ok":false}`},
		{"agent", "POST", "/hooks/agent", `{"message":"hi"}`, nil, 200, `{"ok":true,"runId":"r1"}`},
		{"agent without message", "POST", "/hooks/agent", `{}`, nil, 400, `{"error":"message required","ok":false}`},
		{"unknown agent", "POST", "/hooks/agent", `{"message":"hi","agentId":"ghost"}`, nil, 400, `{"error":"unknown agentId \"ghost\"","ok":false}`},
		{"agent not allowed", "POST", "/hooks/agent", `{"message":"hi","agentId":"other"}`, nil, 400, `{"error":"agentId is not allowed by hooks.allowedAgentIds","ok":false}`},
		{"failure inside", "POST", "/hooks/agent", `{"message":"hi","agentId":"broken"}`, nil, 500, `{"error":"hook failed","ok":false}`},
		{"session key", "POST", "/hooks/agent", `{"message":"hi","sessionKey":"x"}`, nil, 400, ""},
		{"own header", "POST", "/hooks/wake", `{"text":"hi"}`, []string{"Authorization", "", "X-OpenClaw-Token", secret}, 200, ""},
		{"no token", "POST", "/hooks/wake", `{"text":"hi"}`, []string{"Authorization", ""}, 401, "Unauthorized"},
		{"two tokens", "POST", "/hooks/wake", `{"text":"hi"}`, []string{"X-OpenClaw-Token", secret}, 401, "Unauthorized"},
		{"query token", "POST", "/hooks/wake?token=" + secret, `{"text":"hi"}`, nil, 400, ""},
		{"method", "GET", "/hooks/wake", "", nil, 405, "Method Not Allowed"},
		{"alone", "POST", "/hooks", "", nil, 404, "Not Found"},
		{"unknown", "POST", "/hooks/else", "{}", nil, 404, "Not Found"},
		{"no JSON", "POST", "/hooks/wake", "{", nil, 400, ""},
		{"no object", "POST", "/hooks/wake", "[]", nil, 400, `{"error":"the body must be a JSON object","ok":false}`},
		{"large", "POST", "/hooks/wake", `{"text":"` + strings.Repeat("x", 300<<10) + `"}`, nil, 413, `{"error":"payload too large","ok":false}`},
		{"foreign origin", "POST", "/hooks/wake", `{"text":"hi"}`, []string{"Origin", "https://evil.example"}, 403, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := send(h, tc.method, tc.path, tc.body, tc.header...)
			if w.Code != tc.code || tc.want != "" && w.Body.String() != tc.want {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body.String(), tc.code, tc.want)
			}
		})
	}
	if g.who.Owner() || g.who.Kind() != gateway.KindHook {
		t.Errorf("hooks run as %s, owner %v", g.who.Principal(), g.who.Owner())
	}
}

// TestBlankNames: a name that is given and blank is refused, not absent.
func TestBlankNames(t *testing.T) {
	h, g := surface(t, hooks.Config{AllowRequestSessionKey: true, AllowedSessionKeyPrefixes: []string{"hook:"}})
	for _, blank := range []string{"", " ", "\u00a0", "\u2003", "\u200b", "\ufeff", "main\n", "ma in"} {
		for _, field := range []string{"agentId", "sessionKey"} {
			body := fmt.Sprintf(`{"message":"x",%q:%q}`, field, blank)
			if w := send(h, "POST", "/hooks/agent", body); w.Code != 400 {
				t.Errorf("%s %q: %d", field, blank, w.Code)
			}
		}
	}
	if w := send(h, "POST", "/hooks/agent", `{"message":"x","sessionKey":"agent:main:main"}`); w.Code != 400 {
		t.Error("a session outside the prefixes was accepted")
	}
	if w := send(h, "POST", "/hooks/agent", `{"message":"x","sessionKey":"hook:1"}`); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body.String())
	}
	if g.calls.Load() != 1 {
		t.Errorf("%d calls came through", g.calls.Load())
	}
}

func TestEmptyListsMeanNone(t *testing.T) {
	h, _ := surface(t, hooks.Config{AllowedAgentIDs: []string{}})
	if w := send(h, "POST", "/hooks/agent", `{"message":"x"}`); w.Code != 400 {
		t.Error("an empty list of agents allows the default one")
	}
	h, _ = surface(t, hooks.Config{AllowRequestSessionKey: true, AllowedSessionKeyPrefixes: []string{}})
	if w := send(h, "POST", "/hooks/agent", `{"message":"x","sessionKey":"a"}`); w.Code != 400 {
		t.Error("an empty list of prefixes allows everything")
	}
}

func TestReplays(t *testing.T) {
	h, g := surface(t, hooks.Config{})
	body := `{"message":"pay","idempotencyKey":"k1"}`
	first := send(h, "POST", "/hooks/agent", body)
	for range 5 {
		again := send(h, "POST", "/hooks/agent", body)
		if again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
			t.Fatalf("%d %s", again.Code, again.Body.String())
		}
	}
	if n := g.calls.Load(); n != 1 {
		t.Fatalf("the agent ran %d times", n)
	}
	if w := send(h, "POST", "/hooks/agent", `{"message":"other","idempotencyKey":"k1"}`); w.Code != 409 {
		t.Errorf("the same key with another body: %d", w.Code)
	}
	if w := send(h, "POST", "/hooks/agent", `{"message":"pay"}`, "Idempotency-Key", "k2", "X-OpenClaw-Idempotency-Key", "k3"); w.Code != 400 {
		t.Errorf("two keys: %d", w.Code)
	}
	if w := send(h, "POST", "/hooks/agent", `{"message":"pay"}`, "Idempotency-Key", strings.Repeat("k", 257)); w.Code != 400 {
		t.Errorf("a long key: %d", w.Code)
	}
	// A failure may be tried again.
	fail := `{"message":"x","agentId":"broken","idempotencyKey":"k4"}`
	send(h, "POST", "/hooks/agent", fail)
	send(h, "POST", "/hooks/agent", fail)
	if n := g.calls.Load(); n != 3 {
		t.Errorf("%d calls, want the failed one twice", n)
	}
}

func TestReplaysInParallelActOnce(t *testing.T) {
	h, g := surface(t, hooks.Config{})
	g.block = make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if w := send(h, "POST", "/hooks/wake", `{"text":"x","idempotencyKey":"k"}`); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body.String())
			}
		})
	}
	close(g.block)
	wg.Wait()
	if n := g.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestConfig(t *testing.T) {
	ref := secrets.Field{Ref: &secrets.Ref{Source: "env", ID: "H"}}
	for name, tc := range map[string]struct {
		cfg  hooks.Config
		want string
	}{
		"off":         {hooks.Config{}, ""},
		"no token":    {hooks.Config{Enabled: true}, "token"},
		"root path":   {hooks.Config{Enabled: true, Token: ref, Path: "/"}, "path"},
		"bad path":    {hooks.Config{Enabled: true, Token: ref, Path: "hooks"}, "path"},
		"bad default": {hooks.Config{Enabled: true, Token: ref, DefaultSessionKey: "x", AllowedSessionKeyPrefixes: []string{"y"}}, "defaultSessionKey"},
		"good":        {hooks.Config{Enabled: true, Token: ref, Path: "/in"}, ""},
	} {
		got := ""
		for _, p := range tc.cfg.Validate() {
			got = p.Path
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzBodies(f *testing.F) {
	f.Add(`{"message":"x"}`)
	f.Add(`{"text":"x","agentId":null}`)
	f.Add(`[{"message":"x"}]`)
	g := &target{}
	guard, err := guardtest.Start(f, guardtest.Options{})
	if err != nil {
		f.Fatal(err)
	}
	h := hooks.New(hooks.Deps{
		Guard: guard, Config: func() hooks.Config { return hooks.Config{Enabled: true, AllowedAgentIDs: []string{"main"}} },
		Token: func() secrets.Value { return secrets.NewValue(secret) }, Target: g, DefaultAgent: func() string { return "main" },
	})
	f.Fuzz(func(t *testing.T, body string) {
		for _, p := range []string{"/hooks/wake", "/hooks/agent"} {
			before := g.calls.Load()
			w := send(h, "POST", p, body)
			if (w.Code == 200) != (g.calls.Load() > before) && w.Header().Get("Idempotency-Replayed") == "" {
				t.Fatalf("%s %q: %d and %d calls", p, body, w.Code, g.calls.Load()-before)
			}
			if a, ok := g.last.(hooks.Agent); ok && a.AgentID != "main" {
				t.Fatalf("%q reached agent %q", body, a.AgentID)
			}
		}
	})
}
