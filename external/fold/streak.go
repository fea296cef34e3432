package fold

import (
	"strings"
	"unicode/utf8"
)

// code is an encoding of so many bits a character.
type code struct {
	value *[256]uint8
	bits  int
	least int   // bytes of text from which a stretch is worth a look
	first plain // characters that text may begin with
}

const none = 0xff

var (
	value64 = values("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "-_")
	value32 = values("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "")
	value16 = values("0123456789ABCDEF", "")
	value2  = values("01", "")

	value32Hex = values("0123456789ABCDEFGHIJKLMNOPQRSTUV", "")

	base64Code = newCode(&value64, 6, 12)
	base32Code = newCode(&value32, 5, 10)
	base32Hex  = newCode(&value32Hex, 5, 10)
	hexCode    = newCode(&value16, 4, 8)
	bitCode    = newCode(&value2, 1, 8)
)

func newCode(value *[256]uint8, bits, least int) code {
	c := code{value: value, bits: bits, least: least}
	for i, v := range value {
		for low := range 1 << (8 - bits) {
			var j judge
			if v != none && j.ok(v<<(8-bits)|byte(low)) && j.bad == 0 { // with any digit behind it
				c.first[i] = 1
			}
		}
	}
	return c
}

// values are the digits of an alphabet; instead stands for its last two. Small
// letters are capitals where the alphabet has none.
func values(alphabet, instead string) (t [256]uint8) {
	for i := range t {
		t[i] = none
	}
	for i := range len(alphabet) {
		c := alphabet[i]
		t[c] = uint8(i)
		if c >= 'A' && c <= 'Z' && len(alphabet) < 64 {
			t[c|0x20] = uint8(i)
		}
	}
	for i := range len(instead) {
		t[instead[i]] = uint8(len(alphabet) - len(instead) + i)
	}
	return t
}

// judge says, byte by byte, whether what is decoded reads as text.
type judge struct{ n, bad, more int }

// ok takes the next byte in and reports whether it still may be text.
func (j *judge) ok(c byte) bool {
	j.n++
	switch {
	case c < 0x80:
		if j.more > 0 {
			j.more = 0
			j.bad++
		}
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' && c != 0 { // UTF-16 is full of zeroes
			j.bad++
		}
	case c < 0xC0:
		if j.more == 0 {
			j.bad++
		} else {
			j.more--
		}
	default:
		if j.more > 0 {
			j.bad++
		}
		switch {
		case c < 0xC2 || c > 0xF4:
			j.more = 0
			j.bad++
		case c < 0xE0:
			j.more = 1
		case c < 0xF0:
			j.more = 2
		default:
			j.more = 3
		}
	}
	return j.bad < 2 || j.bad*16 <= j.n
}

// clean is the number of bytes at the start of what is decoded of which none
// may be bad: where something was glued on, a later start will do.
const clean = 3

// length is how many characters at the start of s decode to text; 0 if they
// are too few.
func (c *code) length(s string) int {
	if c.first[s[0]] == 0 {
		return 0
	}
	var j judge
	acc, have := uint32(0), 0
	for i := range len(s) {
		v := c.value[s[i]]
		if v == none {
			return c.enough(j.n, i)
		}
		acc, have = acc<<c.bits|uint32(v), have+c.bits
		if have < 8 {
			continue
		}
		have -= 8
		if b := byte(acc >> have); j.more == 0 && b-' ' < 0x7f-' ' {
			j.n++
		} else if !j.ok(b) {
			return c.enough(j.n-1, i)
		} else if j.n <= clean && j.bad > 0 {
			return 0
		}
	}
	return c.enough(j.n, len(s))
}

func (c *code) enough(bytes, chars int) int {
	if bytes < c.least {
		return 0
	}
	return chars
}

// text decodes s, which has no other characters.
func (c *code) text(s string) string {
	out := make([]byte, 0, len(s)*c.bits/8+1)
	acc, have := uint32(0), 0
	for i := range len(s) {
		acc, have = acc<<c.bits|uint32(c.value[s[i]]&0x3f), have+c.bits
		if have >= 8 {
			have -= 8
			if b := byte(acc >> have); b != 0 {
				out = append(out, b)
			}
		}
	}
	return valid(out)
}

// valid is b without what is no UTF-8.
func valid(b []byte) string {
	if utf8.Valid(b) {
		return View(b)
	}
	return strings.ToValidUTF8(View(b), "")
}

// eightyFive decodes ascii85, with or without its brackets; "" if it is no text.
func eightyFive(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<~"), "~>")
	var j judge
	var out []byte
	if !groups85(s, func(b byte) bool { return j.ok(b) }) || j.n < MinBlock {
		return ""
	}
	groups85(s, func(b byte) bool {
		out = append(out, b)
		return true
	})
	return valid(out)
}

// groups85 yields the bytes of ascii85, and reports whether it is all of it.
func groups85(s string, yield func(byte) bool) bool {
	acc, have := uint64(0), 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == 'z' && have == 0:
			acc, have = 0, 5
		case c >= '!' && c <= 'u':
			acc, have = acc*85+uint64(c-'!'), have+1
		default:
			return false
		}
		if have < 5 {
			continue
		}
		if acc > 0xffffffff || !yield(byte(acc>>24)) || !yield(byte(acc>>16)) || !yield(byte(acc>>8)) || !yield(byte(acc)) {
			return false
		}
		acc, have = 0, 0
	}
	if have < 2 {
		return true
	}
	n := have
	for ; have < 5; have++ {
		acc = acc*85 + 84
	}
	for k := range n - 1 {
		if !yield(byte(acc >> (24 - 8*k))) {
			return false
		}
	}
	return true
}

// isText reports whether decoded bytes read as text.
func isText(b []byte) bool {
	var j judge
	for _, c := range b {
		if !j.ok(c) {
			return false
		}
	}
	return len(b) >= 8
}
