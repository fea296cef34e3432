package detect

// filter remembers hashes: has is never false for one that was added, and
// seldom true for another. Both bits of a hash lie in one word.
type filter [1 << filterBits]uint64

const filterBits = 11 // 16 KiB, which stay in the nearest cache

func (f *filter) add(h uint32) {
	f[h>>(32-filterBits)] |= 1<<(h&63) | 1<<(h>>6&63)
}

// has is 1 or 0.
func (f *filter) has(h uint32) uint64 {
	w := f[h>>(32-filterBits)]
	return w >> (h & 63) & (w >> (h >> 6 & 63)) & 1
}

// addPhrase adds what is looked at first of a phrase: its word, or its last two.
func (f *filter) addPhrase(p phrase) {
	if p.n == 1 {
		f.add(p.all)
	} else {
		f.add(p.pair)
	}
}
