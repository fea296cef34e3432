package detect

import (
	"math/bits"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/internal/swar"
)

// A word's hash is made of its folded letters, in UTF-8, eight bytes at a
// time, the first in the lowest bits: the same on every machine, and the same
// whether the letters came as ASCII or had to be folded.

// stem is the number of letters of the prefix that stands for a word's forms.
const stem = 5

const (
	seed      = 0x9E3779B97F4A7C15
	spread    = 0xD6E8FEB86659FD93
	stemBytes = 1<<(8*stem) - 1
)

// blend takes the next eight bytes into a hash: the halves of a long product.
func blend(state, block uint64) uint64 {
	hi, lo := bits.Mul64(block^seed, state^spread)
	return hi ^ lo
}

// hasher hashes a word letter by letter, as plainWord does eight at a time.
type hasher struct {
	state, block uint64
	size         uint // bytes taken in
	letters      int
	p            uint32
}

// byte takes in a part of a letter.
func (h *hasher) byte(c byte) {
	h.block |= uint64(c) << (8 * (h.size & 7))
	if h.size++; h.size&7 == 0 {
		h.state, h.block = blend(h.state, h.block), 0
	}
}

// letter takes in an ASCII letter.
func (h *hasher) letter(c byte) {
	h.byte(c)
	h.count()
}

// rune takes in a letter beyond ASCII.
func (h *hasher) rune(r rune) {
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		h.byte(c)
	}
	h.count()
}

func (h *hasher) count() {
	if h.letters++; h.letters == stem {
		h.p = h.sum()
	}
}

func (h *hasher) sum() uint32 {
	state := h.state
	if h.size&7 != 0 {
		state = blend(state, h.block)
	}
	return uint32(state >> 32)
}

// sums are the hashes of the word and of its first letters.
func (h *hasher) sums() (word, prefix uint32) {
	word = h.sum()
	if h.letters < stem {
		return word, word
	}
	return word, h.p
}

// asciiLetters are v with its ASCII capitals made small, and how many of its
// bytes, from the lowest on, are ASCII letters.
func asciiLetters(v uint64) (small uint64, n int) {
	small = v | 0x20*swar.Ones
	t := small &^ swar.Highs
	in := (t + (0x80-'a')*swar.Ones) &^ (t + (0x7f-'z')*swar.Ones) &^ v
	return small, bits.TrailingZeros64(^in&swar.Highs) >> 3 // 8 if all are
}

// asciiDigits is how many bytes of v, from the lowest on, are digits.
func asciiDigits(v uint64) int {
	t := v &^ swar.Highs
	in := (t + (0x80-'0')*swar.Ones) &^ (t + (0x7f-'9')*swar.Ones) &^ v
	return bits.TrailingZeros64(^in&swar.Highs) >> 3
}
