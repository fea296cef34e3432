package yamlconf

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Document is a parsed file with the place of every key.
type Document struct {
	File string
	root ast.Node
	pos  map[string]Position
}

// Position is a place in a file, from 1.
type Position struct{ Line, Column int }

// At is the place of a key, or of its nearest ancestor that is in the file.
func (d *Document) At(path string) Position {
	for d != nil && path != "" {
		if p, ok := d.pos[path]; ok {
			return p
		}
		i := strings.LastIndexByte(path, '.')
		path = path[:max(i, 0)]
	}
	return Position{}
}

// Has reports whether the file itself sets a key.
func (d *Document) Has(path string) bool {
	_, ok := d.pos[path]
	return ok
}

// Parse reads data into the struct that into points at. Whatever is wrong
// comes back as issues; into is then not to be used.
func Parse(file string, data []byte, into any) (*Document, []Issue) {
	doc := &Document{File: file, pos: map[string]Position{}}
	fail := func(msg, hint string) (*Document, []Issue) {
		return doc, []Issue{{File: file, Message: msg, Hint: hint}}
	}
	if len(data) > MaxBytes {
		return fail(fmt.Sprintf("is larger than %d bytes", MaxBytes), "")
	}
	f, err := parser.ParseBytes(data, parser.ParseComments)
	if err != nil {
		return doc, []Issue{syntaxIssue(file, err)}
	}
	switch bodies := bodies(f); len(bodies) {
	case 0:
		return doc, nil
	case 1:
		doc.root = bodies[0]
	default:
		return fail("holds more than one YAML document", "keep one and remove the --- lines")
	}
	w := walker{doc: doc}
	w.value(doc.root, reflect.TypeOf(into).Elem(), "", nil)
	if len(w.issues) > 0 {
		return doc, w.issues
	}
	if err := yaml.NodeToValue(doc.root, into); err != nil {
		return doc, []Issue{syntaxIssue(file, err)}
	}
	return doc, nil
}

func bodies(f *ast.File) []ast.Node {
	var out []ast.Node
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.NullType {
			out = append(out, d.Body)
		}
	}
	return out
}

var placeRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\[(\d+):(\d+)\] *`) })

// syntaxIssue takes the place out of the library's message and keeps its
// first line only: the source lines below it may show a secret.
func syntaxIssue(file string, err error) Issue {
	var ye yaml.Error
	msg, is := err.Error(), Issue{File: file}
	if errors.As(err, &ye) {
		msg = ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			is.Line, is.Column = t.Position.Line, t.Position.Column
		}
	}
	msg, _, _ = strings.Cut(msg, "\n")
	if m := placeRE().FindStringSubmatch(msg); m != nil {
		is.Line, _ = strconv.Atoi(m[1])
		is.Column, _ = strconv.Atoi(m[2])
		msg = msg[len(m[0]):]
	}
	is.Message = msg
	return is
}
