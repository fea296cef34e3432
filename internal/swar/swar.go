// Package swar looks at the eight bytes of a word at once.
package swar

// Ones has the lowest bit of every byte, Highs the highest.
const (
	Ones  = 0x0101010101010101
	Highs = 0x8080808080808080
)

// Load8 are the eight bytes of s at i, the first in the lowest bits, on every
// machine. It panics if there are fewer.
func Load8(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
