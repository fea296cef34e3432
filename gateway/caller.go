// Package gateway is layer 1: it proves who is calling and hands out the
// Caller ticket that every later room asks for. Each way of proving an
// identity lives in a sub-folder; this package holds the types, the guard and
// the decisions they share.
package gateway

import "time"

// Kind names how a caller was proved.
type Kind string

// The ways a caller can be proved. KindAnonymous is the zero value and is
// denied everywhere.
const (
	KindAnonymous Kind = ""
	KindToken     Kind = "token"
	KindPassword  Kind = "password"
	KindProxy     Kind = "trusted-proxy"
	KindUnix      Kind = "unix"
	KindOIDC      Kind = "oidc"
	KindMTLS      Kind = "mtls"
	KindTailscale Kind = "tailscale"
	KindNone      Kind = "none" // gateway.auth.mode none, loopback only
	KindHook      Kind = "hook"
	KindInternal  Kind = "internal" // cron, sub-agents: always narrowed from another caller
)

// Scope is a set of operator scopes.
type Scope uint16

// The operator scopes. Admin includes Write includes Read.
const (
	ScopeRead Scope = 1 << iota
	ScopeWrite
	ScopeApprovals
	ScopeAdmin
)

// Caller is the ticket of layer 1: a server-made principal. Its zero value is
// anonymous and may do nothing. Nothing a client sends can widen one.
type Caller struct {
	kind       Kind
	id         string
	tenant     string
	scopes     Scope
	owner      bool
	credential string // stable id of the credential, for revocation
	epoch      uint64 // authority epoch at minting
	expires    int64  // Unix milliseconds when the authority ends by itself; 0 never
}

// Kind says how the caller was proved.
func (c Caller) Kind() Kind { return c.kind }

// ID is the stable identity inside its kind, such as a token's name, a uid or
// a proxy's user.
func (c Caller) ID() string { return c.id }

// Tenant is the isolation domain of everything the caller makes.
func (c Caller) Tenant() string { return c.tenant }

// Owner reports whether the caller may see and use owner-only tools.
func (c Caller) Owner() bool { return c.owner }

// Credential identifies the credential that proved the caller, so that
// revoking it can find what it opened.
func (c Caller) Credential() string { return c.credential }

// Epoch is the authority epoch at which the caller was minted.
func (c Caller) Epoch() uint64 { return c.epoch }

// Expires is when the caller's authority ends by itself; zero means never.
func (c Caller) Expires() time.Time {
	if c.expires == 0 {
		return time.Time{}
	}
	return time.UnixMilli(c.expires)
}

func (c Caller) expired() bool { return c.expires != 0 && time.Now().UnixMilli() >= c.expires }

// Scopes is the effective scope set, with implied scopes included.
func (c Caller) Scopes() Scope { return c.scopes }

// Anonymous reports whether nobody was proved.
func (c Caller) Anonymous() bool { return c.kind == KindAnonymous }

// Has reports whether the caller holds every scope in want.
func (c Caller) Has(want Scope) bool { return c.kind != KindAnonymous && c.scopes&want == want }

// Principal is the identity as the journal and the logs write it.
func (c Caller) Principal() string {
	if c.Anonymous() {
		return "anonymous"
	}
	return string(c.kind) + ":" + c.id
}

// Narrow returns the caller with no more than the given scopes and, unless
// keepOwner, without ownership. Authority only shrinks.
func (c Caller) Narrow(scopes Scope, keepOwner bool) Caller {
	c.scopes &= scopes
	c.owner = c.owner && keepOwner
	return c
}
