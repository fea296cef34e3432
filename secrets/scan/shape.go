package scan

import (
	"math"
	"sync"
)

// shape is what one pass over a value shows.
type shape struct {
	n, lower, upper, digit, symbol, space int
	distinct, longestRepeat               int
	base64, ascii                         bool
	entropy                               float64 // Shannon, bits a byte
}

// measure counts a value. Only its first 512 bytes are looked at.
func measure(v []byte) shape {
	s := shape{n: len(v), base64: true, ascii: true}
	if len(v) > 512 {
		v = v[:512]
	}
	var count [128]uint16
	run := 0
	for i, c := range v {
		count[c&127]++
		switch kinds[c] {
		case kindLower:
			s.lower++
		case kindUpper:
			s.upper++
		case kindDigit:
			s.digit++
		case kindSpace:
			s.space++
			s.base64 = false
		case kindBase64:
			s.symbol++
		case kindSymbol:
			s.symbol++
			s.base64 = false
		default:
			s.symbol++
			s.base64, s.ascii = false, false
		}
		if i > 0 && v[i-1] == c {
			run++
		} else {
			run = 1
		}
		s.longestRepeat = max(s.longestRepeat, run)
	}
	// H = log n - (1/n) sum of k log k.
	var sum float64
	for _, n := range count {
		if n > 0 {
			s.distinct++
			sum += nLogN(int(n))
		}
	}
	if n := len(v); n > 0 {
		s.entropy = (nLogN(n) - sum) / float64(n)
	}
	return s
}

const (
	kindOther = iota
	kindLower
	kindUpper
	kindDigit
	kindSpace
	kindBase64
	kindSymbol
)

// kinds is the kind of every byte.
var kinds = func() (k [256]uint8) {
	for c := range k {
		switch b := byte(c); {
		case isLower(b):
			k[c] = kindLower
		case isUpper(b):
			k[c] = kindUpper
		case isDigit(b):
			k[c] = kindDigit
		case isSpace(b):
			k[c] = kindSpace
		case b == '+' || b == '/' || b == '=' || b == '-' || b == '_':
			k[c] = kindBase64
		case b > 0x20 && b < 0x7f:
			k[c] = kindSymbol
		}
	}
	return k
}()

// nLogN is n times its binary logarithm, from a table for the usual lengths.
func nLogN(n int) float64 {
	if t := logTable(); n < len(t) {
		return t[n]
	}
	return float64(n) * math.Log2(float64(n))
}

var logTable = sync.OnceValue(func() *[513]float64 {
	var t [513]float64
	for n := 2; n < len(t); n++ {
		t[n] = float64(n) * math.Log2(float64(n))
	}
	return &t
})

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
