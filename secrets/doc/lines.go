package doc

import (
	"bytes"
	"strings"
)

// parseEnv reads NAME=value lines.
func parseEnv(data []byte) *Node {
	root := &Node{Kind: Map}
	eachLine(data, func(line []byte, at int) {
		name, value, ok := bytes.Cut(line, []byte("="))
		key := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(name)), "export "))
		if !ok || key == "" || key[0] == '#' {
			return
		}
		c := &Node{Kind: String}
		root.addKey(key, c)
		c.Value, c.Start, c.End = unquote(value, at+len(name)+1)
	})
	return root
}

// parseTOML reads sections and one-line values; that is enough to say where
// in a file something stands.
func parseTOML(data []byte) *Node {
	root := &Node{Kind: Map}
	section := root
	eachLine(data, func(line []byte, at int) {
		text := strings.TrimSpace(string(line))
		switch {
		case text == "" || text[0] == '#':
			return
		case text[0] == '[':
			name := strings.Trim(text, "[] ")
			section = &Node{Kind: Map}
			root.addKey(name, section)
			return
		}
		name, value, ok := bytes.Cut(line, []byte("="))
		key := strings.Trim(strings.TrimSpace(string(name)), `"'`)
		if !ok || key == "" {
			return
		}
		c := &Node{Kind: Scalar}
		section.addKey(key, c)
		c.Value, c.Start, c.End = unquote(value, at+len(name)+1)
		if t := bytes.TrimSpace(value); len(t) > 0 && (t[0] == '"' || t[0] == '\'') {
			c.Kind = String
		}
	})
	return root
}

func eachLine(data []byte, f func(line []byte, at int)) {
	for at := 0; at < len(data); {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			n = len(data) - at
		}
		f(bytes.TrimSuffix(data[at:at+n], []byte("\r")), at)
		at += n + 1
	}
}

// unquote trims blanks, quotes and a comment from a value that begins at.
func unquote(v []byte, at int) (text string, start, end int) {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v, at = v[1:], at+1
	}
	if len(v) > 0 && (v[0] == '"' || v[0] == '\'') {
		if i := bytes.IndexByte(v[1:], v[0]); i >= 0 {
			return string(v[1 : 1+i]), at + 1, at + 1 + i
		}
	}
	if i := bytes.Index(v, []byte(" #")); i >= 0 {
		v = v[:i]
	}
	v = bytes.TrimRight(v, " \t")
	return string(v), at, at + len(v)
}
