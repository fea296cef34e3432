package detect

import (
	"unicode"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external/fold"
)

// tok is a folded word, a sign between words, or one character of a script
// that writes without blanks.
type tok struct {
	h     uint32 // hash of what it folds to
	p     uint32 // hash of its first letters; 0 for signs
	start int32  // in the text
	end   int32
}

// lexer cuts a text into tokens. It folds as it goes, byte by byte for ASCII
// and by table for the rest, and copies nothing.
type lexer struct {
	s    string
	i    int
	gap  uint32 // signs since the last token
	gapI int    // where they began
	seen codes  // what might be encoded
}

// codes counts the marks of encodings, so that only a text that has some is
// decoded.
type codes struct {
	escaped int  // letters written as entities, percent or escapes
	long    int  // runs long enough for base64
	longAt  int  // where the first of them starts
	single  int  // letters that stand alone, one after the other
	spaced  bool // enough of them in a row
	tags    bool // tag characters
	numbers int  // numbers in a row
	listAt  int  // where a list of numbers began, +1
	until   int  // where the last long run or list ended
}

// any reports whether the text is worth decoding.
func (c *codes) any() bool {
	return c.escaped >= minEscaped || c.long > 0 || c.spaced || c.tags || c.listAt > 0
}

const (
	longRun = 22 // letters without a break from which a word may be an encoding
	number  = 0x9E3779B1
	spelled = 6 // lone letters in a row that may spell a word
)

// low is the lower case of ASCII letters; digits have bit 0x80 and the letter
// they are used for; 0 is no part of a word.
var low = func() (t [256]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-32] = byte(c), byte(c)
	}
	for i, c := range "oizeasgtbq" {
		t['0'+i] = byte(c) | 0x80
	}
	return t
}()

// sign is the class of a sign that matters between words; 0 for blanks and
// signs that do not.
var sign = func() (t [256]byte) {
	for i, set := range []string{".", "!", "?", ":", ";", `"`, "()", "<", ">", "[", "]", "{}", "=", "|", "#", "*", `/\`, "`", "@$%&+~^"} {
		for _, c := range set {
			t[c] = byte(i + 1)
		}
	}
	return t
}()

const paragraph = 21

// sign is the token of the signs since the last word.
func (l *lexer) sign() tok {
	t := l.signUpTo(l.i)
	l.gap = 0
	return t
}

func (l *lexer) signUpTo(i int) tok {
	return tok{h: (l.gap + 0x51ed27) * 0x85EBCA6B, start: int32(l.gapI), end: int32(i)}
}

// mark notes a sign of class g at the current position.
func (l *lexer) mark(g uint32) {
	if l.gap == 0 {
		l.gap, l.gapI = g, l.i
	} else if l.gap < 32 && l.gap != g {
		l.gap |= g << 5
	}
}

// blank passes one ASCII character that belongs to no word.
func (l *lexer) blank(c byte) {
	s := l.s
	switch g := sign[c]; {
	case g != 0:
		l.mark(uint32(g))
		if c == '&' || c == '%' || c == '\\' || c == '=' {
			l.code(c)
		}
	case c == '\n':
		if l.i+1 < len(s) && (s[l.i+1] == '\n' || s[l.i+1] == '\r') {
			l.mark(paragraph)
		}
	case c == 0x1b:
		for l.i+1 < len(s) && s[l.i+1] < 0x40 {
			l.i++
		}
	}
	l.i++
}

// code counts a letter that is written as an escape at the current position.
func (l *lexer) code(c byte) {
	rest := l.s[l.i+1:]
	if len(rest) > 8 {
		rest = rest[:8]
	}
	v, digits := 0, 0
	if c == '&' {
		if len(rest) < 4 || rest[0] != '#' {
			return
		}
		rest = rest[1:]
		if rest[0]|0x20 != 'x' {
			for _, d := range []byte(rest) {
				if d < '0' || d > '9' {
					break
				}
				v = v*10 + int(d-'0')
			}
			l.letter(v)
			return
		}
	}
	if len(rest) > 0 && (rest[0]|0x20 == 'u' || rest[0]|0x20 == 'x') {
		rest = rest[1:]
		if len(rest) > 0 && rest[0] == '{' {
			rest = rest[1:]
		}
	}
	for _, d := range []byte(rest) {
		h := hexDigit(d)
		if h < 0 || digits == 4 || digits == 2 && v != 0 {
			break
		}
		v, digits = v<<4|h, digits+1
	}
	if digits >= 2 {
		l.letter(v)
	}
}

