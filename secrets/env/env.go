// Package env is the provider that reads environment variables, all of them
// or those of an allowlist.
package env

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
)

// Provider reads variables through Lookup.
type Provider struct {
	Lookup    func(string) (string, bool)
	Allowlist []string // nil allows any variable, an empty list none
}

// Resolve looks up each id.
func (p *Provider) Resolve(_ context.Context, ids []string) map[string]secrets.Result {
	out := make(map[string]secrets.Result, len(ids))
	for _, id := range ids {
		out[id] = p.one(id)
	}
	return out
}

func (p *Provider) one(id string) secrets.Result {
	if p.Allowlist != nil && !slices.Contains(p.Allowlist, id) {
		return secrets.Result{Err: secrets.Fail(secrets.CodeDenied,
			fmt.Sprintf("environment variable %s is not in the provider's allowlist", id), "add "+id+" to its allowlist")}
	}
	v, _ := p.Lookup(id)
	if v = strings.TrimSpace(v); v == "" {
		return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound,
			fmt.Sprintf("environment variable %s is missing or empty", id), "export "+id+"=… before starting")}
	}
	return secrets.Result{Value: secrets.NewValue(v)}
}
