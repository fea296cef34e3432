package applypatch

import (
	"strings"
	"unicode"

	"github.com/chitin-sh/chitin/tool"
)

// Update makes the chunks on text, in order. What stays is kept as it is in
// the file, even where the patch has it with other spaces.
func Update(path, text string, chunks []Chunk) (string, error) {
	f := readLines(text)
	var out []string
	at := 0
	for _, c := range chunks {
		start := at
		if c.Anchor != "" {
			i := seek(f.lines, []string{c.Anchor}, at, false)
			if i < 0 {
				return "", tool.Input("Failed to find context '" + c.Anchor + "' in " + path)
			}
			start = i + 1
		}
		old := c.old()
		pos := seek(f.lines, old, start, c.AtEnd)
		if pos < 0 && len(old) > 1 && old[len(old)-1] == "" {
			// The patch's own blank line before the next chunk.
			c.Lines = dropLastKept(c.Lines)
			old = c.old()
			pos = seek(f.lines, old, start, c.AtEnd)
		}
		if pos < 0 {
			return "", tool.Input("Failed to find expected lines in " + path + ":\n" + strings.Join(old, "\n"))
		}
		if len(old) == 0 {
			pos = f.insertAt(c, start)
		}
		out = append(out, f.lines[at:pos]...)
		at = pos
		for _, l := range c.Lines {
			switch l.Kind {
			case '+':
				out = append(out, l.Text)
			case '-':
				at++
			default:
				out = append(out, f.lines[at])
				at++
			}
		}
	}
	f.lines = append(out, f.lines[at:]...)
	return f.String(), nil
}

// insertAt is where lines go that nothing in the file is given for: behind
// the anchor, else at the end.
func (f file) insertAt(c Chunk, start int) int {
	if c.Anchor != "" && !c.AtEnd {
		return start
	}
	return len(f.lines)
}

func (c Chunk) old() []string {
	var old []string
	for _, l := range c.Lines {
		if l.Kind != '+' {
			old = append(old, l.Text)
		}
	}
	return old
}

func dropLastKept(lines []Line) []Line {
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i].Kind == ' ' && lines[i].Text == "" {
			return append(append([]Line(nil), lines[:i]...), lines[i+1:]...)
		}
		if lines[i].Kind != '+' {
			break
		}
	}
	return lines
}

// file is a text as lines, with how they end.
type file struct {
	lines []string
	crlf  bool // every line ends with CRLF
	final bool // the last line ends too
}

func readLines(text string) file {
	f := file{final: text == "" || strings.HasSuffix(text, "\n")}
	if n := strings.Count(text, "\n"); n > 0 && strings.Count(text, "\r\n") == n {
		f.crlf = true
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	if text != "" {
		text = strings.TrimSuffix(text, "\n")
		f.lines = strings.Split(text, "\n")
	}
	return f
}

func (f file) String() string {
	if len(f.lines) == 0 {
		return ""
	}
	end := "\n"
	if f.crlf {
		end = "\r\n"
	}
	s := strings.Join(f.lines, end)
	if f.final {
		s += end
	}
	return s
}

// seek finds pattern in lines from start on: exactly, then without trailing
// spaces, then without any around, then with typographic signs made plain.
func seek(lines, pattern []string, start int, atEnd bool) int {
	if len(pattern) == 0 {
		return start
	}
	for _, norm := range [...]func(string) string{same, trimRight, strings.TrimSpace, plain} {
		last := len(lines) - len(pattern)
		first := start
		if atEnd {
			first = max(start, last)
		}
		for i := first; i <= last; i++ {
			if matches(lines[i:], pattern, norm) {
				return i
			}
		}
	}
	if atEnd {
		return seek(lines, pattern, start, false)
	}
	return -1
}

func matches(lines, pattern []string, norm func(string) string) bool {
	for i, p := range pattern {
		if lines[i] != p && norm(lines[i]) != norm(p) {
			return false
		}
	}
	return true
}

func same(s string) string { return s }

func trimRight(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }

// plain turns quotes, dashes and spaces that editors beautify into ASCII.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\u2018', '\u2019', '\u201a', '\u201b':
			return '\''
		case '\u201c', '\u201d', '\u201e', '\u201f':
			return '"'
		case '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212':
			return '-'
		case '\u00a0', '\u2002', '\u2003', '\u2007', '\u2009', '\u202f', '\u3000':
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
}
