package audit

import (
	"errors"
	"fmt"
	"strings"
)

// Layer is the room that a check looks at.
type Layer string

// The layers, in the order in which a call meets them, and what lies under them.
const (
	LayerGateway  Layer = "gateway"
	LayerPolicy   Layer = "toolpolicy"
	LayerSandbox  Layer = "sandbox"
	LayerSecrets  Layer = "secrets"
	LayerExternal Layer = "external"
	LayerAudit    Layer = "audit"
	LayerFiles    Layer = "files"
	LayerHost     Layer = "host"
	LayerPlugins  Layer = "plugins"
)

// Kind is what is being audited. A check's On is a set of them.
type Kind uint8

// The subjects: an OpenClaw installation, our own, and both.
const (
	OpenClaw Kind = 1 << iota
	Own
	Both = OpenClaw | Own
)

// String names the subject.
func (k Kind) String() string {
	switch k {
	case OpenClaw:
		return "openclaw"
	case Own:
		return "chitin"
	case Both:
		return "both"
	}
	return "unknown"
}

// Check is one thing that can be wrong, with its only text: the explain
// command, the docs page, SARIF rules and the web all print these fields.
type Check struct {
	// ID is stable; CI pins it. A part in angle brackets, as in
	// tools.elevated.allowFrom.<channel>.wildcard, is filled per finding.
	ID    string
	Layer Layer
	On    Kind
	// Severity is the rule in words, beginning with the severity that a
	// finding has unless something named here raises or lowers it.
	Severity string
	Title    string
	// Why is what an attacker or an accident makes of it.
	Why string
	// Remedy is what to do; findings may carry a more exact one.
	Remedy string
	Refs   []string
	// Deep checks run only with --deep.
	Deep bool
	// Late checks run after all others and see their findings.
	Late bool
	// Unwaivable findings ignore waivers.
	Unwaivable bool
	Run        func(*Subject) []Hit
	// Fires and Quiet are worlds in which the check must and must not speak;
	// each is a test.
	Fires, Quiet []Example
	// Repair plans changes for this check's findings; nil when a human must
	// decide.
	Repair func(*Subject) []Change
}

// Hit is one finding before it is dressed: empty fields come from the check.
type Hit struct {
	Severity Severity // the check's default when empty
	Detail   string
	// Key is the dotted config key that the finding is about.
	Key string
	// File is the path that it is about, when it is not a key.
	File string
	Line int
	// ID, Title and Remedy replace the check's.
	ID, Title, Remedy string
}

// Default is the severity that the rule begins with.
func (c *Check) Default() Severity {
	word, _, _ := strings.Cut(c.Severity, " ")
	return Severity(strings.Trim(word, ",;:"))
}

// Validate says what is missing from a list of checks: a duplicate, an
// undocumented one, one without examples.
func Validate(list []Check) error {
	var errs []error
	seen := map[string]bool{}
	for i := range list {
		c := &list[i]
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("check %q: "+format, append([]any{c.ID}, args...)...))
		}
		switch {
		case c.ID == "":
			errs = append(errs, fmt.Errorf("check %d has no id", i))
			continue
		case seen[c.ID]:
			bad("listed twice")
		case c.Default().Rank() == 0:
			bad("severity rule %q does not begin with a severity", c.Severity)
		case c.Layer == "" || c.On == 0 || c.Run == nil:
			bad("needs a layer, a subject and a function")
		case c.Title == "" || c.Why == "" || c.Remedy == "":
			bad("needs a title, a reason and a remedy")
		case len(c.Fires) == 0 || len(c.Quiet) == 0:
			bad("needs an example that fires and one that stays quiet")
		}
		seen[c.ID] = true
	}
	return errors.Join(errs...)
}

// Lookup finds a check by its id, also by an id with its placeholder filled.
func Lookup(list []Check, id string) (*Check, bool) {
	for i := range list {
		if list[i].ID == id {
			return &list[i], true
		}
	}
	for i := range list {
		if matchesPattern(list[i].ID, id) {
			return &list[i], true
		}
	}
	return nil, false
}

// matchesPattern compares an id with one that has <placeholders>, each of
// which stands for one or more characters.
func matchesPattern(pattern, id string) bool {
	open := strings.IndexByte(pattern, '<')
	if open < 0 {
		return pattern == id
	}
	if !strings.HasPrefix(id, pattern[:open]) {
		return false
	}
	end := strings.IndexByte(pattern, '>')
	if end < open {
		return false
	}
	rest, tail := pattern[end+1:], id[open:]
	for i := 1; i <= len(tail); i++ {
		if matchesPattern(rest, tail[i:]) {
			return true
		}
	}
	return false
}

// Example is a small world for one check: a configuration and, where the check
// looks further, files, environment and probe answers.
type Example struct {
	// Note says why the example is there, when it is not obvious.
	Note string
	// As is the subject; the first one of the check's when 0.
	As Kind
	// Config is JSON5 for OpenClaw and YAML for our own. @ROOT@ is the
	// directory that holds the state directory, @HOME@ the home.
	Config string
	Env    map[string]string
	// Files are made below the root, 0600 in 0700 directories; Modes change
	// them afterwards ("state", "config" or a path), Links are made first.
	Files, Links map[string]string
	// More makes further files, for worlds that are too large to be kept.
	More  func() map[string]string
	Dirs  []string
	Modes map[string]uint32
	// StateName and ConfigLink change the layout: another name for the state
	// directory, a configuration that is a symbolic link.
	StateName             string
	ConfigLink, StateLink bool
	Deep                  bool
	Auth                  AuthOverride
	Probes                Probes
	// Want is the severity to expect; any when empty.
	Want Severity
}
