package wsapi_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/wsapi"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

type corridor struct {
	run func(context.Context, invoke.Request) invoke.Response
}

func (c corridor) Run(ctx context.Context, r invoke.Request) invoke.Response {
	if c.run != nil {
		return c.run(ctx, r)
	}
	switch {
	case r.DryRun:
		return invoke.Response{Decision: toolpolicy.Decision{Verdict: toolpolicy.Deny, Layer: "floor"}}
	case r.Tool == "ok":
		res := tool.Text("by "+r.Caller.Principal()+" over "+string(r.Surface), nil)
		return invoke.Response{Result: &res}
	case r.Tool == "ask":
		return invoke.Response{ApprovalID: "a1", Err: &tool.Error{Kind: tool.KindForbidden, Public: "needs a yes"}}
	}
	return invoke.Response{Err: &tool.Error{Kind: tool.KindNotFound, Public: "Tool not available: " + r.Tool}}
}

type site struct {
	t     *testing.T
	srv   *httptest.Server
	guard *gateway.Guard
	store *token.Store
}

func newSite(t *testing.T, cfg gateway.Config, change func(*wsapi.Deps)) *site {
	t.Helper()
	store, watch := guardtest.Tokens(t)
	g := guardtest.New(t, guardtest.Options{Config: cfg, Named: watch})
	d := wsapi.Deps{Guard: g, Invoke: corridor{}, Version: "1.0"}
	if change != nil {
		change(&d)
	}
	srv := httptest.NewUnstartedServer(wsapi.New(d))
	srv.Config.ConnContext = gateway.ConnContext
	srv.Start()
	t.Cleanup(srv.Close)
	return &site{t, srv, g, store}
}

// named makes a token and waits until the guard knows it.
func (s *site) named(scopes gateway.Scope) string {
	s.t.Helper()
	_, text, err := s.store.Create(s.t.Context(), token.New{Name: "n" + fmt.Sprint(time.Now().UnixNano()), Scopes: scopes})
	if err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(120 * time.Millisecond)
	return text
}

type client struct {
	t     *testing.T
	ws    *websocket.Conn
	nonce string
	ts    int64
	n     int
}

type frame struct {
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	Event   string         `json:"event"`
	OK      bool           `json:"ok"`
	Payload map[string]any `json:"payload"`
	Error   *struct {
		Code    string         `json:"code"`
		Message string         `json:"message"`
		Details map[string]any `json:"details"`
	} `json:"error"`
}

func (s *site) dial(header http.Header) (*client, *http.Response, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	ws, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.srv.URL, "http"), &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, res, err
	}
	s.t.Cleanup(func() { _ = ws.CloseNow() })
	c := &client{t: s.t, ws: ws}
	f := c.read()
	if f.Event != "connect.challenge" {
		s.t.Fatalf("first frame %+v", f)
	}
	c.nonce, _ = f.Payload["nonce"].(string)
	ts, _ := f.Payload["ts"].(float64)
	c.ts = int64(ts)
	return c, res, nil
}

