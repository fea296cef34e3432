package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/httpapi"
)

const unauthorized = `{"error":{"message":"Unauthorized","type":"unauthorized"}}`

func TestInvokeBodies(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	for _, tc := range []struct {
		name, body string
		code       int
		want       string
	}{
		{"ran", `{"tool":"ok"}`, 200, `{"ok":true,"result":{"content":[{"type":"text","text":"<done>"}],"details":{"n":1}}}`},
		{"name wins over tool", `{"tool":"nope","name":"ok"}`, 200, ""},
		{"tool input", `{"tool":"input"}`, 400, `{"ok":false,"error":{"type":"tool_error","message":"task required"}}`},
		{"unknown", `{"tool":"X"}`, 404, `{"ok":false,"error":{"type":"not_found","message":"Tool not available: X"}}`},
		{"case matters in names", `{"TOOL":"ok"}`, 400, `{"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"}}`},
		{"needs a yes", `{"tool":"ask"}`, 403, `{"ok":false,"error":{"type":"tool_call_blocked","message":"needs a yes","requiresApproval":true,"approvalId":"a1"}}`},
		{"blocked", `{"tool":"blocked"}`, 403, `{"ok":false,"error":{"type":"tool_call_blocked","message":"no","requiresApproval":false}}`},
		{"broken inside", `{"tool":"broken"}`, 500, `{"ok":false,"error":{"type":"tool_error","message":"tool execution failed"}}`},
		{"away", `{"tool":"away"}`, 503, `{"ok":false,"error":{"type":"unavailable","message":"no engine"}}`},
		{"no name", `{}`, 400, `{"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"}}`},
		{"blank name", `{"tool":"  "}`, 400, `{"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"}}`},
		{"array", `[]`, 400, `{"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"}}`},
		{"string", `"str"`, 400, `{"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"}}`},
		{"empty", ``, 400, `{"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"}}`},
		{"not JSON", `{nope`, 400, `{"error":{"message":"invalid character 'n' looking for beginning of object key string","type":"invalid_request_error"}}`},
	} {
		t.Run(tc.name, func(t *testing.T) { s.call(tc.body).want(t, tc.code, tc.want) })
	}
}

func TestInvokeRequest(t *testing.T) {
	s := newSite(t, guardtest.Options{}, func(d *httpapi.Deps) { d.HasAction = func(n string) bool { return n == "act" } })
	s.call(`{"tool":" ok ","args":[1],"sessionKey":"agent:main:x","agentId":"main","idempotencyKey":"k","caller":"root","owner":true,"surface":"cli"}`)
	r := s.corridor.last(t)
	if r.Tool != "ok" || string(r.Args) != "{}" || r.SessionKey != "agent:main:x" || r.AgentID != "main" || r.IdempotencyKey != "k" || r.Surface != "http" {
		t.Fatalf("request %+v", r)
	}
	if r.Caller.Principal() != "token:main" || !r.Caller.Owner() {
		t.Fatalf("caller %v", r.Caller.Principal())
	}
	s.call(`{"tool":"act","action":"go","args":{"x":1}}`)
	if got := string(s.corridor.last(t).Args); got != `{"action":"go","x":1}` {
		t.Errorf("args %s", got)
	}
	s.call(`{"tool":"act","action":"go","args":{"action":"stay"}}`)
	if got := string(s.corridor.last(t).Args); got != `{"action":"stay"}` {
		t.Errorf("args %s", got)
	}
}

func TestDryRunExplainsOnlyToAdministrators(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	a := s.call(`{"tool":"ok","dryRun":true}`)
	a.want(t, 200, `{"ok":true,"dryRun":true,"decision":{"verdict":"allow","layer":"tools.policy"},"trace":[{"layer":"floor","effect":"pass"}]}`)
	if !s.corridor.last(t).DryRun {
		t.Fatal("the corridor was not told")
	}
	s.call(`{"tool":"ok","dryRun":true}`, "X-Chitin-Scopes", "operator.write").want(t, 200, `{"ok":true,"dryRun":true,"decision":{"verdict":"allow"}}`)
}

