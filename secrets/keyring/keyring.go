// Package keyring is the provider that reads the operating system's keyring:
// Secret Service, macOS Keychain or Windows Credential Manager.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/chitin-sh/chitin/secrets"
)

// DefaultService is the service that our entries belong to.
const DefaultService = "chitin"

// timeout bounds a keyring that waits for somebody to unlock it.
const timeout = 10 * time.Second

// ErrNotFound is returned for an entry that does not exist.
var ErrNotFound = errors.New("not in the keyring")

// ErrUnavailable is returned where there is no keyring to talk to.
var ErrUnavailable = errors.New("there is no usable keyring")

// Provider reads entries of one service.
type Provider struct {
	Service string // DefaultService when empty
}

// Resolve asks the keyring for each id.
func (p *Provider) Resolve(ctx context.Context, ids []string) map[string]secrets.Result {
	out := make(map[string]secrets.Result, len(ids))
	for _, id := range ids {
		v, err := Get(ctx, p.Service, id)
		switch {
		case err == nil && !v.IsZero():
			out[id] = secrets.Result{Value: v}
		case err == nil, errors.Is(err, ErrNotFound):
			out[id] = secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("the keyring has no %q", id), "add it to service "+service(p.Service)+" of the keyring")}
		default:
			out[id] = secrets.Result{Err: secrets.Fail(secrets.CodeProviderError, err.Error(), "unlock or install a keyring, or use the store with a key file")}
		}
	}
	return out
}

func service(s string) string {
	if s == "" {
		return DefaultService
	}
	return s
}

// Get reads one entry.
func Get(ctx context.Context, svc, id string) (secrets.Value, error) {
	return within(ctx, func() (secrets.Value, error) {
		s, err := keyring.Get(service(svc), id)
		return secrets.NewValue(s), err
	})
}

// Set writes one entry.
func Set(ctx context.Context, svc, id string, v secrets.Value) error {
	_, err := within(ctx, func() (secrets.Value, error) {
		return secrets.Value{}, keyring.Set(service(svc), id, v.Reveal())
	})
	return err
}

// within runs a keyring call, which knows no deadline, beside one.
func within(ctx context.Context, call func() (secrets.Value, error)) (secrets.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type reply struct {
		v   secrets.Value
		err error
	}
	done := make(chan reply, 1)
	go func() {
		v, err := call()
		done <- reply{v, err}
	}()
	select {
	case r := <-done:
		switch {
		case errors.Is(r.err, keyring.ErrNotFound):
			return secrets.Value{}, ErrNotFound
		case r.err != nil:
			return secrets.Value{}, ErrUnavailable
		}
		return r.v, nil
	case <-ctx.Done():
		return secrets.Value{}, fmt.Errorf("%w: it did not answer in time", ErrUnavailable)
	}
}
