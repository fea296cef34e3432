package securitycmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/securitycmd"
)

// run is one command line in a home of its own.
func run(t *testing.T, env map[string]string, args ...string) (out string, code int, err error) {
	t.Helper()
	if env["HOME"] == "" {
		env["HOME"] = t.TempDir()
	}
	var b bytes.Buffer
	e := &cliutil.Env{Out: &b, Err: &b, Getenv: func(k string) string { return env[k] }, State: env["state"], Config: env["config"]}
	cmd := securitycmd.New(e)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&b)
	err = cmd.Execute()
	return b.String(), cliutil.Code(err), err
}

// state makes an OpenClaw state directory.
func state(t *testing.T, config string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openclaw.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func parse(t *testing.T, out string) audit.Report {
	t.Helper()
	var r audit.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %.300s", err, out)
	}
	return r
}

const (
	clean    = `{gateway:{bind:"loopback",auth:{mode:"token",token:"tok-7hG2kQ9vXz41LmPa83RwTn56"},controlUi:{enabled:false}}}`
	warnOnly = `{gateway:{auth:{token:"short"},controlUi:{enabled:false}}}`
	critical = `{gateway:{bind:"lan"}}`
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		config, failOn string
		want           int
	}{
		{clean, "", 0}, {clean, "warn", 0}, {clean, "info", 3}, {clean, "never", 0},
		{warnOnly, "", 0}, {warnOnly, "warn", 3}, {warnOnly, "critical", 0},
		{critical, "", 3}, {critical, "warn", 3}, {critical, "never", 0}, {`{not json`, "", 3},
	} {
		args := []string{"audit", "--openclaw", state(t, c.config), "--json"}
		if c.failOn != "" {
			args = append(args, "--fail-on", c.failOn)
		}
		out, code, _ := run(t, map[string]string{}, args...)
		if code != c.want {
			t.Errorf("%s --fail-on %q: exit %d, want %d", c.config, c.failOn, code, c.want)
		}
		if r := parse(t, out); len(r.Findings) == 0 || r.TS == 0 {
			t.Errorf("%s: an empty report", c.config)
		}
	}
}

func TestUsage(t *testing.T) {
	dir := state(t, clean)
	for _, args := range [][]string{
		{"audit", dir}, {"audit", "--format", "pdf"}, {"audit", "--fail-on", "maybe"}, {"audit", "--dry-run"}, {"audit", "--auth", "magic"}, {"audit", "--auth", "token"},
		{"audit", "--openclaw=" + dir, "more"}, {"audit", "explain", "no.such.check"},
	} {
		_, code, err := run(t, map[string]string{}, args...)
		var hint string
		if e, ok := err.(*cliutil.Error); ok {
			hint = e.Hint
		}
		if code != cliutil.ExitUsage || hint == "" {
			t.Errorf("%v: exit %d, hint %q", args, code, hint)
		}
	}
	if _, code, _ := run(t, map[string]string{}, "audit", "--openclaw", filepath.Join(dir, "none")); code != cliutil.ExitFailure {
		t.Errorf("a missing directory: exit %d", code)
	}
}

func TestWhereOpenClawIs(t *testing.T) {
	dir := state(t, critical)
	home := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(home, ".openclaw")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"space": {map[string]string{}, []string{"--openclaw", dir}}, "equals": {map[string]string{}, []string{"--openclaw=" + dir}}, "file": {map[string]string{}, []string{"--openclaw", dir + "/openclaw.json"}},
		"state env": {map[string]string{"OPENCLAW_STATE_DIR": dir}, []string{"--openclaw"}}, "config env": {map[string]string{"OPENCLAW_CONFIG_PATH": dir + "/openclaw.json"}, []string{"--openclaw"}},
		"home": {map[string]string{"HOME": home}, []string{"--openclaw"}}, "flags after": {map[string]string{}, []string{"--openclaw", dir, "--fail-on", "critical"}},
	} {
		out, code, err := run(t, c.env, append([]string{"audit", "--json"}, c.args...)...)
		if code != 3 {
			t.Errorf("%s: exit %d, %v", name, code, err)
			continue
		}
		if r := parse(t, out); r.Subject != "openclaw" || r.Summary.Critical == 0 {
			t.Errorf("%s: %+v", name, r.Summary)
		}
	}
}

