package approval

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Errors that callers branch on.
var (
	ErrUnknown   = errors.New("approval: no such request")                           // or another tenant's
	ErrSettled   = errors.New("approval: already decided or expired")                // nothing to decide any more
	ErrForbidden = errors.New("approval: this caller may not decide it")             // scope, or it is the asker
	ErrDenied    = errors.New("approval: denied")                                    // a human, the clock or a restart said no
	ErrVoid      = errors.New("approval: the call is not the one that was approved") // the plan or the asker changed
	ErrFull      = errors.New("approval: too many calls are waiting")
)

// The states of a request.
const (
	StatePending  = "pending"
	StateApproved = "approved"
	StateDenied   = "denied"
	StateUsed     = "used"
)

// redeemWithin is how long a yes may wait to be used.
const redeemWithin = time.Minute

// pollEvery is how often a waiting call looks for a decision made by another
// process.
const pollEvery = 100 * time.Millisecond

// Event is one step of an approval, for the journal.
type Event struct {
	Kind    string // asked, decided, redeemed, void, expired, restart
	ID      string
	Tenant  string
	Tool    string
	Surface string
	Session string
	Asker   string
	By      string
	State   string
	Digest  string
	Host    bool
	Note    string
	Via     string // the connection that the answer came over, when the asker was asked there
}

// Recorder keeps events. When it fails, nothing is approved.
type Recorder interface {
	RecordApproval(ctx context.Context, e Event) error
}

// Options of a Book.
type Options struct {
	Timeout    time.Duration // how long a call waits; 0 means 30 minutes
	MaxPending int           // per tenant; 0 means 100
	AllowSelf  bool          // whoever asked may approve
	Recorder   Recorder      // nil records nothing
	// OnAsk is told of every new request, so that surfaces can show it.
	OnAsk  func(Request)
	Now    func() time.Time
	Mutate mutate.Guards
}

// Book keeps what waits for a human and what humans said.
type Book struct {
	db   *store.DB
	o    Options
	boot string

	mu    sync.Mutex
	waits map[string]chan struct{}
	said  map[string]bool  // waiting requests whose answer this process recorded
	lines map[string]*Line // waiting requests that were asked over a line
}

// Open makes the book of a running gateway. Whatever an earlier run left
// waiting is denied: its callers are gone.
func Open(ctx context.Context, db *store.DB, o Options) (*Book, error) {
	b := Attach(db, o)
	rows, err := b.query(ctx, "SELECT "+columns+" FROM approvals WHERE state IN (?, ?)", StatePending, StateApproved)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := b.settle(ctx, r, StateDenied, "", "the gateway was restarted"); err != nil && !errors.Is(err, ErrSettled) {
			return nil, err
		}
		if err := b.record(ctx, "restart", r, StateDenied, "", "the gateway was restarted"); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Attach makes a book over the same database without touching what waits: for
// a command that lists and decides beside a running gateway.
func Attach(db *store.DB, o Options) *Book {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Minute
	}
	if o.MaxPending <= 0 {
		o.MaxPending = 100
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Book{db: db, o: o, boot: newID("boot"), waits: map[string]chan struct{}{}, said: map[string]bool{}, lines: map[string]*Line{}}
}

func newID(prefix string) string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + "_" + hex.EncodeToString(b[:])
}

