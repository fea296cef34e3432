package invoke

import (
	"context"
	"time"

	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Tools lists what the caller of a request may see in its session on its
// surface: the path of a call, stopped after the decision.
func (r *Runner) Tools(ctx context.Context, req Request) ([]tool.Spec, error) {
	c := &call{Deps: r.deps.Load(), req: req, start: time.Now()}
	if err := c.resolve(ctx); err != nil {
		return nil, err
	}
	var out []tool.Spec
	for _, name := range c.Deps.Tools.Names() {
		q := c.query
		q.Tool, q.Args = name, nil
		if !c.Policy.Visible(c.req.Caller, &q) {
			continue
		}
		if t, ok := c.Deps.Tools.Get(name); ok {
			out = append(out, t.Spec())
		}
	}
	return c.visibleMounts(out), nil
}

// Explain decides about a request without recording or running anything: what
// policy explain shows.
func (r *Runner) Explain(ctx context.Context, req Request) (toolpolicy.Decision, []toolpolicy.Step, error) {
	c := &call{Deps: r.deps.Load(), req: req, start: time.Now()}
	if err := c.resolve(ctx); err != nil {
		return toolpolicy.Decision{}, nil, err
	}
	return c.decide(), c.Policy.Trace(req.Caller, &c.query), nil
}

// Facts is the session of a request as the policy sees it.
func (r *Runner) Facts(ctx context.Context, req Request) (toolpolicy.Session, error) {
	c := &call{Deps: r.deps.Load(), req: req, start: time.Now()}
	err := c.resolve(ctx)
	return c.facts, err
}
