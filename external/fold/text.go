package fold

import "sort"

// Text is a folded text with its map back. The zero value is empty, and one
// that is folded again uses its memory again: what it held before is gone.
type Text struct {
	src  string
	out  string
	step stepper
	segs []seg // none when out is src
	buf  []byte
	unit []byte // what one unit becomes, for a look
}

// stepper folds the unit of s at i: the bytes it becomes and how many it eats
// (at least one). It depends on nothing but s and i, so a map can be rebuilt from
// any unit's start.
type stepper func(buf []byte, s string, i int) ([]byte, int)

// seg is a stretch of the folded text: it begins with bytes that are the same
// in the source, the rest is stepped through.
type seg struct{ out, in, same int }

const (
	segEvery = 64 // folded bytes that are stepped through at most to find a place
	segSame  = 32 // length from which unchanged bytes begin a stretch
)

// String is the folded text. It may share memory with t: it is good until t
// folds something else.
func (t *Text) String() string { return t.out }

// Same reports whether folding changed nothing.
func (t *Text) Same() bool { return len(t.segs) == 0 }

// Span is the part of the source that the folded bytes [start, end) came from.
func (t *Text) Span(start, end int) (int, int) {
	if len(t.segs) == 0 || start >= end {
		return start, max(start, end)
	}
	a, _ := t.unitAt(start)
	_, b := t.unitAt(end - 1)
	return a, b
}

// unitAt is the source range of the unit that made the folded byte at pos.
func (t *Text) unitAt(pos int) (int, int) {
	k := sort.Search(len(t.segs), func(i int) bool { return t.segs[i].out > pos }) - 1
	m := t.segs[max(k, 0)]
	if pos < m.out+m.same {
		return m.in + pos - m.out, m.in + pos - m.out + 1
	}
	m.out, m.in = m.out+m.same, m.in+m.same
	for m.in < len(t.src) {
		b, n := t.step(t.unit[:0], t.src, m.in)
		if m.out+len(b) > pos {
			return m.in, m.in + n
		}
		m.out, m.in = m.out+len(b), m.in+n
	}
	return len(t.src), len(t.src)
}

// plain are the bytes that a fold keeps as they are: 1 for those.
type plain [256]uint8

// skip is the index of the first byte from i on that is not plain.
func (p *plain) skip(s string, i int) int {
	for i+8 <= len(s) {
		b := s[i : i+8]
		if p[b[0]]&p[b[1]]&p[b[2]]&p[b[3]]&p[b[4]]&p[b[5]]&p[b[6]]&p[b[7]] == 0 {
			break
		}
		i += 8
	}
	for i < len(s) && p[s[i]] != 0 {
		i++
	}
	return i
}

// fold applies step to every unit of s that does not start with a plain byte.
func (t *Text) fold(s string, step stepper, p *plain) {
	t.src, t.out, t.step, t.segs = s, s, step, t.segs[:0]
	first := p.skip(s, 0)
	if first < len(s) && t.unit == nil {
		t.unit = make([]byte, 0, 64)
	}
	for first < len(s) {
		b, n := step(t.unit[:0], s, first)
		if string(b) != s[first:first+n] {
			break
		}
		first = p.skip(s, first+n)
	}
	if first >= len(s) {
		return
	}
	if cap(t.buf) < len(s) {
		t.buf = make([]byte, 0, len(s)+16)
	}
	t.change(s, first, p)
}

// change is the part of fold from the first change on.
func (t *Text) change(s string, first int, p *plain) {
	out := append(t.buf[:0], s[:first]...)
	t.segs = append(t.segs, seg{0, 0, first})
	next := first + segEvery
	for i := first; i < len(s); {
		if p[s[i]] != 0 {
			j := p.skip(s, i)
			if n := j - i; n >= segSame || len(out) >= next {
				t.segs = append(t.segs, seg{len(out), i, n})
				next = len(out) + n + segEvery
			}
			out = append(out, s[i:j]...)
			i = j
			continue
		}
		if len(out) >= next {
			t.segs = append(t.segs, seg{len(out), i, 0})
			next = len(out) + segEvery
		}
		var n int
		out, n = t.step(out, s, i)
		i += n
	}
	t.buf = out
	t.out = View(out)
}
