package invoke

import (
	"context"

	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/tool"
)

// Mounts are tools beside the registry that come and go and differ by tenant:
// those of MCP servers. A mounted tool checks its own arguments.
type Mounts interface {
	// Prepare may take a while, once: it makes a server known whose tool is
	// asked for by name.
	Prepare(ctx context.Context, tenant, name string)
	Tool(tenant, agent, name string) (tool.Tool, bool)
	// Visible names what may be listed.
	Visible(tenant, agent string) []string
}

// prepare lets a server of mounted tools be met, after which the policy knows
// their names.
func (r *Runner) prepare(ctx context.Context, req *Request) {
	if m := r.deps.Load().Mounts; m != nil && !req.Caller.Anonymous() {
		m.Prepare(ctx, req.Caller.Tenant(), req.Tool)
	}
}

// mounted is the mounted tool of a name, or nil.
func (c *call) mounted(agent, name string) tool.Tool {
	t, ok := c.Mounts.Tool(c.req.Caller.Tenant(), agent, name)
	if !ok {
		return nil
	}
	return t
}

// visibleMounts adds what a listing shows of the mounted tools.
func (c *call) visibleMounts(out []tool.Spec) []tool.Spec {
	if c.Mounts == nil {
		return out
	}
	for _, name := range c.Mounts.Visible(c.facts.Tenant, c.facts.Agent) {
		q := c.query
		q.Tool, q.Args = name, nil
		if t := c.mounted(c.facts.Agent, name); t != nil && c.Policy.Visible(c.req.Caller, &q) {
			out = append(out, t.Spec())
		}
	}
	return out
}

// validate checks the arguments of a registered tool by its schema; a mounted
// one does it itself.
func (c *call) validate() error {
	if c.Mounts != nil {
		if _, ok := c.Tools.Get(c.query.Tool); !ok {
			if m, ok := c.tool.(tool.ArgChecker); ok {
				return m.CheckArgs(c.req.Args)
			}
		}
	}
	if string(c.req.Args) != "{}" {
		return c.Tools.Validate(c.query.Tool, c.req.Args)
	}
	if _, ok := c.argless.Load(c.query.Tool); ok {
		return nil
	}
	err := c.Tools.Validate(c.query.Tool, c.req.Args)
	if _, own := c.tool.(tool.ArgChecker); err == nil && !own {
		c.argless.Store(c.query.Tool, true) // schemas do not change
	}
	return err
}

// sealError wraps an error whose words came from outside, and labels the
// session as a result would. The journal keeps where it came from.
func (c *call) sealError(ctx context.Context, te *tool.Error, done *journal.Entry) (string, error) {
	res := tool.Result{Content: []tool.Block{{Type: "text", Text: te.Public}}, Source: te.Source}
	done.Error = "an error of " + te.Source
	if err := c.seal(ctx, &res, done); err != nil {
		return "", err
	}
	budget := c.Limits.Output
	return c.Redactor.String(clip(res.Content[0].Text, &budget)), nil
}
