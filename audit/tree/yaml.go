package tree

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"

	"github.com/chitin-sh/chitin/audit"
)

// YAML parses the first document of a file. Aliases are followed within the
// bounds of the file; a bomb ends in an error, not in memory.
func YAML(file string, text []byte) (n *audit.Node, err error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("%s: %w", file, errTooBig)
	}
	if err := shallow(file, string(text)); err != nil {
		return nil, err
	}
	// The parser is not ours; what it does with hostile text must not end the run.
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, &SyntaxError{audit.Pos{File: file, Line: 1, Col: 1}, "the YAML parser gave up"}
		}
	}()
	f, err := yamlparser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlError(file, err)
	}
	if len(f.Docs) == 0 || f.Docs[0].Body == nil {
		return &audit.Node{Kind: audit.Null, Pos: audit.Pos{File: file, Line: 1, Col: 1}}, nil
	}
	c := &converter{file: file, anchors: map[string]ast.Node{}}
	return c.node(f.Docs[0].Body, 0)
}

func yamlError(file string, err error) error {
	at := audit.Pos{File: file, Line: 1, Col: 1}
	var withToken interface{ GetMessage() string }
	msg := err.Error()
	if errors.As(err, &withToken) {
		msg = withToken.GetMessage()
	}
	if _, rest, ok := strings.Cut(err.Error(), "["); ok {
		_, _ = fmt.Sscanf(rest, "%d:%d]", &at.Line, &at.Col)
	}
	first, _, _ := strings.Cut(msg, "\n")
	return &SyntaxError{at, first}
}

// shallow refuses text whose nesting would exhaust a recursive parser: many
// open brackets, or many compact list or key marks on one line.
func shallow(file, text string) error {
	open, line, marks := 0, 1, 0
	lineHead := true
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '[', '{':
			open++
			lineHead = false
		case ']', '}':
			open = max(0, open-1)
			lineHead = false
		case '\n':
			line, marks, lineHead = line+1, 0, true
		case '-', '?', ':':
			if lineHead {
				marks++
			}
		case ' ', '\t':
		default:
			lineHead = false
		}
		if open > 4*MaxDepth || marks > MaxDepth && lineHead {
			if strings.HasPrefix(strings.TrimLeft(text[max(0, i-marks):], " "), "---") {
				continue // a long rule of dashes is one mark
			}
			return &SyntaxError{audit.Pos{File: file, Line: line, Col: 1}, "nested too deeply"}
		}
	}
	return nil
}

type converter struct {
	file    string
	nodes   int
	anchors map[string]ast.Node
}

func (c *converter) node(n ast.Node, depth int) (*audit.Node, error) {
	out := &audit.Node{Pos: c.pos(n)}
	if depth > MaxDepth {
		return nil, &SyntaxError{out.Pos, fmt.Sprintf("nested deeper than %d", MaxDepth)}
	}
	if c.nodes++; c.nodes > MaxNodes {
		return nil, &SyntaxError{out.Pos, fmt.Sprintf("more than %d values", MaxNodes)}
	}
	switch v := n.(type) {
	case *ast.MappingNode:
		return out, c.mapping(out, v.Values, depth)
	case *ast.MappingValueNode:
		return out, c.mapping(out, []*ast.MappingValueNode{v}, depth)
	case *ast.SequenceNode:
		out.Kind = audit.List
		for _, it := range v.Values {
			kid, err := c.node(it, depth+1)
			if err != nil {
				return nil, err
			}
			out.Kids = append(out.Kids, kid)
		}
	case *ast.AnchorNode:
		name := v.Name.GetToken().Value
		kid, err := c.node(v.Value, depth+1)
		c.anchors[name] = v.Value // after, so that it cannot hold itself
		return kid, err
	case *ast.AliasNode:
		target, ok := c.anchors[v.Value.GetToken().Value]
		if !ok {
			return nil, &SyntaxError{out.Pos, "an alias without an anchor"}
		}
		return c.node(target, depth+1)
	case *ast.TagNode:
		return c.node(v.Value, depth+1)
	case *ast.NullNode:
		out.Kind = audit.Null
	case *ast.BoolNode:
		out.Kind, out.Str = audit.Bool, "false"
		if v.Value {
			out.Str = "true"
		}
	case *ast.IntegerNode:
		out.Kind, out.Str = audit.Number, fmt.Sprint(v.Value)
	case *ast.FloatNode:
		out.Kind, out.Str = audit.Number, fmt.Sprint(v.Value)
	case *ast.StringNode:
		out.Kind, out.Str = audit.String, v.Value
	case *ast.LiteralNode:
		out.Kind, out.Str = audit.String, v.Value.Value
	default:
		out.Kind = audit.Null
		if n != nil && n.GetToken() != nil {
			out.Kind, out.Str = audit.String, n.GetToken().Value
		}
	}
	return out, nil
}

func (c *converter) mapping(out *audit.Node, values []*ast.MappingValueNode, depth int) error {
	out.Kind = audit.Map
	for _, kv := range values {
		v, err := c.node(kv.Value, depth+1)
		if err != nil {
			return err
		}
		if _, merge := kv.Key.(*ast.MergeKeyNode); merge {
			if v.Is(audit.Map) { // keys that are written here come later and win
				out.Keys, out.Kids = append(append([]string{}, v.Keys...), out.Keys...), append(append([]*audit.Node{}, v.Kids...), out.Kids...)
			}
			continue
		}
		copied := *v // an aliased value has a place of its own
		copied.Pos = c.pos(kv.Key)
		out.Keys, out.Kids = append(out.Keys, keyText(kv.Key)), append(out.Kids, &copied)
	}
	return nil
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	if t := k.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

func (c *converter) pos(n ast.Node) audit.Pos {
	p := audit.Pos{File: c.file, Line: 1, Col: 1}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return p
	}
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && m.Values[0].Key.GetToken() != nil {
		t = m.Values[0].Key.GetToken()
	}
	p.Line, p.Col = t.Position.Line, t.Position.Column
	return p
}
