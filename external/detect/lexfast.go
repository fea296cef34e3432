package detect

import "github.com/chitin-sh/chitin/internal/swar"

// What a byte begins for the lexer. A word goes on with those from byteWord on.
const (
	byteBlank = iota // nothing that matters
	byteSign         // a sign that is no more than that
	byteLine         // the end of a line
	byteOther        // an escape, or a sign that may begin a code
	byteWord         // a word, with a letter
	byteDigit        // a word, with a digit
	byteWide         // a character beyond ASCII
)

var byteKind = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = byteWide
		case low[c]&0x80 != 0:
			t[c] = byteDigit
		case low[c] != 0:
			t[c] = byteWord
		case c == '\n':
			t[c] = byteLine
		case c == 0x1b, c == '&', c == '%', c == '\\', c == '=':
			t[c] = byteOther
		case sign[c] != 0:
			t[c] = byteSign
		}
	}
	return t
}()

// between is 1 for the bytes that are signs or nothing, and no more than that.
var between = func() (t [256]uint8) {
	for c, k := range byteKind {
		if k <= byteSign {
			t[c] = 1
		}
	}
	return t
}()

// fill writes the next tokens to buf and returns how many; 0 at the end. What
// is most of a text, plain words with up to two signs behind them, is done
// here with few branches, as none could be foretold; the rest elsewhere.
func (l *lexer) fill(buf []tok) int {
	s, i, n := l.s, l.i, 0
	for i < len(s) && n < len(buf)-1 {
		c := s[i]
		kind := byteKind[c]
		if kind <= byteSign {
			if g := uint32(sign[c]); g != 0 {
				if l.gap == 0 {
					l.gap, l.gapI = g, i
				} else if l.gap < 32 && l.gap != g {
					l.gap |= g << 5
				}
			}
			for i++; i < len(s) && s[i] == ' '; i++ {
			}
			continue
		}
		if kind == byteWord && i+9 < len(s) {
			block, k := asciiLetters(swar.Load8(s, i))
			if end := i + k; k < 8 && byteKind[s[end]] < byteDigit {
				buf[n] = l.signUpTo(i)
				n += int(nonzero(l.gap))
				block &= 1<<(8*k) - 1
				buf[n] = tok{uint32(blend(0, block) >> 32), uint32(blend(0, block&stemBytes) >> 32), int32(i), int32(end)}
				n++
				l.seen.numbers = 0
				if l.seen.single++; k > 1 {
					l.seen.single = 0
				} else if l.seen.single >= spelled {
					l.seen.spaced = true
				}
				a, b := s[end], s[end+1]
				one := int(between[a])
				two := one & int(between[b])
				g, h := uint32(sign[a])*uint32(one), uint32(sign[b])*uint32(two)
				l.gapI = end
				if g == 0 {
					l.gapI = end + 1
				}
				if g == h {
					h = 0
				}
				l.gap = g | h<<(5*nonzero(g))
				i = end + one + two
				continue
			}
		}
		l.i = i
		n += l.other(buf[n:], c)
		i = l.i
	}
	l.i = i
	if i >= len(s) && l.gap != 0 && n < len(buf) {
		buf[n] = l.sign()
		n++
	}
	return n
}

// nonzero is 1 unless x is 0.
func nonzero(x uint32) uint32 { return (x | -x) >> 31 }

// other passes what begins at the current position with c, and returns how
// many tokens it wrote to buf.
func (l *lexer) other(buf []tok, c byte) int {
	n := 0
	switch kind := byteKind[c]; kind {
	case byteWord, byteDigit:
		if l.gap != 0 {
			buf[n] = l.sign()
			n++
		}
		if kind == byteDigit {
			l.number(&buf[n])
		} else if !l.longWord(&buf[n]) {
			l.word(&buf[n])
		}
		n++
	case byteWide:
		n = l.rune(buf)
	default:
		l.blank(c)
	}
	return n
}

// number reads a word that starts with a digit.
func (l *lexer) number(t *tok) {
	s, i := l.s, l.i
	if i+8 >= len(s) {
		l.word(t)
		return
	}
	k := asciiDigits(swar.Load8(s, i))
	if byteKind[s[i+k]] >= byteWord {
		l.word(t)
		return
	}
	*t = tok{number, number, int32(i), int32(i + k)}
	l.list(i)
	l.i = i + k
}

// longWord reads a word of ASCII letters alone; it is false for any other,
// which is left to word.
func (l *lexer) longWord(t *tok) bool {
	s, i := l.s, l.i
	state, first := uint64(0), uint64(0)
	for n := 8; n == 8; i += n {
		if i+8 > len(s) {
			return false
		}
		var block uint64
		if block, n = asciiLetters(swar.Load8(s, i)); n == 0 {
			break
		}
		if n < 8 {
			block &= 1<<(8*n) - 1
		}
		if i == l.i {
			first = block
		}
		state = blend(state, block)
	}
	if i < len(s) && byteKind[s[i]] >= byteDigit {
		return false
	}
	*t = tok{uint32(state >> 32), uint32(blend(0, first&stemBytes) >> 32), int32(l.i), int32(i)}
	l.count(i-l.i, l.i)
	l.i = i
	return true
}
