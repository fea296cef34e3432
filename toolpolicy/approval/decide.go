package approval

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// Limits of a standing yes.
const (
	MaxStanding = 30 * 24 * time.Hour
	MaxUses     = 1000
)

// Answer is what a human says.
type Answer struct {
	Allow bool
	// For makes the yes stand for this long, at most MaxStanding; 0 is this
	// one call only.
	For time.Duration
	// Uses is how many further calls a standing yes covers; 0 means 10.
	Uses int
	// Pattern is the command lines that a standing yes covers, in the form of
	// tools.exec.allowlist. Empty covers the very same plan again.
	Pattern string
	Note    string
}

// Decide records a human's answer. The caller must hold the approvals scope in
// the request's tenant and, unless configured, not be the one who asked.
func (b *Book) Decide(ctx context.Context, by gateway.Caller, id string, a Answer) error {
	guarded := b.o.Mutate.On(mutate.GuardApprover)
	if guarded && !by.Has(gateway.ScopeApprovals) {
		return ErrForbidden
	}
	r, err := b.get(ctx, by.Tenant(), id)
	if err != nil {
		return err
	}
	if guarded && a.Allow && !b.o.AllowSelf && (r.Asker == by.Principal() || r.credential == by.Credential()) {
		return fmt.Errorf("%w: whoever asked cannot approve", ErrForbidden)
	}
	if r.State != StatePending || b.late(r) {
		return ErrSettled
	}
	return b.say(ctx, by, r, a, "")
}

// say writes down an answer that may be given. Via names the connection that
// it came over, when the asker was asked there.
func (b *Book) say(ctx context.Context, by gateway.Caller, r Request, a Answer, via string) (err error) {
	state := StateDenied
	if a.Allow {
		state = StateApproved
	}
	var stand *standing
	if a.Allow && a.For > 0 {
		if stand, err = b.makeStanding(r, by, a); err != nil {
			return err
		}
	}
	if err := b.recordVia(ctx, "decided", r, state, by.Principal(), a.Note, via); err != nil {
		return err
	}
	b.mu.Lock()
	if _, waiting := b.waits[r.ID]; waiting {
		b.said[r.ID] = true
	}
	b.mu.Unlock()
	note := shell.Show(a.Note)
	if len(note) > 500 {
		note = note[:500]
	}
	if err := b.settle(ctx, r, state, by.Principal(), note); err != nil {
		return err
	}
	if stand != nil {
		return b.insertStanding(ctx, stand)
	}
	return nil
}

// standing is a yes for more than one call.
type standing struct {
	id, tenant, principal, tool, pattern, digest, context, by string
	host                                                      bool
	uses                                                      int
	expires                                                   time.Time
}

// makeStanding checks that the answer may stand: a pattern covers plain
// commands only, and the request itself must be an instance of it.
func (b *Book) makeStanding(r Request, by gateway.Caller, a Answer) (*standing, error) {
	if a.Uses == 0 {
		a.Uses = 10
	}
	if a.For > MaxStanding || a.Uses < 0 || a.Uses > MaxUses {
		return nil, fmt.Errorf("approval: a yes stands for at most %d days and %d uses", MaxStanding/(24*time.Hour), MaxUses)
	}
	if a.Pattern != "" {
		if why := shell.CheckPattern(a.Pattern); why != "" {
			return nil, errors.New("approval: pattern: " + why)
		}
		if !covers(a.Pattern, &r.Plan) {
			return nil, errors.New("approval: the pattern does not cover the call that waits")
		}
	}
	return &standing{
		id: newID("st"), tenant: r.Tenant, principal: r.Asker, tool: r.Tool, pattern: strings.Join(strings.Fields(a.Pattern), " "),
		digest: standingDigest(r.Surface, r.Digest), context: r.Plan.Context, by: by.Principal(), host: r.Host, uses: a.Uses, expires: b.o.Now().Add(a.For),
	}, nil
}

// covers reports whether every command of the plan is an instance of pattern
// and nothing about the plan is in doubt.
func covers(pattern string, p *Plan) bool {
	if p.Command == "" {
		return false
	}
	l, bad := shell.New(shell.Options{Patterns: []string{pattern}, SafeBins: []string{}})
	if len(bad) > 0 {
		return false
	}
	ok, _ := l.Allowed(p.Command, false)
	return ok
}