func TestOwnSubject(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	config := "gateway:\n  bind: lan\n  auth:\n    mode: none\nsecurity:\n  audit:\n    waivers:\n      - {checkId: gateway.tls_missing, reason: r, owner: o, until: '2999-01-01'}\n"
	if err := os.WriteFile(filepath.Join(dir, "chitin.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code, _ := run(t, map[string]string{"state": dir}, "audit", "--json")
	r := parse(t, out)
	if code != 3 || r.Subject != "chitin" || len(r.SuppressedFindings) != 1 {
		t.Errorf("exit %d, %+v, %d waived", code, r.Summary, len(r.SuppressedFindings))
	}
	for _, f := range r.Findings {
		if f.CheckID == "gateway.bind_no_auth" && (f.Location == nil || f.Location.Line != 2) {
			t.Errorf("place is %+v", f.Location)
		}
	}
	if _, code, _ := run(t, map[string]string{"state": dir, "config": dir + "/other.yml"}, "audit"); code != cliutil.ExitFailure {
		t.Errorf("a missing --config: exit %d", code)
	}
	out, code, _ = run(t, map[string]string{"state": filepath.Join(dir, "fresh")}, "audit", "--json")
	if r := parse(t, out); code != 0 || r.Summary.Critical+r.Summary.Warn != 0 {
		t.Errorf("the defaults have findings: exit %d %s", code, out)
	}
}

func TestBaseline(t *testing.T) {
	dir := state(t, critical)
	out, _, _ := run(t, map[string]string{}, "audit", "--openclaw", dir, "--json", "--fail-on", "never")
	base := filepath.Join(t.TempDir(), "base.json")
	if err := os.WriteFile(base, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	again, code, _ := run(t, map[string]string{}, "audit", "--openclaw", dir, "--json", "--baseline", base)
	if r := parse(t, again); code != 0 || len(r.Findings) != 0 {
		t.Errorf("nothing changed: exit %d, %d findings", code, len(r.Findings))
	}
	if err := os.WriteFile(filepath.Join(dir, "openclaw.json"), []byte(`{gateway:{bind:"lan"},hooks:{enabled:true,path:"/"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	again, code, _ = run(t, map[string]string{}, "audit", "--openclaw", dir, "--json", "--baseline", base)
	r := parse(t, again)
	if code != 3 {
		t.Errorf("something new: exit %d", code)
	}
	for _, f := range r.Findings {
		if !strings.HasPrefix(f.CheckID, "hooks.") {
			t.Errorf("%s is not new", f.CheckID)
		}
	}
	if _, code, _ := run(t, map[string]string{}, "audit", "--openclaw", dir, "--baseline", dir+"/none"); code != cliutil.ExitFailure {
		t.Errorf("a missing baseline: exit %d", code)
	}
}

func TestFix(t *testing.T) {
	dir := state(t, `{gateway:{auth:{token:"tok-7hG2kQ9vXz41LmPa83RwTn56"},controlUi:{enabled:false}}}`)
	config := filepath.Join(dir, "openclaw.json")
	if err := os.Chmod(config, 0o644); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"state": filepath.Join(t.TempDir(), "own")}
	mode := func() os.FileMode {
		st, err := os.Stat(config)
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm()
	}
	out, code, err := run(t, env, "audit", "--openclaw", dir, "--fix", "--dry-run")
	if code != 0 || mode() != 0o644 || !strings.Contains(out, "chmod 0600") {
		t.Errorf("dry run: exit %d, %v, mode %o\n%s", code, err, mode(), out)
	}
	out, code, err = run(t, env, "audit", "--openclaw", dir, "--fix", "--json")
	var fixed struct {
		Fix    struct{ OK bool }
		Report audit.Report
	}
	if jerr := json.Unmarshal([]byte(out), &fixed); jerr != nil || !fixed.Fix.OK || code != 0 || mode() != 0o600 {
		t.Errorf("fix: exit %d, %v, %v, mode %o", code, err, jerr, mode())
	}
	for _, f := range fixed.Report.Findings {
		if strings.HasPrefix(f.CheckID, "fs.") {
			t.Errorf("the report still has %s", f.CheckID)
		}
	}
	rows, err := filepath.Glob(filepath.Join(env["state"], "audit-journal", "*"))
	if err != nil || len(rows) == 0 {
		t.Errorf("no journal: %v", err)
	}
}

func TestExplainAndList(t *testing.T) {
	out, code, _ := run(t, map[string]string{}, "audit", "explain", "gateway.bind_no_auth")
	c, _ := audit.Lookup(all.Checks(), "gateway.bind_no_auth")
	if code != 0 || !strings.Contains(out, c.Why) || !strings.Contains(out, c.Remedy) {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code, _ := run(t, map[string]string{}, "audit", "explain", "tools.elevated.allowFrom.telegram.wildcard"); code != 0 || !strings.Contains(out, "<channel>") {
		t.Errorf("a filled id: exit %d: %s", code, out)
	}
	out, _, _ = run(t, map[string]string{}, "audit", "list", "--json")
	var list []struct {
		CheckID string `json:"checkId"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != len(all.Checks()) {
		t.Errorf("%v, %d checks", err, len(list))
	}
}
