package yamlconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Set returns data with the key at path set to value. Only that key's lines
// change: comments, blank lines and order stay. Lists and maps are written in
// one line. A missing key is put after its parent's, or at the end.
func Set(data []byte, path string, value any) ([]byte, error) {
	text, err := inline(value)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	e, err := newEditor(data)
	if err != nil {
		return nil, err
	}
	keys := strings.Split(path, ".")
	line, depth, err := e.find(keys)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	if depth == len(keys) {
		err = e.replace(line, text)
	} else {
		err = e.insert(line, depth, keys, text)
	}
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	return e.bytes(), verify(data, e.bytes(), keys, value)
}

// verify reads both texts back: an edit that did anything but set the key,
// in a file whose form this package does not know, is an error.
func verify(before, after []byte, keys []string, value any) error {
	fail := errors.New("this file's form is too unusual to edit safely; edit it by hand")
	var a, b any
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := newEditor(after); err != nil {
		return fail
	}
	if yaml.Unmarshal(before, &a) != nil || yaml.Unmarshal(after, &b) != nil {
		return fail
	}
	var v any
	if yaml.Unmarshal(text, &v) != nil || !reflect.DeepEqual(with(a, keys, v), b) {
		return fail
	}
	return nil
}

// with is tree with the value at keys set.
func with(tree any, keys []string, value any) any {
	if len(keys) == 0 {
		return value
	}
	m, ok := tree.(map[string]any)
	if !ok && tree != nil {
		return nil
	}
	out := map[string]any{}
	maps.Copy(out, m)
	out[keys[0]] = with(m[keys[0]], keys[1:], value)
	return out
}

// Unset returns data without the key at path; a key that is not there is
// no error.
func Unset(data []byte, path string) ([]byte, error) {
	e, err := newEditor(data)
	if err != nil {
		return nil, err
	}
	keys := strings.Split(path, ".")
	line, depth, err := e.find(keys)
	if err != nil || depth < len(keys) {
		return data, err
	}
	end := e.blockEnd(line)
	e.lines = append(e.lines[:line:line], e.lines[end:]...)
	return e.bytes(), nil
}

// inline writes a value in one line of YAML; JSON is YAML.
func inline(value any) (string, error) {
	b, err := json.Marshal(value)
	return string(b), err
}

type editor struct {
	lines []string // without line ends
	root  ast.Node
	col   map[int]int // line → column of its key, from 1
}

func newEditor(data []byte) (*editor, error) {
	f, err := parser.ParseBytes(data, parser.ParseComments)
	if err != nil {
		return nil, errors.New(syntaxIssue("", err).String())
	}
	for _, d := range f.Docs {
		if len(f.Docs) > 1 || d.Start != nil || (d.Body != nil && hasAlias(d.Body)) {
			return nil, errors.New("it holds tags, anchors or more than one document; edit it by hand")
		}
	}
	e := &editor{lines: strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), col: map[int]int{}}
	if len(data) == 0 {
		e.lines = nil
	}
	if b := bodies(f); len(b) > 0 {
		e.root = b[0]
	}
	return e, nil
}

func (e *editor) bytes() []byte { return []byte(strings.Join(e.lines, "\n") + "\n") }

// find walks down keys and returns the index of the line of the deepest one
// that exists (-1: none) and how many exist.
func (e *editor) find(keys []string) (line, depth int, err error) {
	line = -1
	n := e.root
	for _, k := range keys {
		v, isMap := child(n, k)
		if v == nil {
			if _, null := n.(*ast.NullNode); n != nil && !isMap && !null {
				return 0, 0, fmt.Errorf("%s is not a mapping", strings.Join(keys[:depth], "."))
			}
			return line, depth, nil
		}
		pos := v.Key.GetToken().Position
		if pos.Line-1 == line {
			return 0, 0, errors.New("its parent is written in one line; put its keys on lines of their own first")
		}
		line, depth, n = pos.Line-1, depth+1, v.Value
		e.col[line] = pos.Column
	}
	return line, depth, nil
}