// Request is one call that waits, or waited.
type Request struct {
	ID         string    `json:"id"`
	Tenant     string    `json:"tenant"`
	State      string    `json:"state"`
	Tool       string    `json:"tool"`
	Surface    string    `json:"surface"`
	Session    string    `json:"session"`
	Asker      string    `json:"asker"`
	Host       bool      `json:"host"`
	Plan       Plan      `json:"plan"`
	Digest     string    `json:"digest"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	DecidedBy  string    `json:"decidedBy,omitempty"`
	Decided    time.Time `json:"decided,omitzero"`
	Note       string    `json:"note,omitempty"`
	credential string
}

const columns = "id, tenant, state, tool, surface, session, asker, credential, host, plan, digest, created, expires, decided_by, decided, note"

func (b *Book) query(ctx context.Context, q string, args ...any) ([]Request, error) {
	rows, err := b.db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("approval: read: %w", err)
	}
	defer rows.Close()
	var out []Request
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func scan(rows *sql.Rows) (Request, error) {
	var r Request
	var plan string
	var created, expires, decided int64
	err := rows.Scan(&r.ID, &r.Tenant, &r.State, &r.Tool, &r.Surface, &r.Session, &r.Asker, &r.credential,
		&r.Host, &plan, &r.Digest, &created, &expires, &r.DecidedBy, &decided, &r.Note)
	if err != nil {
		return Request{}, fmt.Errorf("approval: read: %w", err)
	}
	if err := json.Unmarshal([]byte(plan), &r.Plan); err != nil {
		return Request{}, fmt.Errorf("approval: read plan of %s: %w", r.ID, err)
	}
	r.Created, r.Expires = time.UnixMilli(created), time.UnixMilli(expires)
	if decided > 0 {
		r.Decided = time.UnixMilli(decided)
	}
	return r, nil
}

// get finds a request of the tenant.
func (b *Book) get(ctx context.Context, tenant, id string) (Request, error) {
	q, args := "SELECT "+columns+" FROM approvals WHERE id = ? AND tenant = ?", []any{id, tenant}
	if !b.o.Mutate.On(mutate.GuardTenant) {
		q, args = "SELECT "+columns+" FROM approvals WHERE id = ?", []any{id}
	}
	rows, err := b.query(ctx, q, args...)
	if err != nil {
		return Request{}, err
	}
	if len(rows) == 0 {
		return Request{}, ErrUnknown
	}
	return rows[0], nil
}

// settle moves a request from the state it was read in, unless somebody else
// did first.
func (b *Book) settle(ctx context.Context, r Request, state, by, note string) error {
	res, err := b.db.ExecContext(ctx, "UPDATE approvals SET state = ?, decided_by = CASE WHEN ? = '' THEN decided_by ELSE ? END, decided = ?, note = CASE WHEN ? = '' THEN note ELSE ? END WHERE id = ? AND tenant = ? AND state = ?",
		state, by, by, b.o.Now().UnixMilli(), note, note, r.ID, r.Tenant, r.State)
	if err != nil {
		return fmt.Errorf("approval: write: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(ErrSettled, err)
	}
	b.wake(r.ID)
	return nil
}

func (b *Book) wake(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch, ok := b.waits[id]; ok {
		close(ch)
		delete(b.waits, id)
	}
}

func (b *Book) record(ctx context.Context, kind string, r Request, state, by, note string) error {
	return b.recordVia(ctx, kind, r, state, by, note, "")
}

func (b *Book) recordVia(ctx context.Context, kind string, r Request, state, by, note, via string) error {
	if b.o.Recorder == nil {
		return nil
	}
	err := b.o.Recorder.RecordApproval(context.WithoutCancel(ctx), Event{
		Kind: kind, ID: r.ID, Tenant: r.Tenant, Tool: r.Tool, Surface: r.Surface, Session: r.Session,
		Asker: r.Asker, By: by, State: state, Digest: r.Digest, Host: r.Host, Note: note, Via: via,
	})
	if err != nil {
		return fmt.Errorf("approval: record: %w", err)
	}
	return nil
}

// List gives the requests of the caller's tenant that wait, oldest first. It
// needs the approvals scope.
func (b *Book) List(ctx context.Context, by gateway.Caller) ([]Request, error) {
	if !by.Has(gateway.ScopeApprovals) {
		return nil, ErrForbidden
	}
	return b.query(ctx, "SELECT "+columns+" FROM approvals WHERE tenant = ? AND state = ? AND expires > ? ORDER BY created, id LIMIT 500",
		by.Tenant(), StatePending, b.o.Now().UnixMilli())
}

// Get is one request of the caller's tenant, whatever its state. It needs the
// approvals scope.
func (b *Book) Get(ctx context.Context, by gateway.Caller, id string) (Request, error) {
	if !by.Has(gateway.ScopeApprovals) {
		return Request{}, ErrForbidden
	}
	return b.get(ctx, by.Tenant(), id)
}

// newRequest is the row of a petition.
func (b *Book) newRequest(p toolpolicy.Petition, plan *Plan) Request {
	now, shown := b.o.Now(), plan.shown()
	shown.Why = p.Reason()
	return Request{
		ID: newID("ap"), Tenant: p.Caller().Tenant(), State: StatePending, Tool: p.Tool(),
		Surface: string(p.Surface()), Session: p.Session(), Asker: p.Caller().Principal(),
		credential: p.Caller().Credential(), Host: p.Host(), Plan: shown, Digest: plan.Digest(),
		Created: now, Expires: now.Add(b.o.Timeout),
	}
}
