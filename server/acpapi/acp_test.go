package acpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is an agent that does what a prompt says.
type backend struct {
	mu       sync.Mutex
	made     int
	verdicts []string
	readOnly []bool
	attached []Attachment
}

func (b *backend) NewSession(context.Context, gateway.Caller, string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	return fmt.Sprintf("agent:main:acp:%d", b.made), nil
}

func (b *backend) History(_ context.Context, _ gateway.Caller, id string) ([]Entry, error) {
	if id != "agent:main:acp:old" {
		return nil, ErrNotFound
	}
	return []Entry{
		{Role: "user", Text: "hi"},
		{Role: "assistant", Text: "I look.", Calls: []agent.Call{{ID: "x", Name: "read", Args: json.RawMessage(`{"path":"a.go"}`)}}},
		{Role: "tool", ID: "x", Text: "package a"},
	}, nil
}

func (b *backend) Prompt(ctx context.Context, _ gateway.Caller, p Prompt) (agent.Outcome, error) {
	b.mu.Lock()
	b.readOnly, b.attached = append(b.readOnly, p.ReadOnly), p.Attached
	b.mu.Unlock()
	switch p.Text {
	case "wait":
		<-ctx.Done()
		return agent.Outcome{}, ctx.Err()
	case "fail":
		return agent.Outcome{}, fmt.Errorf("a secret cause")
	case "ask", "ask always":
		call := agent.Call{ID: "m1", Name: "exec", Args: json.RawMessage(`{"command":"id"}`)}
		p.Calls([]agent.Call{call, call})
		ask, end := p.Begin(call)
		v, err := ask(ctx, Question{Title: "id", Tool: "exec", Args: call.Args, Notes: []string{"Why: because"}, Always: p.Text == "ask always"})
		b.mu.Lock()
		b.verdicts = append(b.verdicts, fmt.Sprint(v.Allow, v.Always, err == nil))
		b.mu.Unlock()
		end(agent.Answer{Text: "uid=0", Error: !v.Allow})
	}
	p.Thought("hm")
	p.Delta("you said " + p.Text)
	return agent.Outcome{}, nil
}

// wire is an editor that speaks the protocol by hand.
type wire struct {
	t  *testing.T
	ws *websocket.Conn
}

type door struct {
	*backend
	server *Server
	url    string
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{backend: &backend{}}
	d.server = New(Deps{Backend: d.backend, Redact: func(s string) string { return strings.ReplaceAll(s, "sesame", "***") }})
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := gatewaytest.Caller(gatewaytest.ID(r.URL.Query().Get("as")), gatewaytest.Credential(r.URL.Query().Get("as")))
		d.server.ServeHTTP(w, r.WithContext(gateway.WithCaller(r.Context(), c)))
	}))
	d.url = h.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := d.server.Close(ctx); err != nil {
			t.Errorf("connections outlive the door: %v", err)
		}
		h.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return d
}

