// Package applypatch is the tool that adds, updates, moves and deletes several
// files in one step: either the whole patch is made or nothing of it.
package applypatch

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
)

const maxFile = 32 << 20

// Tool is apply_patch.
type Tool struct{}

var _ tool.Tool = Tool{}

// Spec describes apply_patch.
func (Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "apply_patch",
		Aliases:     []string{"apply-patch"},
		Title:       "Apply a patch",
		Description: "Change several files of the workspace at once with a patch that begins with *** Begin Patch and ends with *** End Patch. All changes are made or none.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true, Writes: true},
	}
}

const schema = `{"type":"object","required":["input"],"properties":{
"input":{"type":"string","description":"The patch: *** Add File, *** Update File (with *** Move to), *** Delete File."}}}`

type args struct {
	Input string `json:"input"`
}

// Details is what the patch did.
type Details struct {
	Summary Summary `json:"summary"`
}

// Summary lists the files by what happened to them.
type Summary struct {
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Deleted  []string `json:"deleted"`
}

// Run applies the patch.
func (Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if a.Input == "" {
		return tool.Result{}, tool.Missing("input")
	}
	ops, err := Parse(a.Input)
	if err != nil {
		return tool.Result{}, err
	}
	box, files, err := c.Files()
	if err != nil {
		return tool.Result{}, err
	}
	s := &stage{box: box, files: files, states: map[string]*state{}}
	for _, op := range ops {
		if err := s.do(ctx, op); err != nil {
			return tool.Result{}, err
		}
	}
	if err := files.Apply(ctx, s.changes()); err != nil {
		return tool.Result{}, applyError(box, err)
	}
	return s.result(), nil
}

func applyError(box sandbox.Box, err error) error {
	path := "the patch"
	var pe *fs.PathError
	if errors.As(err, &pe) {
		path = pe.Path
	}
	return tool.FileError(box, path, err)
}

// stage is the workspace as the patch would leave it.
type stage struct {
	box     sandbox.Box
	files   sandbox.Files
	states  map[string]*state
	order   []string
	summary Summary
}

// state is one file: as it is and as it will be; nil is no file.
type state struct {
	old, now []byte
	mode     uint32
}

// load reads a file the first time it is named.
func (s *stage) load(ctx context.Context, path, verb string) (*state, error) {
	if st, ok := s.states[path]; ok {
		return st, nil
	}
	st := &state{}
	data, info, err := s.files.Read(ctx, path, maxFile)
	switch {
	case err == nil && info.Size > int64(len(data)):
		return nil, tool.FileError(s.box, path, sandbox.ErrTooLarge)
	case err == nil:
		if data == nil {
			data = []byte{}
		}
		st.old, st.now, st.mode = data, data, info.Mode&0o777
	case !errors.Is(err, fs.ErrNotExist):
		if code := tool.Errno(err); code != "" && code != "EROFS" {
			return nil, tool.InputCode(code, "Could not "+verb+" file: "+path+". Error code: "+code+".", err)
		}
		return nil, tool.FileError(s.box, path, err)
	}
	s.states[path] = st
	s.order = append(s.order, path)
	return st, nil
}

func notFound(verb, path string) error {
	return tool.InputCode("ENOENT", "Could not "+verb+" file: "+path+". Error code: ENOENT.", fs.ErrNotExist)
}

func exists(path string) error {
	return tool.InputCode("EEXIST", "File already exists: "+path+". Use *** Update File to change it.", fs.ErrExist)
}

func (s *stage) do(ctx context.Context, op Op) error {
	switch op.Kind {
	case 'A':
		return s.add(ctx, op)
	case 'D':
		return s.remove(ctx, op)
	}
	return s.update(ctx, op)
}

func (s *stage) add(ctx context.Context, op Op) error {
	st, err := s.load(ctx, op.Path, "add")
	if err != nil {
		return err
	}
	if st.now != nil {
		return exists(op.Path)
	}
	st.now = []byte(op.Text)
	note(&s.summary.Added, op.Path)
	return nil
}

func (s *stage) remove(ctx context.Context, op Op) error {
	st, err := s.load(ctx, op.Path, "delete")
	if err != nil {
		return err
	}
	if st.now == nil {
		return notFound("delete", op.Path)
	}
	st.now = nil
	note(&s.summary.Deleted, op.Path)
	return nil
}

func (s *stage) update(ctx context.Context, op Op) error {
	st, err := s.load(ctx, op.Path, "update")
	if err != nil {
		return err
	}
	if st.now == nil {
		return notFound("update", op.Path)
	}
	text, err := Update(op.Path, string(st.now), op.Chunks)
	if err != nil {
		return err
	}
	if op.To == "" || op.To == op.Path {
		st.now = []byte(text)
		note(&s.summary.Modified, op.Path)
		return nil
	}
	to, err := s.load(ctx, op.To, "add")
	if err != nil {
		return err
	}
	if to.now != nil {
		return exists(op.To)
	}
	to.now, to.mode = []byte(text), st.mode
	st.now = nil
	note(&s.summary.Modified, op.To)
	return nil
}

func note(list *[]string, path string) {
	if !slices.Contains(*list, path) {
		*list = append(*list, path)
	}
}

// changes is the difference between the workspace and the stage.
func (s *stage) changes() []sandbox.Change {
	var out []sandbox.Change
	for _, path := range s.order {
		st := s.states[path]
		same := (st.old == nil) == (st.now == nil) && string(st.old) == string(st.now)
		if !same {
			out = append(out, sandbox.Change{Path: path, Data: st.now, Old: st.old, Mode: st.mode})
		}
	}
	return out
}

func (s *stage) result() tool.Result {
	var b strings.Builder
	b.WriteString("Success. Updated the following files:")
	for _, l := range []struct {
		mark  string
		paths []string
	}{{"A", s.summary.Added}, {"M", s.summary.Modified}, {"D", s.summary.Deleted}} {
		for _, p := range l.paths {
			b.WriteString("\n" + l.mark + " " + p)
		}
	}
	for _, list := range []*[]string{&s.summary.Added, &s.summary.Modified, &s.summary.Deleted} {
		if *list == nil {
			*list = []string{}
		}
	}
	return tool.Text(b.String(), Details{Summary: s.summary})
}
