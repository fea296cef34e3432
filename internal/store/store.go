// Package store is the SQLite database in the state directory: one file, one
// migration list, and one place that scopes every query to a tenant.
package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the database/sql driver
)

//go:embed migrations/*.sql
var migrations embed.FS

// FileName is the database's name inside the state directory.
const FileName = "chitin.db"

// DB is the open database. Use For to reach rows that belong to a tenant.
type DB struct{ *sql.DB }

// Open opens or makes the database in dir (mode 0600) and migrates it.
func Open(ctx context.Context, dir string) (*DB, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	dsn := "file:" + (&urlPath{path}).String() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(4)
	if err := migrate(ctx, db); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &DB{db}, nil
}

type urlPath struct{ p string }

func (u *urlPath) String() string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(u.p)
}

// migrate brings the schema to the newest version; the number that begins a
// migration's name is its version and PRAGMA user_version remembers it.
func migrate(ctx context.Context, db *sql.DB) error {
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	sort.Strings(names)
	for _, name := range names {
		v, err := strconv.Atoi(strings.SplitN(filepath.Base(name), "_", 2)[0])
		if err != nil {
			return fmt.Errorf("migration %s: its name must begin with a number", name)
		}
		if v <= have {
			continue
		}
		if err := apply(ctx, db, name, v); err != nil {
			return err
		}
	}
	return nil
}

func apply(ctx context.Context, db *sql.DB, name string, v int) error {
	text, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err = tx.ExecContext(ctx, string(text)); err == nil {
		_, err = tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.Itoa(v))
	}
	if err != nil {
		_ = tx.Rollback()
		return fmt.Errorf("migration %s: %w", filepath.Base(name), err)
	}
	return tx.Commit()
}
