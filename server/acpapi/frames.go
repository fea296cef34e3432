package acpapi

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/coder/acp-go-sdk"
)

// frame is one message of the editor, checked and on one line.
type frame struct {
	id     string // as it was written; "" for a notification
	method string // "" for a response
	line   []byte
}

func (f frame) request() bool  { return f.id != "" && f.method != "" }
func (f frame) response() bool { return f.method == "" }

// envelope is a JSON-RPC message. Names are compared exactly: another spelling
// is another name.
var envelope = [...]string{"jsonrpc", "id", "method", "params", "result", "error"}

const (
	maxID     = 128
	maxMethod = 128
)

// parseFrame reads one message. On an error the frame holds the id to answer
// to, if one could be read. What goes on is written anew from the parts that
// were checked, so that nothing else is read out of it later.
func parseFrame(data []byte) (frame, *acp.RequestError) {
	var f frame
	parts, ok := split(data)
	if !ok {
		return f, acp.NewParseError("a message is one JSON object")
	}
	id, hasID := parts["id"]
	if hasID {
		if !validID(id) {
			return f, acp.NewInvalidRequest("id must be a short string or a whole number")
		}
		f.id = string(id)
	}
	if string(parts["jsonrpc"]) != `"2.0"` {
		return f, acp.NewInvalidRequest("jsonrpc must be 2.0")
	}
	_, hasResult := parts["result"]
	_, hasError := parts["error"]
	method, hasMethod := parts["method"]
	switch {
	case hasMethod && (hasResult || hasError):
		return f, acp.NewInvalidRequest("a message is either a request or a response")
	case hasMethod:
		if json.Unmarshal(method, &f.method) != nil || f.method == "" || len(f.method) > maxMethod {
			f.method = ""
			return f, acp.NewInvalidRequest("method must be a short string")
		}
	case !hasID || hasResult == hasError:
		return f, acp.NewInvalidRequest("a message is either a request or a response")
	}
	f.line = join(parts)
	return f, nil
}

// split takes an object apart, refusing anything else, names that come twice
// and text that is no UTF-8. Unknown names are left out.
func split(data []byte) (map[string]json.RawMessage, bool) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	parts, seen := map[string]json.RawMessage{}, map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok || seen[name] {
			return nil, false
		}
		seen[name] = true
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, false
		}
		for _, known := range envelope {
			if name == known {
				parts[name] = v
			}
		}
	}
	return parts, true
}

// validID takes short strings and whole numbers. null is no id.
func validID(id json.RawMessage) bool {
	if len(id) == 0 || len(id) > maxID {
		return false
	}
	if id[0] == '"' {
		return true
	}
	digits := bytes.TrimPrefix(id, []byte("-"))
	if len(digits) == 0 || len(digits) > 15 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// join writes the parts as one line.
func join(parts map[string]json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, name := range envelope {
		v, ok := parts[name]
		if !ok {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + name + `":`)
		_ = json.Compact(&b, v) // it is valid
	}
	b.WriteString("}\n")
	return b.Bytes()
}
