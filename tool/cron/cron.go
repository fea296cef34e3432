// Package cron is the tool that keeps schedules: for owners only, because a
// schedule acts when nobody watches.
package cron

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/chitin-sh/chitin/agent/cron"
	"github.com/chitin-sh/chitin/tool"
)

// Jobs is the schedules of every tenant; each method takes the tenant.
type Jobs interface {
	Add(ctx context.Context, j cron.Job) (cron.Job, error)
	Update(ctx context.Context, tenant, id string, edit func(*cron.Job) error) (cron.Job, error)
	Remove(ctx context.Context, tenant, id string) error
	RunNow(ctx context.Context, tenant, id string) (cron.Run, error)
	Get(ctx context.Context, tenant, id string) (cron.Job, error)
	List(ctx context.Context, tenant string) ([]cron.Job, error)
	Runs(ctx context.Context, tenant, id string, limit, offset int) ([]cron.Run, error)
	Status(ctx context.Context, tenant string) (cron.Status, error)
}

// Deps of the tool.
type Deps struct {
	// Jobs may give nil: then the tool says that nothing is scheduled here.
	Jobs func() Jobs
	// Authority is what a job made by this call may act as, at most.
	Authority func(ctx context.Context, c *tool.Call) (cron.Authority, error)
}

// Tool is cron.
type Tool struct{ d Deps }

var _ tool.Tool = (*Tool)(nil)

// New makes the tool.
func New(d Deps) *Tool { return &Tool{d} }

// Spec describes cron.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{
		Name: "cron", Aliases: []string{"automations"}, Title: "Schedules",
		Description: "For the owner: run a message to the agent at a time, at intervals or by a cron expression, in a session of its own and with no more than this session's tools.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Control: true},
	}
}

// Run does what action says. That only the owner gets here is the policy's
// work; it is checked again because a schedule outlives the call.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if !c.Grant.Valid() || !c.Caller().Owner() {
		return tool.Result{}, tool.Forbidden("cron is for the owner only.")
	}
	jobs := t.d.Jobs()
	if jobs == nil {
		return tool.Result{}, tool.Unavailable("This gateway keeps no schedules.", nil)
	}
	if a.ID == "" {
		a.ID = a.JobID
	}
	x := &action{jobs: jobs, d: t.d, c: c, a: a}
	res, err := x.do(ctx)
	return res, explain(err)
}

// action is one call of the tool.
type action struct {
	jobs Jobs
	d    Deps
	c    *tool.Call
	a    args
}

func (x *action) do(ctx context.Context) (tool.Result, error) {
	switch x.a.Action {
	case "":
		return tool.Result{}, tool.Missing("action")
	case "status":
		return x.status(ctx)
	case "list":
		return x.list(ctx)
	case "add":
		return x.add(ctx)
	case "get", "update", "remove", "run", "runs":
		if x.a.ID == "" {
			return tool.Result{}, tool.Missing("id")
		}
	default:
		return tool.Result{}, tool.Input("Invalid parameter: action must be one of: status, list, get, add, update, remove, run, runs.")
	}
	tenant := x.c.Session.Tenant
	switch x.a.Action {
	case "get":
		j, err := x.jobs.Get(ctx, tenant, x.a.ID)
		return x.job(j, err)
	case "update":
		return x.update(ctx)
	case "remove":
		if err := x.jobs.Remove(ctx, tenant, x.a.ID); err != nil {
			return tool.Result{}, err
		}
		return tool.JSON(map[string]any{"ok": true, "removed": true, "id": x.a.ID})
	case "run":
		r, err := x.jobs.RunNow(ctx, tenant, x.a.ID)
		if err != nil {
			return tool.Result{}, err
		}
		return tool.JSON(map[string]any{"ok": true, "status": "accepted", "id": x.a.ID, "runId": r.ID})
	}
	return x.runs(ctx)
}

func (x *action) status(ctx context.Context) (tool.Result, error) {
	st, err := x.jobs.Status(ctx, x.c.Session.Tenant)
	if err != nil {
		return tool.Result{}, err
	}
	out := map[string]any{"enabled": true, "jobs": st.Jobs, "enabledJobs": st.Enabled, "running": st.Running}
	if !st.Next.IsZero() {
		out["nextWakeAtMs"] = st.Next.UnixMilli()
	}
	return tool.JSON(out)
}

func (x *action) list(ctx context.Context) (tool.Result, error) {
	all, err := x.jobs.List(ctx, x.c.Session.Tenant)
	if err != nil {
		return tool.Result{}, err
	}
	rows, source, total := []jobView{}, "", 0
	offset, limit := x.page()
	for _, j := range all {
		if !j.Enabled && !x.a.IncludeDisabled {
			continue
		}
		if total++; total <= offset || len(rows) == limit {
			continue
		}
		rows = append(rows, view(j))
		if source == "" {
			source = from(j.Label)
		}
	}
	out := map[string]any{"jobs": rows, "total": total, "offset": offset, "limit": limit, "hasMore": offset+len(rows) < total}
	if offset+len(rows) < total {
		out["nextOffset"] = offset + len(rows)
	}
	return labelled(out, source)
}

