// Package audittest turns the examples of checks into worlds on disk and runs
// the audit over them.
package audittest

import (
	"maps"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/open"
)

// Subject lays an example out below a fresh directory and opens it.
func Subject(t testing.TB, c *audit.Check, e audit.Example) *audit.Subject {
	t.Helper()
	kind := e.As
	if kind == 0 {
		kind = c.On
		if kind == audit.Both {
			kind = audit.OpenClaw
		}
	}
	root := t.TempDir()
	env := layout(t, root, kind, e)
	opts := open.Options{Getenv: func(k string) string { return env[k] }, Home: filepath.Join(root, "home")}
	var s *audit.Subject
	var err error
	state := env["state"]
	if kind == audit.OpenClaw {
		opts.Dir = state
		s, err = open.OpenClaw(opts)
	} else {
		opts.State, opts.Config = state, filepath.Join(state, "chitin.yml")
		s, err = open.Own(opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	if e.Note == "tmp" {
		s.StateDir = "/tmp/state-of-an-example"
	}
	s.Auth, s.Deep, s.Probes = e.Auth, e.Deep || c.Deep, e.Probes
	s.Now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	return s
}

func layout(t testing.TB, root string, kind audit.Kind, e audit.Example) map[string]string {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	name := e.StateName
	if name == "" {
		name = "state"
	}
	state := filepath.Join(root, name)
	for _, d := range []string{filepath.Join(root, "home"), state} {
		must(os.MkdirAll(d, 0o700))
	}
	fill := strings.NewReplacer("@ROOT@", root, "@HOME@", filepath.Join(root, "home")).Replace
	config := "openclaw.json"
	if kind == audit.Own {
		config = "chitin.yml"
	}
	path := filepath.Join(state, config)
	if e.ConfigLink {
		must(os.Symlink(filepath.Join(root, "real-"+config), path))
		path = filepath.Join(root, "real-"+config)
	}
	if e.Config != "@MISSING@" {
		must(os.WriteFile(path, []byte(fill(e.Config)), 0o600))
	}
	for _, d := range e.Dirs {
		must(os.MkdirAll(filepath.Join(root, d), 0o700))
	}
	files := maps.Clone(e.Files)
	if e.More != nil {
		files = e.More()
	}
	for _, f := range keys(files) {
		p := filepath.Join(root, f)
		must(os.MkdirAll(filepath.Dir(p), 0o700))
		must(os.WriteFile(p, []byte(fill(files[f])), 0o600))
	}
	for _, l := range keys(e.Links) {
		p := filepath.Join(root, l)
		must(os.MkdirAll(filepath.Dir(p), 0o700))
		must(link(fill(e.Links[l]), p))
	}
	for p, m := range e.Modes {
		target := filepath.Join(root, p)
		switch p {
		case "state":
			target = state
		case "config":
			target = path
		}
		must(os.Chmod(target, os.FileMode(m&0o777)|special(m)))
	}
	if e.StateLink {
		link := filepath.Join(root, "state-link")
		must(os.Symlink(state, link))
		state = link
	}
	env := map[string]string{"HOME": filepath.Join(root, "home"), "state": state}
	for k, v := range e.Env {
		env[k] = fill(v)
	}
	return env
}

// link makes a symbolic link; hard: and fifo: make the other odd things.
func link(target, path string) error {
	if name, ok := strings.CutPrefix(target, "hard:"); ok {
		return os.Link(filepath.Join(filepath.Dir(path), name), path)
	}
	if target == "fifo:" {
		return syscall.Mkfifo(path, 0o600)
	}
	return os.Symlink(target, path)
}

func special(m uint32) os.FileMode {
	var out os.FileMode
	if m&0o4000 != 0 {
		out |= os.ModeSetuid
	}
	if m&0o2000 != 0 {
		out |= os.ModeSetgid
	}
	if m&0o1000 != 0 {
		out |= os.ModeSticky
	}
	return out
}

func keys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Fired gives the findings of one check in a run of the list.
func Fired(s *audit.Subject, list []audit.Check, id string) []audit.Finding {
	var out []audit.Finding
	r := audit.Run(s, list)
	for _, k := range r.Skipped {
		if strings.HasPrefix(k.Why, audit.BrokenCheck) {
			panic(k.What + ": " + k.Why)
		}
	}
	for _, f := range r.Findings {
		if c, ok := audit.Lookup(list, f.CheckID); ok && c.ID == id {
			out = append(out, f)
		}
	}
	return out
}

// Examples runs every example of every check as a test of its own.
func Examples(t *testing.T, list []audit.Check) {
	for i := range list {
		c := &list[i]
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			alone := []audit.Check{*c}
			for n, e := range c.Fires {
				got := Fired(Subject(t, c, e), pick(list, c, alone), c.ID)
				if len(got) == 0 {
					t.Errorf("firing example %d stays quiet: %s", n, e.Config)
				}
				for _, f := range got {
					if e.Want != "" && f.Severity != e.Want {
						t.Errorf("firing example %d is %s, want %s: %s", n, f.Severity, e.Want, e.Config)
					}
				}
			}
			for n, e := range c.Quiet {
				if got := Fired(Subject(t, c, e), pick(list, c, alone), c.ID); len(got) > 0 {
					t.Errorf("quiet example %d fires (%s): %s", n, got[0].Detail, e.Config)
				}
			}
		})
	}
}

// pick runs late checks with the whole list, since they look at its findings.
func pick(list []audit.Check, c *audit.Check, alone []audit.Check) []audit.Check {
	if c.Late {
		return list
	}
	return alone
}
