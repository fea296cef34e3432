// Package gatewaytest makes callers and guards for tests of other packages.
package gatewaytest

import (
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mint"
)

// Option changes a test caller.
type Option func(*mint.Claims)

// Caller is an owner of tenant "default" with every scope, proved by a token
// named "test", unless options say otherwise.
func Caller(opts ...Option) gateway.Caller {
	c := mint.Claims{
		Kind: string(gateway.KindToken), ID: "test", Tenant: gateway.DefaultTenant,
		Scopes: uint16(gateway.AllScopes), Owner: true, Credential: "token:test", Epoch: 1,
	}
	for _, o := range opts {
		o(&c)
	}
	return gateway.Mint(mint.Prove(c))
}

// Kind sets how the caller was proved.
func Kind(k gateway.Kind) Option { return func(c *mint.Claims) { c.Kind = string(k) } }

// ID sets the identity; the credential follows it.
func ID(id string) Option {
	return func(c *mint.Claims) { c.ID, c.Credential = id, "token:"+id }
}

// Tenant sets the tenant.
func Tenant(t string) Option { return func(c *mint.Claims) { c.Tenant = t } }

// Scopes sets exactly these scopes (and what they imply).
func Scopes(s gateway.Scope) Option { return func(c *mint.Claims) { c.Scopes = uint16(s) } }

// Owner sets whether the caller is an owner.
func Owner(yes bool) Option { return func(c *mint.Claims) { c.Owner = yes } }

// Credential sets the credential's id.
func Credential(id string) Option { return func(c *mint.Claims) { c.Credential = id } }

// Epoch sets the authority epoch.
func Epoch(e uint64) Option { return func(c *mint.Claims) { c.Epoch = e } }
