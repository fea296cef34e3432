package policycmd

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// run executes the command over a small policy.
func run(t *testing.T, src toolpolicy.Source, args ...string) (string, error) {
	t.Helper()
	src.KnownTools = []string{"exec", "read", "write", "cron", "gateway", "session_status"}
	src.Commands, _ = shell.New(shell.Options{})
	load := func(context.Context) (*Loaded, error) {
		e, problems := toolpolicy.Compile(src)
		l := &Loaded{Engine: e}
		for _, p := range problems {
			l.Warnings = append(l.Warnings, p.Path+": "+p.Message+"; "+p.Hint)
		}
		return l, nil
	}
	var out, warnings bytes.Buffer
	cmd := New(&cliutil.Env{Out: &out, Err: &warnings}, load)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	heard = warnings.String()
	return out.String(), err
}

// heard is what the last run warned of.
var heard string

func TestWarnings(t *testing.T) {
	_, err := run(t, toolpolicy.Source{Config: toolpolicy.Config{Deny: []string{"wirte"}}}, "explain", "read", "--json")
	if err != nil || !strings.Contains(heard, "did you mean write?") {
		t.Errorf("%v, warned of %q", err, heard)
	}
}

func TestExplainText(t *testing.T) {
	src := toolpolicy.Source{
		Config: toolpolicy.Config{Policy: &toolpolicy.Policy{Deny: []string{"write"}}},
		Line:   func(p string) int { return map[string]int{"tools.policy.deny[0]": 7}[p] },
	}
	out, err := run(t, src, "explain", "write")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"DENY:", "tools.policy.deny line 7", `remove "write" from tools.policy.deny`, "hidden from this caller", "deny  policy"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

func TestExplainFlags(t *testing.T) {
	for _, r := range []struct {
		args []string
		want string
	}{
		{[]string{"exec"}, "allow"},
		{[]string{"exec", "--sandboxed", "no"}, "deny"},
		{[]string{"exec", "--surface", "acp"}, "ask"},
		{[]string{"gateway", "--surface", "cli"}, "allow"},
		{[]string{"gateway", "--surface", "cli", "--not-owner"}, "deny"},
		{[]string{"gateway", "--surface", "agent"}, "deny"},
		{[]string{"read", "--principal", "anonymous"}, "deny"},
		{[]string{"read", "--principal", "token:x", "--scopes", "operator.read", "--not-owner"}, "allow"},
		{[]string{"write", "--scopes", "operator.read"}, "deny"},
		{[]string{"session_status", "--depth", "1", "--surface", "subagent"}, "deny"},
		{[]string{"exec", "--args", `{"elevated":true}`, "--surface", "cli"}, "deny"},
	} {
		out, err := run(t, toolpolicy.Source{}, append([]string{"explain", "--json"}, r.args...)...)
		var x toolpolicy.Explanation
		if err != nil || json.Unmarshal([]byte(out), &x) != nil || x.Verdict != r.want || len(x.Trace) == 0 || len(x.Flip) == 0 {
			t.Errorf("%v: %s (%s) %v, want %s", r.args, x.Verdict, x.Reason, err, r.want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, r := range []struct {
		args []string
		code int
	}{
		{[]string{"explain", "write"}, 0}, {[]string{"explain", "write", "--check"}, 0}, {[]string{"explain", "cron", "--check"}, 3},
		{[]string{"explain", "write", "--surface", "fax"}, 2}, {[]string{"explain", "write", "--args", "{"}, 2},
		{[]string{"explain", "write", "--principal", "bob"}, 2}, {[]string{"explain", "write", "--sandboxed", "maybe"}, 2},
		{[]string{"explain", "write", "--scopes", "root"}, 2}, {[]string{"test"}, 2}, {[]string{"test", "/nowhere.yml"}, 1},
	} {
		_, err := run(t, toolpolicy.Source{}, r.args...)
		if got := cliutil.Code(err); got != r.code {
			t.Errorf("%v exits %d (%v), want %d", r.args, got, err, r.code)
		}
	}
}

func TestMatrix(t *testing.T) {
	out, err := run(t, toolpolicy.Source{}, "matrix", "--json")
	var cells []cell
	if err != nil || json.Unmarshal([]byte(out), &cells) != nil || len(cells) != 3*6*len(surfaces) {
		t.Fatalf("%d cells, %v", len(cells), err)
	}
	for _, c := range cells {
		if c.Tool == "cron" && c.Verdict == "allow" && !c.Owner {
			t.Errorf("%+v", c)
		}
	}
	out, err = run(t, toolpolicy.Source{}, "matrix", "--principal", "token:x", "--not-owner")
	if err != nil || strings.Count(out, "\n") < 8 || !strings.Contains(out, "·") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCases(t *testing.T) {
	src := toolpolicy.Source{Config: toolpolicy.Config{Rules: toolpolicy.RulesConfig{
		Inline: `permit(principal, action, resource == Tool::"write") when { context.args.path like "reports/*" && context.hour < 17 };`,
	}}}
	file := filepath.Join(t.TempDir(), "cases.yml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := "cases:\n" +
		"  - {name: in, tool: write, args: {path: reports/a}, at: '2026-01-01T09:00:00Z', expect: allow}\n" +
		"  - {name: late, tool: write, args: {path: reports/a}, at: '2026-01-01T19:00:00Z', expect: deny, layer: rules}\n" +
		"  - {name: out, tool: write, args: {path: reports/../a}, expect: deny, layer: rules}\n" +
		"  - {name: guest, tool: cron, owner: false, scopes: [operator.write], surface: cli, session: {sandboxed: false}, expect: deny, layer: owner-only}\n"
	write(good)
	if out, err := run(t, src, "test", file); err != nil || !strings.Contains(out, "4 cases, 0 failed") {
		t.Errorf("%v\n%s", err, out)
	}
	write(good + "  - {name: wrong, tool: read, expect: deny}\n")
	if out, err := run(t, src, "test", file); cliutil.Code(err) != 3 || !strings.Contains(out, "FAIL cases.yml: wrong") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, bad := range []string{"cases: []", "cases:\n  - {tool: x, expect: maybe}", "cases:\n  - {tol: x, expect: deny}", "{"} {
		write(bad)
		if _, err := run(t, src, "test", file); cliutil.Code(err) != 1 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestList(t *testing.T) {
	out, err := run(t, toolpolicy.Source{}, "list")
	if err != nil || !strings.Contains(out, "group:fs") || !strings.Contains(out, "read*") || !strings.Contains(out, "minimal") {
		t.Errorf("%v\n%s", err, out)
	}
}
