package detect

import (
	"math"
	"math/bits"
)

const (
	batch     = 256 // tokens cut at a time
	chunkSize = 16  // tokens that are weighed together
	window    = 4   // chunks in a window
	maxSpans  = 64  // reported from one text
	talks     = 3   // words about attacks that make a text an article about them
)

// scanner is the state of one scan, reused between scans.
type scanner struct {
	prog  *program
	model *Model
	slots []uint32 // by pattern
	lex   lexer
	buf   [batch]tok
	sums  [batch]int32 // weights of the tokens of buf
	h     [2]uint32    // hashes of the last tokens, newest first
	begin [3]int32     // where the last tokens start
	b, t  uint32       // hashes of the last two and three tokens

	pos   int        // tokens seen, counted on over scans
	state []progress // by element
	hits  []match

	strong uint64 // the high rules that fired
	talk   int    // words of those who write about attacks
	turned rotCount

	sum    int         // weights of the chunk so far
	ring   [window]int // sums of the last chunks
	counts [window]int // their tokens
	starts [window]int // where they began
	chunks int
	best   float64 // the heaviest window
	from   int     // where it began
	to     int
	tap    func(slot uint32) // training listens to every feature
}

// progress is how far a pattern has got: the last token of the element.
type progress struct{ pos, start int }

type match struct{ pat, start, end int }

func newScanner(m *Model) *scanner {
	p := compiled()
	s := &scanner{prog: p, model: m, state: make([]progress, p.elems), pos: chunkSize, slots: make([]uint32, len(p.pats))}
	for i, pat := range p.pats {
		s.slots[i] = patternSlot(p.rules[pat.rule].ID, pat.text)
	}
	return s
}

// reset forgets the last text.
func (s *scanner) reset(text string) {
	s.pos += 64 // nothing of before is near
	if s.pos > math.MaxInt/2 {
		clear(s.state)
		s.pos = 64
	}
	s.lex = lexer{s: text}
	s.hits, s.h, s.begin, s.b, s.t = s.hits[:0], [2]uint32{}, [3]int32{}, 0, 0
	s.strong, s.talk, s.turned = 0, 0, rotCount{}
	s.sum, s.chunks, s.best, s.from, s.to = 0, 0, math.Inf(-1), 0, 0
}

// run reads the whole text.
func (s *scanner) run(text string, endChunk func()) {
	s.reset(text)
	inChunk := 0
	for {
		n := s.lex.fill(s.buf[:])
		if n == 0 {
			break
		}
		s.weigh(n)
		for i := range n {
			if inChunk == 0 {
				s.starts[s.chunks%window] = int(s.buf[i].start)
			}
			s.token(text, &s.buf[i], s.sums[i])
			if inChunk++; inChunk == chunkSize {
				s.close(chunkSize, int(s.buf[i].end))
				inChunk = 0
				if endChunk != nil {
					endChunk()
				}
			}
		}
	}
	if inChunk > 0 || s.chunks == 0 {
		s.close(inChunk, len(text))
		if endChunk != nil {
			endChunk()
		}
	}
}

// weigh sums the weights of the first n tokens of the batch, each by itself.
// No rule is looked at here: the lookups of many tokens then overlap.
func (s *scanner) weigh(n int) {
	W := s.model.W
	h0, h1, b0, t0 := s.h[0], s.h[1], s.b, s.t
	for i := range s.buf[:n] {
		w := &s.buf[i]
		b := join(h0, w.h)
		t, q := join(b0, w.h), join(t0, w.h)
		f, k := slots(w, b, t, q, join(h1, w.h))
		sum := int32(int8(W[f[0]])) + int32(int8(W[f[1]])) + int32(int8(W[f[2]])) + int32(int8(W[f[3]]))
		if k == 5 {
			sum += int32(int8(W[f[4]]))
		}
		s.sums[i] = sum
		h1, h0, b0, t0 = h0, w.h, b, t
	}
}

