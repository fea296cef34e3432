package read

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/tool"
)

// Part is the details of an answer that was cut.
type Part struct {
	Kind         string       `json:"kind"` // truncated
	Content      string       `json:"content"`
	Truncation   Truncation   `json:"truncation"`
	Continuation Continuation `json:"continuation"`
}

// Truncation says how the answer was cut. Bytes are those of the lines that
// were asked for.
type Truncation struct {
	Truncated             bool   `json:"truncated"`
	TruncatedBy           string `json:"truncatedBy"` // lines, bytes
	TotalLines            int    `json:"totalLines"`
	TotalBytes            int    `json:"totalBytes"`
	OutputLines           int    `json:"outputLines"`
	OutputBytes           int    `json:"outputBytes"`
	LastLinePartial       bool   `json:"lastLinePartial"`
	FirstLineExceedsLimit bool   `json:"firstLineExceedsLimit"`
	MaxLines              int    `json:"maxLines"`
	MaxBytes              int    `json:"maxBytes"`
}

// Continuation is what to ask for next: a line, or a byte inside one.
type Continuation struct {
	Kind   string `json:"kind"` // line, cursor
	Offset int    `json:"offset,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	Cursor int    `json:"cursor,omitempty"`
}

// fromLine shows lines from a.Offset on.
func fromLine(a args, text string) tool.Result {
	total := countLines(text)
	first := 1
	if a.Offset != nil {
		first = int(min(*a.Offset, int64(total)+1))
		if *a.Offset > int64(max(total, 1)) {
			return whole(fmt.Sprintf("Offset %d is beyond end of file (%d lines total). Retry with offset <= %d.", *a.Offset, total, max(total, 1)))
		}
	}
	lines := maxLines
	if a.Limit != nil {
		lines = int(min(*a.Limit, maxFile))
	}
	start := lineStart(text, first)
	wanted := text[start : start+lineEnd(text[start:], lines)]
	cut := cutBytes(wanted)
	if len(wanted) == len(text)-start && len(cut) == len(wanted) {
		return whole(text[start:])
	}
	return part(a, total, first, start, lines, wanted, cut)
}

// part is the answer that shows cut, of the wanted lines, which begin at the
// byte start and the line first of a file of total lines.
func part(a args, total, first, start, lines int, wanted, cut string) tool.Result {
	t := Truncation{
		Truncated: true, TruncatedBy: "lines", TotalLines: total, TotalBytes: len(strings.TrimSuffix(wanted, "\n")),
		MaxLines: lines, MaxBytes: maxBytes,
	}
	shown := countLines(cut)
	var next Continuation
	var note string
	switch {
	case cut == "":
		cut = runes(wanted, maxBytes)
		shown = 1
		t.TruncatedBy, t.FirstLineExceedsLimit, t.LastLinePartial = "bytes", true, true
		next = Continuation{Kind: "cursor", Cursor: start + len(cut)}
		note = fmt.Sprintf("[Line %d is longer than %dKB. Use cursor=%d to continue.]", first, maxBytes>>10, next.Cursor)
	case len(cut) < len(wanted):
		t.TruncatedBy = "bytes"
		next = Continuation{Kind: "line", Offset: first + shown}
		note = fmt.Sprintf("[Showing lines %d-%d of %d (%dKB limit). Use offset=%d to continue.]", first, first+shown-1, total, maxBytes>>10, next.Offset)
	default:
		next = Continuation{Kind: "line", Offset: first + shown}
		left := total - next.Offset + 1
		note = fmt.Sprintf("[%d more line%s in file. Use offset=%d to continue.]", left, plural(left), next.Offset)
	}
	if a.Limit != nil && next.Kind == "line" {
		next.Limit = lines
	}
	content := strings.ToValidUTF8(strings.TrimSuffix(cut, "\n"), "\uFFFD")
	t.OutputLines, t.OutputBytes = shown, len(content)
	return tool.Text(content+"\n\n"+note, Part{Kind: "truncated", Content: content, Truncation: t, Continuation: next})
}

// fromCursor shows bytes from cursor on.
func fromCursor(text string, cursor int) tool.Result {
	if cursor > len(text) {
		return whole(fmt.Sprintf("Cursor %d is beyond end of file (%d bytes total). Retry with cursor <= %d.", cursor, len(text), len(text)))
	}
	rest := text[cursor:]
	if len(rest) <= maxBytes {
		return whole(rest)
	}
	cut := runes(rest, maxBytes)
	next := Continuation{Kind: "cursor", Cursor: cursor + len(cut)}
	content := strings.ToValidUTF8(cut, "\uFFFD")
	note := fmt.Sprintf("[%d more bytes in file. Use cursor=%d to continue.]", len(text)-next.Cursor, next.Cursor)
	return tool.Text(content+"\n\n"+note, Part{
		Kind: "truncated", Content: content,
		Truncation: Truncation{
			Truncated: true, TruncatedBy: "bytes", TotalLines: countLines(text), TotalBytes: len(rest),
			OutputLines: countLines(cut), OutputBytes: len(content), LastLinePartial: true, MaxLines: maxLines, MaxBytes: maxBytes,
		},
		Continuation: next,
	})
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// countLines counts lines; a last one without an end counts too.
func countLines(s string) int {
	n := strings.Count(s, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		n++
	}
	return n
}

// lineStart is the byte at which line n, from 1, begins.
func lineStart(s string, n int) int { return lineEnd(s, n-1) }

// lineEnd is the byte after the first n lines.
func lineEnd(s string, n int) int {
	at := 0
	for range n {
		i := strings.IndexByte(s[at:], '\n')
		if i < 0 {
			return len(s)
		}
		at += i + 1
	}
	return at
}

// cutBytes is as many whole lines of s as fit; "" when not even one does.
func cutBytes(s string) string {
	if len(s) <= maxBytes {
		return s
	}
	return s[:strings.LastIndexByte(s[:maxBytes], '\n')+1]
}

// runes is at most n bytes of s, not ending inside a character.
func runes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}
