package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/internal/yamlconf"
	"github.com/chitin-sh/chitin/session"
)

// Loaded is a configuration with where it came from.
type Loaded struct {
	Config
	Path     string // "" when there is no file
	Data     []byte
	Doc      *yamlconf.Document
	Warnings []yamlconf.Issue
}

// Line is the line of a key in the file, or of its nearest ancestor there;
// 0 when the file says nothing.
func (l *Loaded) Line(path string) int { return l.Doc.At(path).Line }

// InvalidError is everything that is wrong with a configuration.
type InvalidError struct{ Issues []yamlconf.Issue }

// Error lists the issues, one a line.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Issues))
	for i, is := range e.Issues {
		lines[i] = is.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads and validates the file at path. A missing file is an empty
// configuration: every default holds. The error is an *InvalidError when the
// file is there and wrong.
func Load(path string) (*Loaded, error) {
	data, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &Loaded{Doc: &yamlconf.Document{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse validates data as the content of the file path.
func Parse(path string, data []byte) (*Loaded, error) {
	l := &Loaded{Path: path, Data: data}
	doc, issues := yamlconf.Parse(path, data, &l.Config)
	l.Doc = doc
	if len(issues) > 0 {
		return nil, &InvalidError{issues}
	}
	var bad []yamlconf.Issue
	for _, is := range l.check() {
		if is.Warning {
			l.Warnings = append(l.Warnings, is)
		} else {
			bad = append(bad, is)
		}
	}
	if len(bad) > 0 {
		return nil, &InvalidError{bad}
	}
	return l, nil
}

// readFile reads a regular file of bounded size; a FIFO or device named as
// configuration does not hang or fill the process.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, yamlconf.MaxBytes+1))
	if err == nil && len(b) > yamlconf.MaxBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, yamlconf.MaxBytes)
	}
	return b, err
}

// check asks every room what is wrong with its part.
func (l *Loaded) check() []yamlconf.Issue {
	var out []yamlconf.Issue
	add := func(prefix string, ps []problem.Problem) {
		for _, p := range ps {
			path := prefix
			if p.Path != "" {
				path += "." + p.Path
			}
			at := l.Doc.At(path)
			out = append(out, yamlconf.Issue{File: l.Path, Line: at.Line, Column: at.Column, Path: path, Message: p.Message, Hint: p.Hint, Warning: p.Warning})
		}
	}
	add("gateway", l.Gateway.Validate())
	add("tools", l.Tools.Validate())
	add("secrets", l.Secrets.Validate())
	add("agents.defaults.sandbox", l.Agents.Defaults.Sandbox.Validate())
	add("agents.defaults.tools", l.Agents.Defaults.Tools.Validate())
	add("agents.defaults", l.Agents.Defaults.validate())
	marked := ""
	for id, a := range l.Agents.Entries {
		at := "agents.entries." + id
		add(at+".sandbox", a.Sandbox.Validate())
		add(at+".tools", a.Tools.Validate())
		add(at, a.validate())
		if !session.ValidAgent(id) {
			add(at, []problem.Problem{{Message: "is not an agent id", Hint: "use lower-case letters, digits, - and _, at most 64"}})
		}
		if a.Default && marked != "" {
			add(at+".default", []problem.Problem{{Message: "two agents are marked default", Hint: "keep it on one of them"}})
		}
		if a.Default {
			marked = id
		}
	}
	add("agents", l.agentSecrets())
	add("external", l.External.Validate())
	for name, p := range l.Models.Providers {
		add("models.providers."+name, p.validate())
	}
	add("mcp", l.MCP.Validate())
	add("hooks", l.Hooks.Validate())
	add("security.audit", l.Security.Audit.validate())
	return out
}

// agentSecrets finds names of providers that nobody configured.
func (l *Loaded) agentSecrets() []problem.Problem {
	var out []problem.Problem
	check := func(at string, names []string) {
		for _, n := range names {
			if _, ok := l.Models.Providers[n]; !ok {
				out = append(out, problem.Problem{Path: at + ".secrets", Message: fmt.Sprintf("models.providers has no %q", n), Hint: "name one of models.providers"})
			}
		}
	}
	check("defaults", l.Agents.Defaults.Secrets)
	for _, id := range slices.Sorted(maps.Keys(l.Agents.Entries)) {
		check("entries."+id, l.Agents.Entries[id].Secrets)
	}
	return out
}

// minContext is the least that a turn can work with, in tokens.
const minContext = 2000

func (a Agent) validate() []problem.Problem {
	if n := a.Context.Tokens; n != 0 && n < minContext {
		return []problem.Problem{{Path: "context.tokens", Message: "is too little for a turn", Hint: fmt.Sprintf("write at least %d, or remove the key", minContext)}}
	}
	if a.Workspace != "" && (!filepath.IsAbs(a.Workspace) || filepath.Clean(a.Workspace) != a.Workspace) {
		return []problem.Problem{{Path: "workspace", Message: "is not an absolute, clean path", Hint: "write it from / without .. or a slash at the end"}}
	}
	return nil
}

func (p ModelProvider) validate() []problem.Problem {
	if p.BaseURL == "" {
		return nil
	}
	u, err := url.Parse(p.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil {
		return []problem.Problem{{Path: "baseUrl", Message: "is not an http or https URL", Hint: "write https://host/path without user or password"}}
	}
	return nil
}

func (a Audit) validate() []problem.Problem {
	var out []problem.Problem
	for i, w := range a.Waivers {
		at := fmt.Sprintf("waivers[%d]", i)
		if w.CheckID == "" {
			out = append(out, problem.Problem{Path: at, Message: "a waiver needs a checkId", Hint: "chitin security audit list names them"})
		}
		if strings.TrimSpace(w.Reason) == "" {
			out = append(out, problem.Problem{Path: at, Message: "a waiver needs a reason"})
		}
	}
	for id, s := range a.Severity {
		if strings.TrimSpace(s.Reason) == "" {
			out = append(out, problem.Problem{Path: "severity." + id, Message: "another severity needs a reason"})
		}
	}
	return out
}
