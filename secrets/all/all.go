// Package all is the list of secret providers: configuration in, providers
// out. Nothing registers itself.
package all

import (
	"time"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/env"
	"github.com/chitin-sh/chitin/secrets/exec"
	"github.com/chitin-sh/chitin/secrets/file"
	"github.com/chitin-sh/chitin/secrets/keyring"
	"github.com/chitin-sh/chitin/secrets/securepath"
	"github.com/chitin-sh/chitin/secrets/store"
)

// Options is the world the providers work in.
type Options struct {
	StateDir  string // absolute
	LookupEnv func(string) (string, bool)
}

// StateProvider is the built-in file provider over the state directory: one
// secret a file, the id is its name.
const StateProvider = "state"

// Builtin are the providers that need no configuration. A configured provider
// of the same name takes a built-in one's place.
func Builtin(stateDir string) map[string]secrets.ProviderConfig {
	out := map[string]secrets.ProviderConfig{}
	if stateDir != "" {
		out[StateProvider] = secrets.ProviderConfig{Source: secrets.SourceFile, Dir: stateDir, Mode: "singleValue"}
	}
	return out
}

// Lookup finds the configuration that a reference names: configured, built in
// by name, or the default of its source.
func Lookup(cfg secrets.Config, stateDir string, ref secrets.Ref) (string, secrets.ProviderConfig, *secrets.Error) {
	name := ref.Provider
	if name == "" || name == secrets.DefaultProvider {
		name = cfg.Defaults.For(ref.Source)
	}
	p, ok := cfg.Providers[name]
	if !ok {
		p, ok = Builtin(stateDir)[name]
	}
	implicit := ref.Source == secrets.SourceEnv || ref.Source == secrets.SourceStore || ref.Source == secrets.SourceKeyring
	if !ok && name == secrets.DefaultProvider && implicit {
		p, ok = secrets.ProviderConfig{Source: ref.Source}, true
	}
	switch {
	case !ok:
		return name, p, secrets.Fail(secrets.CodeNotConfigured, "provider "+name+" is not configured", "add it under secrets.providers, or name another one")
	case p.Source != ref.Source && implicit && name == secrets.DefaultProvider:
		// default is configured for another source: the implicit one stands.
		return name, secrets.ProviderConfig{Source: ref.Source}, nil
	case p.Source != ref.Source:
		return name, p, secrets.Fail(secrets.CodeInvalid, "provider "+name+" is of source "+p.Source+", not "+ref.Source, "write source: "+p.Source+", or name another provider")
	}
	return name, p, nil
}

// Build makes the provider of one configuration.
func Build(name string, p secrets.ProviderConfig, st secrets.StoreConfig, o Options) secrets.Provider {
	switch p.Source {
	case secrets.SourceEnv:
		return &env.Provider{Lookup: o.LookupEnv, Allowlist: p.Allowlist}
	case secrets.SourceFile:
		readers := map[string]securepath.Readers{"group": securepath.Group, "all": securepath.All}[p.ReadableBy]
		return &file.Provider{
			Path: p.Path, Dir: p.Dir, Single: p.Mode == "singleValue", Timeout: ms(p.TimeoutMs),
			Rules: securepath.Rules{ReadableBy: readers, AllowSymlink: p.AllowSymlink, MaxBytes: int64(p.MaxBytes)},
		}
	case secrets.SourceExec:
		return &exec.Provider{
			Name: name, Command: p.Command, Args: p.Args, Env: environment(p, o.LookupEnv), Trusted: p.TrustedDirs, Symlink: p.AllowSymlink,
			Timeout: ms(p.TimeoutMs), Idle: ms(p.NoOutputTimeoutMs), MaxOutput: int64(p.MaxOutputBytes), Lenient: p.JSONOnly != nil && !*p.JSONOnly,
		}
	case secrets.SourceStore:
		getenv := func(k string) string { v, _ := o.LookupEnv(k); return v }
		return &store.Provider{Options: store.Options{Dir: o.StateDir, Config: st, Getenv: getenv}, Tenant: p.Tenant}
	case secrets.SourceKeyring:
		return &keyring.Provider{Service: p.Service}
	}
	return nil
}

func environment(p secrets.ProviderConfig, lookup func(string) (string, bool)) []string {
	out := []string{}
	for _, name := range p.PassEnv {
		if v, ok := lookup(name); ok {
			out = append(out, name+"="+v)
		}
	}
	for name, v := range p.Env {
		out = append(out, name+"="+v)
	}
	return out
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
