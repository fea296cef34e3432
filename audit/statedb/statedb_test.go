package statedb_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/statedb"
)

// database makes a file with the given statements and gives its path.
func database(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openclaw.sqlite")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRows(t *testing.T) {
	path := database(t,
		"CREATE TABLE config_machine_state(state_key TEXT PRIMARY KEY, value_json TEXT, updated_at_ms INTEGER)",
		`INSERT INTO config_machine_state VALUES('hooks.internal.installs','{"a":{}}',1)`,
		"CREATE TABLE kv(scope TEXT, key TEXT, value_json TEXT)",
		`INSERT INTO kv VALUES('exec.approvals','current','{"version":1}'),('other','x','{}')`)
	before, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	rows := statedb.Rows(audit.NewDisk(audit.DefaultLimits()), "/no/such/file", path)
	if rows["hooks.internal.installs"] != `{"a":{}}` || rows["exec.approvals"] != `{"version":1}` || len(rows) != 2 {
		t.Errorf("%v", rows)
	}
	after, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(after) != len(before) {
		t.Errorf("reading left %v beside the database, %v", after, err)
	}
}

func TestOddDatabases(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("SQLite format 3\x00 and nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(database(t, "CREATE TABLE config_machine_state(state_key TEXT, value_json TEXT)", "INSERT INTO config_machine_state VALUES('k','v')"), link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{garbage, link, dir, database(t, "CREATE TABLE other(x)")} {
		d := audit.NewDisk(audit.DefaultLimits())
		if rows := statedb.Rows(d, p); len(rows) != 0 {
			t.Errorf("%s: %v", p, rows)
		}
	}
}
