package fold

import (
	"strings"
	"sync"
)

// minList is the length in bytes of the shortest list of character codes.
const minList = 3*MinBlock - 1

// inList are the characters that lists of codes are made of.
var inList = func() (t plain) {
	for _, c := range "0123456789abcdefABCDEFxXoOuUhr+$|() ,:;-\r\n" {
		t[c] = 1
	}
	return t
}()

// lists tries the stretches that may be lists of character codes. Such a one
// holds every other piece of 16 bytes whole, so a look at three bytes of
// those is enough to pass by most of a text.
func lists(s string, yield func(Block) bool) bool {
	for p := 0; p+16 <= len(s); p += 32 {
		if inList[s[p]]&inList[s[p+7]]&inList[s[p+15]] == 0 || inList.skip(s[:p+16], p) < p+16 {
			continue
		}
		a, b := p, inList.skip(s, p+16)
		for a > 0 && inList[s[a-1]] != 0 {
			a--
		}
		if b-a >= minList && !listsIn(s[:b], a, yield) {
			return false
		}
		for p+32 < b {
			p += 32
		}
	}
	return true
}

// listsIn tries the lists in s from i on.
func listsIn(s string, i int, yield func(Block) bool) bool {
	l := readers.Get().(*list)
	defer func() {
		if cap(l.hexa)+cap(l.deci)+cap(l.bina)+cap(l.octa) < 64<<10 {
			readers.Put(l)
		}
	}()
	for i+minList <= len(s) {
		if value16[s[i]] == none {
			i++
			continue
		}
		end, next := l.read(s, i)
		if l.items < 4 {
			i = next
			continue
		}
		texts := l.texts()
		for _, t := range texts {
			if !yield(Block{i, end, t}) {
				return false
			}
		}
		if i = next; len(texts) > 0 || l.items >= MinBlock {
			i = end
		}
	}
	return true
}

// list is a row of character codes in what bases they may be.
type list struct {
	hexa, deci, bina, octa []byte
	notHex, notDec, notBin bool
	notOct                 bool
	items                  int
}

// readers are used again for the memory of their codes.
var readers = sync.Pool{New: func() any { return new(list) }}

// read reads the list at i: where it ends, and where the next may begin.
func (l *list) read(s string, i int) (end, next int) {
	l.notHex, l.notDec, l.notBin, l.notOct, l.items = false, false, false, false, 0
	l.hexa, l.deci, l.bina, l.octa = l.hexa[:0], l.deci[:0], l.bina[:0], l.octa[:0]
	next = len(s)
	for i < len(s) {
		i += prefix(s[i:])
		j := i
		for j < len(s) && value16[s[j]] != none && j-i < 9 {
			j++
		}
		if j-i < 2 || !l.item(s[i:j]) {
			return end, min(next, j+1)
		}
		l.items, end = l.items+1, j
		for i = j; i < len(s) && i-j < 4 && strings.IndexByte(" ,:;-|)+\r\n", s[i]) >= 0; i++ {
		}
		if l.items == 1 {
			next = i
		}
		if i == j {
			return end, i + 1
		}
	}
	return end, next
}

// prefix is the length of what stands before a code: 0x3c, U+003C, chr(60).
func prefix(s string) int {
	switch {
	case len(s) >= 2 && (s[0] == '0' && (s[1]|0x20 == 'x' || s[1]|0x20 == 'o') || s[0]|0x20 == 'u' && s[1] == '+'):
		return 2
	case len(s) >= 4 && s[:4] == "chr(":
		return 4
	case len(s) >= 1 && s[0] == '$':
		return 1
	}
	return 0
}

// item takes one code in; it is not, if the list cannot go on with it.
func (l *list) item(s string) bool {
	h, d, o, b := 0, 0, 0, 0
	for i := range len(s) {
		v := int(value16[s[i]])
		h, d, o, b = h<<4|v, d*10+v, o<<3|v&7, b<<1|v&1
		l.notDec = l.notDec || v > 9
		l.notOct = l.notOct || v > 7
		l.notBin = l.notBin || v > 1
	}
	l.notHex = l.notHex || len(s)%2 != 0 || len(s) > 8
	l.notDec = l.notDec || len(s) > 3 || d > 255
	l.notOct = l.notOct || len(s) > 3 || o > 255
	l.notBin = l.notBin || len(s) < 7 || len(s) > 8
	if !l.notHex {
		for n := len(s) - 2; n >= 0; n -= 2 {
			l.hexa = append(l.hexa, byte(h>>(4*n)))
		}
	}
	if !l.notDec {
		l.deci = append(l.deci, byte(d))
	}
	if !l.notOct {
		l.octa = append(l.octa, byte(o))
	}
	if !l.notBin {
		l.bina = append(l.bina, byte(b))
	}
	return !l.notHex || !l.notDec || !l.notOct || !l.notBin
}

// texts are the readings of the list that are text.
func (l *list) texts() (out []string) {
	for _, c := range []struct {
		not bool
		b   []byte
	}{{l.notBin, l.bina}, {l.notHex, l.hexa}, {l.notDec, l.deci}, {l.notOct, l.octa}} {
		if !c.not && len(c.b) >= MinBlock && isText(c.b) {
			out = append(out, valid(append([]byte(nil), c.b...)))
		}
	}
	return out
}
