// Package peercred proves local users by the kernel's word: a process on the
// Unix socket is its uid, without any secret.
package peercred

import (
	"context"
	"os"
	"os/user"
	"strconv"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
)

// Verifier proves peers of the Unix socket.
type Verifier struct {
	self    uint32
	allowed map[uint32]bool
}

// NewVerifier admits the gateway's own user as owner and the users that the
// configuration names.
func NewVerifier(cfg gateway.AuthConfig) *Verifier {
	v := &Verifier{self: uint32(os.Getuid()), allowed: map[uint32]bool{}}
	for _, name := range cfg.Unix.AllowUsers {
		v.allow(name)
	}
	for key := range cfg.Principals {
		if len(key) > 5 && key[:5] == "unix:" {
			v.allow(key[5:])
		}
	}
	return v
}

// allow adds a user by uid or name. A name that this machine does not know
// admits nobody.
func (v *Verifier) allow(name string) {
	if uid, err := strconv.ParseUint(name, 10, 32); err == nil {
		v.allowed[uint32(uid)] = true
		return
	}
	if u, err := user.Lookup(name); err == nil {
		if uid, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			v.allowed[uint32(uid)] = true
		}
	}
}

// Kind is unix.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindUnix }

// Verify answers for every request on the Unix socket.
func (v *Verifier) Verify(_ context.Context, a *gateway.Attempt, _ bool) (gateway.Identity, gateway.Outcome) {
	if a.Conn == nil || !a.Conn.Unix {
		return gateway.Identity{}, gateway.Absent
	}
	if !a.Conn.Known {
		return gateway.Identity{}, gateway.Refused
	}
	return v.identify(a.Conn.UID, a.Off(mutate.AllowUsers))
}

func (v *Verifier) identify(uid uint32, anybody bool) (gateway.Identity, gateway.Outcome) {
	name := strconv.FormatUint(uint64(uid), 10)
	id := gateway.Identity{Kind: gateway.KindUnix, ID: name, Credential: "unix:" + name}
	if uid == v.self {
		all := gateway.AllScopes
		id.Tenant, id.Scopes, id.Owner = gateway.DefaultTenant, &all, true
		return id, gateway.Right
	}
	if !v.allowed[uid] && !anybody {
		return gateway.Identity{}, gateway.Refused
	}
	return id, gateway.Right
}
