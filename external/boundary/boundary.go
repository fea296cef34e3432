// Package boundary takes out of a text what could pass for the border around
// external content, or for the control tokens of a model: forged begin and end
// markers and chat-template tokens, whether plain, in look-alike letters, with
// invisible characters, encoded, nested or split over lines.
package boundary

import (
	"sort"
	"strings"
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
	encoded    bool
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
	var f finder
	f.layers(s, func(a, b int) (int, int) { return a, b }, 0, false)
	return merge(f.found)
}

// finder collects forgeries from a text and from what it decodes to.
type finder struct {
	found  []Finding
	budget int // decoded bytes still to look at
	began  bool
}

// toSource maps a span of a decoded layer back to the original.
type toSource func(start, end int) (int, int)

// layers looks at s, at what its inline codes decode to, again and again, and
// at the blocks in each. Nothing grows: a layer is never longer than its source
// by more than the budget.
func (f *finder) layers(s string, back toSource, depth int, encoded bool) {
	if !f.began {
		f.began, f.budget = true, 4*len(s)+1<<16
	}
	f.skeletons(s, back, encoded)
	if depth >= maxDepth {
		return
	}
	fold.Blocks(s, func(b fold.Block) bool {
		if f.budget -= len(b.Text); f.budget < 0 {
			return false
		}
		start, end := back(b.Start, b.End)
		f.layers(b.Text, func(int, int) (int, int) { return start, end }, depth+1, true)
		return true
	})
	d := fold.Decode(s)
	if d.Same() {
		return
	}
	if f.budget -= len(d.String()); f.budget < 0 {
		return
	}
	f.layers(d.String(), func(a, b int) (int, int) { return back(d.Span(a, b)) }, depth+1, true)
}

// skeletons matches what s looks like, and what its tag characters spell.
func (f *finder) skeletons(s string, back toSource, encoded bool) {
	k := fold.Skeleton(s)
	m := matcher{k: k.String(), out: f.found, encoded: encoded, span: func(a, b int) (int, int) { return back(k.Span(a, b)) }}
	m.all()
	f.found = m.out
	if !strings.Contains(s, "\U000E0020"[:2]) { // the two bytes that all tag characters share
		return
	}
	t := fold.TagSkeleton(s)
	m = matcher{k: t.String(), out: f.found, encoded: encoded, span: func(a, b int) (int, int) { return back(t.Span(a, b)) }}
	m.all()
	f.found = m.out
}

// merge sorts findings and joins those that overlap.
func merge(in []Finding) []Finding {
	if len(in) < 2 {
		return in
	}
	sort.Slice(in, func(i, j int) bool { return in[i].Start < in[j].Start })
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

// replace puts a plain word where each finding stood.
func replace(s string, found []Finding) string {
	var b strings.Builder
	b.Grow(len(s) + len(fold.TokenGone)*len(found))
	at := 0
	for _, f := range found {
		b.WriteString(s[at:f.Start])
		switch {
		case f.Kind == Token:
			b.WriteString(fold.TokenGone)
		case f.end:
			b.WriteString(fold.EndGone)
		default:
			b.WriteString(fold.MarkerGone)
		}
		at = f.End
	}
	b.WriteString(s[at:])
	return b.String()
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
