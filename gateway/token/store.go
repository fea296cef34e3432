package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/store"
)

// The errors a caller may want to tell apart.
var (
	ErrExists   = errors.New("a token of that name exists")
	ErrNotFound = errors.New("there is no token of that name")
	ErrBadName  = errors.New("a token's name is 1 to 64 letters, digits, dots, dashes or underscores")
)

// Record is a named token as stored. The token itself is not kept.
type Record struct {
	ID      string
	Name    string
	Tenant  string
	Digest  Digest
	Tail    string // last characters of the token
	Scopes  gateway.Scope
	Owner   bool
	Created time.Time
	Expires time.Time // zero: never
	Used    time.Time // zero: not yet
}

// Credential is the record's id in revocations.
func (r Record) Credential() string { return "token:" + r.ID }

// New describes a token to make.
type New struct {
	Name    string
	Tenant  string // empty: the default tenant
	Scopes  gateway.Scope
	Owner   bool
	Expires time.Time // zero: never
}

// Store keeps named tokens.
type Store struct{ db *store.DB }

// NewStore keeps tokens in db.
func NewStore(db *store.DB) *Store { return &Store{db} }

// Create makes a token and returns its text, which cannot be had again.
func (s *Store) Create(ctx context.Context, n New) (Record, string, error) {
	if !gateway.ValidTenant(n.Name) || n.Name == "main" { // main is the gateway's own token
		return Record{}, "", ErrBadName
	}
	if n.Tenant == "" {
		n.Tenant = gateway.DefaultTenant
	}
	if !gateway.ValidTenant(n.Tenant) {
		return Record{}, "", fmt.Errorf("%q is not a tenant name", n.Tenant)
	}
	text, err := generate()
	if err != nil {
		return Record{}, "", err
	}
	r := record(text, n)
	err = s.change(ctx, func(tx *sql.Tx) error {
		var have int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM gateway_tokens WHERE name = ? AND revoked_ms = 0", n.Name).Scan(&have); err != nil {
			return err
		}
		if have > 0 {
			return ErrExists
		}
		return insert(ctx, tx, r)
	})
	return r, text, err
}

func record(text string, n New) Record {
	return Record{
		ID: rand.Text()[:16], Name: n.Name, Tenant: n.Tenant, Digest: sha256.Sum256([]byte(text)),
		Tail: text[len(text)-4:], Scopes: n.Scopes.Closure(), Owner: n.Owner,
		Created: time.Now().Truncate(time.Millisecond), Expires: n.Expires.Truncate(time.Millisecond),
	}
}

func insert(ctx context.Context, tx *sql.Tx, r Record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO gateway_tokens
		(id, name, tenant, digest, tail, scopes, owner, created_ms, expires_ms) VALUES (?,?,?,?,?,?,?,?,?)`,
		r.ID, r.Name, r.Tenant, r.Digest[:], r.Tail, int(r.Scopes), r.Owner, r.Created.UnixMilli(), millis(r.Expires))
	return err
}

// Rotate replaces a token by a new one with the same name, tenant, scopes and
// owner. It never widens: there is nothing to ask for. A zero expires keeps
// the old end.
func (s *Store) Rotate(ctx context.Context, name string, expires time.Time) (Record, string, error) {
	text, err := generate()
	if err != nil {
		return Record{}, "", err
	}
	var r Record
	err = s.change(ctx, func(tx *sql.Tx) error {
		old, err := one(ctx, tx, name)
		if err != nil {
			return err
		}
		if expires.IsZero() {
			expires = old.Expires
		}
		r = record(text, New{Name: name, Tenant: old.Tenant, Scopes: old.Scopes, Owner: old.Owner, Expires: expires})
		if err := revoke(ctx, tx, old.ID); err != nil {
			return err
		}
		return insert(ctx, tx, r)
	})
	return r, text, err
}

// Revoke ends a token at once.
func (s *Store) Revoke(ctx context.Context, name string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := one(ctx, tx, name)
		if err != nil {
			return err
		}
		return revoke(ctx, tx, r.ID)
	})
}

func revoke(ctx context.Context, tx *sql.Tx, id string) error {
	_, err := tx.ExecContext(ctx, "UPDATE gateway_tokens SET revoked_ms = ? WHERE id = ?", time.Now().UnixMilli(), id)
	return err
}

// change runs f in a transaction that also raises the epoch.
func (s *Store) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	if err = f(tx); err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE gateway_epoch SET value = value + 1 WHERE id = 1")
	}
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

const columns = "SELECT id, name, tenant, digest, tail, scopes, owner, created_ms, expires_ms, used_ms FROM gateway_tokens WHERE revoked_ms = 0"

type scanner interface{ Scan(dest ...any) error }

func scan(row scanner) (Record, error) {
	var r Record
	var digest []byte
	var created, expires, used int64
	err := row.Scan(&r.ID, &r.Name, &r.Tenant, &digest, &r.Tail, &r.Scopes, &r.Owner, &created, &expires, &used)
	if err != nil {
		return r, err
	}
	if len(digest) != len(r.Digest) {
		return r, fmt.Errorf("token %q: its digest is damaged", r.Name)
	}
	copy(r.Digest[:], digest)
	r.Created, r.Expires, r.Used = timeOf(created), timeOf(expires), timeOf(used)
	return r, nil
}

func one(ctx context.Context, tx *sql.Tx, name string) (Record, error) {
	r, err := scan(tx.QueryRowContext(ctx, columns+" AND name = ?", name))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	return r, err
}

// List returns the tokens in force, expired ones included, by name.
func (s *Store) List(ctx context.Context) ([]Record, error) {
	rows, err := s.db.QueryContext(ctx, columns+" ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// epoch is the number that every change raises.
func (s *Store) epoch(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.QueryRowContext(ctx, "SELECT value FROM gateway_epoch WHERE id = 1").Scan(&n)
	return n, err
}

func (s *Store) touch(ctx context.Context, used map[string]int64) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for id, ms := range used {
		if _, err := tx.ExecContext(ctx, "UPDATE gateway_tokens SET used_ms = max(used_ms, ?) WHERE id = ?", ms, id); err != nil {
			_ = tx.Rollback()
			return err
		}
	}
	return tx.Commit()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
