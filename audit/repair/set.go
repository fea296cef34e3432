package repair

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/tree"
)

// Set replaces the value of a key that is already written, a scalar, with a
// text or a word such as true. Everything else stays byte for byte.
func Set(path string, text []byte, key, value string) ([]byte, error) {
	yaml := false
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yml", ".yaml":
		yaml = true
	}
	root, err := tree.Parse(path, text, nil)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be parsed: %w", err)
	}
	n := root.At(key)
	if !n.Set() || n.Is(audit.Map) || n.Is(audit.List) {
		return nil, fmt.Errorf("%s is not a single value in this file; change it by hand", key)
	}
	var out []byte
	if yaml {
		out, err = setYAML(text, n, key, value)
	} else {
		out = append(append(append([]byte{}, text[:n.Start]...), literal(value)...), text[n.End:]...)
	}
	if err != nil {
		return nil, err
	}
	// Nothing is written that does not read back as meant.
	again, err := tree.Parse(path, out, nil)
	if err != nil || again.At(key) == nil || again.At(key).Str != value {
		return nil, fmt.Errorf("%s could not be changed safely; change it by hand", key)
	}
	return out, nil
}

func literal(value string) []byte {
	if value == "true" || value == "false" {
		return []byte(value)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return []byte(`""`)
	}
	return text
}

// setYAML replaces the plain or quoted scalar after the key on its line.
func setYAML(text []byte, n *audit.Node, key, value string) ([]byte, error) {
	start := 0
	for l := 1; l < n.Pos.Line; l++ {
		i := bytes.IndexByte(text[start:], '\n')
		if i < 0 {
			return nil, fmt.Errorf("%s: its line is not there", key)
		}
		start += i + 1
	}
	end := len(text)
	if i := bytes.IndexByte(text[start:], '\n'); i >= 0 {
		end = start + i
	}
	line := string(text[start:end])
	name := key[strings.LastIndexByte(key, '.')+1:]
	from := min(max(0, n.Pos.Col-1), len(line))
	at := strings.Index(line[from:], name)
	colon := -1
	if at >= 0 {
		colon = strings.Index(line[from+at:], ":")
	}
	if colon < 0 {
		return nil, fmt.Errorf("%s is not written on one line; change it by hand", key)
	}
	pos := from + at + colon + 1
	for pos < len(line) && (line[pos] == ' ' || line[pos] == '\t') {
		pos++
	}
	stop := scalarEnd(line, pos)
	if stop <= pos {
		return nil, fmt.Errorf("%s has no value on its line; change it by hand", key)
	}
	edited := line[:pos] + string(literal(value)) + line[stop:]
	return []byte(string(text[:start]) + edited + string(text[end:])), nil
}

// scalarEnd is where the scalar that begins at pos ends.
func scalarEnd(line string, pos int) int {
	if pos >= len(line) {
		return pos
	}
	switch q := line[pos]; q {
	case '"', '\'':
		for i := pos + 1; i < len(line); i++ {
			if line[i] == '\\' && q == '"' {
				i++
			} else if line[i] == q {
				return i + 1
			}
		}
		return pos
	case '|', '>', '&', '*', '!', '[', '{':
		return pos
	}
	i := pos
	for i < len(line) && line[i] != ',' && line[i] != '}' && line[i] != ']' && !(line[i] == '#' && i > pos && line[i-1] == ' ') {
		i++
	}
	return pos + len(strings.TrimRight(line[pos:i], " \t\r"))
}
