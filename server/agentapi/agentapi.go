// Package agentapi is the door for agent turns: a chat-completions route and a
// responses route, so that existing clients can talk to an agent behind the
// gateway. The agent's own session is the memory; of the messages that a
// client sends, the last one of the user is the input.
package agentapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/gateway"
)

// SessionHeaders name the session of a request, the first that is there.
var sessionHeaders = []string{"Chitin-Session", "X-Openclaw-Session-Key"}

// maxBody is the largest request.
const maxBody = 2 << 20

// Turn is what the door asks for.
type Turn struct {
	Caller     gateway.Caller
	SessionKey string
	AgentID    string
	Input      string
	Delta      func(string)
}

// Runner does one turn. Its error says what the caller may know when it is a
// *Refusal.
type Runner func(ctx context.Context, t Turn) (agent.Outcome, error)

// Refusal is an error that a caller is told.
type Refusal struct {
	Status  int
	Message string
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// request holds what both protocols may send; the rest is ignored.
type request struct {
	Model    string          `json:"model"`
	Stream   bool            `json:"stream"`
	Messages []message       `json:"messages"`
	Input    json.RawMessage `json:"input"` // text, or a list of messages
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // text, or a list of parts
}

// text is the words of a content.
func (m message) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(m.Content, &parts)
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// input is the last thing that the user said.
func (r request) input() string {
	msgs := r.Messages
	if len(r.Input) > 0 {
		var s string
		if json.Unmarshal(r.Input, &s) == nil {
			return s
		}
		_ = json.Unmarshal(r.Input, &msgs)
	}
	for i := len(msgs) - 1; i >= 0; i-- {
		if msgs[i].Role == "user" {
			return msgs[i].text()
		}
	}
	return ""
}

// format writes one protocol's answers.
type format interface {
	whole(id string, o agent.Outcome) any
	delta(id, text string) any
	last(id string, o agent.Outcome) []any
	end() string
}

// Chat is POST /v1/chat/completions.
func Chat(run Runner) http.Handler { return handler(run, chat{}) }

// Responses is POST /v1/responses.
func Responses(run Runner) http.Handler { return handler(run, responses{}) }

func handler(run Runner, f format) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req request
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = json.Unmarshal(body, &req)
		}
		if err != nil {
			refuse(w, decodeError(err))
			return
		}
		t := Turn{Caller: gateway.FromContext(r.Context()), SessionKey: sessionOf(r), AgentID: agentOf(req.Model), Input: req.input()}
		if strings.TrimSpace(t.Input) == "" {
			refuse(w, &Refusal{http.StatusBadRequest, "there is no user message"})
			return
		}
		id := fmt.Sprintf("turn-%x", time.Now().UnixNano())
		if req.Stream {
			stream(w, r, run, f, id, t)
			return
		}
		out, err := run(r.Context(), t)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(f.whole(id, out))
	})
}

func decodeError(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return &Refusal{http.StatusRequestEntityTooLarge, "Payload too large"}
	}
	return &Refusal{http.StatusBadRequest, "the request is not JSON: " + err.Error()}
}

func sessionOf(r *http.Request) string {
	for _, h := range sessionHeaders {
		if v := r.Header.Get(h); v != "" {
			return v
		}
	}
	return ""
}

// agentOf reads "chitin/<agent>" and "openclaw/<agent>"; other models mean the
// default agent.
func agentOf(model string) string {
	for _, p := range []string{"chitin/", "openclaw/"} {
		if id, ok := strings.CutPrefix(model, p); ok && id != "default" {
			return id
		}
	}
	return ""
}

func refuse(w http.ResponseWriter, err error) {
	status, typ, msg := http.StatusInternalServerError, "server_error", "the turn failed"
	var r *Refusal
	if errors.As(err, &r) {
		status, msg, typ = r.Status, r.Message, "invalid_request_error"
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": msg, "type": typ}})
}

// stream answers with server-sent events while the model speaks.
func stream(w http.ResponseWriter, r *http.Request, run Runner, f format, id string, t Turn) {
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	send := func(v any) {
		b, err := json.Marshal(v)
		if err == nil {
			_, _ = fmt.Fprintf(w, "data: %s\n\n", b)
			_ = rc.Flush()
		}
	}
	t.Delta = func(s string) { send(f.delta(id, s)) }
	out, err := run(r.Context(), t)
	if err != nil {
		msg := "the turn failed"
		var ref *Refusal
		if errors.As(err, &ref) {
			msg = ref.Message
		}
		send(map[string]any{"error": map[string]any{"message": msg, "type": "server_error"}})
		return
	}
	for _, v := range f.last(id, out) {
		send(v)
	}
	if e := f.end(); e != "" {
		_, _ = io.WriteString(w, e)
	}
}
