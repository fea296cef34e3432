package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, text string) (*Loaded, error) {
	t.Helper()
	p := filepath.Join(t.TempDir(), "chitin.yml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(p)
}

const models = "models: {providers: {one: {}, two: {}}}\n"

// What an entry sets replaces the default, key by key; an empty list is not an
// absent one.
func TestAgentEntries(t *testing.T) {
	l, err := load(t, models+`agents:
  defaults: {model: one/m, secrets: [one], context: {tokens: 9000, images: "off"}}
  entries:
    a: {}
    b: {model: two/n, secrets: [two], context: {tokens: 4000, summarize: "on"}}
    c: {secrets: []}
`)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Agent{
		"a": {Model: "one/m", Secrets: []string{"one"}, Context: AgentContext{Tokens: 9000, Images: "off"}},
		"b": {Model: "two/n", Secrets: []string{"two"}, Context: AgentContext{Tokens: 4000, Images: "off", Summarize: "on"}},
		"c": {Model: "one/m", Secrets: []string{}, Context: AgentContext{Tokens: 9000, Images: "off"}},
	} {
		got, ok := l.Agent(id)
		if !ok || got.Model != want.Model || got.Context != want.Context || len(got.Secrets) != len(want.Secrets) || (got.Secrets == nil) != (want.Secrets == nil) {
			t.Errorf("%s = %+v; want %+v", id, got, want)
		}
	}
	if _, ok := l.Agent("d"); ok {
		t.Error("an agent that nobody configured")
	}
}

func TestAgentMistakes(t *testing.T) {
	for text, want := range map[string]string{
		models + "agents: {entries: {a: {secrets: [three]}}}\n":         `no "three"`,
		models + "agents: {defaults: {secrets: [three]}}\n":             `no "three"`,
		"agents: {defaults: {context: {tokens: 10}}}\n":                 "too little",
		"agents: {defaults: {context: {summarize: maybe}}}\n":           "summarize",
		"agents: {entries: {a: {context: {token: 5000}}}}\n":            "token",
		"agents: {entries: {A: {}}}\n":                                  "not an agent id",
		"agents: {entries: {a: {default: true}, b: {default: true}}}\n": "two agents",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}
