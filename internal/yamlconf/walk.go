package yamlconf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// opaque types read themselves: what is below them is not ours to judge.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, i := range []reflect.Type{
		reflect.TypeFor[yaml.InterfaceUnmarshaler](), reflect.TypeFor[yaml.BytesUnmarshaler](),
		reflect.TypeFor[yaml.NodeUnmarshaler](), reflect.TypeFor[json.Unmarshaler](),
	} {
		if p.Implements(i) {
			return true
		}
	}
	return false
}

// walker checks a tree of nodes against a Go type and notes places.
type walker struct {
	doc    *Document
	issues []Issue
}

func (w *walker) add(n ast.Node, path, msg, hint string) {
	is := Issue{File: w.doc.File, Path: path, Message: msg, Hint: hint}
	if t := n.GetToken(); t != nil && t.Position != nil {
		is.Line, is.Column = t.Position.Line, t.Position.Column
	}
	w.issues = append(w.issues, is)
}

func (w *walker) value(n ast.Node, t reflect.Type, path string, enum []string) {
	t = deref(t)
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		w.add(n, path, "anchors, aliases and merges are not allowed here", "write the value out")
		return
	case *ast.TagNode:
		w.add(n, path, "YAML tags are not allowed here", "remove "+n.Start.Value)
		return
	case *ast.NullNode:
		return
	}
	switch {
	case opaque(t):
		w.custom(n, t, path)
	case t.Kind() == reflect.Struct:
		w.object(n, t, path)
	case t.Kind() == reflect.Map:
		w.pairs(n, path, func(key string, v *ast.MappingValueNode, p string) {
			w.value(v.Value, t.Elem(), p, nil)
		})
	case t.Kind() == reflect.Slice:
		w.list(n, t, path, enum)
	default:
		w.scalar(n, t, path, enum)
	}
}

// custom lets the type read the node into a value of its own.
func (w *walker) custom(n ast.Node, t reflect.Type, path string) {
	if hasAlias(n) {
		w.add(n, path, "anchors, aliases and merges are not allowed here", "write the value out")
		return
	}
	v := reflect.New(t)
	if err := yaml.NodeToValue(n, v.Interface()); err != nil {
		w.add(n, path, syntaxIssue("", err).Message, "")
	}
	if _, ok := n.(*ast.MappingNode); ok {
		w.pairs(n, path, func(string, *ast.MappingValueNode, string) {})
	}
}

func hasAlias(n ast.Node) bool {
	found := false
	ast.Walk(visit(func(n ast.Node) {
		switch n.Type() {
		case ast.AliasType, ast.AnchorType, ast.MergeKeyType, ast.TagType:
			found = true
		}
	}), n)
	return found
}

type visit func(ast.Node)

// Visit calls the function for every node.
func (v visit) Visit(n ast.Node) ast.Visitor { v(n); return v }

func (w *walker) object(n ast.Node, t reflect.Type, path string) {
	fs := fields(t)
	w.pairs(n, path, func(key string, v *ast.MappingValueNode, p string) {
		for _, f := range fs {
			if f.name == key {
				w.value(v.Value, f.typ, p, f.enum)
				return
			}
		}
		names := make([]string, len(fs))
		for i, f := range fs {
			names[i] = f.name
		}
		hint := "known here: " + strings.Join(names, ", ")
		if near := Nearest(key, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		w.add(v.Key, p, "unknown key", hint)
	})
}

// pairs calls fn with each key of a mapping.
func (w *walker) pairs(n ast.Node, path string, fn func(string, *ast.MappingValueNode, string)) {
	var vs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		vs = n.Values
	case *ast.MappingValueNode:
		vs = []*ast.MappingValueNode{n}
	default:
		w.add(n, path, "expected keys and values, found "+kind(n), "")
		return
	}
	seen := map[string]bool{}
	for _, v := range vs {
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			w.add(v.Key, path, "anchors, aliases and merges are not allowed here", "write the keys out")
			continue
		}
		tok := v.Key.GetToken()
		key := tok.Value
		p := join(path, key)
		if seen[key] {
			w.add(v.Key, p, "is there twice", "remove one")
			continue
		}
		seen[key] = true
		w.doc.pos[p] = Position{tok.Position.Line, tok.Position.Column}
		fn(key, v, p)
	}
}

func (w *walker) list(n ast.Node, t reflect.Type, path string, enum []string) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		w.add(n, path, "expected a list, found "+kind(n), "write [a, b] or one item a line, each after a dash")
		return
	}
	for i, v := range s.Values {
		p := fmt.Sprintf("%s[%d]", path, i)
		if tok := v.GetToken(); tok != nil && tok.Position != nil {
			w.doc.pos[p] = Position{tok.Position.Line, tok.Position.Column}
		}
		w.value(v, t.Elem(), p, enum)
	}
}

func (w *walker) scalar(n ast.Node, t reflect.Type, path string, enum []string) {
	want, ok := "", false
	switch t.Kind() {
	case reflect.String:
		want = "a text"
		switch n.(type) {
		case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode:
			ok = true
		case *ast.BoolNode: // on, off, yes and no are words to a person
			ok = slices.Contains(enum, n.GetToken().Value)
		}
	case reflect.Bool:
		want = "true or false"
		_, ok = n.(*ast.BoolNode)
	case reflect.Float32, reflect.Float64:
		want = "a number"
		_, isInt := n.(*ast.IntegerNode)
		_, isFloat := n.(*ast.FloatNode)
		ok = isInt || isFloat
	case reflect.Interface:
		ok = !hasAlias(n)
		want = "no anchors or aliases"
	default:
		want = "a whole number"
		_, ok = n.(*ast.IntegerNode)
	}
	if !ok {
		w.add(n, path, "expected "+want+", found "+kind(n), "")
		return
	}
	if v := n.GetToken().Value; len(enum) > 0 && !slices.Contains(enum, v) {
		hint := "one of: " + strings.Join(enum, ", ")
		if near := Nearest(v, enum); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		w.add(n, path, fmt.Sprintf("%q is not a value of this key", v), hint)
	}
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	}
	return strings.ToLower(n.Type().String())
}

// Nearest is the candidate with the fewest edits from s, or "" when none is
// near enough to be meant.
func Nearest(s string, candidates []string) string {
	if len(s) > 64 { // nobody means a key by that
		return ""
	}
	best, dist := "", max(2, len(s)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), strings.ToLower(c)); d < dist {
			best, dist = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance; both are short.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}
