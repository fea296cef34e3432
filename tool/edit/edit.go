// Package edit is the tool that replaces exact pieces of a file: every piece
// must occur once, all are replaced or none.
package edit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/textdiff"
)

const (
	maxFile  = 32 << 20
	maxEdits = 1000
	maxEcho  = 16 << 10 // of the file, in the error about a missing piece
)

// Tool is edit.
type Tool struct{}

var _ tool.Tool = Tool{}

// Spec describes edit.
func (Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "edit",
		Title:       "Edit a file",
		Description: "Replace exact pieces of a file. Each oldText must occur exactly once in the file as it is now; all edits are made in one step.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true, Writes: true},
	}
}

const schema = `{"type":"object","required":["path","edits"],"properties":{
"path":{"type":"string","description":"File, relative to the workspace."},
"edits":{"type":"array","items":{"type":"object","required":["oldText","newText"],"properties":{
"oldText":{"type":"string","description":"Piece to replace, exactly as it is in the file."},
"newText":{"type":"string","description":"What to put there."}}}}}}`

type args struct {
	Path  string  `json:"path"`
	Edits []piece `json:"edits"`
}

type piece struct {
	Old *string `json:"oldText"`
	New *string `json:"newText"`
}

// Details is what changed.
type Details struct {
	Changed          bool   `json:"changed"`
	Diff             string `json:"diff"`
	Patch            string `json:"patch"`
	FirstChangedLine int    `json:"firstChangedLine"`
}

// Run makes the edits.
func (Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if err := a.check(); err != nil {
		return tool.Result{}, err
	}
	box, files, err := c.Files()
	if err != nil {
		return tool.Result{}, err
	}
	old, info, err := files.Read(ctx, a.Path, maxFile)
	if err != nil {
		return tool.Result{}, editError(box, a.Path, err)
	}
	if info.Size > int64(len(old)) {
		return tool.Result{}, editError(box, a.Path, sandbox.ErrTooLarge)
	}
	text, err := Replace(a.Path, string(old), a.pairs())
	if err != nil {
		return tool.Result{}, err
	}
	change := sandbox.Change{Path: a.Path, Data: []byte(text), Old: old}
	if err := files.Apply(ctx, []sandbox.Change{change}); err != nil {
		return tool.Result{}, editError(box, a.Path, err)
	}
	r := textdiff.Compare(a.Path, string(old), text)
	return tool.Text(fmt.Sprintf("Successfully replaced %d block(s) in %s.", len(a.Edits), a.Path),
		Details{Changed: true, Diff: r.Diff, Patch: r.Patch, FirstChangedLine: r.FirstChangedLine}), nil
}

func (a args) check() error {
	switch {
	case a.Path == "":
		return tool.Missing("path")
	case a.Edits == nil:
		return tool.Missing("edits")
	case len(a.Edits) == 0 || len(a.Edits) > maxEdits:
		return tool.Input(fmt.Sprintf("Invalid parameter: edits must hold 1 to %d edits.", maxEdits))
	}
	for i, e := range a.Edits {
		if e.Old == nil || e.New == nil {
			return tool.Missing(fmt.Sprintf("edits[%d].%s", i, map[bool]string{true: "oldText", false: "newText"}[e.Old == nil]))
		}
		if *e.Old == "" {
			return tool.Input(fmt.Sprintf("Invalid parameter: edits[%d].oldText must not be empty.", i))
		}
	}
	return nil
}

func (a args) pairs() [][2]string {
	out := make([][2]string, len(a.Edits))
	for i, e := range a.Edits {
		out[i] = [2]string{*e.Old, *e.New}
	}
	return out
}

func editError(box sandbox.Box, p string, err error) error {
	if errors.Is(err, sandbox.ErrEscapes) || errors.Is(err, fs.ErrInvalid) || tool.Errno(err) == "" || tool.Errno(err) == "EROFS" {
		return tool.FileError(box, p, err)
	}
	code := tool.Errno(err)
	return tool.InputCode(code, "Could not edit file: "+p+". Error code: "+code+".", err)
}

// span is one piece found in the text.
type span struct {
	from, to int
	text     string
}

// Replace makes all edits on text. Every piece is looked for in the text as it
// was, so that the order of edits does not matter; pieces must not overlap.
func Replace(path, text string, edits [][2]string) (string, error) {
	spans := make([]span, 0, len(edits))
	for i, e := range edits {
		s, err := find(path, text, e[0], e[1])
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(spans, func(o span) bool { return s.from < o.to && o.from < s.to }) {
			return "", tool.Input(fmt.Sprintf("edits[%d] overlaps another edit in %s. Merge them into one edit.", i, path))
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.from])
		b.WriteString(s.text)
		at = s.to
	}
	b.WriteString(text[at:])
	if b.String() == text {
		return "", tool.Input("No changes made to " + path + ". The replacement produced identical content.")
	}
	return b.String(), nil
}

// find looks for the one place of old. A file with CRLF line ends may be
// edited with LF text; its line ends stay.
func find(path, text, old, new string) (span, error) {
	n := strings.Count(text, old)
	if n == 0 && strings.Contains(text, "\r\n") && !strings.Contains(old, "\r\n") {
		old, new = crlf(old), crlf(new)
		n = strings.Count(text, old)
	}
	switch {
	case n == 0:
		return span{}, tool.Input("Could not find the exact text in " + path +
			". The old text must match exactly including all whitespace and newlines.\nCurrent file contents:\n" + echo(text))
	case n > 1:
		return span{}, tool.Input(fmt.Sprintf("Found %d occurrences of the text in %s. The text must be unique. Please provide more context to make it unique.", n, path))
	}
	i := strings.Index(text, old)
	return span{from: i, to: i + len(old), text: new}, nil
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func echo(text string) string {
	if len(text) > maxEcho {
		text = text[:maxEcho] + fmt.Sprintf("\n... (%d more bytes)", len(text)-maxEcho)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
