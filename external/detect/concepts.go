package detect

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// concepts.txt says what words are about. A word of any language counts as its
// concept, so that an order is known by its parts where its words are new.
//
//go:embed concepts.txt
var conceptsFile string

const (
	stemSalt   = 0x7feb352d // keeps stems apart from words of five letters
	nearTokens = 16         // how far apart concepts may stand to count as neighbours
)

// lexicon knows the concepts of words, phrases and stems.
type lexicon struct {
	names  []string
	known  filter            // of phrases and stems
	values map[uint32]uint16 // by the hash of a phrase, its last word or a stem: concept+1; from bit 8 on, the lengths of the phrases that a word ends
}

var concepts = sync.OnceValue(func() *lexicon {
	x, err := parseConcepts(conceptsFile)
	if err != nil {
		panic("detect: " + err.Error()) // part of the program; a test parses it
	}
	return x
})

// parseConcepts reads a lexicon, or says which line of it is wrong. Of a word
// with two concepts the first counts.
func parseConcepts(text string) (*lexicon, error) {
	x := &lexicon{values: map[uint32]uint16{}}
	index := map[string]int{}
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		name, words, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("concepts: line %d has no name", n+1)
		}
		at, ok := index[name]
		if !ok {
			at = len(x.names)
			index[name], x.names = at, append(x.names, name)
		}
		for _, w := range strings.Fields(words) {
			x.add(w, uint16(at+1))
		}
	}
	return x, nil
}

func (x *lexicon) add(w string, concept uint16) {
	set := func(h uint32, v uint16) {
		if x.values[h]&0xff == 0 {
			x.values[h] |= v
		}
	}
	if s, ok := strings.CutSuffix(w, "*"); ok {
		l := lexer{s: s}
		var buf [4]tok
		if l.fill(buf[:]) > 0 {
			h := buf[0].p
			x.known.add(h ^ stemSalt)
			set(h^stemSalt, concept)
		}
		return
	}
	for _, p := range phrases(w) {
		set(p.all, concept)
		x.values[p.last] |= 1 << (8 + p.n - 1)
		x.known.addPhrase(p)
	}
}

// concept is the concept of the longest phrase that ends at token i, of whose
// last word w is known, or of its stem; 0 if none.
func (s *scanner) concept(i int, w *known) uint32 {
	for n := 3; n > 0; n-- {
		if w.about&(1<<n) != 0 {
			if c := s.words.find(s.phrase(i, n)).concept; c != 0 {
				return uint32(c)
			}
		}
	}
	if w.about&1 != 0 && w.concept != 0 {
		return uint32(w.concept)
	}
	if p := s.buf[i].p; p != 0 {
		return uint32(s.words.find(p ^ stemSalt).concept)
	}
	return 0
}

// Kinds of concept features, multiplied with their parts.
const (
	kindConcept = 0xB5297A4D
	kindNear    = 0x68E31DA5
)

// noted is a concept and where it stood.
type noted struct {
	c   uint32
	pos int
}

// about weighs the concept c of token i, with the two before it.
func (s *scanner) about(i int, c uint32) {
	start := uint32(0)
	if s.buf[i-1].p == 0 { // after a sign: perhaps an order
		start = 1
	}
	s.feature(slot(c<<1|start, kindConcept))
	a, b := s.near[0], s.near[1]
	if b.c == c { // a list of the like says nothing more
		s.near[1].pos = s.pos
		return
	}
	if d := s.pos - b.pos; d <= nearTokens {
		s.feature(slot(b.c<<16|c<<8|bucket(d), kindNear))
		s.feature(slot(max(b.c, c)<<16|min(b.c, c)<<8|0x10, kindNear))
		if s.pos-a.pos <= nearTokens {
			s.feature(slot(a.c<<16|c<<8|0x20|bucket(s.pos-a.pos), kindNear))
			x, y, z := sort3(a.c, b.c, c)
			s.feature(slot(x<<24|y<<16|z<<8|0x40, kindNear))
		}
	}
	s.near[0], s.near[1] = b, noted{c, s.pos}
}

func bucket(d int) uint32 {
	switch {
	case d <= 2:
		return 0
	case d <= 5:
		return 1
	}
	return 2
}

func sort3(a, b, c uint32) (x, y, z uint32) {
	if a > b {
		a, b = b, a
	}
	if b > c {
		b, c = c, b
	}
	if a > b {
		a, b = b, a
	}
	return a, b, c
}

// feature adds the weight of a feature to the chunk.
func (s *scanner) feature(x uint32) {
	s.sum += int(s.w[x])
	if s.tap != nil {
		s.tap(x)
	}
}
