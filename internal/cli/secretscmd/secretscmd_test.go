package secretscmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/secretscmd"
)

const secret = "q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1"

// home is a state directory and what the commands print.
type home struct {
	t   *testing.T
	dir string
}

func newHome(t *testing.T) *home {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &home{t, dir}
}

// run executes one command and returns its output and exit code.
func (h *home) run(stdin string, args ...string) (out string, code int) {
	h.t.Helper()
	var stdout, stderr bytes.Buffer
	env := &cliutil.Env{In: strings.NewReader(stdin), Out: &stdout, Err: &stderr, Getenv: func(string) string { return "" }, State: h.dir}
	cmd := secretscmd.New(env)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&stderr)
	err := cmd.ExecuteContext(h.t.Context())
	text := stdout.String() + stderr.String()
	if err != nil {
		text += err.Error()
	}
	return text, cliutil.Code(err)
}

func (h *home) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func TestStoreCommands(t *testing.T) {
	h := newHome(t)
	for _, step := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"list"}, 0, ""},
		{secret + "\n", []string{"set", "mail.password"}, 0, "id: mail.password"},
		{"bob", []string{"set", "mail.user", "--variable"}, 0, ""},
		{"", []string{"set", "empty"}, 2, "empty"},
		{"x", []string{"set", "no good"}, 1, "use letters"},
		{"", []string{"list"}, 0, "mail.password"},
		{"", []string{"list", "--json"}, 0, `"kind":"variable"`},
		{"", []string{"get", "mail.user"}, 0, "bob\n"},
		{"", []string{"get", "mail.password"}, 2, "does not come out"},
		{"", []string{"get", "none"}, 1, "has no none"},
		{"", []string{"get", "mail.user", "--tenant", "other"}, 1, "has no"},
		{"", []string{"rotate", "mail.user", "--generate"}, 0, "new value"},
		{"", []string{"rotate", "none", "--generate"}, 1, "has no none"},
		{"", []string{"rotate"}, 0, "new key"},
		{"A=one\nexport B='two'\n", []string{"import", "-"}, 0, "2 stored"},
		{`{"c":{"d":"three"}}`, []string{"import", "-", "--dry-run"}, 0, "1 would be stored"},
		{"", []string{"rm", "A", "B"}, 0, ""},
		{"", []string{"rm", "A"}, 1, "has no A"},
	} {
		out, code := h.run(step.stdin, step.args...)
		if code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("%v: exit %d, %q; want %d with %q", step.args, code, out, step.code, step.want)
		}
		if strings.Contains(out, secret) {
			t.Errorf("%v shows the secret", step.args)
		}
	}
}

func TestAuditCommand(t *testing.T) {
	h := newHome(t)
	file := h.write("x.env", "PASSWORD="+secret+"\n")
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"audit", file}, 0, "PLAINTEXT_FOUND"},
		{[]string{"audit", file, "--check"}, 3, "PLAINTEXT_FOUND"},
		{[]string{"audit", file, "--sarif"}, 0, `"2.1.0"`},
		{[]string{"audit", file, "--format", "xml"}, 2, "not a format"},
		{[]string{"audit", file + "x"}, 1, "no such file"},
		{[]string{"audit", "--check"}, 3, "x.env"},
	} {
		out, code := h.run("", step.args...)
		if code != step.code || !strings.Contains(out, step.want) || strings.Contains(out, secret) {
			t.Errorf("%v: exit %d, %q", step.args, code, out)
		}
	}
	out, _ := h.run("", "audit", file, "--json")
	var rep struct {
		Findings []struct {
			Code, Severity, File, JSONPath, Rule, Message string
			Line, Column                                  int
		}
	}
	if err := json.Unmarshal([]byte(out), &rep); err != nil || len(rep.Findings) != 1 || rep.Findings[0].Line != 1 || rep.Findings[0].Column != 10 || rep.Findings[0].JSONPath != "PASSWORD" {
		t.Errorf("%v %s", err, out)
	}
}

func TestMigrate(t *testing.T) {
	h := newHome(t)
	conf := h.write("chitin.yml", "# mine\ngateway:\n  auth:\n    token: "+secret+" # here\n")
	out, code := h.run("", "migrate")
	if code != 0 || !strings.Contains(out, "line 4: gateway.auth.token") || strings.Contains(out, secret) {
		t.Errorf("plan: %d %s", code, out)
	}
	if data, _ := os.ReadFile(conf); !strings.Contains(string(data), secret) {
		t.Error("planning changed the file")
	}
	if out, code = h.run("", "migrate", "--apply"); code != 0 || strings.Contains(out, secret) {
		t.Errorf("apply: %d %s", code, out)
	}
	for name, want := range map[string]string{"chitin.yml": "id: gateway.auth.token} # here", "chitin.yml.bak": "**redacted**"} {
		data, err := os.ReadFile(filepath.Join(h.dir, name))
		if err != nil || strings.Contains(string(data), secret) || !strings.Contains(string(data), want) {
			t.Errorf("%s: %v %s", name, err, data)
		}
	}
	if out, code := h.run("", "audit", "--check"); code != 0 {
		t.Errorf("after the migration: %d %s", code, out)
	}
	if out, code = h.run("", "migrate", "--apply"); code != 0 || !strings.Contains(out, "nothing to migrate") {
		t.Errorf("again: %d %s", code, out)
	}
}

func TestExecHelperCommand(t *testing.T) {
	h := newHome(t)
	out, code := h.run(`{"protocolVersion":1,"ids":["a"]}`, "exec-helper", "op", "--program", "/bin/echo")
	if code != 0 || !strings.Contains(out, `"a":"read op://a"`) {
		t.Errorf("%d %s", code, out)
	}
	if _, code := h.run("x", "exec-helper", "op", "--program", "/bin/echo"); code != 1 {
		t.Errorf("a bad request exits with %d", code)
	}
}
