package detect

// What a byte begins for the lexer.
const (
	byteOther = iota // a sign, a line break, an escape
	byteWord         // a word
	byteBlank        // nothing that matters
	byteWide         // a character beyond ASCII
)

var byteKind = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = byteWide
		case low[c] != 0:
			t[c] = byteWord
		case sign[c] == 0 && c != '\n' && c != 0x1b:
			t[c] = byteBlank
		}
	}
	return t
}()

// fill writes the next tokens to buf and returns how many; 0 at the end.
func (l *lexer) fill(buf []tok) int {
	s, i, n := l.s, l.i, 0
	for i < len(s) && n < len(buf)-1 {
		switch byteKind[s[i]] {
		case byteBlank:
			i++
		case byteWord:
			l.i = i
			if l.gap != 0 {
				buf[n] = l.sign()
				n++
			}
			if i = l.plainWord(&buf[n], i); i < 0 {
				l.word(&buf[n])
				i = l.i
			}
			n++
		case byteOther:
			l.i = i
			l.blank(s[i])
			i = l.i
		default:
			l.i = i
			n += l.rune(buf[n:])
			i = l.i
		}
	}
	l.i = i
	if i >= len(s) && l.gap != 0 && n < len(buf) {
		buf[n] = l.sign()
		n++
	}
	return n
}

// letterOf is the small form of ASCII letters, 0 for all else.
var letterOf = func() (t [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-32] = byte(c), byte(c)
	}
	return t
}()

// plainWord reads a word of ASCII letters alone and is where it ends; -1 for
// any other, which is left to word.
func (l *lexer) plainWord(t *tok, i int) int {
	s, start := l.s, i
	h := uint32(offset32)
	for stop := min(len(s), i+stem); i < stop; i++ {
		c := letterOf[s[i]]
		if c == 0 {
			break
		}
		h = (h ^ uint32(c)) * prime32
	}
	p := h
	if i == start+stem {
		for ; i < len(s); i++ {
			c := letterOf[s[i]]
			if c == 0 {
				break
			}
			h = (h ^ uint32(c)) * prime32
		}
	}
	if i < len(s) && byteKind[s[i]]&byteWord != 0 { // a digit, or beyond ASCII
		return -1
	}
	t.h, t.p, t.start, t.end = h, p, int32(start), int32(i)
	if n := i - start; n > 1 && n < longRun {
		l.seen.numbers, l.seen.single = 0, 0
	} else {
		l.count(n, start)
	}
	return i
}
