package toolpolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// Limits of arguments that rules look at.
const (
	maxArgBytes = 4 << 20
	maxArgDepth = 32
)

var (
	errArgs      = errors.New("not a JSON object")
	errArgsTwice = errors.New("a name appears twice")
	errArgsDeep  = errors.New("nested too deeply")
)

// parseArgs reads a JSON object into Cedar values. It is stricter than
// encoding/json so that rules and tools cannot read the same bytes in two
// ways: no name twice, no invalid UTF-8, nothing after the object. A null
// member is absent; a number that is no 64-bit integer is its text.
func parseArgs(b []byte) (cedar.RecordMap, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return cedar.RecordMap{}, nil
	}
	if len(b) > maxArgBytes || !utf8.Valid(b) {
		return nil, errArgs
	}
	p := argParser{b: b}
	p.space()
	if p.peek() != '{' {
		return nil, errArgs
	}
	m, err := p.object(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i != len(p.b) {
		return nil, errArgs
	}
	return m, nil
}

type argParser struct {
	b []byte
	i int
}

func (p *argParser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *argParser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\n' || p.b[p.i] == '\t' || p.b[p.i] == '\r') {
		p.i++
	}
}

func (p *argParser) eat(c byte) bool {
	p.space()
	if p.peek() != c {
		return false
	}
	p.i++
	return true
}

func (p *argParser) object(depth int) (cedar.RecordMap, error) {
	m := cedar.RecordMap{}
	if !p.eat('{') {
		return nil, errArgs
	}
	if p.eat('}') {
		return m, nil
	}
	for {
		p.space()
		k, err := p.text()
		if err != nil {
			return nil, err
		}
		if !p.eat(':') {
			return nil, errArgs
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, twice := m[cedar.String(k)]; twice {
			return nil, errArgsTwice
		}
		m[cedar.String(k)] = v
		if p.eat('}') {
			break
		}
		if !p.eat(',') {
			return nil, errArgs
		}
	}
	for k, v := range m {
		if v == nil {
			delete(m, k)
		}
	}
	return m, nil
}

func (p *argParser) array(depth int) (cedar.Value, error) {
	var out []cedar.Value
	p.i++
	if p.eat(']') {
		return cedar.NewSet(), nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = append(out, v)
		}
		if p.eat(']') {
			return cedar.NewSet(out...), nil
		}
		if !p.eat(',') {
			return nil, errArgs
		}
	}
}

func (p *argParser) value(depth int) (cedar.Value, error) {
	if depth > maxArgDepth {
		return nil, errArgsDeep
	}
	p.space()
	switch c := p.peek(); {
	case c == '{':
		m, err := p.object(depth)
		if err != nil {
			return nil, err
		}
		return cedar.NewRecord(m), nil
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.text()
		return cedar.String(s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case p.word("true"):
		return cedar.Boolean(true), nil
	case p.word("false"):
		return cedar.Boolean(false), nil
	case p.word("null"):
		return nil, nil
	}
	return nil, errArgs
}

func (p *argParser) word(w string) bool {
	if !bytes.HasPrefix(p.b[p.i:], []byte(w)) {
		return false
	}
	p.i += len(w)
	return true
}

func (p *argParser) number() (cedar.Value, error) {
	start := p.i
	for p.i < len(p.b) && bytes.IndexByte([]byte("+-.eE0123456789"), p.b[p.i]) >= 0 {
		p.i++
	}
	raw := p.b[start:p.i]
	if !json.Valid(raw) {
		return nil, errArgs
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return cedar.Long(n), nil
	}
	return cedar.String(raw), nil
}

// text reads a string; one without escapes is taken as it is.
func (p *argParser) text() (string, error) {
	if p.peek() != '"' {
		return "", errArgs
	}
	start := p.i
	p.i++
	plain := true
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			if plain {
				return string(p.b[start+1 : p.i-1]), nil
			}
			var s string
			if json.Unmarshal(p.b[start:p.i], &s) != nil {
				return "", errArgs
			}
			return s, nil
		case c == '\\':
			plain = false
			p.i += 2
		case c < 0x20:
			return "", errArgs
		default:
			p.i++
		}
	}
	return "", errArgs
}
