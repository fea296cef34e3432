// Package write is the tool that replaces a file of the workspace.
package write

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/textdiff"
)

// maxOld is how much of an existing file is read for the difference.
const maxOld = 8 << 20

// Tool is write.
type Tool struct{}

var _ tool.Tool = Tool{}

// Spec describes write.
func (Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "write",
		Title:       "Write a file",
		Description: "Write a file of the workspace, replacing it in one step. Missing directories are made.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true, Writes: true},
	}
}

const schema = `{"type":"object","required":["path","content"],"properties":{
"path":{"type":"string","description":"File, relative to the workspace."},
"content":{"type":"string","description":"The whole new content."}}}`

type args struct {
	Path    string  `json:"path"`
	Content *string `json:"content"`
}

// Details is what changed.
type Details struct {
	Changed          bool   `json:"changed"`
	Created          bool   `json:"created"`
	Diff             string `json:"diff"`
	Patch            string `json:"patch"`
	FirstChangedLine int    `json:"firstChangedLine"`
}

// Unchanged is the details when the file has that content already.
type Unchanged struct {
	Changed bool `json:"changed"`
}

// Run writes the file.
func (Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	switch {
	case a.Path == "":
		return tool.Result{}, tool.Missing("path")
	case a.Content == nil:
		return tool.Result{}, tool.Missing("content")
	}
	box, files, err := c.Files()
	if err != nil {
		return tool.Result{}, err
	}
	old, info, err := files.Read(ctx, a.Path, maxOld)
	exists := err == nil
	if !exists && !replaceable(err) {
		return tool.Result{}, writeError(box, a.Path, err)
	}
	comparable := exists && info.Size == int64(len(old))
	if comparable && string(old) == *a.Content {
		return tool.Text("No changes made to "+a.Path+". The file already has identical content.", Unchanged{}), nil
	}
	created, err := files.Write(ctx, a.Path, []byte(*a.Content))
	if err != nil {
		return tool.Result{}, writeError(box, a.Path, err)
	}
	d := Details{Changed: true, Created: created}
	if comparable || !exists {
		r := textdiff.Compare(a.Path, string(old), *a.Content)
		d.Diff, d.Patch, d.FirstChangedLine = r.Diff, r.Patch, r.FirstChangedLine
	}
	return tool.Text(fmt.Sprintf("Successfully wrote %d bytes to %s", len(*a.Content), a.Path), d), nil
}

// replaceable reports whether a file that cannot be read may still be
// replaced: it is not there, or it only has further hard links, which a
// replacement leaves alone.
func replaceable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, sandbox.ErrLinked)
}

func writeError(box sandbox.Box, p string, err error) error {
	if errors.Is(err, syscall.EISDIR) {
		return tool.InputCode("EISDIR", "Write requires a file path, but "+p+" is a directory.", err)
	}
	return tool.FileError(box, p, err)
}