func child(n ast.Node, key string) (found *ast.MappingValueNode, isMap bool) {
	var vs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		vs = n.Values
	case *ast.MappingValueNode:
		vs = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	for _, v := range vs {
		if v.Key.GetToken().Value == key {
			return v, true
		}
	}
	return nil, true
}

// replace swaps the value that begins on a key's line; the comment behind it
// stays.
func (e *editor) replace(line int, text string) error {
	l := e.lines[line]
	colon := keyEnd(l, e.col[line]-1)
	if colon < 0 {
		return errors.New("cannot find its colon; edit the file by hand")
	}
	comment := ""
	if i := commentStart(l, colon); i >= 0 {
		comment = "  " + strings.TrimSpace(l[i:])
	}
	end := e.blockEnd(line)
	e.lines[line] = l[:colon] + " " + text + comment
	e.lines = append(e.lines[:line+1:line+1], e.lines[end:]...)
	return nil
}

// insert adds the keys below depth as new lines under the key at line.
func (e *editor) insert(line, depth int, keys []string, text string) error {
	indent, at := 0, len(e.lines)
	if line >= 0 {
		l := e.lines[line]
		colon := keyEnd(l, e.col[line]-1)
		if colon < 0 {
			return errors.New("cannot find its parent's colon; edit the file by hand")
		}
		rest := strings.TrimSpace(strings.TrimSuffix(l[colon:], "\r"))
		switch {
		case rest == "{}":
			e.lines[line] = l[:colon]
		case rest != "" && !strings.HasPrefix(rest, "#"):
			return errors.New("its parent is written in one line; put its keys on lines of their own first")
		}
		indent, at = e.childIndent(line), e.blockEnd(line)
	}
	var add []string
	for i, k := range keys[depth:] {
		l := strings.Repeat(" ", indent+2*i) + k + ":"
		if depth+i == len(keys)-1 {
			l += " " + text
		}
		add = append(add, l)
	}
	e.lines = append(e.lines[:at:at], append(add, e.lines[at:]...)...)
	return nil
}

func (e *editor) childIndent(line int) int {
	for _, l := range e.lines[line+1 : e.blockEnd(line)] {
		if t := strings.TrimSpace(l); t != "" && t[0] != '#' {
			return len(l) - len(strings.TrimLeft(l, " "))
		}
	}
	return e.col[line] - 1 + 2
}

// blockEnd is the index behind the last line that belongs to the key on line:
// deeper ones, and list dashes in the key's own column. Comments and blank
// lines at the end belong to what follows.
func (e *editor) blockEnd(line int) int {
	own := e.col[line] - 1
	end := line + 1
	for i := line + 1; i < len(e.lines); i++ {
		l := e.lines[i]
		t := strings.TrimSpace(l)
		if t == "" || t[0] == '#' {
			continue
		}
		in := len(l) - len(strings.TrimLeft(l, " "))
		if in < own || (in == own && !strings.HasPrefix(t, "- ") && t != "-") {
			break
		}
		end = i + 1
	}
	return end
}

// keyEnd is the index behind the colon of the key that starts at from.
func keyEnd(l string, from int) int {
	if from >= len(l) {
		return -1
	}
	i := from
	if q := l[from]; q == '"' || q == '\'' {
		j := strings.IndexByte(l[from+1:], q)
		if j < 0 {
			return -1
		}
		i = from + 1 + j
	}
	j := strings.IndexByte(l[i:], ':')
	if j < 0 {
		return -1
	}
	return i + j + 1
}

// commentStart is the index of a comment after from, outside quotes, or -1.
func commentStart(l string, from int) int {
	var quote byte
	for i := from; i < len(l); i++ {
		switch c := l[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && strings.IndexByte(" \t:[,{", l[i-1]) >= 0:
			quote = c
		case c == '#' && (l[i-1] == ' ' || l[i-1] == '\t'):
			return i
		}
	}
	return -1
}
