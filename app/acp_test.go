package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/agent/agenttest"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// wire is one editor that speaks the protocol by hand.
type wire struct {
	t  *testing.T
	ws *websocket.Conn
}

func (a *App) editor(t *testing.T, url string) *wire {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), url+"/acp", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + a.secret(keyToken).Reveal()}}})
	if err != nil {
		t.Fatalf("%+v %v", resp, err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	w := &wire{t, ws}
	w.send(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":1}}`)
	w.until(`"id":"i"`)
	return w
}

func (w *wire) send(format string, args ...any) {
	w.t.Helper()
	if err := w.ws.Write(w.t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) until(text string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
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

func (w *wire) open() string {
	w.send(`{"jsonrpc":"2.0","id":"n","method":"session/new","params":{"cwd":"/","mcpServers":[]}}`)
	_, id, _ := strings.Cut(w.until(`"sessionId"`), `"sessionId":"`)
	id, _, _ = strings.Cut(id, `"`)
	return id
}

func (w *wire) prompt(id, session string) {
	w.send(`{"jsonrpc":"2.0","id":%q,"method":"session/prompt","params":{"sessionId":%q,"prompt":[{"type":"text","text":"go on"}]}}`, id, session)
}

// yes is a message that answers question n; a model can say it as well.
func yes(n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"outcome":{"outcome":"selected","optionId":"allow-once"}}}`, n)
}

func list(text string) agenttest.Reply {
	return agenttest.Reply{Text: text, Calls: []agenttest.Call{{ID: "c1", Name: "sessions_list", Args: `{}`}}}
}

// TestACPAnswers: the human at the connection that the prompt came over is
// asked, and nobody else's yes counts but another approver's.
func TestACPAnswers(t *testing.T) {
	model := agenttest.New(t, list(yes(1)+"\n"+yes(1)), agenttest.Reply{Text: "so not"}, list(""), agenttest.Reply{Text: "so yes"})
	a := testApp(t, "anthropic", model, "")
	srv := httptest.NewServer(a.handler(a.live.Load().loaded))
	defer srv.Close()
	one, two := a.editor(t, srv.URL), a.editor(t, srv.URL)
	s := one.open()
	two.send(`{"jsonrpc":"2.0","id":"l","method":"session/load","params":{"sessionId":%q,"cwd":"/","mcpServers":[]}}`, s)
	two.until(`"id":"l"`)
	one.prompt("p", s)
	one.until("session/request_permission")
	for range 3 {
		two.send("%s", yes(1)) // another connection of the same token
	}
	two.send(`{"jsonrpc":"2.0","id":"x","method":"no/such"}`)
	two.until(`"id":"x"`)
	human := a.ownerCaller(t, srv.URL)
	waiting, err := a.approvals.book.List(t.Context(), human)
	if err != nil || len(waiting) != 1 || waiting[0].Surface != "acp" {
		t.Fatalf("waiting: %+v, %v", waiting, err)
	}
	if err := a.approvals.book.Decide(t.Context(), human, waiting[0].ID, approval.Answer{Allow: true}); !errors.Is(err, approval.ErrForbidden) {
		t.Errorf("the same token's yes past the editor: %v", err)
	}
	one.send(`{"jsonrpc":"2.0","id":1,"result":{"outcome":{"outcome":"selected","optionId":"reject-once"}}}`)
	one.until(`"id":"p"`)
	if !strings.Contains(model.Request(1), "requires approval") {
		t.Error("the model was not told of the no")
	}
	one.prompt("q", s)
	one.until("session/request_permission")
	one.send("%s", yes(2))
	if got := one.until(`"id":"q"`); !strings.Contains(got, `"status":"completed"`) || !strings.Contains(got, `"text":"yes"`) {
		t.Errorf("after a yes: %s", got)
	}
	var kinds []string
	for _, r := range a.records(t) {
		if strings.HasPrefix(r.Event, "approval.") {
			kinds = append(kinds, r.Event)
		}
		if r.Event == journal.EventDecided && r.Surface != "acp" {
			t.Errorf("a decision on surface %s", r.Surface)
		}
	}
	if got := strings.Join(kinds, " "); got != "approval.asked approval.decided approval.asked approval.decided approval.redeemed" {
		t.Errorf("the journal tells %s", got)
	}
}

// ownerCaller is whom the gateway's token proves.
func (a *App) ownerCaller(t *testing.T, url string) gateway.Caller {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, url+"/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+a.secret(keyToken).Reveal())
	r.RemoteAddr = "127.0.0.1:9"
	adm, ref := a.guard.Admit(r, &gateway.Route{Path: "/metrics"})
	if ref != nil {
		t.Fatalf("%+v", ref)
	}
	return adm.Caller
}

// In the mode "read" a model has no tool that changes anything, whoever asks.
func TestACPReadMode(t *testing.T) {
	model := agenttest.New(t, agenttest.Reply{Calls: []agenttest.Call{{ID: "c1", Name: "sessions_spawn", Args: `{"task":"x"}`}, {ID: "c2", Name: "gateway", Args: `{"action":"config.get"}`}}})
	a := testApp(t, "anthropic", model, "")
	srv := httptest.NewServer(a.handler(a.live.Load().loaded))
	defer srv.Close()
	w := a.editor(t, srv.URL)
	s := w.open()
	w.send(`{"jsonrpc":"2.0","id":"m","method":"session/set_mode","params":{"sessionId":%q,"modeId":"read"}}`, s)
	w.until(`"id":"m"`)
	w.prompt("p", s)
	w.until(`"id":"p"`)
	if second := model.Request(1); !strings.Contains(second, "Tool not available: sessions_spawn") || !strings.Contains(second, "Tool not available: gateway") {
		t.Errorf("the model's second request: %s", second)
	}
	if strings.Contains(model.Request(0), `"name":"exec"`) {
		t.Error("the model is shown exec")
	}
}

// Stopping the gateway ends the turns of editors, and asks are a no.
func TestACPEndsWithTheGateway(t *testing.T) {
	model := agenttest.New(t, list(""))
	a := testApp(t, "anthropic", model, "")
	srv := httptest.NewServer(a.handler(a.live.Load().loaded))
	defer srv.Close()
	w := a.editor(t, srv.URL)
	s := w.open()
	w.prompt("p", s)
	w.until("session/request_permission")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	began := time.Now()
	if err := a.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	last := ""
	for _, r := range a.records(t) {
		if strings.HasPrefix(r.Event, "approval.") {
			last = r.Event
		}
	}
	if last != "approval.expired" {
		t.Errorf("the question ended with %q", last)
	}
}
