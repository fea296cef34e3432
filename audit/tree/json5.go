// Package tree reads configurations into audit nodes with their places: JSON5
// with includes and ${VAR} as OpenClaw writes it, and YAML. It is made for
// hostile input: depth, size and number of values are bounded.
package tree

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/audit"
)

// Bounds of one parsed file.
const (
	MaxBytes = 4 << 20
	MaxDepth = 100
	MaxNodes = 200_000
)

// SyntaxError is a mistake in a configuration with its place.
type SyntaxError struct {
	Pos audit.Pos
	Msg string
}

// Error is "file:line:column: message".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", audit.Show(e.Pos.File), e.Pos.Line, e.Pos.Col, e.Msg)
}

var errTooBig = errors.New("too large")

// JSON5 parses a document. Duplicate keys are kept in order; the last counts.
func JSON5(file string, text []byte) (*audit.Node, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("%s: %w", file, errTooBig)
	}
	s, marked := strings.CutPrefix(string(text), "\ufeff")
	p := &parser{file: file, s: s, line: 1}
	if marked {
		p.bom = 3
	}
	p.space()
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.s) {
		return nil, p.fail("unexpected text after the value")
	}
	return n, nil
}

type parser struct {
	file      string
	s         string
	i         int
	line      int
	lineStart int
	nodes     int
	bom       int // length of the byte order mark
}

func (p *parser) pos() audit.Pos {
	return audit.Pos{File: p.file, Line: p.line, Col: p.i - p.lineStart + 1}
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.pos(), fmt.Sprintf(format, args...)}
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// space skips blanks and comments; an unterminated comment is skipped to the
// end, where the caller finds nothing.
func (p *parser) space() {
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '\n':
			p.i++
			p.line, p.lineStart = p.line+1, p.i
		case c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f':
			p.i++
		case strings.HasPrefix(p.s[p.i:], "//"):
			n := strings.IndexByte(p.s[p.i:], '\n')
			if n < 0 {
				n = len(p.s) - p.i
			}
			p.i += n
		case strings.HasPrefix(p.s[p.i:], "/*"):
			p.comment()
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			if !unicode.IsSpace(r) && r != '\ufeff' && r != '\u2028' && r != '\u2029' {
				return
			}
			p.i += size
		default:
			return
		}
	}
}

func (p *parser) comment() {
	end := strings.Index(p.s[p.i+2:], "*/")
	stop := len(p.s)
	if end >= 0 {
		stop = p.i + 2 + end + 2
	}
	for ; p.i < stop; p.i++ {
		if p.s[p.i] == '\n' {
			p.line, p.lineStart = p.line+1, p.i+1
		}
	}
}

func (p *parser) value(depth int) (*audit.Node, error) {
	if depth > MaxDepth {
		return nil, p.fail("nested deeper than %d", MaxDepth)
	}
	if p.nodes++; p.nodes > MaxNodes {
		return nil, p.fail("more than %d values", MaxNodes)
	}
	n := &audit.Node{Pos: p.pos(), Start: p.i + p.bom}
	defer func() { n.End = p.i + p.bom }()
	switch c := p.peek(); {
	case c == '{':
		return n, p.object(n, depth)
	case c == '[':
		return n, p.list(n, depth)
	case c == '"' || c == '\'':
		text, err := p.str()
		n.Kind, n.Str = audit.String, text
		return n, err
	case p.i >= len(p.s):
		return nil, p.fail("a value is missing")
	}
	return n, p.literal(n)
}

func (p *parser) literal(n *audit.Node) error {
	start := p.i
	for p.i < len(p.s) && (isWord(p.s[p.i]) || strings.IndexByte("+-.", p.s[p.i]) >= 0) {
		p.i++
	}
	word := p.s[start:p.i]
	switch word {
	case "true", "false":
		n.Kind = audit.Bool
	case "null":
		n.Kind = audit.Null
	case "Infinity", "+Infinity", "-Infinity", "NaN", "+NaN", "-NaN":
		n.Kind = audit.Number
	default:
		num, ok := number(word)
		if !ok {
			p.i = start
			return p.fail("not a value: %q", audit.Show(p.s[start:min(len(p.s), start+20)]))
		}
		n.Kind, word = audit.Number, num
	}
	n.Str = word
	return nil
}

