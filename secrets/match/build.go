package match

import "math/bits"

type node struct {
	child map[uint8]int32
	fail  int32
	depth uint16
	out   []uint16
}

type builder struct {
	class   [256]uint8
	classes int
	nodes   []node
	longest int
}

// newBuilder makes the trie of all patterns, each cut to limit bytes. Only
// bytes that occur get a class of their own; class 0 is everything else.
func newBuilder(patterns []string, limit int) *builder {
	b := &builder{classes: 1, nodes: []node{{}}}
	for id, p := range patterns {
		p = p[:min(len(p), limit)]
		if p == "" {
			continue
		}
		b.longest = max(b.longest, len(p))
		at := int32(0)
		for i := range len(p) {
			at = b.step(at, b.classOf(p[i]))
			if len(b.nodes) > maxStates {
				return b
			}
		}
		b.nodes[at].out = append(b.nodes[at].out, uint16(id))
	}
	return b
}

func (b *builder) classOf(c byte) uint8 {
	c = Fold(c)
	if b.class[c] == 0 {
		if b.classes > 255 {
			return 0
		}
		b.class[c] = uint8(b.classes)
		if 'a' <= c && c <= 'z' {
			b.class[c-0x20] = b.class[c]
		}
		b.classes++
	}
	return b.class[c]
}

func (b *builder) step(at int32, class uint8) int32 {
	if next, ok := b.nodes[at].child[class]; ok {
		return next
	}
	if b.nodes[at].child == nil {
		b.nodes[at].child = map[uint8]int32{}
	}
	next := int32(len(b.nodes))
	b.nodes = append(b.nodes, node{depth: b.nodes[at].depth + 1})
	b.nodes[at].child[class] = next
	return next
}

// compile walks the trie by depth, fills in failure transitions and flattens
// them into the table.
func (b *builder) compile() *Set {
	shift := uint(bits.Len(uint(b.classes - 1)))
	s := &Set{class: b.class, shift: shift, long: b.longest, next: make([]uint16, len(b.nodes)<<shift), depth: make([]uint16, len(b.nodes)), out: make([][]uint16, len(b.nodes))}
	queue := []int32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		n := &b.nodes[at]
		s.depth[at] = n.depth
		if at != 0 {
			n.out = append(n.out, b.nodes[n.fail].out...)
			// Until its own children overwrite them, a state goes where
			// its failure state goes.
			copy(s.next[int(at)<<shift:int(at+1)<<shift], s.next[int(n.fail)<<shift:int(n.fail+1)<<shift])
		}
		s.out[at] = n.out
		for class, next := range n.child {
			if at != 0 {
				b.nodes[next].fail = int32(s.next[int(at)<<shift|int(class)] &^ flag)
			}
			queue = append(queue, next)
		}
		for class, next := range n.child {
			s.next[int(at)<<shift|int(class)] = uint16(next)
		}
	}
	for i, e := range s.next {
		if len(s.out[e]) > 0 {
			s.next[i] = e | flag
		}
	}
	return s
}
