// Package store is our own encrypted place for secrets: rows of the state
// database, each an age file, found by keyed hashes. A stolen database shows
// how many there are and nothing else.
package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/securepath"
)

// Kind says whether a value comes back out.
type Kind string

// A Secret is write-only: references resolve it, no command shows it. A
// Variable can be read back.
const (
	Secret   Kind = "secret"
	Variable Kind = "variable"
)

// Errors that callers branch on.
var (
	ErrNotFound  = errors.New("no such secret")
	ErrWriteOnly = errors.New("it is write-only")
	ErrDamaged   = errors.New("a row of the store is damaged or was moved")
)

// Options says which store to open.
type Options struct {
	Dir    string // the state directory, absolute
	Config secrets.StoreConfig
	Getenv func(string) string // for the passphrase

	workFactor int // of the passphrase; tests lower it
}

// Item is what a list shows about a secret.
type Item struct {
	Name    string    `json:"name"`
	Kind    Kind      `json:"kind"`
	Updated time.Time `json:"updated"`
}

// entry is the plain text of a row. Pad hides the length of the value.
type entry struct {
	Tenant  string    `json:"tenant"`
	Name    string    `json:"name"`
	Kind    Kind      `json:"kind"`
	Value   string    `json:"value"`
	Updated time.Time `json:"updated"`
	Pad     string    `json:"pad,omitempty"`
}

const padTo = 256

// Store is an open store. It is safe for concurrent use.
type Store struct {
	db     *store.DB
	keeper keeper
	mu     sync.Mutex // guards keys
	keys   *keys
}

// Open opens the database in o.Dir. The key is made on the first write.
func Open(ctx context.Context, o Options) (*Store, error) {
	k, err := newKeeper(o)
	if err != nil {
		return nil, err
	}
	if err := securefile.MkdirAll(o.Dir); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, keeper: k}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// key loads the key, and makes it when make is set and nothing is stored yet.