// token counts one weighed token and advances the rules.
func (s *scanner) token(text string, w *tok, weight int32) {
	b := join(s.h[0], w.h)
	t, q := join(s.b, w.h), join(s.t, w.h)
	if s.tap != nil {
		f, n := slots(w, b, t, q, join(s.h[1], w.h))
		for _, x := range f[:n] {
			s.tap(x)
		}
	}
	s.sum += int(weight)
	s.pos++
	if mask := s.prog.ends[w.h>>(32-endBits)]; mask != 0 {
		s.rules(text, w, mask, [4]uint32{w.h, b, t, q})
	}
	s.h[1], s.h[0] = s.h[0], w.h
	s.begin[2], s.begin[1], s.begin[0] = s.begin[1], s.begin[0], w.start
	s.b, s.t = b, t
}

// close ends a chunk of n tokens and keeps the heaviest window.
func (s *scanner) close(n, end int) {
	at := s.chunks % window
	s.ring[at], s.counts[at] = s.sum, n
	s.sum = 0
	s.chunks++
	sum, tokens := 0, 0
	for i := 1; i <= window && i <= s.chunks; i++ {
		k := (s.chunks - i) % window
		sum, tokens = sum+s.ring[k], tokens+s.counts[k]
		if i == 3 && s.chunks > 3 {
			continue
		}
		if v := float64(sum) * norms[tokens]; v > s.best {
			s.best, s.from, s.to = v, s.starts[k], end
		}
	}
}

// plain is how many high rules fired, up to two, in a text that does not talk
// about attacks: what a rule names for certain need not be weighed.
func (s *scanner) plain() int {
	if s.talk >= talks {
		return 0
	}
	return min(2, bits.OnesCount64(s.strong))
}

// norms is Norm of the sizes a window can have.
var norms = func() (t [window*chunkSize + 1]float64) {
	for n := range t {
		t[n] = Norm(n)
	}
	return t
}()

// rules advances the patterns by the token w, which ends the phrases whose
// hashes are given, of one to four tokens; mask says which may be known.
func (s *scanner) rules(text string, w *tok, mask uint8, phrases [4]uint32) {
	for n, h := range phrases {
		if mask&(1<<n) == 0 {
			continue
		}
		for _, e := range s.prog.find(h) {
			s.step(text, e, n, w)
		}
	}
}

// step completes element e with the phrase of n+1 tokens that ends at w.
func (s *scanner) step(text string, e element, n int, w *tok) {
	start := int(w.start)
	if e.first {
		if n > 0 {
			start = int(s.begin[n-1])
		}
		if s.prog.pats[e.pat].lineStart && !lineStart(text, start) {
			return
		}
	} else {
		prev, begin := s.state[e.at-1], s.pos-n
		if prev.pos >= begin || prev.pos+1+int(e.gap) < begin {
			return
		}
		start = prev.start
	}
	s.state[e.at] = progress{s.pos, start}
	if !e.last {
		return
	}
	pat := &s.prog.pats[e.pat]
	switch s.prog.rules[pat.rule].Family {
	case discussion:
		s.talk++
		return
	case turnedRot:
		s.turned.rot++
		return
	case turnedBack:
		s.turned.back++
		return
	}
	if s.prog.rules[pat.rule].Severity == High {
		s.strong |= 1 << pat.rule
	}
	x := s.slots[e.pat]
	s.sum += int(int8(s.model.W[x]))
	if s.tap != nil {
		s.tap(x)
	}
	if len(s.hits) < maxSpans {
		s.hits = append(s.hits, match{int(e.pat), start, int(w.end)})
	}
}

// lineStart reports whether only blanks and list or quote signs stand between
// i and the line's start.
func lineStart(text string, i int) bool {
	for range 12 {
		i--
		if i < 0 || text[i] == '\n' {
			return true
		}
		switch text[i] {
		case ' ', '\t', '#', '*', '>', '-', '"', '`', '\r', '[', '(', '/':
		default:
			return false
		}
	}
	return false
}
