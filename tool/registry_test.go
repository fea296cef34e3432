package tool

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

type stub struct {
	name, schema string
	aliases      []string
}

func (s stub) Spec() Spec {
	return Spec{Name: s.name, Description: "d", Schema: json.RawMessage(s.schema), Aliases: s.aliases}
}

func (stub) Run(context.Context, *Call) (Result, error) { return Result{}, nil }

type checked struct{ stub }

func (checked) CheckArgs(json.RawMessage) error { return Input("own words") }

const stubSchema = `{"type":"object","required":["path","n"],"properties":{
"path":{"type":"string","minLength":2,"maxLength":5},
"n":{"type":"integer","minimum":1,"maximum":9},
"mode":{"type":"string","enum":["a","b"]},
"list":{"type":"array","items":{"type":"string"}},
"extra":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`

func TestValidate(t *testing.T) {
	r, err := NewRegistry(stub{name: "x", schema: stubSchema}, checked{stub{name: "y", schema: stubSchema}})
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		`{"path":"abc","n":3,"mode":"b","list":["q"],"other":1}`: "",
		`{"path":"abc","n":3,"extra":null}`:                      "",
		``:                                                       "Missing required parameters: path, n. Supply correct parameters before retrying.",
		`{"path":"abc"}`:                                         "Missing required parameter: n. Supply correct parameters before retrying.",
		`{"path":"abc","n":0}`:                                   "Invalid parameter: n must be at least 1.",
		`{"path":"abc","n":10}`:                                  "Invalid parameter: n must be at most 9.",
		`{"path":"abc","n":1.5}`:                                 "Invalid parameter: n must be of type integer.",
		`{"path":"a","n":1}`:                                     "Invalid parameter: path must be at least 2 characters long.",
		`{"path":"abcdef","n":1}`:                                "Invalid parameter: path must be at most 5 characters long.",
		`{"path":true,"n":1}`:                                    "Invalid parameter: path must be of type string.",
		`{"path":"abc","n":1,"mode":"c"}`:                        "Invalid parameter: mode must be one of: a, b.",
		`{"path":"abc","n":1,"N":1}`:                             `Unknown parameter "N": write it as "n".`,
		`[1]`:                                                    "Arguments must be a JSON object.",
		`{"path"`:                                                "The arguments are not valid JSON.",
	} {
		got := ""
		if err := r.Validate("x", json.RawMessage(raw)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	for raw, part := range map[string]string{
		`{"path":"abc","n":1,"list":[1]}`:  "list",
		`{"path":"abc","n":1,"extra":[1]}`: "extra",
	} {
		if err := r.Validate("x", json.RawMessage(raw)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if err := r.Validate("y", nil); err == nil || err.Error() != "own words" {
		t.Errorf("own check: %v", err)
	}
	if err := r.Validate("none", nil); AsError(err).Kind != KindNotFound {
		t.Errorf("unknown tool: %v", err)
	}
}

func TestRegistryRefusesWhatIsAmbiguous(t *testing.T) {
	ok := `{"type":"object"}`
	for name, tools := range map[string][]Tool{
		"twice":           {stub{name: "a", schema: ok}, stub{name: "a", schema: ok}},
		"alias is a name": {stub{name: "a", schema: ok}, stub{name: "b", schema: ok, aliases: []string{"a"}}},
		"alias of two":    {stub{name: "a", schema: ok, aliases: []string{"c"}}, stub{name: "b", schema: ok, aliases: []string{"c"}}},
		"no schema":       {stub{name: "a"}},
		"no name":         {stub{schema: ok}},
	} {
		if _, err := NewRegistry(tools...); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	r, err := NewRegistry(stub{name: "b", schema: ok, aliases: []string{"bee"}}, stub{name: "a", schema: ok})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Names(); len(n) != 2 || n[0] != "a" {
		t.Errorf("names %v", n)
	}
	if c, ok := r.Canonical("bee"); !ok || c != "b" {
		t.Errorf("alias: %q %v", c, ok)
	}
	if _, ok := r.Get("bee"); ok {
		t.Error("Get takes an alias: policy would be asked about another name")
	}
	if _, ok := r.Canonical("B"); ok {
		t.Error("names are matched without case")
	}
}

func BenchmarkValidate(b *testing.B) {
	r, err := NewRegistry(stub{name: "x", schema: stubSchema})
	if err != nil {
		b.Fatal(err)
	}
	raw := json.RawMessage(`{"path":"abc","n":3}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Validate("x", raw); err != nil {
			b.Fatal(err)
		}
	}
}
