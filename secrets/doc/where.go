package doc

import (
	"bytes"
	"fmt"
	"strings"
)

// Where is the path of what stands at an offset, or empty. Block YAML is read
// line by line from there upwards, which costs little in a file with many
// finds; everything else is parsed.
func Where(f Format, data []byte) func(offset int) string {
	var root *Node
	parsed := false
	return func(offset int) string {
		if f == YAML {
			if path, ok := blockPath(data, offset); ok {
				return path
			}
		}
		if !parsed {
			parsed = true
			root, _ = Parse(f, data)
		}
		return root.PathAt(offset)
	}
}

// yamlLine is one line of block YAML.
type yamlLine struct {
	indent int    // of the key, after any dashes
	dash   int    // column of the last dash that begins an item, or -1
	key    string // empty for a plain item
}

// blockPath finds the keys above an offset by their indentation. ok is false
// where lines are not enough: in flow collections, quoted keys, comments and
// block scalars.
func blockPath(data []byte, offset int) (path string, ok bool) {
	if offset > len(data) {
		return "", false
	}
	start := bytes.LastIndexByte(data[:offset], '\n') + 1
	line, ok := readYAMLLine(data[start:offset])
	if !ok || line.key == "" {
		return "", false
	}
	parts := []string{line.key}
	for indent, dash := line.indent, line.dash; (indent > 0 || dash >= 0) && len(parts) < maxDepth; {
		if dash >= 0 {
			parts = append(parts, fmt.Sprintf("[%d]", itemsAbove(data, start, dash)))
			indent, dash = dash, -1
		}
		item := parts[len(parts)-1][0] == '['
		at, up, found := parent(data, start, indent, item)
		if !found {
			return "", false
		}
		start, dash = at, up.dash
		if item || up.indent < indent {
			parts, indent = append(parts, up.key), up.indent
		} // else it is the first line of the item that we are in
	}
	return join(parts), true
}

// join puts the parts, innermost first, into a path.
func join(parts []string) string {
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		if b.Len() > 0 && parts[i][0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(parts[i])
	}
	return b.String()
}

// parent finds the nearest line above that opens the block at indent. The
// items of a list may stand at the indentation of the key above them.
func parent(data []byte, start, indent int, item bool) (at int, up yamlLine, ok bool) {
	for start > 0 {
		end := start - 1
		start = bytes.LastIndexByte(data[:end], '\n') + 1
		text := data[start:end]
		if blank(text) {
			continue
		}
		if bytes.HasPrefix(text, []byte("---")) {
			return 0, yamlLine{}, false
		}
		up, ok := readYAMLLine(text)
		if !ok {
			return 0, yamlLine{}, false
		}
		switch {
		case !item && up.indent == indent && up.dash >= 0:
			return start, up, true
		case up.indent < indent || item && up.indent == indent && up.dash < 0:
			return start, up, opens(text)
		}
	}
	return 0, yamlLine{}, false
}

// itemsAbove counts the items of the same list before a line.
func itemsAbove(data []byte, start, dash int) (n int) {
	for start > 0 {
		end := start - 1
		start = bytes.LastIndexByte(data[:end], '\n') + 1
		text := data[start:end]
		if blank(text) {
			continue
		}
		indent := len(text) - len(bytes.TrimLeft(text, " "))
		switch {
		case indent < dash || indent == dash && text[indent] != '-':
			return n
		case indent == dash:
			n++
		}
	}
	return n
}

func blank(line []byte) bool {
	t := bytes.TrimLeft(line, " \t\r")
	return len(t) == 0 || t[0] == '#'
}

// opens reports a line that ends with its key: a block follows.
func opens(line []byte) bool {
	t := bytes.TrimRight(line, " \r")
	if i := bytes.Index(t, []byte(" #")); i >= 0 {
		t = bytes.TrimRight(t[:i], " ")
	}
	return len(t) > 0 && t[len(t)-1] == ':'
}

// readYAMLLine reads "  - key:" and what follows, if only as far as the key.
func readYAMLLine(line []byte) (l yamlLine, ok bool) {
	l.dash = -1
	i := 0
	for i < len(line) {
		switch {
		case line[i] == ' ':
			i++
			continue
		case line[i] == '-' && i+1 < len(line) && line[i+1] == ' ':
			if l.dash >= 0 {
				return l, false // a list in a list on one line
			}
			l.dash = i
			i += 2
			continue
		}
		break
	}
	l.indent = i
	rest := line[i:]
	colon := bytes.Index(rest, []byte(":"))
	if colon < 0 {
		return l, false
	}
	if colon+1 < len(rest) && rest[colon+1] != ' ' && rest[colon+1] != '\r' {
		return l, false
	}
	key := rest[:colon]
	if len(key) == 0 || bytes.ContainsAny(key, "\"'{}[]#&*!|>%@` ,\t") || bytes.ContainsAny(rest[colon+1:], "{[") {
		return l, false
	}
	l.key = string(key)
	return l, true
}
