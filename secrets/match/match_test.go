package match_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/secrets/match"
)

// find is every hit as "end:pattern".
func find(s *match.Set, text string) []string {
	var out []string
	b, i, st, hit := []byte(text), 0, match.State(0), false
	for {
		if i, st, hit = s.Next(b, i, st); !hit {
			return out
		}
		for _, p := range s.Hits(st) {
			out = append(out, fmt.Sprintf("%d:%d", i, p))
		}
	}
}

func naive(patterns []string, text string) []string {
	var out []string
	low := strings.ToLower(text)
	for end := 1; end <= len(low); end++ {
		for id, p := range patterns {
			if p != "" && strings.HasSuffix(low[:end], strings.ToLower(p)) {
				out = append(out, fmt.Sprintf("%d:%d", end, id))
			}
		}
	}
	return out
}

func TestAgainstNaive(t *testing.T) {
	alphabet := rapid.StringOfN(rapid.RuneFrom([]rune("abAB:")), 0, 5, -1)
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abABx:")), 0, 60, -1)
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfN(alphabet, 0, 8).Draw(t, "patterns")
		in := text.Draw(t, "text")
		got, want := find(match.New(patterns), in), naive(patterns, in)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("patterns %q in %q: got %v, want %v", patterns, in, got, want)
		}
	})
}

func TestDepth(t *testing.T) {
	s := match.New([]string{"secret"})
	for text, want := range map[string]int{"": 0, "xxse": 2, "xxsecre": 6 - 1, "x": 0} {
		_, st, _ := s.Next([]byte(text), 0, 0)
		if s.Depth(st) != want {
			t.Errorf("%q: depth %d, want %d", text, s.Depth(st), want)
		}
	}
}

func TestTooManyStatesAreCut(t *testing.T) {
	var long []string
	for i := range 200 {
		long = append(long, fmt.Sprintf("%03d", i)+strings.Repeat(fmt.Sprint(i%7), 400))
	}
	s := match.New(long)
	if got := find(s, "xx"+long[150]); !slices.ContainsFunc(got, func(h string) bool { return strings.HasSuffix(h, ":150") }) {
		t.Fatalf("a shortened pattern is not found: %v", got)
	}
}

func BenchmarkNext(b *testing.B) {
	var patterns []string
	for i := range 250 {
		patterns = append(patterns, fmt.Sprintf("kw%d_token%d", i, i*7))
	}
	s := match.New(patterns)
	text := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog and keeps walking;\n"), 1<<14)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, hit := s.Next(text, 0, 0); hit {
			b.Fatal("hit")
		}
	}
}
