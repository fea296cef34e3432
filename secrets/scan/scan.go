package scan

import (
	"bytes"
	"sort"
)

// Finding is one secret in a file. Lines and columns count from 1, columns in
// bytes. It never holds the secret.
type Finding struct {
	Rule   string
	Key    string // the field's name, when there is one
	Line   int
	Column int
	Start  int // byte offsets in the file
	End    int
}

// Bytes scans a text.
func (e *Engine) Bytes(b []byte) []Finding {
	spans := e.Find(b, nil)
	if len(spans) == 0 {
		return nil
	}
	lines := newLines(b)
	out := make([]Finding, len(spans))
	for i, s := range spans {
		line, col := lines.at(s.Start)
		out[i] = Finding{Rule: s.Rule, Key: s.Key, Line: line, Column: col, Start: s.Start, End: s.End}
	}
	return out
}

// lines finds the line of an offset.
type lines []int

func newLines(b []byte) lines {
	l := lines{0}
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return l
		}
		at += i + 1
		l = append(l, at)
	}
}

func (l lines) at(offset int) (line, column int) {
	i := sort.SearchInts(l, offset+1) - 1
	return i + 1, offset - l[i] + 1
}

// Position returns the line and column of an offset in b.
func Position(b []byte, offset int) (line, column int) { return newLines(b).at(offset) }
