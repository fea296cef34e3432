package approval

import (
	"context"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Decider is the policy, asked again before a yes is used.
type Decider interface {
	Decide(gateway.Caller, *toolpolicy.Query) (toolpolicy.Grant, toolpolicy.Decision)
}

// Desk takes one call through the whole round: ask, wait, decide afresh,
// rebuild the plan, redeem.
type Desk struct {
	Book *Book
	// Policy is the policy in force right now.
	Policy func() Decider
	// Where says where the call would run; nil binds the words alone.
	Where func(ctx context.Context, p toolpolicy.Petition, s *toolpolicy.Session) (Context, error)
	// Live reports whether the caller's credential still counts; nil means yes.
	Live func(gateway.Caller) bool
}

// Approve asks a human about a call for which Decide said Ask. It returns when
// somebody answered, the time is up or ctx ends. The grant is valid only after
// a yes to exactly this call; the id is that of the request, also on a no.
func (d *Desk) Approve(ctx context.Context, caller gateway.Caller, q *toolpolicy.Query) (toolpolicy.Grant, string, error) {
	p, plan, err := d.plan(ctx, caller, q)
	if err != nil {
		return toolpolicy.Grant{}, "", err
	}
	r, err := d.Book.Ask(ctx, p, &plan)
	if err != nil {
		return toolpolicy.Grant{}, "", err
	}
	if err := d.await(ctx, r); err != nil {
		return toolpolicy.Grant{}, r.ID, err
	}
	if d.Live != nil && !d.Live(caller) {
		return toolpolicy.Grant{}, r.ID, ErrVoid
	}
	if p, plan, err = d.plan(ctx, caller, q); err != nil {
		return toolpolicy.Grant{}, r.ID, err
	}
	g, err := d.Book.Redeem(ctx, r.ID, p, &plan)
	return g, r.ID, err
}

// plan decides and builds what would run now.
func (d *Desk) plan(ctx context.Context, caller gateway.Caller, q *toolpolicy.Query) (toolpolicy.Petition, Plan, error) {
	_, decision := d.Policy().Decide(caller, q)
	p := decision.Petition()
	if !p.Valid() {
		return p, Plan{}, ErrVoid // allowed by now, or denied: either way not what was asked
	}
	var c Context
	if d.Where != nil {
		var err error
		if c, err = d.Where(ctx, p, q.Session); err != nil {
			return p, Plan{}, err
		}
	}
	plan, err := Build(ctx, p, q.Args, c)
	return p, plan, err
}
