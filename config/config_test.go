package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestStarterIsValidAndSaysNothingNew(t *testing.T) {
	for _, withToken := range []bool{true, false} {
		l, err := Parse("chitin.yml", []byte(Starter(withToken)))
		if err != nil {
			t.Fatal(err)
		}
		if l.Gateway.Auth.Token.IsZero() == withToken {
			t.Errorf("withToken %v: token = %v", withToken, l.Gateway.Auth.Token)
		}
		if got := l.SandboxOf("main"); got.Mode != "all" || got.Scope != "agent" || got.WorkspaceAccess != "none" {
			t.Errorf("sandbox defaults = %+v", got)
		}
	}
}

func TestMissingFileIsEveryDefault(t *testing.T) {
	l, err := Load(filepath.Join(t.TempDir(), "none.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if s := l.SandboxOf(l.DefaultAgent()); s.Mode != "all" || s.Docker.Network != "none" || *s.Prune.IdleHours != 24 || *s.Prune.MaxAgeDays != 7 {
		t.Errorf("defaults = %+v", s)
	}
	if l.Gateway.EffectivePort() != 18790 || l.Line("gateway.port") != 0 {
		t.Errorf("port %d, line %d", l.Gateway.EffectivePort(), l.Line("gateway.port"))
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"unknown key", "gateway:\n  prot: 1\n", "c.yml:2:3: gateway.prot: unknown key (did you mean port?)"},
		{"room's own rule", "agents:\n  entries:\n    BAD: {}\n", "agents.entries.BAD: is not an agent id"},
		{"workspace", "agents: {defaults: {workspace: ../x}}\n", "agents.defaults.workspace: is not an absolute, clean path"},
		{"two defaults", "agents: {entries: {a: {default: true}, b: {default: true}}}\n", "two agents are marked default"},
		{"hooks", "hooks: {enabled: true}\n", "hooks.token: hooks are enabled and have no token"},
		{"waiver", "security: {audit: {waivers: [{checkId: x}]}}\n", "security.audit.waivers[0]: a waiver needs a reason"},
		{"sandbox mode", "agents:\n  defaults:\n    sandbox:\n      mode: sometimes\n", "c.yml:4:13"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("c.yml", []byte(tc.in))
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("err = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestShowHidesLiterals(t *testing.T) {
	const canary = "canary-0123456789abcdef0123456789"
	l, err := Parse("c.yml", []byte("gateway:\n  auth:\n    token: "+canary+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Show()
	if err != nil || bytes.Contains(b, []byte(canary)) || !bytes.Contains(b, []byte("redacted")) {
		t.Errorf("Show = %s, %v", b, err)
	}
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory was read as configuration")
	}
	big := filepath.Join(t.TempDir(), "big.yml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("# x\n"), 400_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestSchemaAgreesWithTheParser(t *testing.T) {
	b, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		in string
		ok bool
	}{
		{Starter(true), true},
		{"gateway: {port: 1, auth: {token: \"${X}\"}}\n", true},
		{"gateway: {prot: 1}\n", false},
		{"gateway: {bind: everywhere}\n", false},
		{"gateway: {auth: {token: {source: file}}}\n", false},
	} {
		var v any
		j, err := yaml.YAMLToJSON([]byte(tc.in))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(j, &v); err != nil {
			t.Fatal(err)
		}
		schemaErr := s.Validate(v)
		_, parseErr := Parse("c.yml", []byte(tc.in))
		if (schemaErr == nil) != tc.ok || (parseErr == nil) != tc.ok {
			t.Errorf("%q: schema says %v, parser says %v, want ok %v", tc.in, schemaErr, parseErr, tc.ok)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	for _, k := range Keys() {
		if k.Doc == "" {
			t.Errorf("%s has no doc tag", k.Path)
		}
	}
}
