package runcmd

import (
	"context"
	"fmt"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Decider is the policy.
type Decider interface {
	Decide(caller gateway.Caller, q *toolpolicy.Query) (toolpolicy.Grant, toolpolicy.Decision)
}

// Authorizer asks a policy as the person whose process this is.
func Authorizer(load func() (Decider, error)) func(ctx context.Context, agent string, args []byte) (toolpolicy.Grant, error) {
	return func(_ context.Context, agent string, args []byte) (toolpolicy.Grant, error) {
		d, err := load()
		if err != nil {
			return toolpolicy.Grant{}, err
		}
		if agent == "" {
			agent = "main"
		}
		caller := gateway.Process()
		g, why := d.Decide(caller, &toolpolicy.Query{Tool: "exec", Args: args, Surface: toolpolicy.SurfaceCLI,
			Session: &toolpolicy.Session{Key: "agent:" + agent + ":run", Agent: agent, Tenant: caller.Tenant(), Sandboxed: true}})
		if !g.Valid() {
			return g, fmt.Errorf("the policy answers %s: %s (%s)", why.Verdict, why.Reason, why.Layer)
		}
		return g, nil
	}
}
