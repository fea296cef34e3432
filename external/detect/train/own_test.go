package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestGrammar(t *testing.T) {
	t.Parallel()
	g := grammar{lists: map[string]string{}, rnd: rand.New(rand.NewPCG(1, 2))}
	if err := g.parse("= fruit\napple|pear\n\n@ calm 3\n{a|an} $fruit{!|}\\n\n@ bad explicit 2\nx"); err != nil {
		t.Fatal(err)
	}
	if len(g.sets) != 2 || g.sets[0].tier != "-" || g.sets[1].tier != "explicit" || g.sets[0].count != 3 {
		t.Fatalf("sets: %+v", g.sets)
	}
	for range 50 {
		got := g.expand(g.sets[0].template, 0)
		want := []string{"a apple", "a pear", "an apple", "an pear"}
		if !slices.Contains(want, strings.TrimRight(got, "!\n")) || !strings.HasSuffix(got, "\n") {
			t.Errorf("made %q", got)
		}
	}
	if g.parse("@ one two three four\nx") == nil {
		t.Error("a set without a count is taken")
	}
}

// No template names a list that is not there, and none is left unopened.
func TestOwnTemplates(t *testing.T) {
	t.Parallel()
	g := grammar{lists: map[string]string{}, rnd: rand.New(rand.NewPCG(1, 2))}
	if err := g.parseOwn(); err != nil {
		t.Fatal(err)
	}
	for _, s := range g.sets {
		for range 40 {
			if text := g.expand(s.template, 0); strings.Contains(text, "$benign") || strings.Contains(text, "$say") || strings.Contains(text, "$harm") {
				t.Errorf("%s: %q", s.name, text)
			}
		}
		if strings.Count(s.template, "{")-strings.Count(s.template, `\{`) != strings.Count(s.template, "}")-strings.Count(s.template, `\}`) {
			t.Errorf("%s: braces do not match", s.name)
		}
	}
}