func (s *site) open() *client {
	s.t.Helper()
	c, _, err := s.dial(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (c *client) read() frame {
	c.t.Helper()
	f, err := c.tryRead()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return f
}

func (c *client) tryRead() (frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var f frame
	_, data, err := c.ws.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(data, &f)
}

func (c *client) raw(s string) {
	c.t.Helper()
	if err := c.ws.Write(context.Background(), websocket.MessageText, []byte(s)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) call(method string, params any) frame {
	c.t.Helper()
	c.n++
	id := fmt.Sprint("r", c.n)
	data, err := json.Marshal(map[string]any{"type": "req", "id": id, "method": method, "params": params})
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(string(data))
	for {
		if f := c.read(); f.Type == "res" && f.ID == id {
			return f
		}
	}
}

func params(secret string, change ...func(map[string]any)) map[string]any {
	p := map[string]any{
		"minProtocol": 4, "maxProtocol": 4,
		"client": map[string]any{"id": "cli", "version": "1", "platform": "linux", "mode": "cli"},
		"role":   "operator", "auth": map[string]any{"token": secret},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func set(key string, v any) func(map[string]any) { return func(p map[string]any) { p[key] = v } }

func (c *client) connect(secret string, change ...func(map[string]any)) frame {
	c.t.Helper()
	return c.call("connect", params(secret, change...))
}

// closed reads until the end and returns the close code.
func (c *client) closed() websocket.StatusCode {
	c.t.Helper()
	for {
		if _, err := c.tryRead(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestHello(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	c := s.open()
	f := c.connect(guardtest.Token, set("scopes", []string{"operator.admin", "operator.talk.secrets"}))
	if !f.OK || f.Payload["type"] != "hello-ok" || f.Payload["protocol"] != 4.0 {
		t.Fatalf("hello %+v", f)
	}
	policy := f.Payload["policy"].(map[string]any)
	if policy["maxPayload"].(float64) <= 0 || policy["tickIntervalMs"] != 30000.0 {
		t.Errorf("policy %v", policy)
	}
	if got := fmt.Sprint(f.Payload["auth"]); !strings.Contains(got, "operator.admin") || strings.Contains(got, "talk") {
		t.Errorf("auth %v", got)
	}
	if h := c.call("health", nil); !h.OK || h.Payload["ok"] != true {
		t.Errorf("health %+v", h)
	}
	st := c.call("status", map[string]any{})
	if p, _ := st.Payload["principal"].(map[string]any); p["id"] != "token:main" || p["tenant"] != "default" {
		t.Errorf("status %+v", st)
	}
}

func TestToolsInvoke(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	c := s.open()
	c.connect(guardtest.Token)
	f := c.call("tools.invoke", map[string]any{"name": "ok", "args": map[string]any{}})
	if !f.OK || f.Payload["ok"] != true || f.Payload["toolName"] != "ok" || !strings.Contains(fmt.Sprint(f.Payload["output"]), "by token:main over websocket") {
		t.Errorf("ok: %+v", f)
	}
	f = c.call("tools.invoke", map[string]any{"name": "zzz"})
	if e, _ := f.Payload["error"].(map[string]any); !f.OK || f.Payload["ok"] != false || e["code"] != "not_found" {
		t.Errorf("unknown: %+v", f)
	}
	f = c.call("tools.invoke", map[string]any{"name": "ask"})
	if e, _ := f.Payload["error"].(map[string]any); f.Payload["requiresApproval"] != true || e["code"] != "requires_approval" {
		t.Errorf("ask: %+v", f)
	}
	f = c.call("tools.invoke", map[string]any{"name": "ok", "dryRun": true})
	if d, _ := f.Payload["decision"].(map[string]any); d["verdict"] != "deny" || d["layer"] != "floor" {
		t.Errorf("dry run: %+v", f)
	}
	if f = c.call("tools.invoke", map[string]any{"name": "ok", "caller": "x"}); f.OK || f.Error.Code != "INVALID_REQUEST" {
		t.Errorf("an internal field was accepted: %+v", f)
	}
	if f = c.call("nope", nil); f.Error == nil || f.Error.Message != "unknown method: nope" {
		t.Errorf("unknown method: %+v", f)
	}
}

func TestHandshakeRefusals(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	client := func(k string, v any) func(map[string]any) {
		return func(p map[string]any) { p["client"].(map[string]any)[k] = v }
	}
	for _, tc := range []struct {
		name   string
		secret string
		change func(map[string]any)
		code   string
		detail string
		text   string
		close  websocket.StatusCode
	}{
		{"no secret", "", set("auth", map[string]any{}), "NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED", "", 1008},
		{"wrong secret", "nope", nil, "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH", "", 1008},
		{"device token", "", set("auth", map[string]any{"deviceToken": "x"}), "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH", "", 1008},
		{"old protocol", guardtest.Token, set("maxProtocol", 3), "INVALID_REQUEST", "PROTOCOL_MISMATCH", "", 1002},
		{"client id", guardtest.Token, client("id", "evil"), "INVALID_REQUEST", "", "invalid connect params: at /client/id", 1008},
		{"client mode", guardtest.Token, client("mode", "evil"), "INVALID_REQUEST", "", "invalid connect params: at /client/mode", 1008},
		{"unknown field", guardtest.Token, set("isLocal", true), "INVALID_REQUEST", "", "unexpected property", 1008},
		{"unknown field inside", guardtest.Token, client("owner", true), "INVALID_REQUEST", "", "unexpected property", 1008},
		{"field in other case", guardtest.Token, set("Role", "operator"), "INVALID_REQUEST", "", "unexpected property", 1008},
		{"role", guardtest.Token, set("role", "god"), "INVALID_REQUEST", "", "invalid role", 1008},
		{"node", guardtest.Token, set("role", "node"), "NOT_PAIRED", "", "", 1008},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &site{t, s.srv, s.guard, s.store}
			c := s.open()
			var change []func(map[string]any)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			f := c.connect(tc.secret, change...)
			if f.OK || f.Error == nil || f.Error.Code != tc.code || !strings.Contains(f.Error.Message, tc.text) || tc.detail != "" && f.Error.Details["code"] != tc.detail {
				t.Fatalf("answer %+v %+v", f, f.Error)
			}
			if got := c.closed(); got != tc.close {
				t.Errorf("close code %d, want %d", got, tc.close)
			}
		})
	}
}

func TestFirstFrames(t *testing.T) {
	s := newSite(t, gateway.Config{}, func(d *wsapi.Deps) { d.Handshake = 300 * time.Millisecond })
	c := s.open()
	if f := c.call("health", nil); f.Error == nil || !strings.Contains(f.Error.Message, "first request must be connect") {
		t.Errorf("%+v", f)
	}
	if got := c.closed(); got != 1008 {
		t.Errorf("close %d", got)
	}
	c = s.open()
	c.raw("not json")
	if got := c.closed(); got != 1000 {
		t.Errorf("close after no JSON: %d", got)
	}
	c = s.open()
	c.raw(`{"type":"req","id":"1","method":"connect","params":"` + strings.Repeat("x", 70<<10) + `"}`)
	if got := c.closed(); got != websocket.StatusMessageTooBig {
		t.Errorf("close after a large frame: %d", got)
	}
	c = s.open()
	begin := time.Now()
	if got := c.closed(); got != 1000 && got != -1 || time.Since(begin) > 3*time.Second {
		t.Errorf("a silent client: %d after %v", got, time.Since(begin))
	}
}

func TestScopesAreTheServersAndMayOnlyShrink(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	reader := s.named(gateway.ScopeRead)
	c := s.open()
	f := c.connect(reader, set("scopes", []string{"operator.admin", "operator.write", "operator.approvals"}))
	if got := fmt.Sprint(f.Payload["auth"]); strings.Contains(got, "admin") || strings.Contains(got, "write") {
		t.Fatalf("a reader declared itself into %v", got)
	}
	if f := c.call("tools.invoke", map[string]any{"name": "ok"}); f.OK || f.Error.Code != "FORBIDDEN" || f.Error.Details["missingScope"] != "operator.write" {
		t.Errorf("%+v", f)
	}
	c = s.open()
	c.connect(guardtest.Token, set("scopes", []string{}))
	if f := c.call("health", nil); f.OK {
		t.Error("an empty set of scopes may do something")
	}
}

// TestEveryMethodChecksItsScope drives every method with every single scope.
func TestEveryMethodChecksItsScope(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	for _, scope := range []gateway.Scope{0, gateway.ScopeRead, gateway.ScopeWrite, gateway.ScopeApprovals, gateway.ScopeAdmin} {
		c := s.open()
		if f := c.connect(guardtest.Token, set("scopes", scope.Names())); !f.OK {
			t.Fatalf("%+v", f)
		}
		for _, m := range wsapi.Methods() {
			f := c.call(m.Name, nil)
			forbidden := f.Error != nil && f.Error.Code == "FORBIDDEN"
			if want := m.Scope&^scope.Closure() != 0; forbidden != want {
				t.Errorf("%s with %v: forbidden %v, want %v", m.Name, scope, forbidden, want)
			}
		}
	}
}

func TestMethodTableGolden(t *testing.T) {
	var b strings.Builder
	for _, m := range wsapi.Methods() {
		_, _ = fmt.Fprintf(&b, "%-20s %s\n", m.Name, m.Scope)
	}
	const file = "testdata/methods.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || b.String() != string(want) {
		t.Fatalf("the method table changed; look at every scope, then go test -update:\n%s", b.String())
	}
}

func TestRevocationClosesTheConnection(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	c := s.open()
	c.connect(guardtest.Token)
	begin := time.Now()
	s.guard.Revoke(gateway.CredentialToken)
	if got := c.closed(); got != 1008 && got != -1 {
		t.Errorf("close %d", got)
	}
	if d := time.Since(begin); d > 200*time.Millisecond {
		t.Errorf("closing took %v", d)
	}
}

func TestUnprovedConnectionsAreBounded(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	for range 32 {
		s.open()
	}
	if _, res, err := s.dial(nil); err == nil || res == nil || res.StatusCode != 503 {
		t.Fatalf("connection 33: %v", err)
	}
}

func TestDeviceSignature(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(pub)
	id, b64 := hex.EncodeToString(sum[:]), base64.RawURLEncoding
	signed := func(c *client, at int64) func(map[string]any) {
		text := fmt.Sprintf("v3|%s|cli|cli|operator||%d|%s|%s|linux|", id, at, guardtest.Token, c.nonce)
		return set("device", map[string]any{"id": id, "publicKey": b64.EncodeToString(pub), "signature": b64.EncodeToString(ed25519.Sign(key, []byte(text))), "signedAt": at, "nonce": c.nonce})
	}
	c := s.open()
	if f := c.connect(guardtest.Token, signed(c, c.ts)); !f.OK {
		t.Fatalf("a true signature: %+v", f.Error)
	}
	for name, change := range map[string]func(map[string]any){
		"platform": func(p map[string]any) { p["client"].(map[string]any)["platform"] = "darwin" },
		"family":   func(p map[string]any) { p["client"].(map[string]any)["deviceFamily"] = "phone" },
		"client":   func(p map[string]any) { p["client"].(map[string]any)["id"] = "test" },
		"mode":     func(p map[string]any) { p["client"].(map[string]any)["mode"] = "ui" },
		"scopes":   set("scopes", []string{"operator.admin"}),
		"nonce":    func(p map[string]any) { p["device"].(map[string]any)["nonce"] = "x" },
		"id":       func(p map[string]any) { p["device"].(map[string]any)["id"] = strings.Repeat("0", 64) },
		"time":     func(p map[string]any) { p["device"].(map[string]any)["signedAt"] = 1 },
	} {
		c := s.open()
		if f := c.connect(guardtest.Token, signed(c, c.ts), change); f.OK || f.Error.Details["code"] != "DEVICE_AUTH_INVALID" {
			t.Errorf("%s changed after signing: %+v", name, f)
		}
	}
	c = s.open()
	if f := c.connect(guardtest.Token, signed(c, c.ts-int64(3*time.Minute/time.Millisecond))); f.OK {
		t.Error("an old signature was accepted")
	}
}

func TestAdminChangesAreBounded(t *testing.T) {
	s := newSite(t, gateway.Config{}, nil)
	c := s.open()
	c.connect(guardtest.Token)
	for i := range 31 {
		f := c.call("sessions.kill", map[string]any{"sessionKey": "x"})
		limited := strings.Contains(f.Error.Message, "too many changes")
		if limited != (i == 30) {
			t.Fatalf("change %d: %+v", i, f.Error)
		}
	}
}

func TestAmbientIdentityOnAUnixSocket(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeUnix}}})
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: wsapi.New(wsapi.Deps{Guard: g, Invoke: corridor{}}), ConnContext: gateway.ConnContext, ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	hc := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	ws, _, err := websocket.Dial(t.Context(), "ws://localhost/", &websocket.DialOptions{HTTPClient: hc})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.CloseNow() }()
	c := &client{t: t, ws: ws}
	c.read()
	if f := c.connect("", set("auth", nil)); !f.OK {
		t.Fatalf("%+v", f.Error)
	}
	if f := c.call("status", nil); !strings.Contains(fmt.Sprint(f.Payload["principal"]), fmt.Sprintf("unix:%d", os.Getuid())) {
		t.Errorf("%+v", f.Payload)
	}
}

func FuzzFrames(f *testing.F) {
	for _, s := range []string{`{"type":"req","id":"1","method":"connect","params":{}}`, `{"type":"req"}`, `[]`, `{"type":"req","id":"1","method":"x","extra":1}`, `nope`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { wsapi.CheckFrame(t, []byte(in)) })
}
