// Package pins remembers, per tenant, what MCP servers said of their tools and
// what of it was approved.
package pins

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/mcpclient"
)

// Store is the two tables. It is safe for concurrent use.
type Store struct{ db *store.DB }

// New uses an open database.
func New(db *store.DB) *Store { return &Store{db} }

// All is every tool of every tenant and server.
func (s *Store) All(ctx context.Context) ([]mcpclient.Pin, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT tenant, server, tool, seen, seen_digest, seen_ms, present,
		pinned, pinned_digest, pinned_ms, pinned_by FROM mcp_tools ORDER BY tenant, server, tool`)
	if err != nil {
		return nil, fmt.Errorf("mcp tools: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []mcpclient.Pin
	for rows.Next() {
		var (
			p               mcpclient.Pin
			v               mcpclient.Version
			seen, pinned    string
			seenMs, pinned2 int64
		)
		if err := rows.Scan(&p.Tenant, &p.Server, &p.Tool, &seen, &p.Seen.Digest, &seenMs, &p.Present,
			&pinned, &v.Digest, &pinned2, &v.By); err != nil {
			return nil, fmt.Errorf("mcp tools: %w", err)
		}
		p.Seen.At, v.At = time.UnixMilli(seenMs), time.UnixMilli(pinned2)
		if err := restore(&p.Seen, seen); err != nil {
			return nil, err
		}
		if pinned != "" {
			if err := restore(&v, pinned); err != nil {
				return nil, err
			}
			p.Pinned = &v
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// restore reads a definition back. One that does not have its digest was
// changed in the database and is taken for what it is now.
func restore(v *mcpclient.Version, text string) error {
	if err := json.Unmarshal([]byte(text), &v.Definition); err != nil {
		return fmt.Errorf("mcp tools: %w", err)
	}
	digest, err := v.Definition.Digest()
	if err != nil {
		return fmt.Errorf("mcp tools: %w", err)
	}
	v.Digest = digest
	return nil
}

// Put writes tools as they are now, all or none.
func (s *Store) Put(ctx context.Context, list []mcpclient.Pin) error {
	if len(list) == 0 {
		return nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("mcp tools: %w", err)
	}
	for _, p := range list {
		if err := put(ctx, tx, p); err != nil {
			return errors.Join(fmt.Errorf("mcp tools: %w", err), tx.Rollback())
		}
	}
	return tx.Commit()
}

func put(ctx context.Context, tx *sql.Tx, p mcpclient.Pin) error {
	seen, err := p.Seen.Definition.Canonical()
	if err != nil {
		return err
	}
	var pinned, digest, by string
	var at int64
	if v := p.Pinned; v != nil {
		b, err := v.Definition.Canonical()
		if err != nil {
			return err
		}
		pinned, digest, by, at = string(b), v.Digest, v.By, v.At.UnixMilli()
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO mcp_tools
		(tenant, server, tool, seen, seen_digest, seen_ms, present, pinned, pinned_digest, pinned_ms, pinned_by)
		VALUES (?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (tenant, server, tool) DO UPDATE SET seen=excluded.seen, seen_digest=excluded.seen_digest, seen_ms=excluded.seen_ms,
		present=excluded.present, pinned=excluded.pinned, pinned_digest=excluded.pinned_digest, pinned_ms=excluded.pinned_ms, pinned_by=excluded.pinned_by`,
		p.Tenant, p.Server, p.Tool, string(seen), p.Seen.Digest, p.Seen.At.UnixMilli(), p.Present, pinned, digest, at, by)
	return err
}

// FirstContact notes that a tenant met a server and reports whether that had
// never happened before.
func (s *Store) FirstContact(ctx context.Context, tenant, server string, at time.Time) (bool, error) {
	res, err := s.db.ExecContext(ctx, `INSERT OR IGNORE INTO mcp_contacts (tenant, server, first_ms) VALUES (?,?,?)`, tenant, server, at.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("mcp contacts: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}
