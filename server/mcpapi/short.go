package mcpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// Header names, as Go keeps them.
const (
	headSession = "Mcp-Session-Id"
	headVersion = "Mcp-Protocol-Version"
)

// ServeHTTP answers plain calls of tools by itself and leaves everything else
// of the protocol to the library. The short way is taken by a tools/call of an
// initialised session, of the same caller, that wants neither progress nor log
// messages and cannot lead to a question: it is one request and one answer.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(headSession)
	switch r.Method {
	case http.MethodPost:
		d.post(w, r, id)
		return
	case http.MethodDelete:
		if s := d.sessions.get(id); s != nil && s.who == whoIs(gateway.FromContext(r.Context())) {
			d.sessions.forget(id)
		}
	}
	d.library.ServeHTTP(w, r)
}

// message is what the door looks at before it chooses a way.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

func (d *Door) post(w http.ResponseWriter, r *http.Request, id string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		code := http.StatusBadRequest
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "the message cannot be read: it is cut, slow or longer than 2 MiB", code)
		return
	}
	c := gateway.FromContext(r.Context())
	var m message
	plain := len(body) > 0 && body[0] == '{' && json.Unmarshal(body, &m) == nil
	s := d.sessions.get(id)
	if s != nil && s.who != whoIs(c) {
		s = nil // the library says no
	}
	if plain && s != nil {
		if m.Method == "tools/call" {
			if p, ok := d.short(r, c, s, &m); ok {
				d.serve(w, r, c, s, &m, p)
				return
			}
		}
		s.note(&m)
		s.touch()
	}
	if plain && m.Method == "initialize" {
		w = &greeting{ResponseWriter: w, met: func(id string) {
			d.sessions.add(id, &remembered{who: whoIs(c), asks: canAsk(m.Params)})
		}}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.library.ServeHTTP(w, r)
}

// note takes from a message what the short way must know.
func (r *remembered) note(m *message) {
	switch m.Method {
	case "notifications/initialized":
		r.ready.Store(true)
	case "logging/setLevel":
		r.mu.Lock()
		defer r.mu.Unlock()
		r.level = true
	case "notifications/cancelled":
		var p struct {
			ID json.RawMessage `json:"requestId"`
		}
		if json.Unmarshal(m.Params, &p) == nil {
			r.cancel(string(p.ID))
		}
	}
}

func (r *remembered) logs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.level
}

func canAsk(params json.RawMessage) bool {
	var p struct {
		Capabilities struct {
			Elicitation json.RawMessage `json:"elicitation"`
		} `json:"capabilities"`
	}
	return json.Unmarshal(params, &p) != nil || len(p.Capabilities.Elicitation) > 0
}

// params of a tools/call.
type params struct {
	Name string          `json:"name"`
	Args json.RawMessage `json:"arguments"`
	Meta struct {
		Progress json.RawMessage `json:"progressToken"`
	} `json:"_meta"`
	Task  json.RawMessage `json:"task"`
	State json.RawMessage `json:"requestState"`
	Input json.RawMessage `json:"inputResponses"`
}

// short reports whether a call may take the short way.
func (d *Door) short(r *http.Request, c gateway.Caller, s *remembered, m *message) (*params, bool) {
	if d.slow.Load() || !s.ready.Load() || !s.fresh() || m.Version != "2.0" || !plainID(m.ID) || !negotiated(r.Header) ||
		s.asks && d.Approvals.on(c) || s.logs() {
		return nil, false
	}
	p := &params{}
	if json.Unmarshal(m.Params, p) != nil || p.Name == "" || p.Meta.Progress != nil || p.Task != nil || p.State != nil || p.Input != nil {
		return nil, false
	}
	l, err := d.lists.get(r.Context(), d, c, r.Header.Get(SessionHeader))
	if err != nil {
		return nil, false
	}
	short, known := l.short[p.Name]
	return p, short || !known // what it may not see is denied at once
}

// plainID is a number or a string, as the protocol wants it.
func plainID(id json.RawMessage) bool {
	return len(id) > 0 && len(id) < 256 && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}

// negotiated is a request as the transport of an initialised session has it;
// the library judges all others.
func negotiated(h http.Header) bool {
	accept := strings.Join(h["Accept"], ",")
	switch h.Get(headVersion) {
	case "2025-11-25", "2025-06-18", "2025-03-26", "":
	default:
		return false
	}
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.TrimSpace(media) == "application/json" && strings.Contains(accept, "application/json") && strings.Contains(accept, "text/event-stream")
}

// serve runs a call in the request's own goroutine.
func (d *Door) serve(w http.ResponseWriter, r *http.Request, c gateway.Caller, s *remembered, m *message, p *params) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	id := string(m.ID)
	if !s.begin(id, cancel) {
		writeMessage(w, answer(m.ID, nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "a request with this id is under way"}))
		return
	}
	defer s.end(id)
	late := newLate(w)
	ctx, release, err := d.hold(ctx, c)
	if err == nil {
		defer release()
		err = d.may(c, gateway.ScopeWrite)
	}
	if err != nil {
		late.finish(answer(m.ID, nil, &jsonrpc.Error{Code: codeRefused, Message: err.Error()}))
		return
	}
	req := d.request(c, r.Header.Get(SessionHeader))
	req.Tool, req.Args = p.Name, arguments(p.Args)
	resp := d.Corridor.Run(ctx, req)
	late.finish(respond(m.ID, resp))
}

func respond(id json.RawMessage, resp invoke.Response) []byte {
	if refused(resp) {
		return answer(id, nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: resp.Err.Public})
	}
	res := wire(resp)
	return answer(id, &res, nil)
}

// codeRefused is the error code of a caller who may not.
const codeRefused = -32000

// answer is one JSON-RPC response.
func answer(id json.RawMessage, res *wireResult, fault *jsonrpc.Error) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  *wireResult     `json:"result,omitempty"`
		Error   *jsonrpc.Error  `json:"error,omitempty"`
	}{"2.0", id, res, fault})
	if err != nil {
		return answer(id, nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the result cannot be written"})
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// When a call takes longer, its answer becomes a stream that shows life, so
// that no client or proxy gives up on the connection.
const (
	streamAfter = 2 * time.Second
	beat        = 15 * time.Second
)
