package redact

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/match"
	"github.com/chitin-sh/chitin/secrets/scan"
)

// anchorBytes is how much of a form the automaton holds; the rest is compared
// at a hit.
const anchorBytes = 24

// table is what one list of values compiles to, when first needed.
type table struct {
	values []secrets.Value
	opts   Options
	once   sync.Once
	engine *scan.Engine // finds values and formats
	set    *match.Set   // finds values only
	forms  []form
	clean  cleanTexts
}

func newTable(values []secrets.Value, o Options) *table {
	return &table{values: slices.Clone(values), opts: o, clean: cleanTexts{seed: maphash.MakeSeed()}}
}

func (t *table) build() {
	t.forms = forms(t.values)
	anchors := make([]string, len(t.forms))
	for i, f := range t.forms {
		anchors[i] = f.text[:min(len(f.text), anchorBytes)]
	}
	if t.opts.ValuesOnly {
		t.set = match.New(anchors)
	} else {
		t.engine = scan.New(anchors)
	}
}

// find returns the secret parts of b, sorted and disjoint, and how much of b
// is settled: what follows might become a secret with the bytes to come.
func (t *table) find(b []byte, final bool) (spans []span, settled int) {
	t.once.Do(t.build)
	settled = len(b)
	value := func(pattern, end int) (span, bool) {
		f := t.forms[pattern]
		start := end - min(len(f.text), anchorBytes)
		s, open := f.at(b, start, final)
		if open {
			settled = min(settled, start)
		}
		return s, s.end > 0
	}
	depth := 0
	if t.set != nil {
		spans, depth = t.valuesIn(b, value)
	} else {
		var found []scan.Span
		found, depth = t.engine.FindOpen(b, func(pattern, end int) (scan.Span, bool) {
			s, ok := value(pattern, end)
			return scan.Span{Start: s.start, End: s.end, Rule: "value"}, ok
		})
		for _, f := range found {
			if f.Rule != weakRule {
				spans = append(spans, span{f.Start, f.End})
			}
		}
		if !final {
			settled = min(settled, tokenStart(b), openKey(b))
		}
	}
	if !final {
		settled = min(settled, len(b)-depth)
	}
	spans = merge(spans)
	for _, s := range spans {
		if s.start < settled && s.end > settled {
			settled = s.start
		}
	}
	return spans, settled
}

// weakRule finds too much to take out of somebody's text unasked.
const weakRule = "generic-key"

func (t *table) valuesIn(b []byte, value func(pattern, end int) (span, bool)) (spans []span, depth int) {
	i, st, hit := 0, match.State(0), false
	for {
		if i, st, hit = t.set.Next(b, i, st); !hit {
			return spans, t.set.Depth(st)
		}
		for _, id := range t.set.Hits(st) {
			if s, ok := value(int(id), i); ok {
				spans = append(spans, s)
			}
		}
	}
}

const (
	maxToken = 8 << 10  // longest token that is waited for
	maxKey   = 32 << 10 // longest private key that is waited for
)

// tokenStart is where the last word of b begins: it may go on.
func tokenStart(b []byte) int {
	i := len(b)
	for i > 0 && len(b)-i < maxToken && b[i-1] > ' ' {
		i--
	}
	return i
}

// openKey is where a private key begins whose end has not come yet.
func openKey(b []byte) int {
	from := max(0, len(b)-maxKey)
	i := bytes.LastIndex(b[from:], []byte("-----BEGIN "))
	if i < 0 {
		return len(b)
	}
	if end := bytes.Index(b[from+i:], []byte("-----END ")); end >= 0 && bytes.Contains(b[from+i+end+9:], []byte("-----")) {
		return len(b)
	}
	return from + i
}

// at compares the whole form at a hit. open means that b ends before the
// form does.
func (f form) at(b []byte, start int, final bool) (s span, open bool) {
	if start < 0 {
		return span{}, false
	}
	have := b[start:min(len(b), start+len(f.text))]
	if string(have) != f.text[:len(have)] {
		return span{}, false
	}
	end := start + len(f.text)
	if len(have) < len(f.text) || (f.bounded && end == len(b) && !final) {
		return span{}, !final
	}
	if f.tail > 0 && end+f.tail > len(b) && !final {
		return span{}, true
	}
	for n := 0; n < f.tail && end < len(b) && (wordByte(b[end]) || b[end] == '+' || b[end] == '/' || b[end] == '-' || b[end] == '_'); n++ {
		end++
	}
	if f.bounded && (start > 0 && wordByte(b[start-1]) || end < len(b) && wordByte(b[end])) {
		return span{}, false
	}
	return span{start, end}, false
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// merge sorts spans and joins those that overlap.
func merge(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.start < last.end {
			last.end = max(last.end, s.end)
		} else {
			out = append(out, s)
		}
	}
	return out
}
