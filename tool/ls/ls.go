// Package ls is the tool that lists a directory of the workspace.
package ls

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
)

const (
	defaultLimit = 500
	maxLimit     = 10_000
	maxEntries   = 100_000 // a page may start behind this many names
)

// Tool is ls.
type Tool struct{}

var _ tool.Tool = Tool{}

// Spec describes ls.
func (Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "ls",
		Title:       "List a directory",
		Description: "List the names in a directory of the workspace, one JSON string a line; directories end with a slash.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true},
	}
}

const schema = `{"type":"object","properties":{
"path":{"type":"string","description":"Directory; the workspace by default."},
"limit":{"type":"number","description":"How many names. Default 500."},
"after":{"type":"string","description":"Go on after this name."}}}`

type args struct {
	Path  string   `json:"path"`
	Limit *float64 `json:"limit"`
	After string   `json:"after"`
}

// Details is the list as text.
type Details struct {
	Content      string        `json:"content"`
	Continuation *Continuation `json:"continuation,omitempty"`
}

// Continuation is what to ask for next.
type Continuation struct {
	After string `json:"after"`
}

// Run lists the directory.
func (Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	limit := defaultLimit
	if a.Limit != nil {
		if !(*a.Limit >= 1) {
			return tool.Result{}, tool.Input("Invalid parameter: limit must be at least 1.")
		}
		limit = int(min(*a.Limit, maxLimit))
	}
	box, files, err := c.Files()
	if err != nil {
		return tool.Result{}, err
	}
	want := limit + 1
	if a.After != "" {
		want = maxEntries
	}
	list, err := files.List(ctx, a.Path, want)
	if err != nil {
		return tool.Result{}, listError(box, a.Path, err)
	}
	return show(list, a.After, limit), nil
}

func listError(box sandbox.Box, p string, err error) error {
	code := tool.Errno(err)
	if code != "ENOENT" && code != "ENOTDIR" {
		return tool.FileError(box, p, err)
	}
	if !path.IsAbs(p) {
		p = path.Join(tool.Workdir(box), p)
	}
	text := "no such file or directory"
	if code == "ENOTDIR" {
		text = "not a directory"
	}
	return tool.InputCode(code, fmt.Sprintf("%s: %s, scandir '%s'", code, text, p), err)
}

// show writes the names after after, limit of them.
func show(list []sandbox.FileInfo, after string, limit int) tool.Result {
	var b strings.Builder
	n, last, more := 0, "", false
	for _, f := range list {
		if after != "" && f.Name <= strings.TrimSuffix(after, "/") {
			continue
		}
		if n == limit {
			more = true
			break
		}
		name := f.Name
		if f.IsDir {
			name += "/"
		}
		if n > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(quote(name))
		n, last = n+1, f.Name
	}
	d := Details{Content: b.String()}
	text := d.Content
	switch {
	case more:
		d.Continuation = &Continuation{After: last}
		text += fmt.Sprintf("\n\n[%d names shown. Use after=%s to continue.]", n, quote(last))
	case n == 0 && after == "":
		text, d.Content = "(empty directory)", "(empty directory)"
	case n == 0:
		text, d.Content = "(no more names)", "(no more names)"
	}
	return tool.Text(text, d)
}

// quote is a name as a JSON string: a name can hold anything, even a line end.
func quote(name string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(name) != nil {
		return `"?"`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
