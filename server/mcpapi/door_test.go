package mcpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/mcpbridge"
	"github.com/chitin-sh/chitin/tool"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// raw posts one message as bob in a session and returns the answer's body.
func (w *world) raw(t *testing.T, session, body string) (string, *http.Response) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if session != "" {
		req.Header.Set(headSession, session)
	}
	resp, err := (&http.Client{Transport: as{who: "bob"}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), resp
}

func (w *world) begin(t *testing.T) string {
	t.Helper()
	_, resp := w.raw(t, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	id := resp.Header.Get(headSession)
	w.raw(t, id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return id
}

// TestBothWaysAnswerAlike sends the same calls the short way and through the
// library: what a client sees differs in nothing but the way.
func TestBothWaysAnswerAlike(t *testing.T) {
	w := newWorld(t)
	id := w.begin(t)
	ask := func(name string, slow bool) (mcp.CallToolResult, string, string) {
		w.door.slow.Store(slow)
		out, resp := w.raw(t, id, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"`+name+`","arguments":{"x":1}}}`)
		kind := resp.Header.Get("Content-Type")
		if at := strings.LastIndex(out, "data: "); at >= 0 {
			out = strings.TrimSpace(out[at+6:])
		}
		var m struct {
			Result mcp.CallToolResult
			Error  json.RawMessage
		}
		if err := json.Unmarshal([]byte(out), &m); err != nil {
			t.Fatalf("%s: %v in %q", name, err, out)
		}
		return m.Result, string(m.Error), kind
	}
	for _, name := range []string{"echo", "broken", "nothing", "cron", "many"} {
		short, shortErr, kind := ask(name, false)
		long, longErr, _ := ask(name, true)
		a, _ := json.Marshal(short)
		b, _ := json.Marshal(long)
		if kind != "application/json" || string(a) != string(b) || shortErr != longErr {
			t.Errorf("%s: %s\nshort %s %s\nlong  %s %s", name, kind, a, shortErr, b, longErr)
		}
	}
}

func TestAShortCallCanBeCancelled(t *testing.T) {
	w := newWorld(t)
	id := w.begin(t)
	for name, end := range map[string]func(){
		"by a message":         func() { w.raw(t, id, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`) },
		"with its authority":   func() { w.end() },
		"with its own session": func() { w.door.sessions.forget(id) },
	} {
		w.began = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if out, _ := w.raw(t, id, `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"waits"}}`); !strings.Contains(out, "it was cancelled") {
				t.Errorf("%s: %s", name, out)
			}
		})
		<-w.began
		end()
		wg.Wait()
		if name == "with its own session" {
			id = w.begin(t)
		}
	}
}

// end ends what is tracked, as a revocation does.
func (w *world) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.tracked {
		f()
	}
}

func TestALateAnswerIsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRecorder()
		l := newLate(r)
		time.Sleep(streamAfter + beat + time.Second)
		synctest.Wait()
		l.finish([]byte(`{"x":1}`))
		if got := r.Body.String(); got != ": working\n\n: working\n\nevent: message\ndata: {\"x\":1}\n\n" || r.Header().Get("Content-Type") != "text/event-stream" {
			t.Errorf("%q", got)
		}
		r = httptest.NewRecorder()
		newLate(r).finish([]byte(`{}`))
		if r.Body.String() != "{}" || r.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%q", r.Body.String())
		}
	})
}

func TestEventsAreBounded(t *testing.T) {
	e, ctx := newEvents(), context.Background()
	big := make([]byte, 1<<20)
	for i := range 40 {
		name := string(rune('a' + i))
		_ = e.Open(ctx, "s", name)
		_ = e.Append(ctx, "s", name, big)
	}
	if e.bytes > maxEventBytes+len(big) {
		t.Errorf("%d bytes are kept", e.bytes)
	}
	count := func(stream string, after int) (n int, err error) {
		for _, err := range e.After(ctx, "s", stream, after) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	if _, err := count("a", -1); err == nil {
		t.Error("a dropped stream gives a part")
	}
	last := string(rune('a' + 39))
	if n, err := count(last, -1); n != 1 || err != nil {
		t.Errorf("the last stream: %d, %v", n, err)
	}
	if n, err := count(last, 0); n != 0 || err != nil {
		t.Errorf("after its event: %d, %v", n, err)
	}
	_ = e.SessionClosed(ctx, "s")
	if e.bytes != 0 || len(e.streams)+len(e.order) != 0 {
		t.Errorf("after the session: %d bytes, %d streams", e.bytes, len(e.streams))
	}
}

func TestFindingsAreForAdministrators(t *testing.T) {
	w := newWorld(t)
	read := func(who string) error {
		_, err := w.client(t, as{who: who}).ReadResource(t.Context(), &mcp.ReadResourceParams{URI: findingsURI})
		return err
	}
	if err := read("owner"); err != nil {
		t.Error(err)
	}
	if read("bob") == nil {
		t.Error("bob reads the findings")
	}
}

func TestNoSecretReachesTheLibrary(t *testing.T) {
	var got http.Header
	h := hideCredential(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Cookie", "secret")
	h.ServeHTTP(httptest.NewRecorder(), r)
	for k, v := range got {
		if strings.Contains(strings.Join(v, ""), "secret") {
			t.Errorf("%s is passed on", k)
		}
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		t.Error("the request itself was changed")
	}
}

// A change of the policy reaches a client on standard input and output.
func TestBridgePassesOnWhatTheGatewaySays(t *testing.T) {
	w := newWorld(t)
	in, write := io.Pipe()
	read, out := io.Pipe()
	h := http.Header{}
	h.Set("Authorization", "Bearer bob")
	b := mcpbridge.Bridge{URL: w.url, Header: h, Client: http.DefaultClient}
	over := make(chan error, 1)
	go func() { over <- b.Run(t.Context(), in, out); _ = out.Close() }()
	done := make(chan struct{})
	go func() {
		heard := done
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := read.Read(buf)
			all.Write(buf[:n])
			if heard != nil && strings.Contains(all.String(), "notifications/tools/list_changed") {
				close(heard)
				heard = nil
			}
			if err != nil {
				return
			}
		}
	}()
	_, _ = io.WriteString(write, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`+"\n"+`{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	for i := 0; ; i++ {
		w.door.PolicyChanged()
		select {
		case <-done:
		case <-time.After(100 * time.Millisecond):
			if i < 50 {
				continue
			}
			t.Error("the client was told nothing")
		}
		break
	}
	_ = write.Close()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// wait is what the corridor of the tests does for the tool "waits".
func (c *corridor) wait(ctx context.Context) invoke.Response {
	close(c.began)
	<-ctx.Done()
	return invoke.Response{Err: &tool.Error{Kind: tool.KindFailed, Public: "it was cancelled"}}
}

func (w *world) track(_ gateway.Caller, end func()) (func(), bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tracked = append(w.tracked, end)
	return func() {}, true
}
