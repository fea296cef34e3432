package approvalscmd

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// gateway opens a book in a fresh state directory and parks one call.
func parked(t *testing.T, command string) (*approval.Book, approval.Request, string) {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := os.WriteFile(filepath.Join(dir, "chitin.yml"), []byte("tools: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	book, err := approval.Open(t.Context(), db, approval.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := toolpolicy.Compile(toolpolicy.Source{KnownTools: []string{"exec"}})
	caller := gatewaytest.Caller(gatewaytest.ID("ci"), gatewaytest.Scopes(gateway.ScopeWrite))
	args := []byte(`{"command":` + command + `}`)
	_, d := e.Decide(caller, &toolpolicy.Query{Tool: "exec", Surface: "acp", Args: args,
		Session: &toolpolicy.Session{Key: "agent:main:main", Tenant: "default", Sandboxed: true}})
	plan, err := approval.Build(t.Context(), d.Petition(), args, approval.Context{Cwd: "/w"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := book.Ask(t.Context(), d.Petition(), &plan)
	if err != nil {
		t.Fatal(err)
	}
	return book, r, dir
}

func run(t *testing.T, state string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := New(&cliutil.Env{Out: &out, Err: &out, State: state, Getenv: func(string) string { return "" }}, nil)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestApprove(t *testing.T) {
	book, r, dir := parked(t, `"git status"`)
	out, err := run(t, dir, "list")
	if err != nil || !strings.Contains(out, r.ID) || !strings.Contains(out, "runs      git status") || !strings.Contains(out, "token:ci") || !strings.Contains(out, "because") {
		t.Fatalf("%v\n%s", err, out)
	}
	waited := make(chan error, 1)
	go func() { waited <- book.Wait(context.Background(), r) }()
	if out, err := run(t, dir, "approve", r.ID, "--pattern", "git status **", "--for", "1h", "--uses", "3"); err != nil || !strings.Contains(out, "approved") {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
	out, err = run(t, dir, "standing")
	if err != nil || !strings.Contains(out, "git status **") || !strings.Contains(out, "3 uses") {
		t.Errorf("%v\n%s", err, out)
	}
	id, _, _ := strings.Cut(out, " ")
	if _, err := run(t, dir, "revoke", id); err != nil {
		t.Error(err)
	}
	if _, err := run(t, dir, "approve", r.ID); cliutil.Code(err) != 1 {
		t.Errorf("a second yes: %v", err)
	}
}

func TestDeny(t *testing.T) {
	book, r, dir := parked(t, `"rm -rf x"`)
	waited := make(chan error, 1)
	go func() { waited <- book.Wait(context.Background(), r) }()
	if _, err := run(t, dir, "deny", r.ID, "--note", "no"); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("the call heard %v", err)
	}
	if out, _ := run(t, dir, "list"); !strings.Contains(out, "nothing waits") {
		t.Error(out)
	}
}

func TestMistakes(t *testing.T) {
	_, _, dir := parked(t, `"git\u202e status\u200b"`)
	out, err := run(t, dir, "list")
	if err != nil || strings.ContainsAny(out, "\u202e\u200b") || !strings.Contains(out, `\u{202e}`) {
		t.Errorf("invisible text reaches the terminal: %v %q", err, out)
	}
	for _, args := range [][]string{{"approve", "ap_none"}, {"deny", "ap_none"}, {"revoke", "st_none"}} {
		if _, err := run(t, dir, args...); cliutil.Code(err) != 1 {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := run(t, dir, "approve", "x", "--uses", "2"); cliutil.Code(err) != 2 {
		t.Errorf("uses without time: %v", err)
	}
	if _, err := run(t, t.TempDir(), "list"); cliutil.Code(err) != 1 {
		t.Errorf("no database: %v", err)
	}
}