func (b *Book) insertStanding(ctx context.Context, s *standing) error {
	_, err := b.db.ExecContext(ctx, `INSERT INTO approval_grants
		(id, tenant, principal, tool, host, pattern, digest, context, uses, expires, created, created_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.id, s.tenant, s.principal, s.tool, s.host, s.pattern, s.digest, s.context, s.uses,
		s.expires.UnixMilli(), b.o.Now().UnixMilli(), s.by)
	if err != nil {
		return fmt.Errorf("approval: write: %w", err)
	}
	return nil
}

// standing finds an earlier yes that covers the plan and takes one use of it.
// Over ACP it stands only for tools that read. Nothing stands for elevated
// calls, or once a session has read text from outside: there a human is asked
// each time.
func (b *Book) standing(ctx context.Context, p toolpolicy.Petition, plan *Plan) (string, error) {
	if p.Surface() == toolpolicy.SurfaceACP && !toolpolicy.MayStand(p.Tool()) || p.Elevated() || p.Tainted() {
		return "", nil
	}
	found, err := b.grants(ctx, p, plan)
	if err != nil {
		return "", err
	}
	for _, s := range found {
		res, err := b.db.ExecContext(ctx, "UPDATE approval_grants SET uses = uses - 1 WHERE id = ? AND tenant = ? AND uses > 0 AND expires > ?",
			s.id, p.Caller().Tenant(), b.o.Now().UnixMilli())
		if err != nil {
			return "", fmt.Errorf("approval: write: %w", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 1 {
			return s.id, nil
		}
	}
	return "", nil
}

// grants reads the standing answers that fit the plan.
func (b *Book) grants(ctx context.Context, p toolpolicy.Petition, plan *Plan) ([]standing, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT id, pattern, digest, context FROM approval_grants
		WHERE tenant = ? AND principal = ? AND tool = ? AND host = ? AND uses > 0 AND expires > ? ORDER BY created LIMIT 200`,
		p.Caller().Tenant(), p.Caller().Principal(), p.Tool(), p.Host(), b.o.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("approval: read: %w", err)
	}
	defer rows.Close()
	var out []standing
	digest, where := standingDigest(string(p.Surface()), plan.Digest()), plan.context()
	for rows.Next() {
		var s standing
		if err := rows.Scan(&s.id, &s.pattern, &s.digest, &s.context); err != nil {
			return nil, fmt.Errorf("approval: read: %w", err)
		}
		if s.pattern == "" && s.digest == digest || s.pattern != "" && p.Surface() != toolpolicy.SurfaceACP && s.context == where && covers(s.pattern, plan) {
			out = append(out, s)
		}
	}
	return out, rows.Err()
}

// Standing is one earlier yes that still covers calls.
type Standing struct {
	ID        string    `json:"id"`
	Principal string    `json:"principal"`
	Tool      string    `json:"tool"`
	Pattern   string    `json:"pattern,omitempty"`
	Uses      int       `json:"uses"`
	Expires   time.Time `json:"expires"`
	CreatedBy string    `json:"createdBy"`
}

// Standings lists the standing answers of the caller's tenant. It needs the
// approvals scope.
func (b *Book) Standings(ctx context.Context, by gateway.Caller) ([]Standing, error) {
	if !by.Has(gateway.ScopeApprovals) {
		return nil, ErrForbidden
	}
	rows, err := b.db.QueryContext(ctx, `SELECT id, principal, tool, pattern, uses, expires, created_by FROM approval_grants
		WHERE tenant = ? AND uses > 0 AND expires > ? ORDER BY created LIMIT 500`, by.Tenant(), b.o.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("approval: read: %w", err)
	}
	defer rows.Close()
	var out []Standing
	for rows.Next() {
		var s Standing
		var expires int64
		if err := rows.Scan(&s.ID, &s.Principal, &s.Tool, &s.Pattern, &s.Uses, &expires, &s.CreatedBy); err != nil {
			return nil, fmt.Errorf("approval: read: %w", err)
		}
		s.Expires = time.UnixMilli(expires)
		out = append(out, s)
	}
	return out, rows.Err()
}

// Revoke ends a standing answer. It needs the approvals scope.
func (b *Book) Revoke(ctx context.Context, by gateway.Caller, id string) error {
	if !by.Has(gateway.ScopeApprovals) {
		return ErrForbidden
	}
	res, err := b.db.ExecContext(ctx, "DELETE FROM approval_grants WHERE id = ? AND tenant = ?", id, by.Tenant())
	if err != nil {
		return fmt.Errorf("approval: write: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrUnknown, err)
	}
	r := Request{ID: id, Tenant: by.Tenant()}
	return b.record(ctx, "revoked", r, StateDenied, by.Principal(), "")
}
