package doc

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlReader turns positions in lines and runes into byte offsets.
type yamlReader struct {
	data  []byte
	lines []int
}

func parseYAML(data []byte) (root *Node, err error) {
	// The parser has panicked on damaged input before; a scan goes on.
	defer func() {
		if recover() != nil {
			root, err = nil, errors.New("not valid YAML")
		}
	}()
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		// The parser's message quotes the text around the mistake.
		return nil, errors.New("not valid YAML")
	}
	r := &yamlReader{data: data, lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	root = &Node{Kind: Map}
	for _, d := range f.Docs {
		if err := r.node(root, d.Body, 0); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func (r *yamlReader) node(n *Node, a ast.Node, depth int) error {
	if depth > maxDepth {
		return ErrDepth
	}
	switch a := a.(type) {
	case nil:
		n.Kind = Scalar
	case *ast.MappingNode:
		n.Kind = Map
		for _, v := range a.Values {
			if err := r.entry(n, v, depth); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		n.Kind = Map
		return r.entry(n, a, depth)
	case *ast.SequenceNode:
		n.Kind = List
		for _, v := range a.Values {
			c := &Node{}
			n.addItem(c)
			if err := r.node(c, v, depth+1); err != nil {
				return err
			}
		}
	case *ast.AnchorNode:
		return r.node(n, a.Value, depth+1)
	case *ast.TagNode:
		if err := r.node(n, a.Value, depth+1); err != nil {
			return err
		}
		if n.Kind == String && a.Start != nil && a.Start.Value != "!!str" && a.Start.Value != "!!binary" {
			n.Kind = Scalar // !vault, !ENV and so on: not the value itself
		}
	default:
		r.scalar(n, a)
	}
	return nil
}

func (r *yamlReader) entry(n *Node, v *ast.MappingValueNode, depth int) error {
	c := &Node{}
	key := ""
	if t := v.Key.GetToken(); t != nil {
		key = t.Value
	}
	n.addKey(key, c)
	return r.node(c, v.Value, depth+1)
}

func (r *yamlReader) scalar(n *Node, a ast.Node) {
	t := a.GetToken()
	n.Kind = Scalar
	if t == nil {
		return
	}
	switch s := a.(type) {
	case *ast.StringNode:
		n.Kind, n.Value = String, s.Value
	case *ast.LiteralNode:
		n.Kind = String
		if s.Value != nil {
			n.Value = s.Value.Value
			t = s.Value.GetToken()
		}
	default:
		n.Value = t.Value
	}
	n.Start = r.offset(t.Position)
	if t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType {
		n.Start++
	}
	n.End = min(len(r.data), n.Start+len(n.Value))
}

func (r *yamlReader) offset(p *token.Position) int {
	if p == nil || p.Line < 1 || p.Line > len(r.lines) {
		return 0
	}
	at := r.lines[p.Line-1]
	for n := 1; n < p.Column && at < len(r.data) && r.data[at] != '\n'; n++ {
		_, size := utf8.DecodeRune(r.data[at:])
		at += size
	}
	return at
}

// String is the kind in a word, for messages.
func (k Kind) String() string {
	names := [...]string{"map", "list", "string", "scalar"}
	if int(k) < len(names) && k >= 0 {
		return names[k]
	}
	return fmt.Sprint(int(k))
}