func TestAuthBodies(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	s.do("POST", "/tools/invoke", `{"tool":"ok"}`).want(t, 401, unauthorized)
	s.do("POST", "/tools/invoke", `{"tool":"ok"}`, "Authorization", "bearer "+guardtest.Token).want(t, 200, "")
	s.do("POST", "/tools/invoke", `{"tool":"ok"}`, "Authorization", "Basic "+guardtest.Token).want(t, 401, unauthorized)
	s.do("POST", "/tools/invoke", `{"tool":"ok"}`, "X-OpenClaw-Token", guardtest.Token).want(t, 401, unauthorized)
	s.do("POST", "/tools/invoke?token="+guardtest.Token, `{"tool":"ok"}`).want(t, 400, "")
	s.call(`{"tool":"ok"}`, "X-Forwarded-For", "10.1.2.3").want(t, 403, "")
	if got := decode(t, s.call(`{"tool":"ok"}`, "X-Forwarded-For", "10.1.2.3").body)["error"].(map[string]any)["type"]; got != "proxy_attribution_required" {
		t.Errorf("type %v", got)
	}
	s.call(`{"tool":"ok"}`, "X-Chitin-Scopes", "operator.read").want(t, 403,
		`{"ok":false,"error":{"type":"forbidden","message":"missing scope: operator.write","details":{"code":"MISSING_SCOPE","missingScope":"operator.write","requiredScopes":["operator.write"]}}}`)
	s.call(`{"tool":"ok"}`, "X-OpenClaw-Scopes", "operator.read").want(t, 200, "") // ignored for a shared secret
}

func TestMethodsAndPaths(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	for _, m := range []string{"GET", "PUT", "OPTIONS"} {
		a := s.do(m, "/tools/invoke", "")
		a.want(t, 405, "Method Not Allowed")
		if a.header.Get("Allow") != "POST" {
			t.Errorf("Allow %q", a.header.Get("Allow"))
		}
	}
	if a := s.do("POST", "/health", ""); a.code != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /health: %d %q", a.code, a.header.Get("Allow"))
	}
	for _, p := range []string{"/tools/invoke/", "/livez", "/live", "/tools", "/%74ools/invoke", "/tools//invoke", "/./tools/invoke"} {
		s.do("POST", p, `{}`, "Authorization", "Bearer "+guardtest.Token).want(t, 404, "Not Found")
	}
	s.do("GET", "/health", "").want(t, 200, `{"ok":true,"status":"live"}`)
	s.do("GET", "/healthz", "", "X-Forwarded-For", "1.2.3.4").want(t, 200, `{"ok":true,"status":"live"}`)
	if a := s.do("GET", "/health", "", "Host", "evil.example"); a.code != 421 {
		t.Errorf("rebound host on /health: %d", a.code)
	}
}

func TestReadyAndStartup(t *testing.T) {
	ok := true
	s := newSite(t, guardtest.Options{}, func(d *httpapi.Deps) {
		d.Ready = func() (bool, []string) { return ok, []string{"journal"} }
		d.Started = func() (bool, string) { return ok, "draining" }
	})
	s.do("GET", "/ready", "").want(t, 200, `{"ready":true}`)
	s.do("GET", "/startupz", "").want(t, 200, `{"ok":true,"status":"started"}`)
	ok = false
	s.do("GET", "/readyz", "").want(t, 503, `{"ready":false}`)
	s.do("GET", "/startup", "").want(t, 503, `{"ok":false,"pendingReason":"draining","status":"draining"}`)
	full := decode(t, s.do("GET", "/ready", "", "Authorization", "Bearer "+guardtest.Token).body)
	if full["failing"] == nil || full["uptimeMs"] == nil {
		t.Errorf("a proved caller sees only %v", full)
	}
	s.do("GET", "/ready", "", "X-Real-IP", "1.2.3.4").want(t, 403, "")
}

func TestSecurityHeadersOnEverything(t *testing.T) {
	s := newSite(t, guardtest.Options{}, func(d *httpapi.Deps) { d.HSTS = "max-age=1" })
	for _, p := range []string{"/health", "/ready", "/nothing", "/tools/invoke"} {
		h := s.do("GET", p, "").header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Permissions-Policy": "camera=(), microphone=(self), geolocation=()", "Strict-Transport-Security": "max-age=1",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s = %q", p, name, h.Get(name))
			}
		}
		if h.Get("Server") != "" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: unwanted headers %v", p, h)
		}
	}
}

