package tokencmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/tokencmd"
)

func run(t *testing.T, state, in string, args ...string) (out, errOut string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	env := &cliutil.Env{In: strings.NewReader(in), Out: &o, Err: &e, Getenv: func(string) string { return "" }, State: state}
	c := tokencmd.New(env)
	c.SetArgs(args)
	c.SetContext(t.Context())
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&o)
	c.SetErr(&e)
	err = c.Execute()
	return o.String(), e.String(), err
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	out, note, err := run(t, dir, "", "create", "ci", "--scope", "read", "--tenant", "build", "--expires", "30d")
	first := strings.TrimSpace(out)
	if err != nil || !token.WellFormed(first) || !strings.Contains(note, "not shown again") {
		t.Fatalf("%q %q %v", out, note, err)
	}
	if out, _, err = run(t, dir, "", "list"); err != nil || strings.Contains(out, first) || !strings.Contains(out, "build") || !strings.Contains(out, "…"+first[len(first)-4:]) {
		t.Fatalf("list: %q %v", out, err)
	}
	out, _, err = run(t, dir, "", "rotate", "ci", "--json")
	var r struct {
		Token, Tenant string
		Scopes        []string
		Expires       time.Time
	}
	if err != nil || json.Unmarshal([]byte(out), &r) != nil || !token.WellFormed(r.Token) || r.Token == first || r.Tenant != "build" || len(r.Scopes) != 1 || time.Until(r.Expires) < 29*24*time.Hour {
		t.Fatalf("rotate: %q %v", out, err)
	}
	if out, _, err = run(t, dir, "", "revoke", "ci"); err != nil || out != "revoked ci\n" {
		t.Fatalf("revoke: %q %v", out, err)
	}
	if out, _, err = run(t, dir, "", "list", "--json"); err != nil || strings.TrimSpace(out) != "{\n  \"tokens\": []\n}" {
		t.Fatalf("list: %q %v", out, err)
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := run(t, dir, "", "create", "ci"); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		code int
	}{
		"no name":     {[]string{"create"}, cliutil.ExitUsage},
		"bad name":    {[]string{"create", "a b"}, cliutil.ExitUsage},
		"reserved":    {[]string{"create", "main"}, cliutil.ExitUsage},
		"bad scope":   {[]string{"create", "x", "--scope", "root"}, cliutil.ExitUsage},
		"bad end":     {[]string{"create", "x", "--expires", "soon"}, cliutil.ExitUsage},
		"end in past": {[]string{"create", "x", "--expires", "2001-01-01"}, cliutil.ExitUsage},
		"exists":      {[]string{"create", "ci"}, cliutil.ExitFailure},
		"not there":   {[]string{"revoke", "nope"}, cliutil.ExitFailure},
		"not there 2": {[]string{"rotate", "nope"}, cliutil.ExitFailure},
		"short":       {[]string{"hash-password"}, cliutil.ExitUsage},
	} {
		_, _, err := run(t, dir, "abc\n", tc.args...)
		var e *cliutil.Error
		if cliutil.Code(err) != tc.code || !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%s: %v (code %d)", name, err, cliutil.Code(err))
		}
	}
}

func TestHashPassword(t *testing.T) {
	out, _, err := run(t, t.TempDir(), "a fine pass phrase\n", "hash-password")
	if err != nil || !strings.HasPrefix(out, "$argon2id$") || strings.Contains(out, "phrase") {
		t.Fatalf("%q %v", out, err)
	}
}
