package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/server/hooks"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/server/wsapi"
	"github.com/chitin-sh/chitin/tool"
)

const hookToken = "hook-secret-0123456789abcdefghij"

// door is a whole gateway front: guard, HTTP, WebSocket and hooks, with a
// corridor that only records who came through.
type door struct {
	t       testing.TB
	guard   *gateway.Guard
	handler *httpapi.Server
	tokens  *token.Store
	reached atomic.Int64 // calls that got as far as the corridor
	last    atomic.Value // principal of the last one
	hooks   secrets.Value
	conn    *gateway.Conn // facts of the connection, for requests without a socket
}

func newDoor(t testing.TB, o guardtest.Options) *door {
	t.Helper()
	d := &door{t: t, hooks: secrets.NewValue(hookToken)}
	if o.Named == nil {
		d.tokens, o.Named = guardtest.Tokens(t)
	}
	d.guard = guardtest.New(t, o)
	ws := wsapi.New(wsapi.Deps{Guard: d.guard, Invoke: d, Sessions: sessions{}, Approvals: things{}, Sandboxes: things{}, Journal: rooms{}, Version: "1"})
	hk := hooks.New(hooks.Deps{Guard: d.guard, Config: func() hooks.Config { return hooks.Config{Enabled: true} }, Token: func() secrets.Value { return d.hooks }, Target: d})
	d.handler = httpapi.New(httpapi.Deps{
		Guard: d.guard, Invoke: d, Sessions: sessions{}, WS: ws, Hooks: hk, UI: text("page"), MCP: text("mcp"), Metrics: text("metrics"),
	})
	return d
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
}

// Run is the corridor.
func (d *door) Run(_ context.Context, r invoke.Request) invoke.Response {
	d.reached.Add(1)
	d.last.Store(r.Caller.Principal() + "@" + r.Caller.Tenant() + fmt.Sprint(r.Caller.Owner()))
	res := tool.Text("ran for "+r.Caller.Principal(), nil)
	return invoke.Response{Result: &res}
}

// Wake and Agent are the target of hooks.
func (d *door) Mail(context.Context, gateway.Caller, hooks.Mail) (map[string]any, error) {
	return map[string]any{}, nil
}

func (d *door) Wake(context.Context, gateway.Caller, hooks.Wake) (string, error) {
	d.reached.Add(1)
	return "queued", nil
}

func (d *door) Agent(context.Context, gateway.Caller, hooks.Agent) (map[string]any, error) {
	d.reached.Add(1)
	return nil, nil
}

// rooms holds one session, approval and sandbox of tenant default and one of
// tenant other.
type rooms struct{}

func mine(c gateway.Caller, id string) error {
	if id == c.Tenant()+":thing" {
		return nil
	}
	return httpapi.ErrNotFound
}

func (rooms) History(_ context.Context, c gateway.Caller, key string, _ int) (any, error) {
	return []string{"secret of " + c.Tenant()}, mineBoth(c, key)
}
func (rooms) Kill(_ context.Context, c gateway.Caller, key string) error { return mineBoth(c, key) }
func (rooms) Recreate(_ context.Context, c gateway.Caller, id string) error {
	return mineBoth(c, id)
}
func (rooms) Resolve(_ context.Context, c gateway.Caller, id string, _ bool, _ string) error {
	return mineBoth(c, id)
}

// Tail and Follow are the journal of the caller's tenant.
func (rooms) Tail(_ context.Context, c gateway.Caller, _ int) (any, error) {
	return []string{c.Tenant() + ":thing"}, nil
}
func (rooms) Follow(ctx context.Context, _ gateway.Caller, _ func(any)) error {
	<-ctx.Done()
	return nil
}

// sessions, approvals and sandboxes differ only in how they list.
type sessions struct{ rooms }

func (sessions) List(_ context.Context, c gateway.Caller, _ int) (any, error) {
	return []string{c.Tenant() + ":thing"}, nil
}

type things struct{ rooms }

func (things) List(_ context.Context, c gateway.Caller) (any, error) {
	return []string{c.Tenant() + ":thing"}, nil
}

// bothNotFound is not found on either surface.
type bothNotFound struct{}

func (bothNotFound) Error() string { return "not found" }
func (bothNotFound) Is(err error) bool {
	return err == httpapi.ErrNotFound || err == wsapi.ErrNotFound
}

func mineBoth(c gateway.Caller, id string) error {
	if mine(c, id) != nil {
		return bothNotFound{}
	}
	return nil
}

// named makes a token and waits until the guard knows it.
func (d *door) named(n token.New) string {
	d.t.Helper()
	if n.Name == "" {
		n.Name = fmt.Sprint("n", time.Now().UnixNano())
	}
	_, textOf, err := d.tokens.Create(context.Background(), n)
	if err != nil {
		d.t.Fatal(err)
	}
	time.Sleep(120 * time.Millisecond) // the guard looks every 50 ms
	return textOf
}

// req is a request as it comes from this machine.
func req(method, path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	for i := 0; i+1 < len(header); i += 2 {
		switch header[i] {
		case "Host":
			r.Host = header[i+1]
		case "Peer":
			r.RemoteAddr = header[i+1]
		default:
			r.Header.Add(header[i], header[i+1])
		}
	}
	return r
}

// do serves a request without a socket.
func (d *door) do(r *http.Request) *httptest.ResponseRecorder {
	if d.conn != nil {
		r = r.WithContext(guardtest.OnConn(r.Context(), *d.conn))
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// code is the status of an invoke with these headers.
func (d *door) code(header ...string) int {
	return d.do(req("POST", "/tools/invoke", `{"tool":"x"}`, header...)).Code
}

func auth(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// listen serves the door on a real socket and returns its address.
func (d *door) listen() string {
	d.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	srv := d.handler.Server()
	go func() { _ = srv.Serve(l) }()
	d.t.Cleanup(func() { _ = srv.Close() })
	return l.Addr().String()
}

// socket opens a WebSocket and returns it after the challenge.
func (d *door) socket(addr string, header http.Header) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ws, res, err := websocket.Dial(ctx, "ws://"+addr+"/", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, res, err
	}
	d.t.Cleanup(func() { _ = ws.CloseNow() })
	_, _, err = ws.Read(ctx)
	return ws, res, err
}

// rpc sends one request and returns the answer to it.
func rpc(ws *websocket.Conn, method string, params map[string]any) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	id := fmt.Sprint(time.Now().UnixNano())
	raw, err := json.Marshal(map[string]any{"type": "req", "id": id, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	if err := ws.Write(ctx, websocket.MessageText, raw); err != nil {
		return nil, err
	}
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return nil, err
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, err
		}
		if m["id"] == id {
			return m, nil
		}
	}
}

func connectParams(authFields map[string]any) map[string]any {
	return map[string]any{
		"minProtocol": 4, "maxProtocol": 4, "role": "operator", "auth": authFields,
		"client": map[string]any{"id": "cli", "version": "1", "platform": "linux", "mode": "cli"},
	}
}

func no() *bool { f := false; return &f }
