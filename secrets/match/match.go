// Package match finds many strings at once: an Aho-Corasick automaton,
// flattened to one table look-up a byte. Letters match in either case; who
// needs the exact case compares again at the hit.
package match

import "math"

// Set is a compiled list of patterns. It does not change and is safe for
// concurrent use.
type Set struct {
	class [256]uint8
	shift uint
	next  []uint16 // (state << shift) | class → state, flagged when it has output
	depth []uint16 // state → length of the longest pattern prefix it stands for
	out   [][]uint16
	long  int
}

const (
	flag      = 1 << 15
	maxStates = flag - 1
)

// State is where a scan stands. The zero value is the beginning.
type State uint16

// MaxStates bounds a Set: New keeps shortening the longest patterns until the
// automaton fits, so callers must compare the whole pattern at a hit.
const MaxStates = maxStates

// New compiles patterns. Empty ones match nothing.
func New(patterns []string) *Set {
	limit := math.MaxInt
	for {
		b := newBuilder(patterns, limit)
		if len(b.depth) <= maxStates {
			return b.compile()
		}
		limit = min(limit, b.longest) / 2
	}
}

// Fold is the lower case of an ASCII letter, and any other byte unchanged.
func Fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// Next reads b from i on until a pattern ends. It returns the index after the
// pattern's last byte and the state to go on with, which has Hits; without a
// hit it returns len(b) and a state that has none.
func (s *Set) Next(b []byte, i int, st State) (int, State, bool) {
	cur, next, class, shift := uint(st), s.next, &s.class, s.shift
	for ; i < len(b); i++ {
		e := next[cur<<shift|uint(class[b[i]])]
		if e&flag != 0 {
			return i + 1, State(e &^ flag), true
		}
		cur = uint(e)
	}
	return i, State(cur), false
}

// Hits are the patterns that end where the scan stands, longest first.
func (s *Set) Hits(st State) []uint16 { return s.out[st] }

// Depth is how many of the last bytes could still become a pattern.
func (s *Set) Depth(st State) int { return int(s.depth[st]) }

// Longest is the length of the longest pattern as compiled.
func (s *Set) Longest() int { return s.long }
