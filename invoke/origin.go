package invoke

import (
	"context"
	"slices"

	"github.com/chitin-sh/chitin/toolpolicy"
)

// Origin is what is known of where the work of a turn comes from. It can only
// add limits: an empty one has none of those that the policy keeps for
// providers, groups and senders.
type Origin struct {
	Provider    string   // model of the turn, as provider/model
	Group       string   // channel or group that a message came from
	Sender      string   // stable identity of its sender
	SenderNames []string // identities that the sender could have chosen
}

type originKey struct{}

// WithOrigin makes every decision in ctx know the origin, also those about what
// the work starts in turn.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// from puts the origin of ctx into the facts of a decision.
func from(ctx context.Context, s *toolpolicy.Session) {
	o, ok := ctx.Value(originKey{}).(Origin)
	if !ok {
		return
	}
	s.Provider, s.Group, s.Sender, s.SenderNames = o.Provider, o.Group, o.Sender, slices.Clone(o.SenderNames)
}
