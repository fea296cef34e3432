package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/open"
	"github.com/chitin-sh/chitin/audit/probe"
	"github.com/chitin-sh/chitin/audit/repair"
)

// meta says how a case's world is laid out and how the peer was called.
type meta struct {
	Args          []string                   `json:"args"`
	Env           map[string]string          `json:"env"`
	Modes         map[string]string          `json:"modes"`
	Dirs          []string                   `json:"dirs"`
	Files         map[string]string          `json:"files"`
	Symlinks      map[string]string          `json:"symlinks"`
	ConfigSymlink bool                       `json:"configSymlink"`
	StateSymlink  bool                       `json:"stateSymlink"`
	StateName     string                     `json:"stateName"`
	Approvals     json.RawMessage            `json:"approvals"`
	MachineState  map[string]json.RawMessage `json:"machineState"`
}

type world struct {
	root, state, config string
	meta                meta
}

// audited lays a case out below a scratch directory and audits it; fixed says
// that it was repaired first.
func audited(dir, name string) (r *audit.Report, fixed bool, err error) {
	root, err := os.MkdirTemp("", "chitin-compare-")
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	w := &world{root: root}
	if text, err := os.ReadFile(filepath.Join(dir, name+".meta.json")); err == nil {
		if err := json.Unmarshal(text, &w.meta); err != nil {
			return nil, false, err
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, false, err
	}
	if err := w.build(string(text)); err != nil {
		return nil, false, err
	}
	r, err = w.run()
	return r, slices.Contains(w.meta.Args, "--fix"), err
}

func (w *world) fill(text string) string {
	return strings.NewReplacer("@ROOT@", w.root, "@HOME@", w.root+"/home", "@NODE_BIN@", "/usr/bin").Replace(text)
}

func (w *world) write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(w.fill(text)), 0o600)
}

func (w *world) build(config string) error {
	name := w.meta.StateName
	if name == "" {
		name = "state"
	}
	w.state = filepath.Join(w.root, name)
	w.config = filepath.Join(w.state, "openclaw.json")
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	for _, d := range append([]string{"home", name}, w.meta.Dirs...) {
		do(os.MkdirAll(filepath.Join(w.root, d), 0o700))
	}
	for f, text := range w.meta.Files {
		do(w.write(filepath.Join(w.root, f), text))
	}
	if w.meta.ConfigSymlink {
		real := filepath.Join(w.root, "real-openclaw.json")
		do(os.Symlink(real, w.config))
		w.config = real
	}
	do(w.write(w.config, config))
	for l, target := range w.meta.Symlinks {
		do(os.MkdirAll(filepath.Dir(filepath.Join(w.root, l)), 0o700))
		do(os.Symlink(w.fill(target), filepath.Join(w.root, l)))
	}
	if len(w.meta.Approvals) > 0 {
		do(w.write(filepath.Join(w.state, "exec-approvals.json"), string(w.meta.Approvals)))
	}
	if len(w.meta.MachineState) > 0 {
		do(w.database())
	}
	do(w.modes())
	if w.meta.StateSymlink {
		link := filepath.Join(w.root, "state-link")
		do(os.Symlink(w.state, link))
		w.state = link
	}
	return errors.Join(errs...)
}

func (w *world) modes() error {
	var errs []error
	for path, text := range w.meta.Modes {
		m, err := strconv.ParseUint(text, 8, 32)
		target := filepath.Join(w.root, path)
		switch path {
		case "state":
			target = w.state
		case "config":
			target = w.config
		}
		errs = append(errs, err, os.Chmod(target, fs.FileMode(m)))
	}
	return errors.Join(errs...)
}

// database makes the peer's state database with the case's rows.
func (w *world) database() (err error) {
	dir := filepath.Join(w.state, "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "openclaw.sqlite"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Exec("CREATE TABLE config_machine_state(state_key TEXT PRIMARY KEY, value_json TEXT, updated_at_ms INTEGER)"); err != nil {
		return err
	}
	for k, v := range w.meta.MachineState {
		if _, err := db.Exec("INSERT INTO config_machine_state VALUES(?, ?, 1)", k, string(v)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) subject() (*audit.Subject, error) {
	env := map[string]string{"HOME": w.root + "/home", "PATH": os.Getenv("PATH"), "OPENCLAW_STATE_DIR": w.state}
	for k, v := range w.meta.Env {
		env[k] = w.fill(v)
	}
	getenv := func(k string) string { return env[k] }
	s, err := open.OpenClaw(open.Options{Dir: w.state, Getenv: getenv, Home: env["HOME"]})
	if err != nil {
		return nil, err
	}
	after := func(flag string) string {
		if i := slices.Index(w.meta.Args, flag); i >= 0 && i+1 < len(w.meta.Args) {
			return w.meta.Args[i+1]
		}
		return ""
	}
	s.Auth = audit.AuthOverride{Mode: after("--auth"), Token: after("--token"), Password: after("--password")}
	s.Probes = probe.Plain(getenv, s.StateDir)
	if s.Deep = slices.Contains(w.meta.Args, "--deep"); s.Deep {
		s.Probes = probe.Deep(getenv, s.StateDir)
	}
	return s, nil
}

func (w *world) run() (*audit.Report, error) {
	s, err := w.subject()
	if err != nil {
		return nil, err
	}
	checks := all.Checks()
	r := audit.Run(s, checks)
	if !slices.Contains(w.meta.Args, "--fix") {
		return r, nil
	}
	repair.Apply(s, audit.Plan(s, checks, r))
	if s, err = w.subject(); err != nil {
		return nil, err
	}
	return audit.Run(s, checks), nil
}
