package detect

import (
	"fmt"
	"sync"
)

// known is what rules and concepts know of a word, a phrase or a stem. The
// lengths of phrases are bits: bit n stands for phrases of n+1 words.
type known struct {
	key     uint32 // the hash; 0 for none
	hit     uint16 // its place in program.hits, +1
	concept uint8  // its concept, +1
	rare    uint8  // lengths of the phrases that end with this word, in the rarest elements of patterns,
	next    uint8  // in elements behind those,
	about   uint8  // and of those that have a concept
}

// dictionary finds what is known by its hash (open addressing).
type dictionary []known

var unknown known

func newDictionary(size int) dictionary {
	n := 64
	for n < 2*size {
		n *= 2
	}
	return make(dictionary, n)
}

// find is what is known of h; never nil.
func (d dictionary) find(h uint32) *known {
	for at := int(h); ; at++ {
		k := &d[at&(len(d)-1)]
		if k.key == h {
			return k
		}
		if k.key == 0 {
			return &unknown
		}
	}
}

// at is the entry of h, new if there is none.
func (d dictionary) at(h uint32) *known {
	for at := int(h); ; at++ {
		k := &d[at&(len(d)-1)]
		if k.key == h || k.key == 0 {
			k.key = h
			return k
		}
	}
}

// tables are what every scanner looks words up in.
type tables struct {
	prog    *program
	names   int // concepts
	words   dictionary
	telling filter // of what words has that a text must hold before anything else matters
}

var shelf = sync.OnceValue(func() *tables {
	t, err := newTables(compiled(), concepts())
	if err != nil {
		panic("detect: " + err.Error()) // part of the program; a test builds them
	}
	return t
})

func newTables(p *program, x *lexicon) (*tables, error) {
	t := &tables{prog: p, names: len(x.names), words: newDictionary(len(p.index) + len(p.ends) + len(x.values))}
	for h, n := range p.index {
		t.words.at(h).hit = uint16(n + 1)
	}
	for h, lens := range p.ends {
		k := t.words.at(h)
		k.rare, k.next = lens&0xf, lens>>4
	}
	for h, v := range x.values {
		k := t.words.at(h)
		k.concept, k.about = uint8(v), uint8(v>>8)
	}
	for i := range t.telling {
		t.telling[i] = p.rare[i] | x.known[i]
	}
	if unknown != (known{}) || t.words.find(0).key != 0 {
		return nil, fmt.Errorf("a word has no hash")
	}
	return t, nil
}
