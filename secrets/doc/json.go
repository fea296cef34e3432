package doc

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errJSON = errors.New("not valid JSON")

// jsonParser reads JSON and JSON5: comments, single quotes, names without
// quotes, commas at the end.
type jsonParser struct {
	b []byte
	i int
}

func parseJSON(data []byte) (*Node, error) {
	p := &jsonParser{b: data}
	root := &Node{}
	if err := p.value(root, 0); err != nil {
		return nil, err
	}
	if p.space(); p.i < len(p.b) {
		return nil, errJSON
	}
	return root, nil
}

// space skips blanks and comments.
func (p *jsonParser) space() {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.i++
		case c == '\xef' && strings.HasPrefix(string(p.b[p.i:min(len(p.b), p.i+3)]), "\xef\xbb\xbf"):
			p.i += 3
		case c == '/' && p.i+1 < len(p.b) && p.b[p.i+1] == '/':
			for p.i < len(p.b) && p.b[p.i] != '\n' {
				p.i++
			}
		case c == '/' && p.i+1 < len(p.b) && p.b[p.i+1] == '*':
			end := bytes.Index(p.b[p.i+2:], []byte("*/"))
			if end < 0 {
				p.i = len(p.b)
				return
			}
			p.i += 2 + end + 2
		default:
			return
		}
	}
}

func (p *jsonParser) peek() byte {
	p.space()
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *jsonParser) value(n *Node, depth int) error {
	if depth > maxDepth {
		return ErrDepth
	}
	switch c := p.peek(); c {
	case 0:
		return errJSON
	case '{':
		return p.object(n, depth)
	case '[':
		return p.array(n, depth)
	case '"', '\'':
		var err error
		n.Kind = String
		n.Start = p.i + 1
		n.Value, err = p.str()
		n.End = p.i - 1
		return err
	}
	n.Kind, n.Start = Scalar, p.i
	for p.i < len(p.b) && !strings.ContainsRune(",]}:/ \t\r\n", rune(p.b[p.i])) {
		p.i++
	}
	n.End, n.Value = p.i, string(p.b[n.Start:p.i])
	if n.Start == n.End {
		return errJSON
	}
	return nil
}

func (p *jsonParser) object(n *Node, depth int) error {
	n.Kind = Map
	p.i++
	for {
		c := p.peek()
		if c == '}' {
			p.i++
			return nil
		}
		key, err := p.name(c)
		if err != nil {
			return err
		}
		if p.peek() != ':' {
			return errJSON
		}
		p.i++
		child := &Node{}
		n.addKey(key, child)
		if err := p.value(child, depth+1); err != nil {
			return err
		}
		if c := p.peek(); c == ',' {
			p.i++
		} else if c != '}' {
			return errJSON
		}
	}
}

func (p *jsonParser) name(c byte) (string, error) {
	if c == '"' || c == '\'' {
		return p.str()
	}
	start := p.i
	for p.i < len(p.b) && !strings.ContainsRune(":,{}[]\"' \t\r\n/", rune(p.b[p.i])) {
		p.i++
	}
	if p.i == start {
		return "", errJSON
	}
	return string(p.b[start:p.i]), nil
}

func (p *jsonParser) array(n *Node, depth int) error {
	n.Kind = List
	p.i++
	for {
		if p.peek() == ']' {
			p.i++
			return nil
		}
		child := &Node{}
		n.addItem(child)
		if err := p.value(child, depth+1); err != nil {
			return err
		}
		if c := p.peek(); c == ',' {
			p.i++
		} else if c != ']' {
			return errJSON
		}
	}
}

// str reads a string in either kind of quotes.
func (p *jsonParser) str() (string, error) {
	q := p.b[p.i]
	p.i++
	var out strings.Builder
	for p.i < len(p.b) {
		c := p.b[p.i]
		switch {
		case c == q:
			p.i++
			return out.String(), nil
		case c == '\n':
			return "", errJSON
		case c == '\\' && p.i+1 < len(p.b):
			p.escape(&out)
		default:
			out.WriteByte(c)
			p.i++
		}
	}
	return "", errJSON
}

func (p *jsonParser) escape(out *strings.Builder) {
	c := p.b[p.i+1]
	p.i += 2
	switch c {
	case 'n':
		out.WriteByte('\n')
	case 't':
		out.WriteByte('\t')
	case 'r':
		out.WriteByte('\r')
	case 'b', 'f', 'v', '0':
		out.WriteByte(' ')
	case '\n':
	case 'u', 'x':
		digits := 4
		if c == 'x' {
			digits = 2
		}
		if p.i+digits <= len(p.b) {
			if r, err := strconv.ParseUint(string(p.b[p.i:p.i+digits]), 16, 32); err == nil {
				out.Write(utf8.AppendRune(nil, rune(r)))
				p.i += digits
			}
		}
	default:
		out.WriteByte(c)
	}
}
