package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool"
)

func encoded(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// What is written by hand is what the encoder writes.
func TestHandWrittenAnswers(t *testing.T) {
	odd := "<a href=\"x\">\n\x00\xff\u2028é"
	for _, res := range []tool.Result{
		{Content: []tool.Block{}},
		tool.Text("plain", nil),
		tool.Text(odd, json.RawMessage(`{"a":"<b>"}`)),
		tool.Text("x", map[string]any{"n": 1}),
		tool.Text("x", json.RawMessage(`null`)),
		{Content: []tool.Block{{Type: "text"}, {Type: "text", Text: "two"}, {Type: odd}}},
		{Content: []tool.Block{{Type: "image", Data: []byte{1, 2}, MimeType: "image/png"}}},
		{Content: []tool.Block{{Type: "resource", Resource: &tool.Resource{URI: "file:///a"}}}},
	} {
		w := httptest.NewRecorder()
		writeResult(w, &res)
		if got, want := w.Body.String(), encoded(t, &okAnswer{OK: true, Result: &res}); got != want || w.Code != 200 {
			t.Errorf("got %d %s\nwant %s", w.Code, got, want)
		}
	}
	for _, msg := range []string{"", "plain", odd} {
		w := httptest.NewRecorder()
		writeToolError(w, 404, "not_found", msg)
		if got, want := w.Body.String(), encoded(t, &toolError{Error: toolErrorBody{Type: "not_found", Message: msg}}); got != want || w.Code != 404 {
			t.Errorf("got %d %s\nwant %s", w.Code, got, want)
		}
	}
	if n, m := reflect.TypeFor[tool.Block]().NumField(), reflect.TypeFor[tool.Result]().NumField(); n != 5 || m != 3 {
		t.Error("tool.Block or tool.Result has changed: teach appendResult and this test")
	}
	w := httptest.NewRecorder()
	broken := tool.Text("x", json.RawMessage(`{"a":`))
	if writeResult(w, &broken); w.Code != 500 {
		t.Errorf("details that are not JSON: %d %s", w.Code, w.Body)
	}
}
