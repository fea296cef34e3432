package wsapi

import (
	"context"
	"time"
)

// listParams are shared by the methods that list things.
type listParams struct {
	Limit int `json:"limit"`
}

func (p listParams) bounded() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1000)
}

type keyParams struct {
	SessionKey string `json:"sessionKey"`
	Limit      int    `json:"limit"`
}

type idParams struct {
	ID string `json:"id"`
}

// read decodes parameters, refusing unknown ones.
func read[T any](params raw) (T, error) {
	var p T
	if err := strict(params, &p); err != nil {
		return p, invalid("invalid params: %s", err)
	}
	return p, nil
}

func health(_ context.Context, c *conn, params raw) (any, error) {
	type probe struct {
		Probe bool `json:"probe"`
	}
	if _, err := read[probe](params); err != nil {
		return nil, err
	}
	ok, failing := c.s.deps.Ready()
	return map[string]any{"ok": ok, "ts": time.Now().UnixMilli(), "durationMs": 0, "failing": append([]string{}, failing...)}, nil
}

func statusOf(ctx context.Context, c *conn, params raw) (any, error) {
	type none struct{}
	if _, err := read[none](params); err != nil {
		return nil, err
	}
	ok, _ := c.s.deps.Ready()
	out := map[string]any{}
	if c.s.deps.Status != nil {
		for k, v := range c.s.deps.Status(ctx, c.caller) {
			out[k] = v
		}
	}
	out["ok"], out["version"] = ok, c.s.deps.Version
	out["uptimeMs"] = time.Since(c.s.begun).Milliseconds()
	out["principal"] = map[string]any{
		"id": c.caller.Principal(), "tenant": c.caller.Tenant(), "owner": c.caller.Owner(), "scopes": c.caller.Scopes().Names(),
	}
	return out, nil
}

func sessionsList(ctx context.Context, c *conn, params raw) (any, error) {
	p, err := read[listParams](params)
	if err != nil {
		return nil, err
	}
	if c.s.deps.Sessions == nil {
		return nil, unavailable("sessions.list")
	}
	return wrap("sessions")(c.s.deps.Sessions.List(ctx, c.caller, p.bounded()))
}

func sessionsHistory(ctx context.Context, c *conn, params raw) (any, error) {
	p, err := read[keyParams](params)
	if err != nil {
		return nil, err
	}
	if c.s.deps.Sessions == nil {
		return nil, unavailable("sessions.history")
	}
	return wrap("history")(c.s.deps.Sessions.History(ctx, c.caller, p.SessionKey, listParams{p.Limit}.bounded()))
}

func sessionsKill(ctx context.Context, c *conn, params raw) (any, error) {
	type key struct {
		SessionKey string `json:"sessionKey"`
	}
	p, err := read[key](params)
	if err != nil {
		return nil, err
	}
	if c.s.deps.Sessions == nil {
		return nil, unavailable("sessions.kill")
	}
	return done(c.s.deps.Sessions.Kill(ctx, c.caller, p.SessionKey))
}

func approvalsList(ctx context.Context, c *conn, params raw) (any, error) {
	if _, err := read[listParams](params); err != nil {
		return nil, err
	}
	if c.s.deps.Approvals == nil {
		return nil, unavailable("approvals.list")
	}
	return wrap("approvals")(c.s.deps.Approvals.List(ctx, c.caller))
}

func approvalsResolve(ctx context.Context, c *conn, params raw) (any, error) {
	type answer struct {
		ID       string `json:"id"`
		Decision string `json:"decision"`
		Note     string `json:"note"`
	}
	p, err := read[answer](params)
	if err != nil {
		return nil, err
	}
	if p.ID == "" || p.Decision != "approve" && p.Decision != "deny" {
		return nil, invalid("invalid params: id is required and decision is approve or deny")
	}
	if c.s.deps.Approvals == nil {
		return nil, unavailable("approvals.resolve")
	}
	return done(c.s.deps.Approvals.Resolve(ctx, c.caller, p.ID, p.Decision == "approve", p.Note))
}

func sandboxesList(ctx context.Context, c *conn, params raw) (any, error) {
	if _, err := read[listParams](params); err != nil {
		return nil, err
	}
	if c.s.deps.Sandboxes == nil {
		return nil, unavailable("sandboxes.list")
	}
	return wrap("sandboxes")(c.s.deps.Sandboxes.List(ctx, c.caller))
}

func sandboxesRecreate(ctx context.Context, c *conn, params raw) (any, error) {
	p, err := read[idParams](params)
	if err != nil {
		return nil, err
	}
	if c.s.deps.Sandboxes == nil {
		return nil, unavailable("sandboxes.recreate")
	}
	return done(c.s.deps.Sandboxes.Recreate(ctx, c.caller, p.ID))
}

func findingsList(ctx context.Context, c *conn, params raw) (any, error) {
	if _, err := read[listParams](params); err != nil {
		return nil, err
	}
	if c.s.deps.Findings == nil {
		return nil, unavailable("findings.list")
	}
	return wrap("findings")(c.s.deps.Findings.List(ctx, c.caller))
}

func journalTail(ctx context.Context, c *conn, params raw) (any, error) {
	p, err := read[listParams](params)
	if err != nil {
		return nil, err
	}
	if c.s.deps.Journal == nil {
		return nil, unavailable("journal.tail")
	}
	return wrap("records")(c.s.deps.Journal.Tail(ctx, c.caller, p.bounded()))
}

// journalFollow begins a stream of journal.record events, one per connection.
func journalFollow(_ context.Context, c *conn, params raw) (any, error) {
	if _, err := read[listParams](params); err != nil {
		return nil, err
	}
	if c.s.deps.Journal == nil {
		return nil, unavailable("journal.follow")
	}
	c.follows.Do(func() {
		c.work.Add(1)
		go func() {
			defer c.work.Done()
			err := c.s.deps.Journal.Follow(c.ctx, c.caller, func(record any) {
				if c.s.deps.Guard.Alive(c.caller) {
					c.emit("journal.record", record)
				}
			})
			if err != nil && c.ctx.Err() == nil {
				c.s.deps.Log.Warn("journal stream ended", "err", err)
			}
		}()
	})
	return map[string]any{"following": true}, nil
}

// wrap names a backend's answer.
func wrap(name string) func(any, error) (any, error) {
	return func(v any, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return map[string]any{name: v}, nil
	}
}

func done(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true}, nil
}