func (l *lexer) letter(v int) {
	if v < 0x80 && low[v&0x7f] != 0 && v > '9' {
		l.seen.escaped++
	}
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// word reads a word that starts with an ASCII letter or digit.
func (l *lexer) word(t *tok) {
	start := l.i
	var h hasher
	i, digits := l.letters(&h, start)
	if digits {
		t.h, t.p = number, number
		l.list(start)
	} else {
		t.h, t.p = h.sums()
		l.count(i-start, start)
	}
	t.start, t.end = int32(start), int32(i)
	l.i = i
}

// count watches for runs and lone letters that may be an encoding.
func (l *lexer) count(n, start int) {
	l.seen.numbers = 0
	switch {
	case n == 1:
		if l.seen.single++; l.seen.single >= spelled {
			l.seen.spaced = true
		}
	case n >= longRun:
		if l.seen.long++; l.seen.long == 1 {
			l.seen.longAt = start
		}
		l.seen.until = start + n
		fallthrough
	default:
		l.seen.single = 0
	}
}

// list watches for rows of numbers, which may be character codes.
func (l *lexer) list(start int) {
	if l.seen.numbers++; l.seen.numbers < fold.MinBlock {
		return
	}
	if l.seen.until = start; l.seen.listAt == 0 {
		l.seen.listAt = start + 1
	}
}

// letters hashes the word at i and is where it ends, and whether it is digits
// alone.
func (l *lexer) letters(h *hasher, i int) (end int, digits bool) {
	s := l.s
	all := byte(0x80)
	for i < len(s) {
		c := s[i]
		if c < 0x80 {
			d := low[c]
			if d == 0 {
				break
			}
			h.letter(d & 0x7f)
			all &= d
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		r, f, k, alone := class(r)
		switch k {
		case fold.Drop:
		case fold.Tag:
			l.seen.tags = true
		case fold.ASCII:
			if low[f[0]] == 0 {
				return i, all != 0
			}
			for j := 0; j < len(f); j++ {
				h.letter(low[f[j]] & 0x7f)
				all &= low[f[j]]
			}
		case fold.Self:
			if alone || !unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
				return i, all != 0
			}
			h.rune(r)
			all = 0
		default:
			return i, all != 0
		}
		i += n
	}
	return i, all != 0
}

// class folds a rune for reading: small letters first, and the scripts that
// write without blanks alone, rune by rune.
func class(r rune) (small rune, f string, k fold.Kind, alone bool) {
	switch {
	case r >= 0x410 && r < 0x430:
		r += 32
	case r >= 0x400 && r < 0x410:
		r += 80
	case r >= 0x391 && r < 0x3AA, r >= 0x531 && r < 0x557:
		r = unicode.ToLower(r)
	case r >= 0x0E00 && r < 0x0F00, r >= 0x1000 && r < 0x10A0, r >= 0x1780 && r < 0x1800,
		r >= 0x3041 && r < 0x3100, r >= 0x3400 && r < 0xA000, r >= 0xAC00 && r < 0xD7B0, r >= 0x20000 && r < 0x32000:
		return r, "", fold.Self, true
	}
	f, k = fold.Rune(r)
	return r, f, k, false
}

// rune handles a character beyond ASCII that stands outside a word, and
// returns how many tokens it wrote to buf, which has room for two.
func (l *lexer) rune(buf []tok) int {
	r, size := utf8.DecodeRuneInString(l.s[l.i:])
	r, f, k, alone := class(r)
	n := 0
	switch {
	case k == fold.Tag:
		l.seen.tags = true
	case k == fold.ASCII && low[f[0]] == 0:
		if g := sign[f[0]]; g != 0 {
			l.mark(uint32(g))
		}
	case k == fold.Self && alone:
		if l.gap != 0 {
			buf[n] = l.sign()
			n++
		}
		var h hasher
		h.rune(r)
		w, _ := h.sums()
		buf[n] = tok{h: w, start: int32(l.i), end: int32(l.i + size)}
		n++
	case k == fold.ASCII || k == fold.Self && unicode.In(r, unicode.L, unicode.M, unicode.Nd):
		if l.gap != 0 {
			buf[n] = l.sign()
			n++
		}
		var h hasher
		end, _ := l.letters(&h, l.i)
		w, p := h.sums()
		buf[n] = tok{h: w, p: p, start: int32(l.i), end: int32(end)}
		n++
		l.count(2, l.i)
		l.i = end
		return n
	}
	l.i += size
	return n
}
