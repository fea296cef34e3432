package wsapi

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// request is a frame from the client.
type request struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Method string `json:"method"`
	Params raw    `json:"params"`
}

// response is the answer to a request.
type response struct {
	Type    string     `json:"type"`
	ID      string     `json:"id"`
	OK      bool       `json:"ok"`
	Payload any        `json:"payload,omitempty"`
	Error   *wireError `json:"error,omitempty"`
}

// event is a frame that nobody asked for.
type event struct {
	Type    string `json:"type"`
	Event   string `json:"event"`
	Payload any    `json:"payload,omitempty"`
	Seq     uint64 `json:"seq,omitempty"`
}

// wireError is an error on the wire.
type wireError struct {
	Code         string `json:"code"`
	Message      string `json:"message"`
	Details      any    `json:"details,omitempty"`
	Retryable    bool   `json:"retryable,omitempty"`
	RetryAfterMs int64  `json:"retryAfterMs,omitempty"`
}

// Error is the message.
func (e *wireError) Error() string { return e.Message }

// The error codes.
const (
	codeInvalid     = "INVALID_REQUEST"
	codeNotPaired   = "NOT_PAIRED"
	codeForbidden   = "FORBIDDEN"
	codeUnavailable = "UNAVAILABLE"
	codeNotFound    = "NOT_FOUND"
)

func invalid(format string, args ...any) *wireError {
	return &wireError{Code: codeInvalid, Message: fmt.Sprintf(format, args...)}
}

const maxID = 256

// errNotJSON is a frame that is no JSON at all; the connection ends without an
// answer.
var errNotJSON = errors.New("not JSON")

// parseRequest reads a request frame. Unknown fields are refused: a field that
// we do not know may be one that somebody believes in.
func parseRequest(data []byte) (request, error) {
	var r request
	if !json.Valid(data) {
		return r, errNotJSON
	}
	if err := strict(data, &r); err != nil {
		return r, invalid("invalid request frame: %s", err)
	}
	if r.Type != "req" || r.ID == "" || len(r.ID) > maxID || r.Method == "" || len(r.Method) > maxID {
		return r, invalid("invalid request frame")
	}
	return r, nil
}

// strict decodes JSON into a struct, refusing names that the struct does not
// have in exactly that spelling, at every level, and anything after the value.
func strict(data []byte, into any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	if err := checkNames(data, reflect.TypeOf(into).Elem(), ""); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return fmt.Errorf("at /%s: must be %s", strings.ReplaceAll(te.Field, ".", "/"), te.Type)
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// checkNames compares names with the struct's tags; encoding/json alone would
// take any capitalisation.
func checkNames(data []byte, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("at %s: must be an object", orRoot(path))
	}
	for name, v := range fields {
		f, ok := fieldNamed(t, name)
		if !ok {
			return fmt.Errorf("at %s: unexpected property %q", orRoot(path), clip(name))
		}
		if string(v) == "null" {
			continue
		}
		if err := checkNames(v, f.Type, path+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && tag != "" {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// newID is a random UUID, version 4.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
