// Package migrate turns secrets that stand in a configuration into
// references: it plans the edit, shows it without the secrets and splices
// only the values, so that comments and layout stay.
package migrate

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/audit"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/scan"
)

// Target is where the values go.
type Target string

// Store is our own store; Env a .env file beside the configuration, for
// programs that cannot read our store.
const (
	Store Target = "store"
	Env   Target = "env"
)

// Item is one value on its way.
type Item struct {
	Path  string        `json:"path"` // in the configuration
	Line  int           `json:"line"`
	Name  string        `json:"name"` // in the store or environment
	Value secrets.Value `json:"-"`

	start, end int
}

// Plan is an edit that has not been made.
type Plan struct {
	File   string `json:"file"`
	Target Target `json:"target"`
	Items  []Item `json:"items"`
	// Manual are the places that a person has to change: the value is only a
	// part of a text, or the syntax is not one that is edited.
	Manual []string `json:"manual,omitempty"`
	New    []byte   `json:"-"` // the file with references
	Backup []byte   `json:"-"` // the file as it was, with redaction marks
}

// TargetFor is where values of a file go when nobody says otherwise.
func TargetFor(file string) Target {
	if strings.HasPrefix(filepath.Base(file), "openclaw.") {
		return Env
	}
	return Store
}

// Make plans the migration of a file. taken reports whether a name is used
// already for another value.
func Make(file string, data []byte, target Target, taken func(name string, v secrets.Value) bool) (*Plan, error) {
	format := doc.FormatOf(file)
	if format != doc.YAML && format != doc.JSON {
		return nil, errors.New("only YAML and JSON configurations can hold references")
	}
	root, err := doc.Parse(format, data)
	if err != nil {
		return nil, fmt.Errorf("%s is %w", file, err)
	}
	p := &Plan{File: file, Target: target, Items: []Item{}}
	used := map[string]bool{}
	for _, n := range audit.PlainFields(root) {
		line, _ := scan.Position(data, n.Start)
		start, end, ok := span(data, n)
		if !ok {
			p.Manual = append(p.Manual, fmt.Sprintf("%s (line %d): written in a way that is not edited", n.Path, line))
			continue
		}
		v := secrets.NewValue(strings.TrimSpace(n.Value))
		name := nameFor(n.Path, target, func(s string) bool { return used[s] || taken(s, v) })
		used[name] = true
		p.Items = append(p.Items, Item{Path: n.Path, Line: line, Name: name, Value: v, start: start, end: end})
	}
	p.others(data, root)
	slices.SortFunc(p.Items, func(a, b Item) int { return a.start - b.start })
	p.New = p.splice(data, func(it Item) string { return reference(format, target, it.Name) })
	p.Backup = redactedCopy(data, p.Items)
	return p, nil
}

// others lists secrets that are only a part of a field.
func (p *Plan) others(data []byte, root *doc.Node) {
	for _, f := range scan.Default().Bytes(data) {
		inItem := slices.ContainsFunc(p.Items, func(it Item) bool { return it.start <= f.Start && f.Start < it.end })
		if !inItem {
			p.Manual = append(p.Manual, fmt.Sprintf("%s (line %d): %s", root.PathAt(f.Start), f.Line, f.Rule))
		}
	}
}

// span is the value with its quotes; ok is false when the text there is not
// the value as written.
func span(data []byte, n *doc.Node) (start, end int, ok bool) {
	start, end = n.Start, n.End
	if start >= end || end > len(data) || string(data[start:end]) != n.Value || strings.Contains(n.Value, "\n") {
		return 0, 0, false
	}
	if start > 0 && end < len(data) && (data[start-1] == '"' || data[start-1] == '\'') {
		if data[end] != data[start-1] {
			return 0, 0, false
		}
		start, end = start-1, end+1
	}
	return start, end, true
}

func reference(f doc.Format, t Target, name string) string {
	switch {
	case t == Env:
		return `"${` + name + `}"`
	case f == doc.JSON:
		return `{"source": "store", "provider": "default", "id": "` + name + `"}`
	}
	return "{source: store, provider: default, id: " + name + "}"
}

// nameFor derives a free name from a path.
func nameFor(path string, t Target, taken func(string) bool) string {
	var b strings.Builder
	for _, r := range path {
		switch {
		case r >= 'a' && r <= 'z' && t == Env:
			b.WriteRune(r - 'a' + 'A')
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case t == Env:
			b.WriteByte('_')
		case r == '.' || r == '-' || r == '_':
			b.WriteRune(r)
		case r == '[':
			b.WriteByte('.')
		}
	}
	base := strings.Trim(b.String(), "._-")
	if base == "" || t == Env && base[0] <= '9' {
		base = "SECRET_" + base
	}
	base = base[:min(len(base), 100)]
	sep := "-"
	if t == Env {
		sep = "_"
	}
	name := base
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s%s%d", base, sep, i)
	}
	return name
}

func (p *Plan) splice(data []byte, text func(Item) string) []byte {
	out := make([]byte, 0, len(data)+64*len(p.Items))
	at := 0
	for _, it := range p.Items {
		out = append(out, data[at:it.start]...)
		out = append(out, text(it)...)
		at = it.end
	}
	return append(out, data[at:]...)
}

// redactedCopy is the old text with a mark for every secret in it, whether it
// moves or not.
func redactedCopy(data []byte, items []Item) []byte {
	type part struct{ start, end int }
	var parts []part
	for _, it := range items {
		parts = append(parts, part{it.start, it.end})
	}
	for _, f := range scan.Default().Bytes(data) {
		if !slices.ContainsFunc(parts, func(x part) bool { return x.start < f.End && f.Start < x.end }) {
			parts = append(parts, part{f.Start, f.End})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return a.start - b.start })
	var out []byte
	at := 0
	for _, x := range parts {
		out = append(out, data[at:x.start]...)
		out = append(out, `"`+secrets.Redacted+`"`...)
		at = x.end
	}
	return append(out, data[at:]...)
}

// Diff is the edit as a unified diff in which no secret stands.
func (p *Plan) Diff() (string, error) {
	clean := redactedCopy(p.New, nil)
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: difflib.SplitLines(string(p.Backup)), B: difflib.SplitLines(string(clean)), FromFile: p.File, ToFile: p.File + " (with references)", Context: 1})
	if err != nil {
		return "", fmt.Errorf("diff: %w", err)
	}
	return text, nil
}
