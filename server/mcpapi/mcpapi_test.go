package mcpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/mcpbridge"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// corridor answers with who called.
type corridor struct {
	last  atomic.Pointer[invoke.Request]
	began chan struct{} // closed when the tool "waits" runs
}

func (c *corridor) Run(ctx context.Context, r invoke.Request) invoke.Response {
	c.last.Store(&r)
	if r.Tool == "cron" && !r.Caller.Owner() || r.Tool == "nothing" {
		return invoke.Response{Err: &tool.Error{Kind: tool.KindNotFound, Public: "Tool not available: " + r.Tool}}
	}
	if r.Tool == "broken" {
		return invoke.Response{Err: &tool.Error{Kind: tool.KindFailed, Public: "tool execution failed", Err: errors.New("inner")}}
	}
	if r.Tool == "waits" {
		return c.wait(ctx)
	}
	if r.Tool == "many" {
		return invoke.Response{Result: &tool.Result{Details: []int{1}, Content: []tool.Block{
			{Type: "text", Text: "<a> & b"}, {Type: "text"}, {Type: "image", Data: []byte{1, 2}, MimeType: "image/png"}, {Type: "audio", Data: []byte{3}, MimeType: "audio/wav"},
			{Type: "resource", Resource: &tool.Resource{URI: "x://y", MimeType: "text/plain", Text: "z"}},
		}}}
	}
	res := tool.Text(r.Caller.Principal()+" "+r.SessionKey+" "+string(r.Args), map[string]any{"n": 1})
	return invoke.Response{Result: &res}
}

func (c *corridor) Tools(_ context.Context, r invoke.Request) ([]tool.Spec, error) {
	schema := json.RawMessage(`{"type":"object"}`)
	out := []tool.Spec{{Name: "echo", Description: "d", Schema: schema}, {Name: "broken", Description: "d", Schema: schema}}
	if r.Caller.Owner() {
		out = append(out, tool.Spec{Name: "cron", Description: "d", Schema: schema})
	}
	return out, nil
}

// world is the door behind a guard that believes a header.
type world struct {
	*corridor
	url     string
	door    *Door
	revoked atomic.Bool
	mu      sync.Mutex
	tracked []func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{corridor: &corridor{}}
	door := New(Deps{
		Corridor: w.corridor, Generation: func() uint64 { return 0 }, Alive: func(gateway.Caller) bool { return !w.revoked.Load() },
		Track: w.track, Findings: func(context.Context) (string, error) { return "{}", nil },
		Journal: func(tenant string, _ int) (string, error) { return `{"tenant":"` + tenant + `"}`, nil },
		Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	w.door = door
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		var c gateway.Caller
		switch who {
		case "owner":
			c = gatewaytest.Caller()
		case "reader":
			c = gatewaytest.Caller(gatewaytest.ID(who), gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeRead))
		case "":
		default:
			c = gatewaytest.Caller(gatewaytest.ID(who), gatewaytest.Tenant(who), gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeWrite))
		}
		door.ServeHTTP(rw, r.WithContext(gateway.WithCaller(r.Context(), c)))
	}))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

type as struct{ who, session string }

