// Package open makes the subject of an audit from what lies on disk: an
// OpenClaw installation or our own. It reads and never runs anything of it.
package open

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/statedb"
	"github.com/chitin-sh/chitin/audit/tree"
)

// Options say what to open.
type Options struct {
	// Dir is the state directory, or a configuration file, of OpenClaw; empty
	// for the one that the environment names.
	Dir string
	// State and Config are our own state directory and configuration.
	State, Config string
	Getenv        func(string) string
	Home          string
	Limits        audit.Limits // DefaultLimits when zero
}

func (o *Options) subject(k audit.Kind) *audit.Subject {
	if o.Limits == (audit.Limits{}) {
		o.Limits = audit.DefaultLimits()
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Home == "" {
		o.Home = o.Getenv("HOME")
	}
	return &audit.Subject{Kind: k, Getenv: o.Getenv, Home: o.Home, Disk: audit.NewDisk(o.Limits)}
}

// OpenClaw opens an installation of the peer. A configuration that cannot be
// read or parsed is a finding, not an error; the error is for a directory that
// is not there.
func OpenClaw(o Options) (*audit.Subject, error) {
	s := o.subject(audit.OpenClaw)
	if err := locate(s, o); err != nil {
		return nil, err
	}
	s.Getenv = withDotenv(s, o.Getenv)
	load(s)
	s.Broken = append(s.Broken, refusals(s)...)
	s.Rows = func() map[string]string {
		return statedb.Rows(s.Disk, filepath.Join(s.StateDir, "state", "openclaw.sqlite"), filepath.Join(s.StateDir, "openclaw.sqlite"))
	}
	return s, nil
}

// Own opens our own configuration and state.
func Own(o Options) (*audit.Subject, error) {
	s := o.subject(audit.Own)
	s.StateDir, s.ConfigPath = o.State, o.Config
	load(s)
	return s, nil
}

func locate(s *audit.Subject, o Options) error {
	dir := o.Dir
	if dir == "" {
		dir = o.Getenv("OPENCLAW_STATE_DIR")
		s.ConfigPath = o.Getenv("OPENCLAW_CONFIG_PATH")
	}
	if dir == "" {
		home := o.Getenv("OPENCLAW_HOME")
		if home == "" {
			home = s.Home
		}
		dir = filepath.Join(home, ".openclaw")
		if s.ConfigPath != "" && !exists(dir) {
			dir = filepath.Dir(s.ConfigPath)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		s.ConfigPath, dir = dir, filepath.Dir(dir)
	}
	s.StateDir = dir
	if s.ConfigPath == "" {
		s.ConfigPath = filepath.Join(dir, "openclaw.json")
		for _, name := range []string{"openclaw.json", "openclaw.json5", "openclaw.yml", "openclaw.yaml"} {
			if exists(filepath.Join(dir, name)) {
				s.ConfigPath = filepath.Join(dir, name)
				break
			}
		}
		if env := o.Getenv("OPENCLAW_CONFIG_PATH"); !exists(s.ConfigPath) && env != "" && strings.HasPrefix(env, dir+"/") {
			s.ConfigPath = env
		}
	}
	s.ConfigPath, err = filepath.Abs(s.ConfigPath)
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func load(s *audit.Subject) {
	l, err := tree.Load(s.Disk, s.ConfigPath, s.Getenv)
	if l != nil {
		s.Root, s.Raw, s.Includes = l.Root, l.Raw, l.Includes
		for _, i := range l.Issues {
			if i.Path == "$include" {
				s.Broken = append(s.Broken, i)
			}
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	line := 1
	var syntax *tree.SyntaxError
	if errors.As(err, &syntax) {
		line = syntax.Pos.Line
	}
	if s.Raw == nil {
		s.Raw = []byte("\n") // there, and not readable
	}
	_ = line
	s.Broken = append(s.Broken, audit.Issue{Path: "(file)", Message: audit.Show(err.Error())})
}

// withDotenv adds the variables of the state directory's .env file, which the
// peer reads at its start. The real environment wins.
func withDotenv(s *audit.Subject, getenv func(string) string) func(string) string {
	text, err := s.Disk.Read(filepath.Join(s.StateDir, ".env"))
	if err != nil {
		return getenv
	}
	vars := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		k, v, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		v = strings.TrimSpace(v)
		if len(v) > 1 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
			v = v[1 : len(v)-1]
		}
		vars[strings.TrimSpace(k)] = v
	}
	return func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return vars[name]
	}
}
