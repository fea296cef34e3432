package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/runtime"
)

// Paths of the secret-bearing keys.
const (
	keyToken    = "gateway.auth.token"
	keyPassword = "gateway.auth.password"
	keyHooks    = "hooks.token"
)

// openSecrets resolves every reference at once. Without the credential of the
// active mode nothing starts.
func (a *App) openSecrets(ctx context.Context, l *config.Loaded) (err error) {
	a.secrets, err = runtime.New(l.Secrets, runtime.Options{
		StateDir: a.opts.StateDir, Getenv: a.opts.Getenv,
		OnChange: func(s *runtime.Snapshot) { a.redactor.Set(s.Values()) },
	})
	if err != nil {
		return err
	}
	_, failures := a.secrets.Load(ctx, needs(l, a.opts))
	return required(failures)
}

// needs lists the secret-bearing fields of the configuration.
func needs(l *config.Loaded, opts Options) []runtime.Need {
	out := []runtime.Need{{Path: keyToken, Field: tokenField(l, opts), Required: true}}
	if f := l.Gateway.Auth.Password; !f.IsZero() {
		out = append(out, runtime.Need{Path: keyPassword, Field: f, Required: true})
		if l.Gateway.Auth.Token.IsZero() {
			out = out[1:]
		}
	}
	if m := l.Gateway.Auth.Mode; m != "" && m != gateway.ModeToken && l.Gateway.Auth.Token.IsZero() && len(out) > 0 && out[0].Path == keyToken {
		out = out[1:]
	}
	for name, p := range l.Models.Providers {
		if !p.APIKey.IsZero() {
			out = append(out, runtime.Need{Path: keyModel(name), Field: p.APIKey})
		}
	}
	out = append(out, serverNeeds(l)...)
	if l.Hooks.Enabled {
		out = append(out, runtime.Need{Path: keyHooks, Field: l.Hooks.Token})
	}
	return out
}

// tokenField is gateway.auth.token, else $CHITIN_GATEWAY_TOKEN, else the
// generated file.
func tokenField(l *config.Loaded, opts Options) secrets.Field {
	if f := l.Gateway.Auth.Token; !f.IsZero() {
		return f
	}
	if opts.Getenv("CHITIN_GATEWAY_TOKEN") != "" {
		return envToken()
	}
	return secrets.RefField(secrets.Ref{Source: "file", Provider: "state", ID: TokenFile})
}

func envToken() secrets.Field {
	return secrets.RefField(secrets.Ref{Source: "env", Provider: "default", ID: "CHITIN_GATEWAY_TOKEN"})
}

func required(failures []runtime.Failure) error {
	var errs []error
	for _, f := range failures {
		if f.Required {
			errs = append(errs, fmt.Errorf("%w (%s)", f, f.Fix))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &gateway.StartError{Code: 1, Message: "required secrets are unavailable: " + errors.Join(errs...).Error(), Hint: "chitin config show names the references"}
}

func (a *App) secret(path string) secrets.Value {
	v, _ := a.secrets.Current().Get(path)
	return v
}

// tokenPath is where the generated token is, for what is shown to the user.
func (a *App) tokenPath() string { return filepath.Join(a.opts.StateDir, TokenFile) }
