// Package boundary takes out of a text what could pass for the border around
// external content, or for the control tokens of a model: forged begin and end
// markers and chat-template tokens, whether plain, in look-alike letters, with
// invisible characters, encoded, nested or split over lines.
package boundary

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external/fold"
)

// Kind is what a finding forged.
type Kind string

// Kinds of findings.
const (
	Marker Kind = "marker" // a begin or end marker
	Token  Kind = "token"  // a control token of a chat template
)

// Finding is one thing that was taken out, by its bytes in the original.
type Finding struct {
	Kind       Kind
	Start, End int
	end        bool // an end marker
}

const (
	maxDepth  = 5 // encodings inside encodings
	maxPasses = 6 // pieces that rejoin when what is between them is taken out
)

// Clean is s without forgeries, and what they were. A text without any comes
// back as it is, without a copy. It takes time linear in len(s).
func Clean(s string) (string, []Finding) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	var all []Finding
	for pass := range maxPasses {
		found := Find(s)
		if len(found) == 0 {
			return s, all
		}
		if pass == 0 {
			all = found
		}
		s = replace(s, found)
	}
	if len(Find(s)) > 0 { // built to outlast the passes: take its brackets
		s = unbracket(s)
	}
	return s, all
}

// Find is every forgery in s, sorted and not overlapping.
func Find(s string) []Finding {
	f := finders.Get().(*finder)
	defer f.free(len(s))
	f.budget = 4*len(s) + 1<<16
	f.layers[0] = layer{text: s}
	f.look(0)
	return merge(f.found)
}

// finders are used again: the folds of a text need memory of its size.
var finders = sync.Pool{New: func() any { return new(finder) }}

// maxKept is the size in bytes of a text whose folds are kept for the next.
const maxKept = 256 << 10

// finder collects forgeries from a text and from what it decodes to.
type finder struct {
	found  []Finding
	budget int                 // decoded bytes still to look at
	layers [maxDepth + 1]layer // the text, what it decodes to, what that decodes to
	codes  [maxDepth]fold.Text // what the codes in each layer decode to
	seen   fold.Text           // the skeleton that is looked at
}

// free gives f back after a text of so many bytes.
func (f *finder) free(size int) {
	f.found = nil // it has been handed out
	f.layers = [maxDepth + 1]layer{}
	if size <= maxKept {
		finders.Put(f)
	}
}

// layer is a text, or what a stretch of the layer above decodes to.
type layer struct {
	text       string
	up         *layer     // nil for the text itself
	codes      *fold.Text // what decoded it: nil where it was a block,
	start, end int        // of which all is this stretch of up
}

// source is the part of the text itself that [a, b) came from.
func (l *layer) source(a, b int) (int, int) {
	for ; l.up != nil; l = l.up {
		if l.codes != nil {
			a, b = l.codes.Span(a, b)
		} else {
			a, b = l.start, l.end
		}
	}
	return a, b
}

// look looks at the layer of a depth, at what its inline codes decode to, again
// and again, and at the blocks in each. Nothing grows: a layer is never longer
// than its source by more than the budget.
func (f *finder) look(depth int) {
	l := &f.layers[depth]
	f.skeletons(l)
	if depth >= maxDepth {
		return
	}
	fold.Blocks(l.text, func(b fold.Block) bool {
		return f.below(depth, layer{text: b.Text, up: l, start: b.Start, end: b.End})
	})
	d := &f.codes[depth]
	if d.Decode(l.text); !d.Same() {
		f.below(depth, layer{text: d.String(), up: l, codes: d})
	}
}

// below looks at what a layer decodes to; false if that is enough.
func (f *finder) below(depth int, l layer) bool {
	if f.budget -= len(l.text); f.budget < 0 {
		return false
	}
	f.layers[depth+1] = l
	f.look(depth + 1)
	return true
}

// skeletons matches what a layer looks like, and what its tag characters spell.
func (f *finder) skeletons(l *layer) {
	f.seen.Skeleton(l.text)
	f.match(l)
	if strings.Contains(l.text, "\U000E0020"[:2]) { // the two bytes that all tag characters share
		f.seen.TagSkeleton(l.text)
		f.match(l)
	}
}

func (f *finder) match(l *layer) {
	m := matcher{k: f.seen.String(), folded: &f.seen, of: l, out: f.found}
	m.all()
	f.found = m.out
}

// merge sorts findings and joins those that overlap.
func merge(in []Finding) []Finding {
	if len(in) < 2 {
		return in
	}
	slices.SortFunc(in, func(a, b Finding) int { return a.Start - b.Start })
	out := in[:1]
	for _, f := range in[1:] {
		last := &out[len(out)-1]
		if f.Start < last.End {
			last.End = max(last.End, f.End)
			last.end = last.end || f.end
			if f.Kind == Marker {
				last.Kind = Marker
			}
			continue
		}
		out = append(out, f)
	}
	return out
}

// maxWords is the room, in bytes, for the words that stand for findings, above
// half of the size of the text: one that is made of tokens must not grow.
const maxWords = 64 << 10

// gone stands for a finding where there is no room for a word.
const gone = "*"

// replace puts a plain word where each finding stood.
func replace(s string, found []Finding) string {
	room, size := maxWords+len(s)/2, len(s)
	for _, f := range found {
		size += len(f.instead(&room)) - (f.End - f.Start)
	}
	var b strings.Builder
	b.Grow(size)
	room = maxWords + len(s)/2
	at := 0
	for _, f := range found {
		b.WriteString(s[at:f.Start])
		b.WriteString(f.instead(&room))
		at = f.End
	}
	b.WriteString(s[at:])
	return b.String()
}

// instead is what stands for f, while there is room.
func (f *Finding) instead(room *int) string {
	word := fold.MarkerGone
	switch {
	case f.Kind == Token:
		word = fold.TokenGone
	case f.end:
		word = fold.EndGone
	}
	if *room -= len(word); *room < 0 {
		return gone
	}
	return word
}

// unbracket is the last resort: no bracket, nor anything that looks like or
// decodes to one, is left in s.
func unbracket(s string) string {
	var b strings.Builder
	for _, r := range s {
		f, k := fold.Rune(r)
		switch {
		case k == fold.ASCII && strings.ContainsAny(f, "<>[]{}|&%\\=+"):
			b.WriteByte(' ')
		case k != fold.Drop && k != fold.Tag:
			b.WriteRune(r)
		}
	}
	return b.String()
}
