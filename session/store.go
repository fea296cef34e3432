package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
)

// ErrNotFound is the answer for a session that is not there and for one that
// belongs to another tenant alike.
var ErrNotFound = errors.New("session: not found")

// Session is one durable session.
type Session struct {
	Tenant  string `json:"-"`
	Key     Key    `json:"-"`
	Parent  string `json:"parent,omitempty"`
	Depth   int    `json:"depth"`
	Label   string `json:"label"` // "" trusted, else untrusted:<source>
	Creator string `json:"creator"`
	// Inherited is what the parent's policy leaves a sub-agent, as the policy
	// encodes it; empty for a main session.
	Inherited string    `json:"-"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
}

// maxCached bounds the sessions kept in memory.
const maxCached = 10_000

// touchEvery is how stale a session's updated time may get on disk.
const touchEvery = 10 * time.Second

// Store keeps sessions in SQLite and the live ones in memory. Every method
// takes the tenant first: there is no way to ask across tenants.
type Store struct {
	db  *store.DB
	now func() time.Time

	mu   sync.RWMutex
	live map[id]Session
}

type id struct{ tenant, key string }

// NewStore serves the sessions in db.
func NewStore(db *store.DB) *Store {
	return &Store{db: db, now: time.Now, live: map[id]Session{}}
}

// Open returns the session, making it when it is new. Sessions that run under
// somebody's inherited policy are never made here: one that was ended while
// its agent works is ErrNotFound, and does not come back without its limits.
func (s *Store) Open(ctx context.Context, tenant string, key Key, creator string) (Session, error) {
	k := id{tenant, key.String()}
	s.mu.RLock()
	got, ok := s.live[k]
	s.mu.RUnlock()
	if ok && s.now().Sub(got.Updated) < touchEvery {
		return got, nil
	}
	if err := s.touch(ctx, k, key, creator); err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return s.load(ctx, k)
}

// touch makes a session or says that it is in use.
func (s *Store) touch(ctx context.Context, k id, key Key, creator string) (err error) {
	now := s.now().UnixMilli()
	if key.limited() {
		_, err = s.db.ExecContext(ctx, `UPDATE sessions SET updated = ? WHERE tenant = ? AND key = ?`, now, k.tenant, k.key)
		return err
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO sessions (tenant, key, agent, creator, created, updated)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET updated = excluded.updated`,
		k.tenant, k.key, key.Agent, creator, now, now)
	return err
}

// Spawn makes a child of parent under the policy that it inherits; it takes
// the parent's label.
func (s *Store) Spawn(ctx context.Context, parent Session, key Key, creator, inherited string) (Session, error) {
	now := s.now().UnixMilli()
	_, err := s.db.ExecContext(ctx, `INSERT INTO sessions (tenant, key, agent, parent, depth, label, creator, inherited, created, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		parent.Tenant, key.String(), key.Agent, parent.Key.String(), parent.Depth+1, parent.Label, creator, inherited, now, now)
	if err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return s.load(ctx, id{parent.Tenant, key.String()})
}

// Get returns a session without making it.
func (s *Store) Get(ctx context.Context, tenant, key string) (Session, error) {
	return s.load(ctx, id{tenant, key})
}

const columns = `tenant, key, parent, depth, label, creator, inherited, created, updated`

func (s *Store) load(ctx context.Context, k id) (Session, error) {
	row := s.db.QueryRowContext(ctx, `SELECT `+columns+` FROM sessions WHERE tenant = ? AND key = ?`, k.tenant, k.key)
	got, err := scanSession(row.Scan)
	if err != nil {
		return Session{}, notFound(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) >= maxCached {
		clear(s.live)
	}
	s.live[k] = got
	return got, nil
}

func scanSession(scan func(...any) error) (Session, error) {
	var out Session
	var key string
	var created, updated int64
	if err := scan(&out.Tenant, &key, &out.Parent, &out.Depth, &out.Label, &out.Creator, &out.Inherited, &created, &updated); err != nil {
		return Session{}, err
	}
	out.Created, out.Updated = time.UnixMilli(created), time.UnixMilli(updated)
	var err error
	out.Key, err = ParseKey(key, "")
	return out, err
}

// Taint joins an untrusted label into a session; it never gets trusted again.
// The first source stays.
func (s *Store) Taint(ctx context.Context, tenant, key, label string) error {
	if label == "" {
		return nil
	}
	_, err := s.db.ExecContext(ctx, `UPDATE sessions SET label = ? WHERE tenant = ? AND key = ? AND label = ''`, label, tenant, key)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := id{tenant, key}
	if got, ok := s.live[k]; ok && got.Label == "" {
		got.Label = label
		s.live[k] = got
	}
	return nil
}

// Ancestors are the keys from the root down to the session's parent.
func (s *Store) Ancestors(ctx context.Context, of Session) ([]string, error) {
	var out []string
	for parent := of.Parent; parent != "" && len(out) < 32; {
		out = append([]string{parent}, out...)
		p, err := s.Get(ctx, of.Tenant, parent)
		if err != nil {
			return nil, err
		}
		parent = p.Parent
	}
	return out, nil
}

// List returns a tenant's sessions, the newest first, at most limit.
func (s *Store) List(ctx context.Context, tenant string, limit int) ([]Session, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+columns+` FROM sessions WHERE tenant = ? ORDER BY updated DESC, key LIMIT ?`, tenant, limit)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Session
	for rows.Next() {
		got, err := scanSession(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
		out = append(out, got)
	}
	return out, rows.Err()
}