// number checks a JSON5 number and gives it in a form that ParseFloat reads.
func number(w string) (string, bool) {
	body := strings.TrimLeft(w, "+-")
	if body == "" || len(w)-len(body) > 1 {
		return "", false
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(body), "0x"); ok {
		v, err := strconv.ParseUint(hex, 16, 64)
		sign := ""
		if w[0] == '-' {
			sign = "-"
		}
		return sign + strconv.FormatUint(v, 10), err == nil
	}
	if body[0] != '.' && (body[0] < '0' || body[0] > '9') || strings.ContainsAny(body, "_xXpPiInN") {
		return "", false
	}
	if len(body) > 1 && body[0] == '0' && body[1] >= '0' && body[1] <= '9' {
		return "", false
	}
	if _, err := strconv.ParseFloat(w, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		return "", false
	}
	return w, true
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func (p *parser) object(n *audit.Node, depth int) error {
	n.Kind = audit.Map
	p.i++
	for {
		p.space()
		if p.peek() == '}' {
			p.i++
			return nil
		}
		at := p.pos()
		key, err := p.key()
		if err != nil {
			return err
		}
		p.space()
		if p.peek() != ':' {
			return p.fail("a colon is missing after the key %q", audit.Show(key))
		}
		p.i++
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.Pos = at
		n.Keys, n.Kids = append(n.Keys, key), append(n.Kids, v)
		if err := p.comma('}'); err != nil {
			return err
		}
	}
}

func (p *parser) comma(end byte) error {
	p.space()
	switch p.peek() {
	case ',':
		p.i++
		return nil
	case end:
		return nil
	}
	return p.fail("a comma or %q is missing", string(end))
}

func (p *parser) key() (string, error) {
	if c := p.peek(); c == '"' || c == '\'' {
		return p.str()
	}
	start := p.i
	for p.i < len(p.s) && (isWord(p.s[p.i]) || p.s[p.i] == '\\') {
		p.i++
	}
	word := p.s[start:p.i]
	if word == "" || word[0] >= '0' && word[0] <= '9' {
		p.i = start
		return "", p.fail("a key is missing")
	}
	if !strings.Contains(word, `\`) {
		return word, nil
	}
	q := &parser{file: p.file, s: `"` + word + `"`, line: p.line, lineStart: p.lineStart - start}
	return q.str()
}

func (p *parser) list(n *audit.Node, depth int) error {
	n.Kind = audit.List
	p.i++
	for {
		p.space()
		if p.peek() == ']' {
			p.i++
			return nil
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.Kids = append(n.Kids, v)
		if err := p.comma(']'); err != nil {
			return err
		}
	}
}

func (p *parser) str() (string, error) {
	quote := p.s[p.i]
	p.i++
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != quote && p.s[p.i] != '\\' && p.s[p.i] != '\n' {
		p.i++
	}
	if p.peek() == quote && p.i < len(p.s) {
		p.i++
		return p.s[start : p.i-1], nil
	}
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch c {
		case quote:
			p.i++
			return b.String(), nil
		case '\n':
			return "", p.fail("a line break inside a string")
		case '\\':
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	return "", p.fail("a string is not closed")
}

func (p *parser) escape(b *strings.Builder) error {
	p.i++
	if p.i >= len(p.s) {
		return p.fail("a string is not closed")
	}
	r, size := utf8.DecodeRuneInString(p.s[p.i:])
	p.i += size
	switch r {
	case 'n', 't', 'r', 'b', 'f', 'v', '0':
		b.WriteString(map[rune]string{'n': "\n", 't': "\t", 'r': "\r", 'b': "\b", 'f': "\f", 'v': "\v", '0': "\x00"}[r])
	case 'x', 'u':
		n := 4
		if r == 'x' {
			n = 2
		}
		v, err := p.hex(n)
		if err != nil {
			return err
		}
		if v >= 0xD800 && v < 0xDC00 && strings.HasPrefix(p.s[p.i:], `\u`) {
			mark := p.i
			p.i += 2
			low, err := p.hex(4)
			if err == nil && low >= 0xDC00 && low < 0xE000 {
				v = 0x10000 + (v-0xD800)<<10 + (low - 0xDC00)
			} else {
				p.i = mark
			}
		}
		b.WriteRune(v)
	case '\r':
		if p.peek() == '\n' {
			p.i++
		}
		p.line, p.lineStart = p.line+1, p.i
	case '\n':
		p.line, p.lineStart = p.line+1, p.i
	case '\u2028', '\u2029':
	default:
		b.WriteRune(r)
	}
	return nil
}

func (p *parser) hex(n int) (rune, error) {
	if p.i+n > len(p.s) {
		return 0, p.fail("a short escape")
	}
	v, err := strconv.ParseUint(p.s[p.i:p.i+n], 16, 32)
	if err != nil {
		return 0, p.fail("a wrong escape")
	}
	p.i += n
	return rune(v), nil
}
