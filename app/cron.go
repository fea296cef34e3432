package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/agent/cron"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	crontool "github.com/chitin-sh/chitin/tool/cron"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// openCron opens the schedules. Nothing runs before the doors are open.
func (a *App) openCron(ctx context.Context) (err error) {
	work := cronWork{a}
	a.cron, err = cron.New(ctx, cron.Deps{DB: a.db, Run: work.run, Alive: work.alive, Ended: work.ended, Log: a.log})
	if err != nil {
		return err
	}
	a.undo.add("schedules", a.cron.Close)
	return nil
}

// cronTool is the tool over the schedules.
func (a *App) cronTool() tool.Tool {
	return crontool.New(crontool.Deps{
		Jobs:      func() crontool.Jobs { return a.cron },
		Authority: cronWork{a}.authority,
	})
}

// cronWork is what schedules do here.
type cronWork struct{ app *App }

// authority is what a job made by this call may act as: the caller without
// ownership, and exactly the tools that it could use here and now.
func (w cronWork) authority(ctx context.Context, c *tool.Call) (cron.Authority, error) {
	a, surface := w.app, c.Grant.Surface()
	facts, err := a.runner.Facts(ctx, invoke.Request{Caller: c.Caller(), Surface: surface, SessionKey: c.Session.Key})
	if err != nil {
		return cron.Authority{}, err
	}
	inherited, err := invoke.EncodeInherited(a.live.Load().engine.Inherit(c.Caller(), surface, &facts))
	return cron.Authority{Creator: c.Caller().Stored(), Inherited: inherited, Session: c.Session.Key, Label: facts.Label}, err
}

// alive reports whether a job's creator may still act.
func (w cronWork) alive(ctx context.Context, auth cron.Authority) (bool, error) {
	_, err := w.restore(ctx, auth.Creator)
	if errors.Is(err, cron.ErrRevoked) {
		return false, nil
	}
	return err == nil, err
}

// restore gives back a job's creator. The guard knows what ended in this
// process; the store knows which named tokens ended before it.
func (w cronWork) restore(ctx context.Context, s gateway.Stored) (gateway.Caller, error) {
	c, ok := w.app.guard.Restore(s)
	if !ok {
		return c, cron.ErrRevoked
	}
	if s.Kind != gateway.KindToken || s.Credential == gateway.CredentialToken {
		return c, nil
	}
	named, err := token.NewStore(w.app.db).List(ctx)
	if err != nil {
		return gateway.Caller{}, err
	}
	for _, r := range named {
		if r.Credential() == s.Credential && (r.Expires.IsZero() || time.Now().Before(r.Expires)) {
			return c.Narrow(r.Scopes.Closure(), false), nil
		}
	}
	return gateway.Caller{}, cron.ErrRevoked
}

// run does a job's turn in its own session, under its creator's policy and
// today's.
func (w cronWork) run(ctx context.Context, j cron.Job) (cron.Outcome, error) {
	a := w.app
	caller, err := w.restore(ctx, j.Creator)
	if err != nil {
		return cron.Outcome{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	grip, ok := a.guard.Track(caller, cancel)
	if !ok {
		return cron.Outcome{}, cron.ErrRevoked
	}
	defer grip.Release()
	key := session.Key{Agent: j.Agent, Name: j.SessionName()}
	s, err := a.sessions.Isolate(ctx, j.Tenant, key, caller.Principal(), j.Label, j.Inherited)
	if err != nil {
		return cron.Outcome{}, err
	}
	out, err := a.loop.Run(ctx, agent.Turn{
		Caller: caller, Surface: toolpolicy.SurfaceCron, Session: s, Input: j.Message, Label: j.Label,
		Model: a.model(j.Agent), System: system, Limits: agent.Limits{Timeout: j.Timeout},
	})
	res := cron.Outcome{Text: a.redactor.String(out.Text), Label: s.Label}
	if now, gerr := a.sessions.Get(context.WithoutCancel(ctx), j.Tenant, key.String()); gerr == nil {
		res.Label = now.Label
	}
	return res, err
}

// ended records a run. Its outcome is the session's history, not the journal's.
func (w cronWork) ended(j cron.Job, r cron.Run) {
	detail, _ := json.Marshal(map[string]any{"job": j.ID, "name": j.Name, "run": r.ID, "cause": r.Cause})
	e := &journal.Entry{
		Event: "cron.run", Principal: string(j.Creator.Kind) + ":" + j.Creator.ID, Tenant: j.Tenant, Surface: string(toolpolicy.SurfaceCron),
		Session: session.Key{Agent: j.Agent, Name: j.SessionName()}.String(), Label: r.Label, Outcome: r.State, Detail: w.app.redactor.Bytes(detail),
	}
	if r.State != cron.RunDone {
		e.Reason = w.app.redactor.String(r.Outcome)
	}
	w.app.note(e)
}
