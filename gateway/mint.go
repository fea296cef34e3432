package gateway

import (
	"os"
	"strconv"

	"github.com/chitin-sh/chitin/gateway/internal/mint"
)

// DefaultTenant is the tenant of every principal that the configuration does
// not place elsewhere.
const DefaultTenant = "default"

// Mint turns a proof into a Caller. A proof can only be made inside the
// gateway's folder; the zero proof, an empty kind or an empty tenant gives the
// anonymous caller.
func Mint(p mint.Proof) Caller {
	c, ok := p.Claims()
	if !ok || c.Kind == "" || c.Tenant == "" {
		return Caller{}
	}
	return Caller{
		kind: Kind(c.Kind), id: c.ID, tenant: c.Tenant,
		scopes: Scope(c.Scopes).Closure(), owner: c.Owner,
		credential: c.Credential, epoch: c.Epoch, expires: c.Expires,
	}
}

// Process is the caller for the OS user that runs this very process. Commands
// that act without a running gateway use it: whoever can start the process
// already owns the state directory.
func Process() Caller {
	uid := strconv.Itoa(os.Getuid())
	return Caller{
		kind: KindUnix, id: uid, tenant: DefaultTenant,
		scopes: AllScopes, owner: true, credential: "unix:" + uid,
	}
}
