package jsontext_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/chitin-sh/chitin/internal/jsontext"
)

func reference(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", `"\/`, "a\nb\r\t\b\f\x00\x1f\x7f", "ü€😀", "\xff\xc3(", "\u2028\u2029\ufffd", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(jsontext.AppendString([]byte("x"), s)), "x"+reference(t, s); got != want {
			t.Fatalf("%q: got %s want %s", s, got, want)
		}
	})
}

func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		"", "{}", " { } ", `{"a":1}`, ` { "a" : "b" , "c":[1,{"d":"}"}],"a":null,"e":-1.5e3 , "f" : true } `,
		`{"a\u0062":"\""}`, `[1]`, `{"a":1`, `null`, `{"a":{"b":[]}, "":{}}`, "{\"\xff\":1}", `{"a":"\\"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]json.RawMessage{}
		ok := jsontext.Members(b, func(name string, v json.RawMessage) { got[name] = v })
		var want map[string]json.RawMessage
		err := json.Unmarshal(b, &want)
		if ok != (err == nil && want != nil) {
			t.Fatalf("%q: %v, encoding/json says %v", b, ok, err)
		}
		if !ok {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d members, want %d", b, len(got), len(want))
		}
		for name, v := range want {
			if !bytes.Equal(got[name], v) {
				t.Fatalf("%q: %q is %q, want %q", b, name, got[name], v)
			}
		}
	})
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`"a"`, `"\u00e9\ud83d\ude00"`, `"\ud83d"`, `1`, `""`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) || len(bytes.TrimSpace(b)) != len(b) {
			return
		}
		var want string
		isString := b[0] == '"' && json.Unmarshal(b, &want) == nil
		if got, ok := jsontext.Unquote(b); ok != isString || got != want {
			t.Fatalf("%q: %q %v, want %q %v", b, got, ok, want, isString)
		}
	})
}

func BenchmarkMembers(b *testing.B) {
	body := []byte(`{"tool":"ok","args":{"command":"true"},"sessionKey":"agent:main:main"}`)
	b.ReportAllocs()
	for b.Loop() {
		jsontext.Members(body, func(string, json.RawMessage) {})
	}
}
