package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// approvals asks humans about calls, for the corridor.
type approvals struct {
	book *approval.Book
	desk *approval.Desk
}

func (a *App) openApprovals(ctx context.Context, l *config.Loaded) error {
	c := l.Tools.Approvals
	book, err := approval.Open(ctx, a.db, approval.Options{
		Timeout: time.Duration(c.TimeoutSeconds) * time.Second, MaxPending: c.MaxPending, AllowSelf: c.AllowSelf, Recorder: a,
	})
	if err != nil {
		return err
	}
	a.approvals = &approvals{book, &approval.Desk{
		Book: book, Where: a.where,
		Policy: func() approval.Decider { return a.live.Load().engine },
		Live:   func(c gateway.Caller) bool { return a.guard == nil || a.guard.Alive(c) },
	}}
	return nil
}

// Ask parks a call until a human decided about exactly this plan. The policy
// is asked again and the plan is made again before the yes counts.
func (p *approvals) Ask(ctx context.Context, q invoke.Question) (toolpolicy.Grant, string, error) {
	return p.desk.Approve(ctx, q.Caller, q.Query)
}

// where says where a call would run and with what, so that a yes is bound to
// the programs and scripts that are there.
func (a *App) where(ctx context.Context, p toolpolicy.Petition, s *toolpolicy.Session) (approval.Context, error) {
	if p.Host() {
		return approval.Context{Files: approval.Host{List: &shell.List{}}, Cwd: a.workspace(s.Tenant, s.Agent)}, nil
	}
	return approval.Context{
		Files: approval.Workspace{Read: a.boxFile(s)}, Cwd: sandbox.Workdir,
		Sandbox: hashOf(a.live.Load().sandbox(s.Agent)),
	}, nil
}

// boxFile reads files of the box that a session's call would run in. Where
// there is no box yet there are no files: one that appears voids the yes.
func (a *App) boxFile(s *toolpolicy.Session) func(context.Context, string, int64) ([]byte, error) {
	return func(ctx context.Context, path string, limit int64) ([]byte, error) {
		for _, i := range a.boxes.List(s.Tenant) {
			mine := (i.Scope == "session" && i.Key == s.Key) || (i.Scope == "agent" && i.Key == "agent:"+s.Agent) || i.Scope == "shared"
			if !mine || i.Workspace == "" {
				continue
			}
			files, err := workspace.Open(i.Workspace, workspace.Options{Workdir: sandbox.Workdir, ReadOnly: true})
			if err != nil {
				return nil, err
			}
			b, _, err := files.Read(ctx, path, limit)
			return b, errors.Join(err, files.Close())
		}
		return nil, fs.ErrNotExist
	}
}

// RecordApproval writes a step of an approval's life to the journal.
func (a *App) RecordApproval(_ context.Context, e approval.Event) error {
	m := map[string]any{"id": e.ID, "asker": e.Asker, "state": e.State, "digest": e.Digest, "host": e.Host, "note": a.redactor.String(e.Note)}
	if e.Via != "" {
		m["via"] = e.Via
	}
	detail, err := json.Marshal(m)
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
