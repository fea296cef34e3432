// Package read is the tool that reads a text file of the workspace, a part at
// a time when it is long. Images come back as images.
package read

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
)

// Limits of one answer and of the files that are looked at.
const (
	maxBytes = 32 << 10
	maxLines = 2000
	maxFile  = 32 << 20
	maxImage = 5 << 20
)

// Tool is read.
type Tool struct{}

var _ tool.Tool = Tool{}

// Spec describes read.
func (Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "read",
		Title:       "Read a file",
		Description: "Read a text file of the workspace. Long files come in parts: go on with offset (line) or cursor (byte) as the answer says. Images are shown.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true},
	}
}

const schema = `{"type":"object","required":["path"],"properties":{
"path":{"type":"string","description":"File, relative to the workspace."},
"offset":{"type":"integer","minimum":1,"description":"First line to show, from 1."},
"limit":{"type":"number","description":"How many lines to show."},
"cursor":{"type":"integer","minimum":0,"description":"Byte to go on from, inside a very long line."},
"optional":{"type":"boolean","const":true,"description":"A missing file is no error."}}}`

type args struct {
	Path     string   `json:"path"`
	Offset   *int64   `json:"offset"`
	Limit    *float64 `json:"limit"`
	Cursor   *int64   `json:"cursor"`
	Optional bool     `json:"optional"`
}

// Whole is the details of an answer that is not cut.
type Whole struct {
	Kind    string `json:"kind"` // text
	Content string `json:"content"`
}

// NotFound is the details of a missing optional file.
type NotFound struct {
	Kind     string `json:"kind"` // not_found
	Status   string `json:"status"`
	Path     string `json:"path"`
	Optional bool   `json:"optional"`
}

// Image is the details of an image.
type Image struct {
	Kind     string `json:"kind"` // image
	MimeType string `json:"mimeType"`
	Bytes    int64  `json:"bytes"`
}

// Run reads the file.
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
	data, info, err := files.Read(ctx, a.Path, maxFile)
	if err != nil {
		return missing(box, a, err)
	}
	return show(a, data, info)
}

func (a args) check() error {
	switch {
	case a.Path == "":
		return tool.Missing("path")
	case a.Offset != nil && *a.Offset < 1:
		return tool.Input("Invalid parameter: offset must be at least 1.")
	case a.Cursor != nil && *a.Cursor < 0:
		return tool.Input("Invalid parameter: cursor must be at least 0.")
	case a.Limit != nil && !(*a.Limit >= 1):
		return tool.Input("Invalid parameter: limit must be at least 1.")
	}
	return nil
}

func missing(box sandbox.Box, a args, err error) (tool.Result, error) {
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.Optional:
		return tool.Text("Optional file not found: "+a.Path+".",
			NotFound{Kind: "not_found", Status: "not_found", Path: a.Path, Optional: true}), nil
	case errors.Is(err, fs.ErrNotExist):
		return tool.Result{}, tool.InputCode("ENOENT", "File not found: "+absolute(box, a.Path)+".", err)
	case errors.Is(err, syscall.EISDIR):
		return tool.Result{}, tool.InputCode("EISDIR",
			"Read requires a file path, but "+a.Path+" is a directory. List the directory, then read a specific file.", err)
	}
	return tool.Result{}, tool.FileError(box, a.Path, err)
}

func absolute(box sandbox.Box, p string) string {
	if path.IsAbs(p) {
		return p
	}
	return path.Join(tool.Workdir(box), p)
}

func show(a args, data []byte, info sandbox.FileInfo) (tool.Result, error) {
	if kind := http.DetectContentType(data[:min(len(data), 512)]); isImage(kind) {
		return showImage(a, data, info, kind)
	}
	if info.Size > int64(len(data)) {
		return tool.Result{}, tool.Input(fmt.Sprintf("%s is %d MiB, more than read looks at. Use exec with head, tail or sed.", a.Path, info.Size>>20))
	}
	if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return tool.Result{}, tool.Input(fmt.Sprintf("%s is a binary file (%d bytes). Use exec to look into it.", a.Path, info.Size))
	}
	text := string(data)
	if a.Cursor != nil {
		return fromCursor(text, int(min(*a.Cursor, maxFile+1))), nil
	}
	return fromLine(a, text), nil
}

func isImage(kind string) bool {
	switch kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

func showImage(a args, data []byte, info sandbox.FileInfo, kind string) (tool.Result, error) {
	if info.Size > maxImage {
		return tool.Result{}, tool.Input(fmt.Sprintf("%s is an image of %d bytes, more than the %d that can be shown. Scale it down with exec.", a.Path, info.Size, maxImage))
	}
	return tool.Result{
		Content: []tool.Block{
			{Type: "text", Text: "Read image file [" + kind + "]"},
			{Type: "image", Data: data, MimeType: kind},
		},
		Details: Image{Kind: "image", MimeType: kind, Bytes: info.Size},
	}, nil
}

func whole(text string) tool.Result {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return tool.Text(text, Whole{Kind: "text", Content: text})
}
