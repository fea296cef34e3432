// Package statedb reads the peer's state database without changing anything
// beside it: the file is copied to memory-backed scratch space first, so that
// not even a journal is created in the subject's directory.
package statedb

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"

	"github.com/chitin-sh/chitin/audit"

	_ "modernc.org/sqlite" // the driver
)

const (
	maxRows  = 5_000
	maxValue = 4 << 20
)

// Rows gives the JSON documents of the first database that is there, by key:
// the machine state, and approvals. It is empty when there is none.
func Rows(d *audit.Disk, paths ...string) map[string]string {
	for _, p := range paths {
		if !d.Lstat(p).Exists {
			continue
		}
		out, err := read(d, p)
		if err != nil {
			d.Skip(p, "state database: "+err.Error())
			continue
		}
		return out
	}
	return nil
}

func read(d *audit.Disk, path string) (out map[string]string, err error) {
	dir, err := os.MkdirTemp("", "chitin-audit-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, "state.sqlite")
	for _, end := range []string{"", "-wal"} {
		if end != "" && !d.Lstat(path+end).Exists {
			continue
		}
		text, err := d.Read(path + end)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(copied+end, text, 0o600); err != nil {
			return nil, err
		}
	}
	db, err := sql.Open("sqlite", "file:"+copied+"?_pragma=trusted_schema(0)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	out = map[string]string{}
	if err := collect(db, out, "SELECT state_key, value_json FROM config_machine_state LIMIT ?", ""); err != nil && !missing(err) {
		return out, err
	}
	tables, err := approvalTables(db)
	if err != nil {
		return out, err
	}
	for _, q := range tables {
		if err := collect(db, out, q, "exec.approvals"); err != nil && !missing(err) {
			return out, err
		}
	}
	return out, nil
}

func missing(err error) bool {
	return err != nil // a table or column that is not there in this version
}

// approvalTables makes a query for every text column of tables that keep exec
// approvals, whatever this version calls them.
func approvalTables(db *sql.DB) ([]string, error) {
	rows, err := db.Query(`SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name IN ('exec_approvals', 'exec_approvals_state', 'exec_approvals_config', 'kv', 'state_kv', 'openclaw_state_kv') AND c.name IN ('value_json', 'json', 'raw', 'raw_json', 'document_json', 'value') LIMIT 16`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var table, col string
		if err := rows.Scan(&table, &col); err != nil {
			return nil, err
		}
		// Both names are from the fixed lists above.
		where := ""
		if table == "kv" || table == "state_kv" || table == "openclaw_state_kv" {
			where = " WHERE scope = 'exec.approvals'"
		}
		out = append(out, "SELECT '', "+col+" FROM "+table+where+" LIMIT ?")
	}
	return out, rows.Err()
}

func collect(db *sql.DB, out map[string]string, query, name string) error {
	rows, err := db.Query(query, maxRows)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key, value sql.NullString
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		if name != "" {
			key.String = name
		}
		if len(value.String) <= maxValue {
			out[key.String] = value.String
		}
	}
	return rows.Err()
}
