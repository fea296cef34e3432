package approval

import (
	"context"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// NewClientLine makes the line to the user of an MCP client whose own program
// asked for the call. That a human sits there cannot be proved: the client says
// so. The line is therefore for deployments that chose it, for credentials with
// the approvals scope, and for one call inside a sandbox at a time. Tools that
// belong to owners and calls on the host wait for another approver.
func NewClientLine(human gateway.Caller, session, via string, ask func(ctx context.Context, r Request) (Answer, error)) *Line {
	l := NewLine(human, session, via, ask)
	l.client = true
	return l
}

// covers reports whether a petition is of the kind that the line is for.
func (l *Line) covers(p toolpolicy.Petition) bool {
	if !l.client {
		return p.Surface() == l.surface()
	}
	return p.Surface() == toolpolicy.SurfaceMCP && !p.Host() && !p.Elevated() && !toolpolicy.OwnerOnly(p.Tool())
}
