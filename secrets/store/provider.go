package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/secrets"
)

// Provider resolves references to the store, which it opens when first asked.
type Provider struct {
	Options Options
	Tenant  string
}

// Resolve reads each id of the tenant.
func (p *Provider) Resolve(ctx context.Context, ids []string) map[string]secrets.Result {
	s, err := Open(ctx, p.Options)
	if err != nil {
		return secrets.FailAll(ids, secrets.Fail(secrets.CodeProviderError, "the secret store cannot be opened: "+err.Error(), "look with: chitin secrets list"))
	}
	defer func() { _ = s.Close() }()
	out := make(map[string]secrets.Result, len(ids))
	for _, id := range ids {
		v, err := s.Lease(ctx, p.Tenant, id)
		switch {
		case errors.Is(err, ErrNotFound):
			out[id] = secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("the store has no %q", id), "chitin secrets set "+id)}
		case err != nil:
			out[id] = secrets.Result{Err: secrets.Fail(secrets.CodeProviderError, "the secret store cannot be read: "+err.Error(), "look with: chitin secrets list")}
		default:
			out[id] = secrets.Result{Value: v}
		}
	}
	return out
}
