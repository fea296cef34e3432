package all_test

import (
	"testing"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/all"
)

func TestLookup(t *testing.T) {
	cfg := secrets.Config{
		Defaults: secrets.Defaults{File: "main"},
		Providers: map[string]secrets.ProviderConfig{
			"main": {Source: "file", Path: "/x"},
			"few":  {Source: "env", Allowlist: []string{}},
		},
	}
	shut := secrets.Config{Providers: map[string]secrets.ProviderConfig{"default": {Source: "env", Allowlist: []string{}}}}
	other := secrets.Config{Providers: map[string]secrets.ProviderConfig{"default": {Source: "file", Path: "/x"}, "state": {Source: "env"}}}
	for _, tc := range []struct {
		name string
		cfg  secrets.Config
		ref  secrets.Ref
		want string // the provider's name and whether it is limited; or a code
	}{
		{"env is built in", cfg, secrets.Ref{Source: "env", ID: "A"}, "default env any"},
		{"store is built in", cfg, secrets.Ref{Source: "store", ID: "a"}, "default store any"},
		{"keyring is built in", cfg, secrets.Ref{Source: "keyring", Provider: "default", ID: "a"}, "default keyring any"},
		{"state is built in", cfg, secrets.Ref{Source: "file", Provider: "state", ID: "a"}, "state file any"},
		{"a default of one's own", cfg, secrets.Ref{Source: "file", ID: "/a"}, "main file any"},
		{"exec has no default", cfg, secrets.Ref{Source: "exec", ID: "a"}, secrets.CodeNotConfigured},
		{"file has no default", shut, secrets.Ref{Source: "file", ID: "/a"}, secrets.CodeInvalid},
		{"a configured default limits the built-in", shut, secrets.Ref{Source: "env", ID: "A"}, "default env limited"},
		{"default of another source", other, secrets.Ref{Source: "env", ID: "A"}, "default env any"},
		{"a configured name replaces the built-in", other, secrets.Ref{Source: "file", Provider: "state", ID: "a"}, secrets.CodeInvalid},
		{"wrong source", cfg, secrets.Ref{Source: "file", Provider: "few", ID: "/a"}, secrets.CodeInvalid},
		{"unknown", cfg, secrets.Ref{Source: "env", Provider: "ghost", ID: "A"}, secrets.CodeNotConfigured},
	} {
		name, p, err := all.Lookup(tc.cfg, "/state", tc.ref)
		got := name + " " + p.Source + " any"
		if p.Allowlist != nil {
			got = name + " " + p.Source + " limited"
		}
		if err != nil {
			got = err.Code
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestEverySourceHasAProvider(t *testing.T) {
	o := all.Options{StateDir: "/state", LookupEnv: func(string) (string, bool) { return "", false }}
	for _, source := range []string{secrets.SourceEnv, secrets.SourceFile, secrets.SourceExec, secrets.SourceStore, secrets.SourceKeyring} {
		if all.Build("p", secrets.ProviderConfig{Source: source}, secrets.StoreConfig{}, o) == nil {
			t.Errorf("%s has none", source)
		}
	}
	if all.Build("p", secrets.ProviderConfig{Source: "magic"}, secrets.StoreConfig{}, o) != nil {
		t.Error("an unknown source has one")
	}
}