func (x *action) add(ctx context.Context) (tool.Result, error) {
	in, err := x.a.job()
	if err != nil {
		return tool.Result{}, err
	}
	switch {
	case in.Schedule == nil:
		return tool.Result{}, tool.Missing("job.schedule")
	case in.Payload == nil || in.Payload.Message == nil:
		return tool.Result{}, tool.Missing("job.payload.message")
	}
	j := cron.Job{Tenant: x.c.Session.Tenant, Agent: x.c.Session.Agent, Enabled: true}
	if err := x.edit(ctx, in, &j); err != nil {
		return tool.Result{}, err
	}
	j, err = x.jobs.Add(ctx, j)
	return x.job(j, invalid(err))
}

func (x *action) update(ctx context.Context) (tool.Result, error) {
	in, err := x.a.job()
	if err != nil {
		return tool.Result{}, err
	}
	j, err := x.jobs.Update(ctx, x.c.Session.Tenant, x.a.ID, func(j *cron.Job) error { return x.edit(ctx, in, j) })
	return x.job(j, invalid(err))
}

// edit applies what the call gives. Whoever gives a job its text is whom it
// acts as from then on; whatever a labelled session touches is labelled.
func (x *action) edit(ctx context.Context, in jobArgs, j *cron.Job) error {
	if in.AgentID != "" && in.AgentID != x.c.Session.Agent {
		return tool.Forbidden("agentId: a session schedules only its own agent; use a session of that agent.")
	}
	in.apply(j)
	if in.Payload != nil && in.Payload.Message != nil {
		if j.Agent != x.c.Session.Agent {
			return tool.Forbidden("This job belongs to another agent; use a session of that agent.")
		}
		auth, err := x.d.Authority(ctx, x.c)
		if err != nil {
			return err
		}
		label := j.Label
		if j.Authority = auth; label != "" {
			j.Label = label
		}
	}
	if j.Label == "" {
		j.Label = x.c.Session.Label
	}
	return nil
}

func (x *action) runs(ctx context.Context) (tool.Result, error) {
	offset, limit := x.page()
	runs, err := x.jobs.Runs(ctx, x.c.Session.Tenant, x.a.ID, limit+1, offset)
	if err != nil {
		return tool.Result{}, err
	}
	more := len(runs) > limit
	rows, source := []runView{}, ""
	for _, r := range runs[:min(len(runs), limit)] {
		rows = append(rows, viewRun(x.a.ID, r))
		if source == "" {
			source = from(r.Label)
		}
	}
	return labelled(map[string]any{"id": x.a.ID, "entries": rows, "hasMore": more}, source)
}

// page is offset and limit with their defaults.
func (x *action) page() (offset, limit int) {
	if limit = x.a.Limit; limit <= 0 {
		limit = 50
	}
	return max(x.a.Offset, 0), min(limit, 200)
}

func (x *action) job(j cron.Job, err error) (tool.Result, error) {
	if err != nil {
		return tool.Result{}, err
	}
	return labelled(view(j), from(j.Label))
}

// labelled marks a result that carries text from outside: it gets wrapped, and
// details would carry it unwrapped.
func labelled(out any, source string) (tool.Result, error) {
	res, err := tool.JSON(out)
	if res.Source = source; source != "" {
		res.Details = nil
	}
	return res, err
}

// from names the source of a label.
func from(label string) string {
	const prefix = "untrusted:"
	if len(label) > len(prefix) {
		return label[len(prefix):]
	}
	return ""
}

// invalid makes the words of a bad job an input error.
func invalid(err error) error {
	var te *tool.Error
	var bad *cron.InvalidError
	if errors.As(err, &te) || !errors.As(err, &bad) {
		return err
	}
	return tool.InputCode("", "Invalid parameter: job: "+bad.Error()+".", err)
}

// explain gives known errors their kind.
func explain(err error) error {
	switch {
	case errors.Is(err, cron.ErrNotFound):
		return &tool.Error{Kind: tool.KindNotFound, Public: "No such job.", Err: err}
	case errors.Is(err, cron.ErrRunning), errors.Is(err, cron.ErrTooMany), errors.Is(err, cron.ErrRevoked):
		return tool.InputCode("", "The job was refused: "+err.Error()+".", err)
	case errors.Is(err, cron.ErrClosed):
		return tool.Unavailable("The gateway is stopping.", err)
	}
	return err
}
