package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mint"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Ask parks a call until a human decides, and returns the request. When a
// standing yes covers the plan, the request comes back approved already.
func (b *Book) Ask(ctx context.Context, p toolpolicy.Petition, plan *Plan) (Request, error) {
	if !p.Valid() || plan.Tool != p.Tool() || plan.Session != p.Session() || plan.Host != p.Host() {
		return Request{}, ErrVoid
	}
	r := b.newRequest(p, plan)
	standing, err := b.standing(ctx, p, plan)
	if err != nil {
		return Request{}, err
	}
	if standing != "" {
		r.State, r.DecidedBy, r.Decided = StateApproved, "standing:"+standing, r.Created
		r.Note = "covered by an earlier yes"
	}
	text, err := json.Marshal(r.Plan)
	if err != nil {
		return Request{}, err
	}
	if err := b.record(ctx, "asked", r, r.State, r.DecidedBy, r.Note); err != nil {
		return Request{}, err
	}
	l := lineFor(ctx, p)
	if r.State == StatePending {
		b.stamp(r.ID, l)
	}
	var decided int64
	if !r.Decided.IsZero() {
		decided = r.Decided.UnixMilli()
	}
	res, err := b.db.ExecContext(ctx, `INSERT INTO approvals (`+columns+`, boot)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
		WHERE ? <> 'pending' OR (SELECT count(*) FROM approvals WHERE tenant = ? AND state = 'pending' AND expires > ?) < ?`,
		r.ID, r.Tenant, r.State, r.Tool, r.Surface, r.Session, r.Asker, r.credential, r.Host, string(text), r.Digest,
		r.Created.UnixMilli(), r.Expires.UnixMilli(), r.DecidedBy, decided, r.Note, b.boot,
		r.State, r.Tenant, r.Created.UnixMilli(), b.o.MaxPending)
	if err != nil {
		b.forget(r.ID)
		return Request{}, fmt.Errorf("approval: write: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		b.forget(r.ID)
		return Request{}, errors.Join(ErrFull, err)
	}
	if r.State == StatePending {
		b.woken(r.ID) // from now on this process waits, and records the answer itself
	}
	if b.o.OnAsk != nil && r.State == StatePending {
		b.o.OnAsk(r)
	}
	return r, nil
}

// Wait blocks until the request is decided. It answers nil for a yes and
// ErrDenied for anything else: a no, the end of the time, or the end of ctx,
// which is how a caller that hangs up looks.
func (b *Book) Wait(ctx context.Context, r Request) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	defer b.forget(r.ID)
	for {
		woken := b.woken(r.ID)
		now, err := b.get(context.WithoutCancel(ctx), r.Tenant, r.ID)
		switch {
		case err != nil:
			return errors.Join(ErrDenied, err)
		case now.State != StatePending:
			return b.answered(ctx, now)
		case b.late(now):
			if !b.o.Mutate.On(mutate.GuardTimeout) {
				return nil
			}
			return b.expire(ctx, now, "nobody answered in time")
		}
		select {
		case <-ctx.Done():
			return b.expire(ctx, now, "the caller hung up")
		case <-woken:
		case <-tick.C:
		}
	}
}

// answered is what a decided request means for the call that waits. An answer
// that another process wrote is recorded here, before it counts.
func (b *Book) answered(ctx context.Context, r Request) error {
	b.mu.Lock()
	said := b.said[r.ID]
	b.mu.Unlock()
	if !said && r.DecidedBy != "" && !strings.HasPrefix(r.DecidedBy, "standing:") {
		if err := b.record(ctx, "decided", r, r.State, r.DecidedBy, r.Note); err != nil {
			return errors.Join(ErrDenied, err)
		}
	}
	if r.State == StateApproved {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDenied, r.Note)
}

// forget drops what is kept of a request while its call waits.
func (b *Book) forget(id string) {
	b.wake(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.said, id)
	delete(b.lines, id)
}

func (b *Book) late(r Request) bool { return !b.o.Now().Before(r.Expires) }

// woken is closed when this process settles the request.
func (b *Book) woken(id string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch, ok := b.waits[id]
	if !ok {
		ch = make(chan struct{})
		b.waits[id] = ch
	}
	return ch
}

// expire denies a request that nobody answered. A decision that came first
// stands, and is a no as well: the call is gone.
func (b *Book) expire(ctx context.Context, r Request, note string) error {
	ctx = context.WithoutCancel(ctx)
	if err := b.settle(ctx, r, StateDenied, "", note); err != nil && !errors.Is(err, ErrSettled) {
		return errors.Join(ErrDenied, err)
	}
	b.wake(r.ID)
	return errors.Join(fmt.Errorf("%w: %s", ErrDenied, note), b.record(ctx, "expired", r, StateDenied, "", note))
}

// Redeem turns a yes into the Grant of one call, once. The petition is that of
// a fresh decision, so that a policy which changed meanwhile is obeyed, and the
// plan is built from what is there now.
func (b *Book) Redeem(ctx context.Context, id string, p toolpolicy.Petition, plan *Plan) (toolpolicy.Grant, error) {
	fresh := p.Valid() || !b.o.Mutate.On(mutate.GuardFresh)
	if !fresh {
		return toolpolicy.Grant{}, ErrVoid
	}
	r, err := b.get(ctx, p.Caller().Tenant(), id)
	if err != nil {
		return toolpolicy.Grant{}, err
	}
	timely := b.o.Now().Sub(r.Decided) <= redeemWithin || !b.o.Mutate.On(mutate.GuardTimeout)
	state := r.State == StateApproved && timely
	if !b.o.Mutate.On(mutate.GuardTimeout) && r.State == StatePending && b.late(r) {
		state = true
	}
	if !b.o.Mutate.On(mutate.GuardOnce) && r.State == StateUsed {
		state = true
	}
	if !state {
		return toolpolicy.Grant{}, ErrDenied
	}
	if why := b.mismatch(r, p, plan); why != "" {
		err := b.settle(ctx, r, StateDenied, "", why)
		return toolpolicy.Grant{}, errors.Join(fmt.Errorf("%w: %s", ErrVoid, why), err, b.record(ctx, "void", r, StateDenied, "", why))
	}
	if err := b.settle(ctx, r, StateUsed, "", ""); err != nil {
		return toolpolicy.Grant{}, err
	}
	if err := b.record(ctx, "redeemed", r, StateUsed, r.DecidedBy, ""); err != nil {
		return toolpolicy.Grant{}, err
	}
	return toolpolicy.Approved(mint.Prove(mint.Claims{
		Tool: r.Tool, Surface: r.Surface, Caller: p.Caller(), Host: r.Host, Plan: r.Digest, Approval: r.ID,
	})), nil
}

// mismatch says what is not as it was approved.
func (b *Book) mismatch(r Request, p toolpolicy.Petition, plan *Plan) string {
	c := p.Caller()
	switch {
	case r.Asker != c.Principal() || r.credential != c.Credential():
		return "another caller"
	case r.Tool != p.Tool() || r.Surface != string(p.Surface()) || r.Session != p.Session() || r.Host != p.Host():
		return "another call"
	case plan.Digest() != r.Digest && b.o.Mutate.On(mutate.GuardPlan):
		return "the plan changed after it was shown"
	}
	return ""
}
