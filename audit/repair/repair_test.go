package repair_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/open"
	"github.com/chitin-sh/chitin/audit/repair"
)

func file(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Perm()
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	loose := file(t, filepath.Join(dir, "loose"), "x", 0o666)
	linked := file(t, filepath.Join(dir, "linked"), "x", 0o666)
	hard := file(t, filepath.Join(dir, "hard"), "x", 0o666)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(linked, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(hard, filepath.Join(dir, "hard2")); err != nil {
		t.Fatal(err)
	}
	out := repair.Apply(&audit.Subject{}, []audit.Change{
		{Kind: "chmod", Path: loose, Mode: 0o600}, {Kind: "chmod", Path: loose, Mode: 0o600}, {Kind: "chmod", Path: link, Mode: 0o600}, {Kind: "chmod", Path: hard, Mode: 0o600},
		{Kind: "chmod", Path: filepath.Join(dir, "none"), Mode: 0o600}, {Kind: "chmod", Path: dir, Mode: 0o600}, {Kind: "chmod", Path: loose, Mode: 0o700, Dir: true}, {Kind: "melt", Path: loose},
	})
	if mode(t, loose) != 0o600 || mode(t, linked) != 0o666 || mode(t, hard) != 0o666 {
		t.Errorf("modes %o %o %o", mode(t, loose), mode(t, linked), mode(t, hard))
	}
	want := []string{"", "already", "symlink", "", "missing", "not-a-file", "not-a-directory", ""}
	for i, a := range out.Actions {
		if a.Skipped != want[i] || a.OK != (i == 0) || (a.Error != "") != (i == 3 || i == 7) {
			t.Errorf("action %d: %+v", i, a)
		}
	}
	if out.OK || len(out.Errors) != 2 {
		t.Errorf("errors %v", out.Errors)
	}
}

func TestSetKeepsEverythingElse(t *testing.T) {
	for name, c := range map[string]struct{ path, in, key, want string }{
		"json5":  {"c.json", "{\n  // why\n  logging: { redactSensitive: 'off', /* x */ level: 'info' },\n}", "logging.redactSensitive", "{\n  // why\n  logging: { redactSensitive: \"tools\", /* x */ level: 'info' },\n}"},
		"bom":    {"c.json", "\ufeff{a: 'off'}", "a", "\ufeff{a: \"tools\"}"},
		"yaml":   {"c.yml", "# head\nlogging:\n  redactSensitive: off # why\n  level: info\n", "logging.redactSensitive", "# head\nlogging:\n  redactSensitive: \"tools\" # why\n  level: info\n"},
		"quoted": {"c.yml", "logging:\n  redactSensitive: 'off'\n", "logging.redactSensitive", "logging:\n  redactSensitive: \"tools\"\n"},
		"flow":   {"c.yml", "logging: {redactSensitive: 'off', level: info}\n", "logging.redactSensitive", "logging: {redactSensitive: \"tools\", level: info}\n"},
	} {
		got, err := repair.Set(c.path, []byte(c.in), c.key, "tools")
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	for name, c := range map[string][3]string{
		"absent": {"c.json", `{}`, "a"}, "map": {"c.json", `{a:{}}`, "a"}, "broken": {"c.json", `{`, "a"}, "block": {"c.yml", "a: |\n  off\n", "a"}, "anchor": {"c.yml", "x: &x 'off'\na: *x\n", "a"},
	} {
		if got, err := repair.Set(c[0], []byte(c[1]), c[2], "tools"); err == nil {
			t.Errorf("%s was changed to %s", name, got)
		}
	}
}

// TestPlanIsIdempotent repairs an installation and finds nothing to repair in
// the result.
func TestPlanIsIdempotent(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "state")
	config := file(t, filepath.Join(dir, "openclaw.json"), "{\n  // keep me\n  logging: {redactSensitive: 'off', file: '"+root+"/gw.log'},\n  channels: {telegram: {groupPolicy: 'open'}},\n}", 0o644)
	log := file(t, filepath.Join(root, "gw.log"), "x", 0o644)
	store := file(t, filepath.Join(dir, "agents/main/sessions/sessions.json"), "{}", 0o644)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	run := func() (*audit.Subject, []audit.Change) {
		s, err := open.OpenClaw(open.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		checks := all.Checks()
		return s, audit.Plan(s, checks, audit.Run(s, checks))
	}
	s, plan := run()
	out := repair.Apply(s, plan)
	if !out.OK || !out.ConfigWritten {
		t.Fatalf("%+v", out)
	}
	if mode(t, config) != 0o600 || mode(t, log) != 0o600 || mode(t, store) != 0o600 || mode(t, dir) != 0o700 {
		t.Errorf("modes %o %o %o %o", mode(t, config), mode(t, log), mode(t, store), mode(t, dir))
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\n  // keep me\n  logging: {redactSensitive: \"tools\", file: '" + root + "/gw.log'},\n  channels: {telegram: {groupPolicy: \"allowlist\"}},\n}"; string(text) != want {
		t.Errorf("configuration is\n%s", text)
	}
	if _, again := run(); len(again) != 0 {
		t.Errorf("a second plan has %+v", again)
	}
}

// TestOwnSafeValues repairs switches of our own configuration and keeps its
// comments.
func TestOwnSafeValues(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	before := "# ours\ntools:\n  elevated:\n    enabled: true\n    level: full # never\n  approvals: {allowSelf: true}\nagents:\n  defaults:\n    sandbox:\n      docker:\n        dangerouslyAllowExternalBindSources: true   # old\n"
	after := "# ours\ntools:\n  elevated:\n    enabled: true\n    level: \"ask\" # never\n  approvals: {allowSelf: false}\nagents:\n  defaults:\n    sandbox:\n      docker:\n        dangerouslyAllowExternalBindSources: false   # old\n"
	config := file(t, filepath.Join(dir, "chitin.yml"), before, 0o600)
	run := func() (*audit.Subject, []audit.Change) {
		s, err := open.Own(open.Options{State: dir, Config: config})
		if err != nil {
			t.Fatal(err)
		}
		checks := all.Checks()
		return s, audit.Plan(s, checks, audit.Run(s, checks))
	}
	s, plan := run()
	out := repair.Apply(s, plan)
	text, err := os.ReadFile(config)
	if err != nil || !out.OK || string(text) != after {
		t.Errorf("%v %+v\n%s", err, out.Errors, text)
	}
	if _, again := run(); len(again) != 0 {
		t.Errorf("a second plan has %+v", again)
	}
}
