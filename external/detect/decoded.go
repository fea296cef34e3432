package detect

import (
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/external/fold"
)

const (
	maxLayers     = 3        // encodings inside encodings
	minEscaped    = 6        // letters written as codes before a text is decoded
	minRot        = 3        // words of ROT13
	maxDecodedFor = 2        // decoded bytes of blocks for each byte of a text
	maxBelowFor   = 2        // bytes of layers below the first for each byte of a text,
	freeBelow     = 64 << 10 // and what any text may have
	codedBonus    = .6       // log-odds for an order that somebody took pains to hide
)

// layer is what a stretch of a text decodes to.
type layer struct {
	text       string
	way        way
	folded     *fold.Text // for inline codes
	start, end int        // of a block
}

// way is how a layer was decoded. What undoes itself is done once only.
type way uint8

const (
	wayInline way = 1 << iota
	wayBlock
	wayRotated
	wayTurned
	wayClosed
)

// back is the part of the source that [a, b) came from.
func (l *layer) back(a, b int) (int, int) {
	switch l.way {
	case wayInline, wayClosed:
		return l.folded.Span(a, b)
	case wayBlock:
		return l.start, l.end
	case wayTurned:
		return len(l.text) - b, len(l.text) - a
	}
	return a, b
}

// room is memory for the layers of one depth, which are looked at one after
// the other.
type room struct {
	folded fold.Text
	bytes  []byte
}

// maxKept is the size in bytes of a text whose layers' memory is kept.
const maxKept = 256 << 10

// layers yields the decodings of text that its marks, noted by the scan before,
// make worth a look, and that were not done already.
func (m *room) layers(text string, seen codes, talk rotCount, done way, yield func(layer)) {
	if seen.escaped >= minEscaped {
		if m.folded.Decode(text); !m.folded.Same() {
			yield(layer{text: m.folded.String(), way: wayInline, folded: &m.folded})
		}
	}
	if seen.long > 0 || seen.listAt > 0 {
		blocks(text, seen, yield)
	}
	if seen.tags {
		if m.folded.TagSkeleton(text); !m.folded.Same() {
			yield(layer{text: m.folded.String(), way: wayInline, folded: &m.folded})
		}
	}
	if talk.rot >= minRot && done&wayRotated == 0 {
		m.bytes = rot13(m.bytes[:0], text)
		yield(layer{text: fold.View(m.bytes), way: wayRotated})
	}
	if talk.back >= minRot && done&wayTurned == 0 {
		m.bytes = reverse(m.bytes[:0], text)
		yield(layer{text: fold.View(m.bytes), way: wayTurned})
	}
	if seen.spaced && done&wayClosed == 0 {
		m.folded.Joined(text)
		yield(layer{text: m.folded.String(), way: wayClosed, folded: &m.folded})
	}
}

// behind is how far behind the last mark of an encoding blocks are looked for:
// they may go on in shorter lines or groups.
const behind = 512

// blocks are the encoded runs of a text around where some were noted.
func blocks(text string, seen codes, yield func(layer)) {
	from := len(text)
	if seen.long > 0 {
		from = strings.LastIndexAny(text[:seen.longAt], " \n\t\r") + 1
	}
	if seen.listAt > 0 {
		from = min(from, seen.listAt-1)
	}
	left, n := maxDecodedFor*len(text)+1<<10, 0
	fold.Blocks(text[from:min(len(text), max(from, seen.until)+behind)], func(b fold.Block) bool {
		if left -= len(b.Text); left < 0 || n == 64 {
			return false
		}
		n++
		yield(layer{text: b.Text, way: wayBlock, start: from + b.Start, end: from + b.End})
		return true
	})
}

// decoded scans what the text of the last run decodes to, and raises r if any
// of it is worse. All of the first layer is read; of those below, no more than
// stands in proportion to the text.
func (s *scanner) decoded(text string, threshold float64, r *Report, depth int, done way) {
	seen, counts, talk, bonus := s.lex.seen, s.turned, s.talk, codedBonus
	if talk >= talks { // an example in an article about attacks
		bonus = 0
	}
	s.rooms[depth].layers(text, seen, counts, done, func(l layer) {
		if depth > 0 {
			if s.below -= len(l.text); s.below < 0 {
				return
			}
		}
		s.run(l.text, nil)
		s.talk += talk
		in := s.report(threshold, bonus)
		if depth+1 < maxLayers && s.coded() {
			s.decoded(l.text, threshold, &in, depth+1, done|l.way)
		}
		if !in.Flagged || in.Score <= r.Score && r.Flagged {
			return
		}
		r.Flagged, r.Score = true, max(r.Score, in.Score)
		for _, sp := range in.Spans {
			sp.Start, sp.End = l.back(sp.Start, sp.End)
			r.Spans = append(r.Spans, sp)
		}
		r.Families = append(append(r.Families, in.Families...), Encoded)
		r.tidy()
	})
}

// coded reports whether the last text may hold something encoded.
func (s *scanner) coded() bool { return s.lex.seen.any() || s.turned != (rotCount{}) }

// rotCount counts words that read as common ones in ROT13 or backwards.
type rotCount struct{ rot, back int }

// rot13 turns the letters by half the alphabet.
func rot13(b []byte, s string) []byte {
	b = append(b, s...)
	for i, c := range b {
		if letter := c | 0x20; letter-'a' < 13 {
			b[i] = c + 13
		} else if letter-'n' < 13 {
			b[i] = c - 13
		}
	}
	return b
}

// reverse turns s around, byte by byte; characters beyond ASCII are lost.
func reverse(b []byte, s string) []byte {
	b = slices.Grow(b, len(s))[:len(s)]
	for i := range len(s) {
		c := s[len(s)-1-i]
		if c >= 0x80 {
			c = ' '
		}
		b[i] = c
	}
	return b
}
