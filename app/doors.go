package app

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/server/wsapi"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// wsTools lists what a caller may use over WebSocket.
type wsTools struct{ app *App }

// List is the tools of a session that the caller may see.
func (t wsTools) List(ctx context.Context, c gateway.Caller, sessionKey string) ([]tool.Spec, error) {
	return t.app.runner.Tools(ctx, invoke.Request{Caller: c, Surface: toolpolicy.SurfaceWebSocket, SessionKey: sessionKey})
}

// wsApprovals shows and answers what waits for a human in the caller's tenant.
type wsApprovals struct{ book *approval.Book }

// List is what waits.
func (a wsApprovals) List(ctx context.Context, c gateway.Caller) (any, error) {
	list, err := a.book.List(ctx, c)
	return orEmpty(list), err
}

// orEmpty makes no list an empty one, as it is written.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Resolve answers one question.
func (a wsApprovals) Resolve(ctx context.Context, c gateway.Caller, id string, approve bool, note string) error {
	err := a.book.Decide(ctx, c, id, approval.Answer{Allow: approve, Note: note})
	if errors.Is(err, approval.ErrUnknown) {
		return wsapi.ErrNotFound
	}
	return err
}

// wsSandboxes shows and remakes the boxes of the caller's tenant.
type wsSandboxes struct{ boxes *sandbox.Manager }

// List is the tenant's boxes, without host paths.
func (s wsSandboxes) List(_ context.Context, c gateway.Caller) (any, error) {
	list := s.boxes.List(c.Tenant())
	for i := range list {
		list[i].Workspace = ""
	}
	return orEmpty(list), nil
}

// Recreate removes one box, so that the next call makes it anew.
func (s wsSandboxes) Recreate(_ context.Context, c gateway.Caller, id string) error {
	if s.boxes.Recreate(c.Tenant(), func(i sandbox.Info) bool { return i.ID == id }) == 0 {
		return wsapi.ErrNotFound
	}
	return nil
}

// wsJournal shows the records of the caller's tenant.
type wsJournal struct{ app *App }

// Tail is the newest records.
func (j wsJournal) Tail(_ context.Context, c gateway.Caller, limit int) (any, error) {
	out := []journal.Record{}
	err := journal.Read(j.app.journalDir(), journal.Filter{Tenant: c.Tenant(), Last: limit}, func(r journal.Record) bool {
		out = append(out, r)
		return true
	})
	return out, err
}

// Follow sends each new record until ctx ends.
func (j wsJournal) Follow(ctx context.Context, c gateway.Caller, send func(any)) error {
	woken, cancel := j.app.journal.Subscribe()
	defer cancel()
	f := journal.Filter{Tenant: c.Tenant(), After: j.app.journal.Seq()}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-woken:
		}
		err := journal.Read(j.app.journalDir(), f, func(r journal.Record) bool {
			f.After = r.Seq
			b, err := json.Marshal(r)
			if err == nil {
				send(json.RawMessage(b))
			}
			return ctx.Err() == nil
		})
		if err != nil {
			return err
		}
	}
}

func (a *App) webSocket() *wsapi.Server {
	return wsapi.New(wsapi.Deps{
		Guard: a.guard, Invoke: a.runner, Tools: wsTools{a}, Approvals: wsApprovals{a.approvals.book},
		Sandboxes: wsSandboxes{a.boxes}, Sessions: wsSessions{httpSessions{a}}, Journal: wsJournal{a}, Ready: a.ready, HasAction: a.hasAction,
		Version: a.version(), Log: a.log,
	})
}
