// Package fold reduces text to what it looks like: full-width and mathematical
// letters, look-alikes of other scripts, invisible characters, bidi controls,
// terminal escapes and combining marks become plain ASCII or nothing. Every
// folded byte maps back to the bytes it came from. Folding is one linear pass;
// text that is ASCII already is not copied.
package fold

import (
	"unicode/utf8"
	"unsafe"
)

// Kind says what a code point folds to.
type Kind uint8

// Kinds of a fold.
const (
	Self  Kind = iota // itself: a letter or sign of another script
	ASCII             // one or a few ASCII characters
	Drop              // nothing: it cannot be seen
	Space             // a blank or line break
	Tag               // a tag character: invisible, yet some models read it
)

// Other is the folded byte that stands for a code point that is no look-alike
// of anything in ASCII.
const Other = 0x7f

// Rune is the fold of one code point. The string is set for ASCII and Tag.
func Rune(r rune) (string, Kind) {
	if r < 0x80 {
		return asciiString[r : r+1], ASCII
	}
	if r >= 0xE0000 && r < 0xE0080 {
		if r < 0xE0020 || r == 0xE007F {
			return "", Drop
		}
		return asciiString[r-0xE0000 : r-0xE0000+1], Tag
	}
	if r > utf8.MaxRune {
		return "", Drop
	}
	switch v := value(r); {
	case v == 0:
		return "", Self
	case v == valDrop:
		return "", Drop
	case v == valSpace:
		return " ", Space
	case v < valMulti:
		return asciiString[v : v+1], ASCII
	default:
		return multi[v&^valMulti], ASCII
	}
}

const asciiString = "\x00\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" +
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f"

// Skeleton folds s to printable ASCII, Other and line breaks: what cannot be
// seen is gone, what looks like ASCII is ASCII. Letters keep their case.
func Skeleton(s string) (t Text) {
	t.Skeleton(s)
	return t
}

// Skeleton is the function Skeleton, in place.
func (t *Text) Skeleton(s string) { t.fold(s, skeletonStep, &keep) }

// TagSkeleton is Skeleton with tag characters read as the ASCII they shadow.
func TagSkeleton(s string) (t Text) {
	t.TagSkeleton(s)
	return t
}

// TagSkeleton is the function TagSkeleton, in place.
func (t *Text) TagSkeleton(s string) { t.fold(s, tagStep, &keep) }

// keep are the bytes that every fold to a skeleton keeps: printable ASCII and
// line breaks, but not the bracket that may open one of our replacements.
var keep = func() (k plain) {
	for c := ' '; c < 0x7f; c++ {
		k[c] = 1
	}
	k['\n'], k['\t'], k['\r'], k['['] = 1, 1, 1, 0
	return k
}()

// View is b as a string, without a copy: b must not be written to while it is read.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func skeletonStep(buf []byte, s string, i int) ([]byte, int) { return seen(buf, s, i, false) }

func tagStep(buf []byte, s string, i int) ([]byte, int) { return seen(buf, s, i, true) }

// seen folds one unit to what is seen of it.
func seen(buf []byte, s string, i int, tags bool) ([]byte, int) {
	c := s[i]
	switch {
	case c == '[':
		if n := replacement(s[i:]); n > 0 {
			return buf, n
		}
		return append(buf, c), 1
	case c == 0x1b:
		return buf, escape(s[i:])
	case c < 0x80:
		if keep[c] != 0 {
			return append(buf, c), 1
		}
		return buf, 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n <= 1 {
		return buf, 1
	}
	switch f, k := Rune(r); k {
	case ASCII:
		return append(buf, f...), n
	case Space:
		return append(buf, ' '), n
	case Self:
		return append(buf, Other), n
	case Tag:
		if tags {
			return append(buf, f...), n
		}
	}
	return buf, n
}

// Replacements for what is taken out. Both are invisible to a skeleton, so
// that nothing can be glued together around them.
const (
	MarkerGone = "[[MARKER_SANITIZED]]"
	EndGone    = "[[END_MARKER_SANITIZED]]"
	TokenGone  = "[REMOVED_SPECIAL_TOKEN]"
)

// replacement is the length of one of our replacements at the start of s.
func replacement(s string) int {
	for _, w := range [...]string{MarkerGone, EndGone, TokenGone} {
		if len(s) >= len(w) && s[:len(w)] == w {
			return len(w)
		}
	}
	return 0
}

// escape is the length of the terminal escape sequence at the start of s,
// which begins with ESC.
func escape(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[': // CSI: parameters, then a final byte
		for i := 2; i < len(s) && i < 64; i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 {
				return i
			}
		}
		return 2
	case ']', 'P', '_', '^': // OSC and friends: up to BEL or ST
		for i := 2; i < len(s) && i < 512; i++ {
			if s[i] == 7 {
				return i + 1
			}
			if s[i] == 0x1b { // the end, or another sequence that ends it
				if i+1 < len(s) && s[i+1] == '\\' {
					return i + 2
				}
				return 2
			}
		}
		return 2
	}
	return 1
}
