package tool

import (
	"encoding/json"
	"strings"
	"testing"
)

type sampleArgs struct {
	Path  string   `json:"path"`
	Count *float64 `json:"count"`
	Edits []struct {
		Old string `json:"old"`
	} `json:"edits"`
}

func TestDecode(t *testing.T) {
	for raw, want := range map[string]string{
		``:                         "",
		`null`:                     "",
		`{}`:                       "",
		` {"path":"a","count":2} `: "",
		`{"unknown":{"path":1}}`:   "",
		`{"path":"{\"Path\":","x":["Path"],"edits":[{"OLD":"x"}]}`: "",
		`[]`:                           "Arguments must be a JSON object.",
		`"x"`:                          "Arguments must be a JSON object.",
		`{`:                            "The arguments are not valid JSON.",
		`{"path":1}`:                   "Invalid parameter: path must be a string, not number.",
		`{"count":"1"}`:                "Invalid parameter: count must be a number, not string.",
		`{"edits":{}}`:                 "Invalid parameter: edits must be an array, not object.",
		`{"edits":[{"old":1}]}`:        "Invalid parameter: edits.old must be a string, not number.",
		`{"Path":"a"}`:                 `Unknown parameter "Path": write it as "path".`,
		`{"path":"a","PATH":"b"}`:      `Unknown parameter "PATH": write it as "path".`,
		`{"p\u0061th":"a","path":"b"}`: "Parameter path is given twice.",
		`{"path":"a","path":"b"}`:      "Parameter path is given twice.",
		`{"pat\u017f":1,"count":1}`:    "",
		`{"x":{"path":1},"path":"a"}`:  "",
	} {
		_, err := Decode[sampleArgs](json.RawMessage(raw))
		got := ""
		if err != nil {
			got = err.Error()
			if AsError(err).Kind != KindInput {
				t.Errorf("%s: kind %s", raw, AsError(err).Kind)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

// Only exact names may reach the struct: a policy rule looks at exact names.
func FuzzDecodeTakesOnlyExactNames(f *testing.F) {
	for _, s := range []string{`{"path":"a"}`, `{"Path":"a"}`, `{"p\u0061th":"a"}`, `{"path":"x","\u017fath":1}`, `{"a":[{"path":1}],"path":"b"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := Decode[sampleArgs](json.RawMessage(raw))
		if err != nil {
			return
		}
		var m map[string]json.RawMessage
		if json.Unmarshal([]byte(raw), &m) != nil {
			return
		}
		var want string
		if p, ok := m["path"]; ok && string(p) != "null" {
			if err := json.Unmarshal(p, &want); err != nil {
				t.Fatalf("%q was accepted: %v", raw, err)
			}
		}
		if got.Path != want {
			t.Errorf("%q: decoded %q, the exact name holds %q", raw, got.Path, want)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":[{"d":"\"e\""}]},"f\"":null}`)
	f.Fuzz(func(t *testing.T, raw string) {
		var m map[string]json.RawMessage
		trimmed := strings.TrimSpace(raw)
		if !strings.HasPrefix(trimmed, "{") || json.Unmarshal([]byte(trimmed), &m) != nil {
			return
		}
		seen := map[string]bool{}
		err := eachName([]byte(trimmed), func(name []byte) error {
			seen[strings.ToValidUTF8(string(name), "\uFFFD")] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for k := range m {
			if !seen[k] && !strings.Contains(k, "\uFFFD") {
				t.Errorf("%q: name %q was missed; seen %v", raw, k, seen)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := json.RawMessage(`{"path":"some/file.txt","count":12}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode[sampleArgs](raw); err != nil {
			b.Fatal(err)
		}
	}
}