func (a as) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.who)
	if a.session != "" {
		r.Header.Set(SessionHeader, a.session)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (w *world) client(t *testing.T, a as) *mcp.ClientSession {
	t.Helper()
	c := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	s, err := c.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: w.url, HTTPClient: &http.Client{Transport: a}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestListIsWhatTheCallerMaySee(t *testing.T) {
	w := newWorld(t)
	for who, want := range map[string]string{"owner": "broken cron echo", "bob": "broken echo"} {
		got, err := w.client(t, as{who: who}).ListTools(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tl := range got.Tools {
			names = append(names, tl.Name)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s sees %v, want %s", who, names, want)
		}
	}
}

func TestCallGoesThroughTheCorridor(t *testing.T) {
	w := newWorld(t)
	s := w.client(t, as{"bob", "agent:main:editor"})
	res, err := s.CallTool(context.Background(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"x": 1}})
	if err != nil {
		t.Fatal(err)
	}
	if text := res.Content[0].(*mcp.TextContent).Text; text != `token:bob agent:main:editor {"x":1}` {
		t.Errorf("the corridor saw %q", text)
	}
	if r := w.last.Load(); r.Surface != toolpolicy.SurfaceMCP || r.Caller.Tenant() != "bob" {
		t.Errorf("request = %+v", r)
	}
	res, err = s.CallTool(context.Background(), &mcp.CallToolParams{Name: "broken"})
	if err != nil || !res.IsError || strings.Contains(res.Content[0].(*mcp.TextContent).Text, "inner") {
		t.Errorf("a failing tool: %+v, %v", res, err)
	}
	if _, err := s.CallTool(context.Background(), &mcp.CallToolParams{Name: "cron"}); err == nil {
		t.Error("a tool that the caller cannot see was called")
	}
}

func TestAuthorityIsAskedAtEveryCall(t *testing.T) {
	w := newWorld(t)
	s := w.client(t, as{who: "bob"})
	w.revoked.Store(true)
	if _, err := s.CallTool(context.Background(), &mcp.CallToolParams{Name: "echo"}); err == nil {
		t.Error("a revoked credential still calls")
	}
	w.revoked.Store(false)
	if _, err := w.client(t, as{who: "reader"}).CallTool(context.Background(), &mcp.CallToolParams{Name: "echo"}); err == nil {
		t.Error("a reader called a tool")
	}
}

func TestNobodyContinuesAnothersSession(t *testing.T) {
	w := newWorld(t)
	s := w.client(t, as{who: "bob"})
	req, err := http.NewRequest(http.MethodPost, w.url, strings.NewReader(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Mcp-Session-Id", s.ID())
	resp, err := (&http.Client{Transport: as{who: "eve"}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID() == "" || resp.StatusCode == http.StatusOK || strings.Contains(string(b), "token:") {
		t.Errorf("eve continued bob's session %q: %d %s", s.ID(), resp.StatusCode, b)
	}
}

func TestJournalResourceIsTheTenantsOwn(t *testing.T) {
	w := newWorld(t)
	res, err := w.client(t, as{who: "bob"}).ReadResource(context.Background(), &mcp.ReadResourceParams{URI: "chitin://journal/recent"})
	if err != nil || !strings.Contains(res.Contents[0].Text, `"tenant":"bob"`) {
		t.Errorf("resource = %+v, %v", res, err)
	}
}

func TestBridgeCarriesMessages(t *testing.T) {
	w := newWorld(t)
	in := strings.Join([]string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{}}}`,
		`not a message`,
	}, "\n")
	var out strings.Builder
	h := http.Header{}
	h.Set("Authorization", "Bearer bob")
	b := mcpbridge.Bridge{URL: w.url, Header: h, Client: http.DefaultClient}
	if err := b.Run(context.Background(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":1,"result"`, `"id":2,"result"`, "token:bob"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the client got %q, want %s in it", out.String(), want)
		}
	}
}

func TestBridgeSaysWhenTheGatewayIsGone(t *testing.T) {
	var out strings.Builder
	b := mcpbridge.Bridge{URL: "http://127.0.0.1:1/mcp", Header: http.Header{}, Client: http.DefaultClient}
	if err := b.Run(context.Background(), strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"error"`) {
		t.Errorf("the client got %q", out.String())
	}
}

func BenchmarkCall(b *testing.B) {
	w := &world{corridor: &corridor{}}
	door := New(Deps{Corridor: w.corridor, Generation: func() uint64 { return 0 }, Alive: func(gateway.Caller) bool { return true }, Version: "t", Log: slog.New(slog.DiscardHandler)})
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		door.ServeHTTP(rw, r.WithContext(gateway.WithCaller(r.Context(), gatewaytest.Caller())))
	}))
	defer srv.Close()
	c := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	s, err := c.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: srv.URL, DisableStandaloneSSE: true}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.CallTool(context.Background(), &mcp.CallToolParams{Name: "echo"}); err != nil {
			b.Fatal(err)
		}
	}
}
