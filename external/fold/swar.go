package fold

import (
	"math/bits"

	"github.com/chitin-sh/chitin/internal/swar"
)

// lastBlank is the place of the last of eight bytes that is a blank or a
// control; -1 if none is.
func lastBlank(v uint64) int {
	visible := v&^swar.Highs + (0x7f-' ')*swar.Ones | v
	return bits.Len64(^visible&swar.Highs)>>3 - 1
}

// twoCapitals reports whether two of eight bytes are capitals or digits.
func twoCapitals(v uint64) bool {
	t := v &^ swar.Highs
	m := ((t+(0x80-'A')*swar.Ones)&^(t+(0x7f-'Z')*swar.Ones) | (t+(0x80-'0')*swar.Ones)&^(t+(0x7f-'9')*swar.Ones)) &^ v & swar.Highs
	return m&(m-1) != 0
}
