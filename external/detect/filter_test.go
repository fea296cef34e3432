package detect

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// everything is a filter that spares nothing.
func everything() *filter {
	f := new(filter)
	for i := range f {
		f[i] = 1<<64 - 1
	}
	return f
}

// The filter only spares work: without it the same rules fire and the same
// weights come together.
func TestFilterSparesOnlyWork(t *testing.T) {
	t.Parallel()
	quick, all := newScanner(embedded()), newScanner(embedded())
	all.telling = everything()
	rnd := rand.New(rand.NewPCG(7, 8))
	var texts []string
	for line := range strings.SplitSeq(probe, "\n") {
		texts = append(texts, line)
	}
	for _, r := range Rules() {
		texts = append(append(texts, r.Fires...), r.Quiet...)
	}
	for range 2000 {
		var b strings.Builder
		for range 1 + rnd.IntN(6) {
			a := texts[rnd.IntN(len(texts))]
			b.WriteString(a[:rnd.IntN(len(a)+1)])
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		texts = append(texts, b.String())
	}
	for _, text := range texts {
		quick.run(text, nil)
		all.run(text, nil)
		if a, b := quick.summary(), all.summary(); a != b || !slices.Equal(quick.hits, all.hits) {
			t.Fatalf("%q: %+v with %v, and without the filter %+v with %v", text, a, quick.hits, b, all.hits)
		}
	}
}
