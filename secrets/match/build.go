package match

import "math/bits"

// builder holds the trie as the table that the automaton will be: row per
// state, column per class, 0 for no child.
type builder struct {
	class   [256]uint8
	classes int
	shift   uint
	next    []uint16
	depth   []uint16
	out     [][]uint16
	longest int
}

// newBuilder makes the trie of all patterns, each cut to limit bytes. Only
// bytes that occur get a class of their own; class 0 is everything else.
func newBuilder(patterns []string, limit int) *builder {
	b := &builder{classes: 1}
	total := 1
	for _, p := range patterns {
		p = p[:min(len(p), limit)]
		total += len(p)
		for i := range len(p) {
			b.addClass(p[i])
		}
	}
	b.shift = uint(bits.Len(uint(b.classes - 1)))
	rows := min(total, maxStates+1)
	b.next = make([]uint16, 0, rows<<b.shift/2)
	b.addState(0)
	for id, p := range patterns {
		p = p[:min(len(p), limit)]
		if p == "" {
			continue
		}
		b.longest = max(b.longest, len(p))
		at := uint16(0)
		for i := range len(p) {
			if at = b.step(at, b.class[p[i]]); len(b.depth) > maxStates {
				return b
			}
		}
		b.out[at] = append(b.out[at], uint16(id))
	}
	return b
}

// addClass gives a byte, and its other case, a column.
func (b *builder) addClass(c byte) {
	c = Fold(c)
	if b.class[c] != 0 || b.classes > 255 {
		return
	}
	b.class[c] = uint8(b.classes)
	if 'a' <= c && c <= 'z' {
		b.class[c-0x20] = b.class[c]
	}
	b.classes++
}

func (b *builder) addState(depth uint16) uint16 {
	n := len(b.depth)
	b.depth = append(b.depth, depth)
	b.out = append(b.out, nil)
	size := (n + 1) << b.shift
	if cap(b.next) < size {
		grown := make([]uint16, len(b.next), size*2)
		copy(grown, b.next)
		b.next = grown
	}
	b.next = b.next[:size]
	return uint16(n)
}

func (b *builder) step(at uint16, class uint8) uint16 {
	i := int(at)<<b.shift | int(class)
	if b.next[i] == 0 {
		b.next[i] = b.addState(b.depth[at] + 1)
	}
	return b.next[i]
}

// compile walks the trie by depth and fills every missing child with the one
// of the state's failure state.
func (b *builder) compile() *Set {
	fail := make([]uint16, len(b.depth))
	queue := make([]uint16, 0, len(b.depth))
	width := 1 << b.shift
	for _, child := range b.next[:width] {
		if child != 0 {
			queue = append(queue, child)
		}
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		if inherited := b.out[fail[at]]; len(inherited) > 0 {
			b.out[at] = append(b.out[at][:len(b.out[at]):len(b.out[at])], inherited...)
		}
		row := b.next[int(at)<<b.shift:][:width]
		from := b.next[int(fail[at])<<b.shift:][:width]
		for class, child := range row {
			if child == 0 {
				row[class] = from[class]
				continue
			}
			fail[child] = from[class]
			queue = append(queue, child)
		}
	}
	for i, e := range b.next {
		if len(b.out[e]) > 0 {
			b.next[i] = e | flag
		}
	}
	return &Set{class: b.class, shift: b.shift, next: b.next, depth: b.depth, out: b.out, long: b.longest}
}
