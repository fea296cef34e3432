package acpapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseFrame(t *testing.T) {
	for _, tc := range []struct {
		in         string
		id, method string
		code       int // 0: it goes on
		line       string
	}{
		{in: `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a": [1, 2]}}`, id: "1", method: "m", line: `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1,2]}}`},
		{in: "{\n\"jsonrpc\" : \"2.0\",\n\"method\":\"m\"}", method: "m", line: `{"jsonrpc":"2.0","method":"m"}`},
		{in: `{"jsonrpc":"2.0","id":"a","result":null}`, id: `"a"`, line: `{"jsonrpc":"2.0","id":"a","result":null}`},
		{in: `{"jsonrpc":"2.0","id":1,"method":"m","extra":1,"ID":2,"Method":"x"}`, id: "1", method: "m", line: `{"jsonrpc":"2.0","id":1,"method":"m"}`},
		{in: `{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}`, code: -32700},
		{in: `[{"jsonrpc":"2.0","method":"m"}]`, code: -32700},
		{in: `nonsense`, code: -32700},
		{in: ``, code: -32700},
		{in: `{"jsonrpc":"2.0","method":"m"}{"jsonrpc":"2.0","method":"m"}`, code: -32700},
		{in: "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}", code: -32700},
		{in: `{"jsonrpc":"1.0","id":1,"method":"m"}`, id: "1", code: -32600},
		{in: `{"id":1,"method":"m"}`, id: "1", code: -32600},
		{in: `{"jsonrpc":"2.0","id":null,"method":"m"}`, code: -32600},
		{in: `{"jsonrpc":"2.0","id":1.5,"method":"m"}`, code: -32600},
		{in: `{"jsonrpc":"2.0","id":{},"method":"m"}`, code: -32600},
		{in: `{"jsonrpc":"2.0","id":1e3,"method":"m"}`, code: -32600},
		{in: `{"jsonrpc":"2.0","id":"` + strings.Repeat("a", 200) + `","method":"m"}`, code: -32600},
		{in: `{"jsonrpc":"2.0","id":1,"method":7}`, id: "1", code: -32600},
		{in: `{"jsonrpc":"2.0","id":1,"method":""}`, id: "1", code: -32600},
		{in: `{"jsonrpc":"2.0","id":1,"method":"m","result":1}`, id: "1", code: -32600},
		{in: `{"jsonrpc":"2.0","id":1,"result":1,"error":{}}`, id: "1", code: -32600},
		{in: `{"jsonrpc":"2.0","result":1}`, code: -32600},
		{in: `{"jsonrpc":"2.0","id":1}`, id: "1", code: -32600},
	} {
		f, bad := parseFrame([]byte(tc.in))
		switch {
		case bad != nil && bad.Code != tc.code, bad == nil && tc.code != 0:
			t.Errorf("%s: %v; want %d", tc.in, bad, tc.code)
		case f.id != tc.id:
			t.Errorf("%s: id %s; want %s", tc.in, f.id, tc.id)
		case bad == nil && (f.method != tc.method || string(f.line) != tc.line+"\n"):
			t.Errorf("%s: method %q, line %s", tc.in, f.method, f.line)
		}
	}
}

// What goes on is one line of JSON that reads as the same frame again.
func FuzzParseFrame(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"a":"\u2028\n"}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":"x","error":{"code":1}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"ID":2,"method":"m","method":"n"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, bad := parseFrame(data)
		if bad != nil {
			return
		}
		body, ok := bytes.CutSuffix(fr.line, []byte("\n"))
		if !ok || bytes.ContainsAny(body, "\r\n") || !json.Valid(body) {
			t.Fatalf("%q became %q", data, fr.line)
		}
		again, bad := parseFrame(body)
		if bad != nil || again.id != fr.id || again.method != fr.method || !bytes.Equal(again.line, fr.line) {
			t.Fatalf("%q reads back as %+v, %v", fr.line, again, bad)
		}
		if fr.id != "" && !validID(json.RawMessage(fr.id)) {
			t.Fatalf("id %q", fr.id)
		}
	})
}