func TestLargeBodyIsAnswered(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	big := strings.Repeat("x", 3_000_000)
	a := s.call(big)
	a.want(t, 413, `{"error":{"message":"Payload too large","type":"invalid_request_error"}}`)
	req, _ := http.NewRequest("POST", s.URL+"/tools/invoke", io.MultiReader(strings.NewReader(big))) // chunked
	req.Header.Set("Authorization", "Bearer "+guardtest.Token)
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("chunked: %d", res.StatusCode)
	}
}

func TestSlowBodyTimesOut(t *testing.T) {
	s := newSite(t, guardtest.Options{}, func(d *httpapi.Deps) { d.BodyTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = fmt.Fprintf(c, "POST /tools/invoke HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n{", guardtest.Token)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 408 || !res.Close {
		t.Errorf("status %d, close %v", res.StatusCode, res.Close)
	}
}

func TestOddRequests(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	s.do("GET", "/health", "", "Upgrade", "h2c", "Connection", "Upgrade").want(t, 400, "Bad Request")
	s.do("POST", "/tools/invoke", "x", "Expect", "200-maybe").want(t, 417, "")
}

type fakeSessions struct{ owner string }

func (f fakeSessions) History(_ context.Context, c gateway.Caller, key string, _ int) (any, error) {
	if c.Tenant() != f.owner || key != "agent:main:a" {
		return nil, httpapi.ErrNotFound
	}
	return []string{"x"}, nil
}

func (f fakeSessions) Kill(_ context.Context, c gateway.Caller, key string) error {
	_, err := f.History(context.Background(), c, key, 1)
	return err
}

func TestSessionRoutes(t *testing.T) {
	s := newSite(t, guardtest.Options{}, func(d *httpapi.Deps) { d.Sessions = fakeSessions{gateway.DefaultTenant} })
	bearer := []string{"Authorization", "Bearer " + guardtest.Token}
	s.do("GET", "/sessions/agent:main:a/history", "", bearer...).want(t, 200, "")
	s.do("GET", "/sessions/agent%3Amain%3Aa/history", "", bearer...).want(t, 200, "")
	s.do("GET", "/sessions/none/history", "", bearer...).want(t, 404, `{"ok":false,"error":{"type":"not_found","message":"Session not found"}}`)
	s.do("POST", "/sessions/agent:main:a/kill", "", bearer...).want(t, 200, "")
	s.do("POST", "/sessions/agent:main:a/kill", "", append(bearer, "X-Chitin-Scopes", "operator.write")...).want(t, 403, "")
	s.do("GET", "/sessions/..%2f..%2fhealth/history", "", bearer...).want(t, 404, "Not Found")
}

func TestRevokedWhileRunning(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	started := make(chan struct{})
	s.corridor.run = func(ctx context.Context, r invoke.Request) invoke.Response {
		close(started)
		<-ctx.Done()
		return standard(r)
	}
	got := make(chan answer, 1)
	go func() { got <- s.call(`{"tool":"ok"}`) }()
	<-started
	begin := time.Now()
	s.guard.Revoke(gateway.CredentialToken)
	a := <-got
	a.want(t, 401, unauthorized)
	if d := time.Since(begin); d > 200*time.Millisecond {
		t.Errorf("it took %v", d)
	}
	if n := s.guard.Open(gateway.CredentialToken); n != 0 {
		t.Errorf("%d calls are still tracked", n)
	}
}

// TestRefusedLargeBodyIsAnswered: a client that sends everything before it
// listens still learns why it was refused.
func TestRefusedLargeBodyIsAnswered(t *testing.T) {
	s := newSite(t, guardtest.Options{}, nil)
	for auth, want := range map[string]int{"": 401, "Authorization: Bearer " + guardtest.Token + "\r\n": 413} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		body := strings.Repeat("x", 3_000_000)
		if _, err := fmt.Fprintf(c, "POST /tools/invoke HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", auth, len(body), body); err != nil {
			t.Errorf("the connection broke while sending: %v", err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		_ = res.Body.Close()
		_ = c.Close()
		if res.StatusCode != want {
			t.Errorf("status %d, want %d", res.StatusCode, want)
		}
	}
}
