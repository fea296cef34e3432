package app

import (
	"context"
	"encoding/json"
	"time"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// approvals asks humans about calls, for the corridor.
type approvals struct {
	app  *App
	book *approval.Book
}

func (a *App) openApprovals(ctx context.Context, l *config.Loaded) error {
	c := l.Tools.Approvals
	book, err := approval.Open(ctx, a.db, approval.Options{
		Timeout: time.Duration(c.TimeoutSeconds) * time.Second, MaxPending: c.MaxPending, AllowSelf: c.AllowSelf, Recorder: a,
	})
	if err != nil {
		return err
	}
	a.approvals = &approvals{a, book}
	return nil
}

// Ask parks a call until a human decided about exactly this plan. The policy
// is asked again and the plan is made again before the yes counts.
func (p *approvals) Ask(ctx context.Context, q invoke.Question) (toolpolicy.Grant, string, error) {
	pet, plan, err := p.plan(ctx, q)
	if err != nil {
		return toolpolicy.Grant{}, "", err
	}
	r, err := p.book.Ask(ctx, pet, &plan)
	if err != nil {
		return toolpolicy.Grant{}, "", err
	}
	if err := p.book.Wait(ctx, r); err != nil {
		return toolpolicy.Grant{}, r.ID, err
	}
	if pet, plan, err = p.plan(ctx, q); err != nil {
		return toolpolicy.Grant{}, r.ID, err
	}
	g, err := p.book.Redeem(ctx, r.ID, pet, &plan)
	return g, r.ID, err
}

func (p *approvals) plan(ctx context.Context, q invoke.Question) (toolpolicy.Petition, approval.Plan, error) {
	_, d := p.app.live.Load().engine.Decide(q.Caller, q.Query)
	pet := d.Petition()
	var where approval.Context
	if pet.Host() {
		where.Files = approval.Host{List: &shell.List{}}
	} else {
		where.Sandbox = hashOf(p.app.live.Load().sandbox(q.Session.Key.Agent))
	}
	plan, err := approval.Build(ctx, pet, q.Query.Args, where)
	return pet, plan, err
}

// RecordApproval writes a step of an approval's life to the journal.
func (a *App) RecordApproval(_ context.Context, e approval.Event) error {
	detail, err := json.Marshal(map[string]any{"id": e.ID, "asker": e.Asker, "state": e.State, "digest": e.Digest, "host": e.Host, "note": a.redactor.String(e.Note)})
	if err != nil {
		return err
	}
	_, err = a.journal.Append(&journal.Entry{
		Event: "approval." + e.Kind, Principal: e.By, Tenant: e.Tenant, Surface: e.Surface, Session: e.Session, Tool: e.Tool, Detail: detail,
	})
	return err
}

// hashOf names a sandbox configuration: a yes under one is no yes under
// another.
func hashOf(c sandbox.Config) string {
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return hash(b)
}
