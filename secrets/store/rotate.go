package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"filippo.io/age"
)

// queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// all opens every row, of one tenant or (nil) of all of them.
func (k *keys) all(ctx context.Context, db queryer, tenant []byte) (out []entry, err error) {
	rows, err := db.QueryContext(ctx, "SELECT tenant, name, body, tag FROM secret_items WHERE ?1 IS NULL OR tenant = ?1", tenant)
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var t, n, body, tag []byte
		if err := rows.Scan(&t, &n, &body, &tag); err != nil {
			return nil, fmt.Errorf("read store: %w", err)
		}
		e, err := k.open(t, n, body, tag)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// RotateKey encrypts everything with a new key. The new key is saved before
// the rows are committed and the old one put back when that fails.
func (s *Store) RotateKey(ctx context.Context) error {
	old, err := s.key(ctx, true)
	if err != nil {
		return err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	fresh, err := newKeys(id)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	entries, err := old.all(ctx, tx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM secret_items"); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	for _, e := range entries {
		if err := fresh.put(ctx, tx, e); err != nil {
			return err
		}
	}
	if err := s.keeper.save(ctx, id); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return errors.Join(fmt.Errorf("rotate: %w", err), s.keeper.save(ctx, old.id))
	}
	s.mu.Lock()
	s.keys = fresh
	s.mu.Unlock()
	return nil
}
