package invoke

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// keepOnce is how long an idempotency key answers with its first result.
const keepOnce = 24 * time.Hour

// maxKey is the longest idempotency key in bytes.
const maxKey = 256

// Once makes a call with an idempotency key run at most once: a repeat gets
// the first answer, a repeat while it runs or after a crash gets an error.
type Once struct{ db *store.DB }

// NewOnce keeps keys in db. Calls that a killed gateway left running become
// unknown: they are never run again under their key.
func NewOnce(ctx context.Context, db *store.DB) (*Once, error) {
	_, err := db.ExecContext(ctx, `UPDATE idempotency SET state = 'unknown' WHERE state = 'running'`)
	if err == nil {
		_, err = db.ExecContext(ctx, `DELETE FROM idempotency WHERE created < ?`, time.Now().Add(-keepOnce).UnixMilli())
	}
	if err != nil {
		return nil, fmt.Errorf("idempotency: %w", err)
	}
	return &Once{db}, nil
}

// saved is what a repeat gets.
type saved struct {
	Call   string         `json:"call"`
	Result *tool.Result   `json:"result,omitempty"`
	Kind   tool.ErrorKind `json:"kind,omitempty"`
	Public string         `json:"public,omitempty"`
}

// once performs a granted call, under its idempotency key if it has one. The
// grant was decided anew: a repeat by somebody who may no longer call the tool
// does not get here.
func (c *call) once(ctx context.Context, d toolpolicy.Decision) Response {
	key := c.req.IdempotencyKey
	if key == "" || c.Once == nil {
		return c.perform(ctx, d)
	}
	if len(key) > maxKey {
		return c.fail(tool.Input(fmt.Sprintf("idempotencyKey is longer than %d bytes", maxKey)))
	}
	first, err := c.Once.begin(ctx, c, key)
	if err != nil {
		return c.fail(err)
	}
	if first != nil {
		return first.response(d)
	}
	resp := c.perform(ctx, d)
	if err := c.Once.end(context.WithoutCancel(ctx), c, key, resp); err != nil {
		return c.fail(&tool.Error{Kind: tool.KindFailed, Public: "the result cannot be kept for repeats", Err: err})
	}
	return resp
}

func (c *call) digest() string {
	h := sha256.New()
	for _, part := range []string{c.query.Tool, c.facts.Key, string(c.req.Args)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// begin claims the key, or returns the first call's answer.
func (o *Once) begin(ctx context.Context, c *call, key string) (*saved, error) {
	tenant, principal := c.req.Caller.Tenant(), c.req.Caller.Principal()
	res, err := o.db.ExecContext(ctx, `INSERT INTO idempotency (tenant, principal, key, digest, state, call, created)
		VALUES (?, ?, ?, ?, 'running', ?, ?) ON CONFLICT DO NOTHING`,
		tenant, principal, key, c.digest(), c.id, time.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("idempotency: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return nil, err
	}
	var digest, state, call string
	var body []byte
	err = o.db.QueryRowContext(ctx, `SELECT digest, state, call, response FROM idempotency WHERE tenant = ? AND principal = ? AND key = ?`,
		tenant, principal, key).Scan(&digest, &state, &call, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, tool.Unavailable("idempotencyKey: try again", err)
	case err != nil:
		return nil, fmt.Errorf("idempotency: %w", err)
	case digest != c.digest():
		return nil, tool.Input("idempotencyKey was used for another call; use a new one")
	case state == "running":
		return nil, tool.Unavailable("the first call with this idempotencyKey is still running", nil)
	case state == "unknown":
		return nil, &tool.Error{Kind: tool.KindUnavail, Public: "the outcome of the first call with this idempotencyKey (" + call + ") is unknown: the gateway was stopped during it. Look at what it did, then use a new key"}
	}
	var s saved
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("idempotency: %w", err)
	}
	return &s, nil
}

func (o *Once) end(ctx context.Context, c *call, key string, r Response) error {
	s := saved{Call: r.CallID, Result: r.Result}
	if r.Err != nil {
		s.Kind, s.Public = r.Err.Kind, r.Err.Public
	}
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = o.db.ExecContext(ctx, `UPDATE idempotency SET state = 'done', response = ? WHERE tenant = ? AND principal = ? AND key = ?`,
		body, c.req.Caller.Tenant(), c.req.Caller.Principal(), key)
	return err
}

func (s *saved) response(d toolpolicy.Decision) Response {
	r := Response{CallID: s.Call, Decision: d, Result: s.Result, Replayed: true}
	if s.Result == nil {
		r.Err = &tool.Error{Kind: s.Kind, Public: s.Public}
	}
	return r
}
