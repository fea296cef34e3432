package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/jsontext"
	"github.com/chitin-sh/chitin/tool"
)

var (
	bodyUnauthorized = []byte(`{"error":{"message":"Unauthorized","type":"unauthorized"}}`)
	bodyNotFound     = []byte("Not Found")
	bodyBearer       = []string{`Bearer realm="chitin"`}
)

func writeUnauthorized(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	if h["Www-Authenticate"] == nil {
		h["Www-Authenticate"] = bodyBearer
	}
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(bodyUnauthorized)
}

func notFound(w http.ResponseWriter) {
	w.Header()["Content-Type"] = typeText
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(bodyNotFound)
}

func methodNotAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	writeText(w, http.StatusMethodNotAllowed, "Method Not Allowed")
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header()["Content-Type"] = typeText
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled keeps one large answer from pinning its buffer for ever.
const maxPooled = 64 << 10

func buffer() *bytes.Buffer {
	b, _ := buffers.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

// send answers with what is in b and takes the buffer back.
func send(w http.ResponseWriter, code int, b *bytes.Buffer) {
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
	if b.Cap() <= maxPooled {
		buffers.Put(b)
	}
}

// writeJSON answers with v. HTML characters stay as they are, as in the wire
// format that clients know.
func writeJSON(w http.ResponseWriter, code int, v any) {
	b := buffer()
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		code = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"ok":false,"error":{"type":"tool_error","message":"tool execution failed"}}`)
	}
	if n := b.Len(); n > 0 && b.Bytes()[n-1] == '\n' {
		b.Truncate(n - 1)
	}
	send(w, code, b)
}

// writeResult answers with a tool's result. The usual ones, text with details
// that are JSON already, are written without reflection.
func writeResult(w http.ResponseWriter, res *tool.Result) {
	b := buffer()
	out, ok := appendResult(b.AvailableBuffer(), res)
	if !ok {
		buffers.Put(b)
		writeJSON(w, http.StatusOK, &okAnswer{OK: true, Result: res})
		return
	}
	b.Write(out)
	send(w, http.StatusOK, b)
}

func appendResult(b []byte, res *tool.Result) ([]byte, bool) {
	b = append(b, `{"ok":true,"result":{"content":[`...)
	for i := range res.Content {
		block := &res.Content[i]
		if block.Data != nil || block.MimeType != "" || block.Resource != nil {
			return b, false
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = jsontext.AppendString(append(b, `{"type":`...), block.Type)
		if block.Text != "" {
			b = jsontext.AppendString(append(b, `,"text":`...), block.Text)
		}
		b = append(b, '}')
	}
	b = append(b, ']')
	if res.Details != nil {
		details, ok := res.Details.(json.RawMessage)
		if !ok || !json.Valid(details) {
			return b, false
		}
		b = append(append(b, `,"details":`...), details...)
	}
	return append(b, '}', '}'), true
}

// wireError is the error format of the surface itself.
type wireError struct {
	Error struct {
		Message string `json:"message"`
		Type    string `json:"type"`
	} `json:"error"`
}

func writeError(w http.ResponseWriter, code int, typ, msg string) {
	var e wireError
	e.Error.Type, e.Error.Message = typ, msg
	writeJSON(w, code, &e)
}

// refuse writes the guard's refusal, held back if the guard wants it so.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, ref *gateway.Refusal) {
	s.deps.Guard.Hold(r.Context(), ref)
	if r.ContentLength > drainFrom || r.ContentLength < 0 {
		rc := http.NewResponseController(w)
		if rc.EnableFullDuplex() == nil {
			w.Header()["Connection"] = connectionClose
			defer drain(rc, r)
		}
	}
	if ref.RetryAfter > 0 {
		w.Header()["Retry-After"] = []string{ref.RetryAfterSeconds()}
	}
	challenged := ref.Status == http.StatusUnauthorized || ref.Reason == gateway.ReasonScope
	if s.deps.Challenge != nil && challenged && r.URL.Path == mcpPath {
		if c := s.deps.Challenge(ref); c != "" {
			w.Header()["Www-Authenticate"] = []string{c}
		}
	}
	switch {
	case ref.Status == http.StatusUnauthorized:
		writeUnauthorized(w)
	case ref.Reason == gateway.ReasonScope:
		writeMissingScope(w, ref)
	default:
		writeError(w, ref.Status, ref.Type, ref.Message)
	}
}

// toolError is the error format of tool calls.
type toolError struct {
	OK    bool          `json:"ok"`
	Error toolErrorBody `json:"error"`
}

type toolErrorBody struct {
	Type             string        `json:"type"`
	Message          string        `json:"message"`
	RequiresApproval *bool         `json:"requiresApproval,omitempty"`
	ApprovalID       string        `json:"approvalId,omitempty"`
	Details          *scopeDetails `json:"details,omitempty"`
}

type scopeDetails struct {
	Code           string   `json:"code"`
	MissingScope   string   `json:"missingScope"`
	RequiredScopes []string `json:"requiredScopes"`
}

func writeMissingScope(w http.ResponseWriter, ref *gateway.Refusal) {
	name := narrowest(ref.Missing)
	writeJSON(w, ref.Status, &toolError{Error: toolErrorBody{
		Type: ref.Type, Message: "missing scope: " + name,
		Details: &scopeDetails{Code: "MISSING_SCOPE", MissingScope: name, RequiredScopes: []string{name}},
	}})
}

// narrowest names the one scope that a route asks for; routes ask for one.
func narrowest(s gateway.Scope) string {
	for _, one := range []gateway.Scope{gateway.ScopeAdmin, gateway.ScopeApprovals, gateway.ScopeWrite, gateway.ScopeRead} {
		if s&one != 0 {
			return one.String()
		}
	}
	return ""
}

func writeToolError(w http.ResponseWriter, code int, typ, msg string) {
	b := buffer()
	out := jsontext.AppendString(append(b.AvailableBuffer(), `{"ok":false,"error":{"type":`...), typ)
	out = jsontext.AppendString(append(out, `,"message":`...), msg)
	b.Write(append(out, '}', '}'))
	send(w, code, b)
}
