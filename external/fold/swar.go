package fold

import "math/bits"

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// load8 are the eight bytes of s at i, the first in the lowest bits.
func load8(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// lastBlank is the place of the last of eight bytes that is a blank or a
// control; -1 if none is.
func lastBlank(v uint64) int {
	visible := v&^highs + (0x7f-' ')*ones | v
	return bits.Len64(^visible&highs)>>3 - 1
}

// twoCapitals reports whether two of eight bytes are capitals or digits.
func twoCapitals(v uint64) bool {
	t := v &^ highs
	m := ((t+(0x80-'A')*ones)&^(t+(0x7f-'Z')*ones) | (t+(0x80-'0')*ones)&^(t+(0x7f-'9')*ones)) &^ v & highs
	return m&(m-1) != 0
}