func (d *door) dial(t *testing.T) *wire {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), d.url+"?as=me", nil)
	if err != nil {
		t.Fatalf("%v %v", resp, err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	ws.SetReadLimit(MaxFrame)
	return &wire{t, ws}
}

func (w *wire) send(line string) {
	w.t.Helper()
	if err := w.ws.Write(w.t.Context(), websocket.MessageText, []byte(line)); err != nil {
		w.t.Fatal(err)
	}
}

// until reads messages up to one that contains text, and returns all of them.
func (w *wire) until(text string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var all strings.Builder
	for {
		_, data, err := w.ws.Read(ctx)
		if err != nil {
			w.t.Fatalf("waiting for %s: %v; got %s", text, err, all.String())
		}
		all.Write(data)
		if strings.Contains(string(data), text) {
			return all.String()
		}
	}
}

const hello = `{"jsonrpc":"2.0","id":"h","method":"initialize","params":{"protocolVersion":1,"clientInfo":{"name":"t\u0007","version":"1"}}}`

func (w *wire) open() {
	w.send(hello)
	w.until(`"id":"h"`)
	w.send(`{"jsonrpc":"2.0","id":"n","method":"session/new","params":{"cwd":"/","mcpServers":[]}}`)
	w.until(`"id":"n"`)
}

func prompt(id, text string) string {
	return `{"jsonrpc":"2.0","id":"` + id + `","method":"session/prompt","params":{"sessionId":"agent:main:acp:1","prompt":[{"type":"text","text":"` + text + `"}]}}`
}

func TestConversation(t *testing.T) {
	d := newDoor(t)
	w := d.dial(t)
	w.send(`{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[]}}`)
	w.until("initialize comes first")
	w.open()
	for _, tc := range []struct{ send, want string }{
		{prompt("p1", "hello"), `"stopReason":"end_turn"`},
		{prompt("p2", "fail"), `"Internal error"`},
		{prompt("p3", "  "), "the prompt is empty"},
		{hello, "initialized already"},
		{`{"jsonrpc":"2.0","id":2,"method":"authenticate","params":{"methodId":"x"}}`, "nothing to authenticate"},
		{`{"jsonrpc":"2.0","id":3,"method":"session/list","params":{}}`, "-32601"},
		{`{"jsonrpc":"2.0","id":4,"method":"no/such"}`, "-32601"},
		{`{"jsonrpc":"2.0","id":5,"method":"_ext/x","params":{}}`, "-32601"},
		{`{"jsonrpc":"2.0","id":6,"method":"session/prompt","params":{"sessionId":"agent:main:acp:9","prompt":[{"type":"text","text":"x"}]}}`, "-32002"},
		{`{"jsonrpc":"2.0","id":7,"method":"session/load","params":{"sessionId":"agent:main:acp:9","cwd":"/","mcpServers":[]}}`, "-32002"},
		{`{"jsonrpc":"2.0","id":8,"method":"session/set_mode","params":{"sessionId":"agent:main:acp:1","modeId":"yolo"}}`, "no such mode"},
		{`{"jsonrpc":"2.0","id":9,"method":"session/prompt","params":{"sessionId":"agent:main:acp:1","prompt":[{"type":"image","data":"AA","mimeType":"image/png"}]}}`, "text, links and attached text"},
		{`{"jsonrpc":"2.0","id":10,"method":"session/prompt","params":{"sessionId":7}}`, "-32602"},
	} {
		w.send(tc.send)
		if got := w.until(tc.want); strings.Contains(got, "secret cause") {
			t.Errorf("%s leaks its cause: %s", tc.send, got)
		}
	}
}

func TestModesAndAttachments(t *testing.T) {
	d := newDoor(t)
	w := d.dial(t)
	w.open()
	w.send(`{"jsonrpc":"2.0","id":1,"method":"session/set_mode","params":{"sessionId":"agent:main:acp:1","modeId":"read"}}`)
	w.until(`"id":1`)
	w.send(`{"jsonrpc":"2.0","id":2,"method":"session/prompt","params":{"sessionId":"agent:main:acp:1","prompt":[{"type":"text","text":"see "},{"type":"resource_link","name":"n","uri":"file:///n"},{"type":"resource","resource":{"uri":"file:///x","text":"inside"}}]}}`)
	if got := w.until(`"id":2`); !strings.Contains(got, "see [n](file:///n)[attached: file:///x]") {
		t.Errorf("got %s", got)
	}
	if len(d.readOnly) != 1 || !d.readOnly[0] || len(d.attached) != 1 || d.attached[0].Text != "inside" {
		t.Errorf("read only %v, attached %v", d.readOnly, d.attached)
	}
	w.send(`{"jsonrpc":"2.0","id":3,"method":"session/new","params":{"cwd":"/","mcpServers":[{"name":"evil","command":"/bin/sh","args":[],"env":[]}]}}`)
	w.until(`"id":3`)
	w.send(strings.ReplaceAll(prompt("p", "hello"), "acp:1", "acp:2"))
	if got := w.until(`"id":"p"`); !strings.Contains(got, "they are not used") {
		t.Errorf("nothing is said about the MCP servers: %s", got)
	}
	w.send(`{"jsonrpc":"2.0","id":4,"method":"session/load","params":{"sessionId":"agent:main:acp:old","cwd":"/","mcpServers":[]}}`)
	got := w.until(`"id":4`)
	for _, want := range []string{"user_message_chunk", "I look.", `"kind":"read"`, "/workspace/a.go", "package a"} {
		if !strings.Contains(got, want) {
			t.Errorf("the replay lacks %q: %s", want, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, tc := range map[string]struct{ prompt, answer, want string }{
		"yes":                    {"ask", `"result":{"outcome":{"outcome":"selected","optionId":"allow-once"}}`, "true false true"},
		"no":                     {"ask", `"result":{"outcome":{"outcome":"selected","optionId":"reject-once"}}`, "false false true"},
		"cancelled":              {"ask", `"result":{"outcome":{"outcome":"cancelled"}}`, "false false true"},
		"always":                 {"ask always", `"result":{"outcome":{"outcome":"selected","optionId":"allow-always"}}`, "true true true"},
		"always, not offered":    {"ask", `"result":{"outcome":{"outcome":"selected","optionId":"allow-always"}}`, "false false false"},
		"an option nobody named": {"ask", `"result":{"outcome":{"outcome":"selected","optionId":"allow_once"}}`, "false false false"},
		"an error":               {"ask", `"error":{"code":1,"message":"x"}`, "false false false"},
		"nothing":                {"ask", `"result":null`, "false false true"},
		"another shape":          {"ask", `"result":{"outcome":"allow-once"}`, "false false false"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			w := d.dial(t)
			w.open()
			// Answers before anything was asked, also to ids that will come, are none.
			for id := range 4 {
				w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"outcome":{"outcome":"selected","optionId":"allow-once"}}}`, id))
			}
			w.send(prompt("p", tc.prompt))
			q := w.until("session/request_permission")
			if strings.Contains(q, "allow_always") != (tc.prompt == "ask always") || !strings.Contains(q, `"sessionUpdate":"plan"`) {
				t.Errorf("question: %s", q)
			}
			w.send(`{"jsonrpc":"2.0","id":77,"result":{"outcome":{"outcome":"selected","optionId":"allow-once"}}}`) // forged
			w.send(`{"jsonrpc":"2.0","id":1,` + tc.answer + `}`)
			w.send(`{"jsonrpc":"2.0","id":1,"result":{"outcome":{"outcome":"selected","optionId":"allow-once"}}}`) // once more
			w.until(`"id":"p"`)
			if len(d.verdicts) != 1 || d.verdicts[0] != tc.want {
				t.Errorf("verdicts %v; want %s", d.verdicts, tc.want)
			}
		})
	}
}

func TestCancelAndDisconnect(t *testing.T) {
	d := newDoor(t)
	w := d.dial(t)
	w.open()
	const cancel = `{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"agent:main:acp:1"}}`
	for i := range 50 { // a cancellation right behind its prompt is never lost
		id := fmt.Sprintf("p%d", i)
		w.send(prompt(id, "wait"))
		w.send(cancel)
		if got := w.until(`"id":"` + id + `"`); !strings.Contains(got, `"cancelled"`) {
			t.Fatalf("got %s", got)
		}
	}
	w.send(prompt("q", "ask"))
	w.until("session/request_permission")
	w.send(cancel)
	got := w.until(`"id":"q"`)
	if !strings.Contains(got, "$/cancel_request") {
		got += w.until("$/cancel_request")
	}
	if !strings.Contains(got, `"cancelled"`) {
		t.Errorf("a question outlives its turn: %s", got)
	}
	w.send(`{"jsonrpc":"2.0","id":1,"result":{"outcome":{"outcome":"selected","optionId":"allow-once"}}}`)
	w.send(prompt("r", "ask"))
	w.until("session/request_permission")
	_ = w.ws.CloseNow()
	for range 1000 {
		d.mu.Lock()
		n := len(d.verdicts)
		d.mu.Unlock()
		if n == 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if len(d.verdicts) != 2 || d.verdicts[0] != "false false false" || d.verdicts[1] != "false false false" {
		t.Errorf("verdicts %v", d.verdicts)
	}
}

func TestHostileMessages(t *testing.T) {
	d := newDoor(t)
	w := d.dial(t)
	w.open()
	w.send(`{"jsonrpc":"2.0","id":1,"method":"m"`)
	w.until("-32700")
	w.send(prompt("p", "wait"))
	w.send(prompt("p", "hello"))
	w.until("under way")
	for i := range maxInFlight {
		w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"n%d","method":"session/new","params":{"cwd":"/","mcpServers":[]}}`, i))
		w.until(fmt.Sprintf(`"id":"n%d"`, i))
		w.send(strings.ReplaceAll(prompt(fmt.Sprint(i), "wait"), "acp:1", fmt.Sprintf("acp:%d", i+2)))
	}
	w.until("Too many requests")
	_ = w.ws.CloseNow()

	w = d.dial(t)
	w.open()
	_ = w.ws.Write(t.Context(), websocket.MessageText, []byte(prompt("p", strings.Repeat("x", MaxFrame))))
	if _, _, err := w.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("an oversized message: %v", err)
	}

	w = d.dial(t)
	var err error
	for range 3 * maxFaults {
		if err = w.ws.Write(t.Context(), websocket.MessageText, []byte("{")); err != nil {
			break
		}
	}
	for err == nil {
		_, _, err = w.ws.Read(t.Context())
	}
	if s := websocket.CloseStatus(err); s != websocket.StatusPolicyViolation {
		t.Errorf("a flood of malformed messages ends with %v", err)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	d := newDoor(t)
	for range maxConnsEach {
		d.dial(t)
	}
	if ws, resp, err := websocket.Dial(t.Context(), d.url+"?as=me", nil); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many: %v %v", ws, resp)
	}
	if ws, _, err := websocket.Dial(t.Context(), d.url+"?as=you", nil); err != nil {
		t.Errorf("another credential: %v", err)
	} else {
		_ = ws.CloseNow()
	}
}

// A thousand prompts leave nothing behind.
func TestThousandPrompts(t *testing.T) {
	d := newDoor(t)
	w := d.dial(t)
	w.open()
	w.send(prompt("warm", "hello"))
	w.until(`"id":"warm"`)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		id := fmt.Sprintf("p%d", i)
		w.send(prompt(id, "hello"))
		w.until(`"id":"` + id + `"`)
	}
	after := runtime.NumGoroutine()
	for i := 0; after > before && i < 100; i++ {
		time.Sleep(10 * time.Millisecond)
		after = runtime.NumGoroutine()
	}
	if after > before {
		t.Errorf("%d goroutines, then %d", before, after)
	}
}