func (s *Store) key(ctx context.Context, make bool) (*keys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != nil {
		return s.keys, nil
	}
	id, err := s.keeper.load(ctx)
	if errors.Is(err, ErrNoKey) && make {
		id, err = s.generate(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.keys, err = newKeys(id)
	return s.keys, err
}

func (s *Store) generate(ctx context.Context) (*age.X25519Identity, error) {
	var rows int
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM secret_items").Scan(&rows); err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	if rows > 0 {
		return nil, fmt.Errorf("the key of the store is gone and %d secrets need it: restore it from a backup", rows)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return id, s.keeper.save(ctx, id)
}

var nameRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`) })

// ValidName reports whether a secret can have this name.
func ValidName(name string) bool { return nameRE().MatchString(name) }

// Set writes a secret of a tenant, replacing what was there. A secret stays
// write-only for ever: it must be removed before the name can be a variable.
func (s *Store) Set(ctx context.Context, tenant, name string, kind Kind, v secrets.Value) error {
	switch {
	case !ValidName(name):
		return fmt.Errorf("name %q: use letters, digits, dot, - and _, at most 128", name)
	case v.IsZero():
		return errors.New("the value is empty")
	case len(v.Reveal()) > secrets.MaxValueBytes:
		return fmt.Errorf("the value is longer than %d bytes", secrets.MaxValueBytes)
	case kind != Secret && kind != Variable:
		return fmt.Errorf("kind %q is neither secret nor variable", kind)
	}
	k, err := s.key(ctx, true)
	if err != nil {
		return err
	}
	if old, err := s.read(ctx, k, tenant, name); err == nil && old.Kind == Secret {
		kind = Secret
	}
	return k.put(ctx, s.db, entry{Tenant: tenant, Name: name, Kind: kind, Value: v.Reveal(), Updated: time.Now().UTC().Truncate(time.Second)})
}

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (k *keys) put(ctx context.Context, db execer, e entry) error {
	e.Pad = strings.Repeat(".", padTo-len(e.Value)%padTo)
	plain, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	defer securepath.Wipe(plain)
	var body bytes.Buffer
	if err := encryptTo(&body, k.id.Recipient(), plain); err != nil {
		return err
	}
	t, n := k.hash("tenant", e.Tenant), k.hash("name", e.Tenant+"\x00"+e.Name)
	_, err = db.ExecContext(ctx, "INSERT OR REPLACE INTO secret_items (tenant, name, body, tag) VALUES (?, ?, ?, ?)", t, n, body.Bytes(), k.tag(t, n, body.Bytes()))
	if err != nil {
		return fmt.Errorf("write store: %w", err)
	}
	return nil
}

func (k *keys) hash(what, s string) []byte {
	m := hmac.New(sha256.New, k.index)
	_, _ = io.WriteString(m, what+"\x00"+s)
	return m.Sum(nil)
}

func (k *keys) tag(tenant, name, body []byte) []byte {
	m := hmac.New(sha256.New, k.index)
	for _, b := range [][]byte{[]byte("row"), tenant, name, body} {
		_, _ = m.Write(b)
	}
	return m.Sum(nil)
}

// open decrypts a row and checks that it is where it belongs.
func (k *keys) open(tenant, name, body, tag []byte) (entry, error) {
	var e entry
	if !hmac.Equal(tag, k.tag(tenant, name, body)) {
		return e, ErrDamaged
	}
	r, err := age.Decrypt(bytes.NewReader(body), k.id)
	if err != nil {
		return e, ErrDamaged
	}
	plain, err := io.ReadAll(io.LimitReader(r, 8*secrets.MaxValueBytes))
	defer securepath.Wipe(plain)
	if err != nil || json.Unmarshal(plain, &e) != nil {
		return e, ErrDamaged
	}
	if !hmac.Equal(tenant, k.hash("tenant", e.Tenant)) || !hmac.Equal(name, k.hash("name", e.Tenant+"\x00"+e.Name)) {
		return entry{}, ErrDamaged
	}
	return e, nil
}

func (s *Store) read(ctx context.Context, k *keys, tenant, name string) (entry, error) {
	t, n := k.hash("tenant", tenant), k.hash("name", tenant+"\x00"+name)
	var body, tag []byte
	err := s.db.QueryRowContext(ctx, "SELECT body, tag FROM secret_items WHERE tenant = ? AND name = ?", t, n).Scan(&body, &tag)
	if errors.Is(err, sql.ErrNoRows) {
		return entry{}, ErrNotFound
	}
	if err != nil {
		return entry{}, fmt.Errorf("read store: %w", err)
	}
	return k.open(t, n, body, tag)
}

// lookup is read with the key loaded; a store without a key has no secrets.
func (s *Store) lookup(ctx context.Context, tenant, name string) (entry, error) {
	k, err := s.key(ctx, false)
	if errors.Is(err, ErrNoKey) {
		return entry{}, ErrNotFound
	}
	if err != nil {
		return entry{}, err
	}
	return s.read(ctx, k, tenant, name)
}

// Get returns a variable; a write-only secret is ErrWriteOnly.
func (s *Store) Get(ctx context.Context, tenant, name string) (secrets.Value, error) {
	e, err := s.lookup(ctx, tenant, name)
	if err != nil {
		return secrets.Value{}, err
	}
	if e.Kind != Variable {
		return secrets.Value{}, ErrWriteOnly
	}
	return secrets.NewValue(e.Value), nil
}

// Lease returns a value for use inside this process, write-only or not.
func (s *Store) Lease(ctx context.Context, tenant, name string) (secrets.Value, error) {
	e, err := s.lookup(ctx, tenant, name)
	return secrets.NewValue(e.Value), err
}

// Remove deletes a secret.
func (s *Store) Remove(ctx context.Context, tenant, name string) error {
	k, err := s.key(ctx, false)
	if errors.Is(err, ErrNoKey) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	res, err := s.db.ExecContext(ctx, "DELETE FROM secret_items WHERE tenant = ? AND name = ?", k.hash("tenant", tenant), k.hash("name", tenant+"\x00"+name))
	if err != nil {
		return fmt.Errorf("write store: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return ErrNotFound
	}
	return nil
}

// List names the secrets of a tenant, sorted.
func (s *Store) List(ctx context.Context, tenant string) ([]Item, error) {
	k, err := s.key(ctx, false)
	if errors.Is(err, ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := k.all(ctx, s.db, k.hash("tenant", tenant))
	out := make([]Item, 0, len(entries))
	for _, e := range entries {
		out = append(out, Item{e.Name, e.Kind, e.Updated})
	}
	slices.SortFunc(out, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// Values are all values of a tenant, for comparing and redacting in this
// process.
func (s *Store) Values(ctx context.Context, tenant string) ([]secrets.Value, error) {
	k, err := s.key(ctx, false)
	if errors.Is(err, ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := k.all(ctx, s.db, k.hash("tenant", tenant))
	var out []secrets.Value
	for _, e := range entries {
		out = append(out, secrets.NewValue(e.Value))
	}
	return out, err
}
