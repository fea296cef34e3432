package external

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external/boundary"
	"github.com/chitin-sh/chitin/external/fold"
)

// Plain is a text from outside as it may stand in a list or a schema that a
// model reads: line breaks and tabs stay; other controls, hidden and
// direction-changing characters and forged markers go. What is longer than max
// bytes is cut.
func Plain(s string, max int) string {
	cut := false
	if len(s) > max {
		s, cut = s[:max], true
	}
	s, _ = boundary.Clean(s)
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		_, kind := fold.Rune(r)
		switch {
		case r == '\n' || r == '\t':
		case r < ' ', r == 0x7f, r == utf8.RuneError, unicode.Is(unicode.Cc, r):
			continue
		case kind == fold.Tag, kind == fold.Drop && !unicode.Is(unicode.M, r):
			continue
		}
		b.WriteRune(r)
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}
