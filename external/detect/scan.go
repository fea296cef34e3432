package detect

import (
	"math"
)

const (
	batch     = 256 // tokens cut at a time
	reach     = 48  // tokens of the batch before that are kept
	chunkSize = 16  // tokens that are weighed together
	window    = 4   // chunks in a window
	maxSpans  = 64  // reported from one text
	talks     = 3   // words about attacks that make a text an article about them,
	talkEvery = 10  // if every so many chunks has one
)

// scanner is the state of one scan, reused between scans.
type scanner struct {
	near    [2]noted // the last concepts
	prog    *program
	model   *Model
	w       *[Slots]int8 // the model's weights
	slots   []uint32     // by pattern
	lex     lexer
	buf     [reach + batch]tok // the last tokens of the batch before, and the batch
	sums    [batch + 1]int32   // weights of the tokens of the batch before each
	words   dictionary
	telling *filter
	told    [batch + 1]int32 // the tokens of buf that telling has

	pos   int        // tokens seen, counted on over scans
	open  int        // the last token that may go on with a pattern,
	lasts uint64     // and bits of those that do
	state []progress // by element
	hits  []match

	strong uint64 // the high rules that fired
	hints  uint64 // the others
	sure   bool   // one of them needs no weighing
	quotes int    // rules that fired in quotations
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
	rooms  [maxLayers]room
	below  int               // bytes of layers below the first that may still be read
	tap    func(slot uint32) // training listens to every feature
}

// progress is how far a pattern has got: the last token of the element.
type progress struct{ pos, start int }

type match struct{ pat, start, end int }

func newScanner(m *Model) *scanner {
	t := shelf()
	p := t.prog
	s := &scanner{prog: p, words: t.words, telling: &t.telling, model: m, w: m.table(), state: make([]progress, p.elems), pos: chunkSize, slots: make([]uint32, len(p.pats))}
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
	s.open = 0
	s.lex = lexer{s: text}
	s.hits = s.hits[:0]
	clear(s.buf[:reach])
	s.near = [2]noted{{pos: -64}, {pos: -64}}
	s.quotes = 0
	s.strong, s.hints, s.sure, s.talk, s.turned = 0, 0, false, 0, rotCount{}
	s.sum, s.chunks, s.best, s.from, s.to = 0, 0, math.Inf(-1), 0, 0
}

// run reads the whole text.
func (s *scanner) run(text string, endChunk func()) {
	s.reset(text)
	inChunk := 0
	for {
		n := s.lex.fill(s.buf[reach:])
		if n == 0 {
			break
		}
		s.weigh(n)
		told := s.told[:]
		base, stop := s.pos-reach+1, reach+n
		for i := reach; i < stop; {
			if inChunk == 0 {
				s.starts[s.chunks%window] = int(s.buf[i].start)
			}
			end := min(stop, i+chunkSize-inChunk)
			inChunk += end - i
			s.sum += int(s.sums[end-reach] - s.sums[i-reach])
			for i < end {
				next := min(end, int(told[0]))
				if s.tap != nil {
					next = i
				}
				for ; i < next && base+i <= s.open; i++ {
					if s.lasts&lastBit(s.buf[i].h) != 0 {
						if w := s.words.find(s.buf[i].h); w.next != 0 {
							s.pos = base + i
							s.rules(text, i, w)
						}
					}
				}
				if i = next; i == end {
					break
				}
				if s.pos = base + i; i == int(told[0]) {
					told = told[1:]
					w := s.words.find(s.buf[i].h)
					if w.rare|w.next != 0 {
						s.rules(text, i, w)
					}
					if c := s.concept(i, w); c != 0 {
						s.about(i, c)
					}
				} else if s.pos <= s.open {
					if w := s.words.find(s.buf[i].h); w.next != 0 {
						s.rules(text, i, w)
					}
				}
				if s.tap != nil {
					s.listen(i)
				}
				i++
			}
			if inChunk == chunkSize {
				s.close(chunkSize, int(s.buf[end-1].end))
				inChunk = 0
				if endChunk != nil {
					endChunk()
				}
			}
		}
		s.pos = base + stop - 1
		copy(s.buf[:reach], s.buf[n:n+reach])
	}
	if inChunk > 0 || s.chunks == 0 {
		s.close(inChunk, len(text))
		if endChunk != nil {
			endChunk()
		}
	}
}

// weigh sums the weights of the n tokens of the batch, each by itself, and
// notes which of them rules or concepts may know. No rule is looked at here:
// the lookups of many tokens then overlap, and nothing is to be foretold.
func (s *scanner) weigh(n int) {
	W, telling := s.w, s.telling
	h1, h0 := s.buf[reach-2].h*joinFirst, s.buf[reach-1].h*joinFirst
	b0 := join(s.buf[reach-2].h, s.buf[reach-1].h) * joinFirst
	t0 := join(join(s.buf[reach-3].h, s.buf[reach-2].h), s.buf[reach-1].h) * joinFirst
	buf, sums, told, k := s.buf[reach:reach+n], s.sums[1:n+1], &s.told, 0
	sum := int32(0)
	for i := range buf {
		h, p := buf[i].h, buf[i].p
		b, t := (h0^h)*joinLast, (b0^h)*joinLast
		skip, four := (h1^h)*joinLast*kindSkip, (t0^h)*joinLast*kindFour
		word := -nonzero(p)
		sum += int32(W[slot(h, kindWord)]) + int32(W[slot(b, kindPair)]) + int32(W[slot(t, kindTriple)]) +
			int32(W[(skip&word|four&^word)>>(32-modelBits)]) + int32(W[slot(p, kindStem)])&int32(word)
		sums[i] = sum
		told[k] = int32(reach + i)
		k += int(telling.has(h) | telling.has(b) | telling.has(p^stemSalt))
		h1, h0, b0, t0 = h0, h*joinFirst, b*joinFirst, t*joinFirst
	}
	told[k] = math.MaxInt32
}

// listen tells the tap the features of the token at i.
func (s *scanner) listen(i int) {
	w, p := &s.buf[i], s.phrases(i)
	f, n := slots(w, p[1], p[2], p[3], join(s.buf[i-2].h, w.h))
	for _, x := range f[:n] {
		s.tap(x)
	}
}

// phrases are the hashes of the one to four tokens that end at i.
func (s *scanner) phrases(i int) [4]uint32 {
	h, h1, h2, h3 := s.buf[i].h, s.buf[i-1].h, s.buf[i-2].h, s.buf[i-3].h
	b := join(h2, h1)
	return [4]uint32{h, join(h1, h), join(b, h), join(join(join(h3, h2), h1), h)}
}

// phrase is the hash of the n+1 tokens that end at i.
func (s *scanner) phrase(i, n int) uint32 {
	h := s.buf[i-n].h
	for k := i - n + 1; k <= i; k++ {
		h = join(h, s.buf[k].h)
	}
	return h
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

// norms is Norm of the sizes a window can have.
var norms = func() (t [window*chunkSize + 1]float64) {
	for n := range t {
		t[n] = Norm(n)
	}
	return t
}()
