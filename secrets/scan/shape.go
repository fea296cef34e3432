package scan

import "math"

// shape is what one pass over a value shows.
type shape struct {
	n, lower, upper, digit, symbol, space int
	distinct, longestRepeat               int
	hex, base64, ascii                    bool
	entropy                               float64 // Shannon, bits a byte
}

// measure counts a value. Only its first 512 bytes are looked at.
func measure(v []byte) shape {
	s := shape{n: len(v), hex: true, base64: true, ascii: true}
	if len(v) > 512 {
		v = v[:512]
	}
	var count [256]uint16
	run := 0
	for i, c := range v {
		count[c]++
		switch {
		case isLower(c):
			s.lower++
		case isUpper(c):
			s.upper++
		case isDigit(c):
			s.digit++
		case isSpace(c):
			s.space++
		default:
			s.symbol++
		}
		s.hex = s.hex && isHex(c)
		s.base64 = s.base64 && (isAlnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_')
		s.ascii = s.ascii && c >= 0x20 && c < 0x7f
		if i > 0 && v[i-1] == c {
			run++
		} else {
			run = 1
		}
		s.longestRepeat = max(s.longestRepeat, run)
	}
	total := float64(len(v))
	for _, n := range count {
		if n > 0 {
			s.distinct++
			p := float64(n) / total
			s.entropy -= p * math.Log2(p)
		}
	}
	return s
}

// classes is how many kinds of characters there are.
func (s shape) classes() int {
	n := 0
	for _, k := range []int{s.lower, s.upper, s.digit, s.symbol} {
		if k > 0 {
			n++
		}
	}
	return n
}

// monotonous reports whether a value is a filler: one character over and
// over, or a run along the keyboard or the alphabet.
func (s shape) monotonous(v []byte) bool {
	if s.n >= 8 && (s.distinct <= 3 || s.longestRepeat*2 >= s.n) {
		return true
	}
	steps := 0
	for i := 1; i < len(v); i++ {
		if v[i] == v[i-1]+1 || v[i] == v[i-1] || (v[i-1] == '9' && v[i] == '0') {
			steps++
		}
	}
	return s.n >= 6 && steps*4 >= (s.n-1)*3
}

// isUUID reports the 8-4-4-4-12 form.
func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isHex(c) {
			return false
		}
	}
	return true
}
