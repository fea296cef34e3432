package detect

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Rule is one thing to look for. A pattern is a row of elements between
// blanks; an element is words or phrases (a_phrase) divided by "|", or one or
// two signs; "~3" allows up to three other tokens before the next element.
// A leading "^" wants the start of a line. Words are folded as texts are.
type Rule struct {
	ID       string
	Family   Family
	Severity string // high, medium or low
	Sure     bool   // flags a text that neither quotes it nor is about attacks
	Patterns []string
	Fires    []string // examples that must match
	Quiet    []string // examples that must not
}

// Severities of rules. A high rule says that the text gives an order to a
// model; a low one is only weighed.
const (
	High   = "high"
	Medium = "medium"
	Low    = "low"
)

// Rules are all rules, in the order of their families.
func Rules() []Rule {
	var all []Rule
	for _, list := range [][]Rule{sureRules, overrideRules, roleRules, extractionRules, toolRules, exfiltrationRules, turnRules, triggerRules, hiddenRules, otherRules, plantRules} {
		all = append(all, list...)
	}
	return all
}

// program is the rules, compiled: by the hash of a phrase, what elements it
// completes. Of every pattern the rarest element is looked for in the text;
// those before it are looked for backwards once it is there.
type program struct {
	rules []Rule
	pats  []pattern
	index map[uint32]int   // by the hash of a phrase, its place in hits
	ends  map[uint32]uint8 // by the last word of phrases: see known; from bit 4 on, next
	rare  filter           // of the phrases of rarest elements
	hits  []hit
	elems int      // elements of all patterns
	gaps  []uint8  // by element: the tokens allowed before it
	lens  []uint8  // by element: bit n if it has phrases of n+1 words
	lasts []uint64 // by element: bits of the last words of its phrases
	of    []uint32 // open addressing: phrase and element, 0 for none
	pairs []uint32 // what goes into it
}

// hit are the elements that a phrase completes.
type hit struct {
	rare []element // the rarest of their patterns
	next []element // behind that
}

// lastBit stands for a last word among those of an element.
func lastBit(h uint32) uint64 { return 1 << (h >> 26) }

type pattern struct {
	rule      int
	text      string
	lineStart bool
}

// element is one element of a pattern.
type element struct {
	pat, at uint16 // its pattern, and its number among all elements
	n, gap  uint8  // its place in the pattern, and the tokens allowed before it
	last    bool
}

var compiled = sync.OnceValue(func() *program {
	p, err := compile(append(Rules(), contextRules...))
	if err != nil {
		panic("detect: " + err.Error()) // the rule list is part of the program; a test compiles it
	}
	return p
})

// compile turns rules into a program, or says which pattern is wrong.
func compile(rules []Rule) (*program, error) {
	p := &program{rules: rules, index: map[uint32]int{}, ends: map[uint32]uint8{}}
	for r, rule := range rules {
		for _, text := range rule.Patterns {
			if err := p.add(r, text); err != nil {
				return nil, fmt.Errorf("rule %s: pattern %q: %w", rule.ID, text, err)
			}
		}
	}
	for _, h := range p.hits { // later elements first: a word must not follow itself
		slices.SortStableFunc(h.next, func(a, b element) int { return int(b.n) - int(a.n) })
	}
	p.setMembers()
	return p, nil
}

func (p *program) add(rule int, text string) error {
	pat := pattern{rule: rule, text: text, lineStart: strings.HasPrefix(text, "^")}
	fields := strings.Fields(strings.TrimPrefix(text, "^"))
	var found [][]phrase
	gap, rare, least := 0, 0, 0.0
	for _, f := range fields {
		if len(f) == 2 && f[0] == '~' && f[1] >= '0' && f[1] <= '9' {
			gap = int(f[1] - '0')
			continue
		}
		all := phrases(f)
		if len(all) == 0 {
			return fmt.Errorf("%q is no word", f)
		}
		if c := commonness(f); len(found) == 0 || c < least {
			rare, least = len(found), c
		}
		found, p.gaps = append(found, all), append(p.gaps, uint8(gap))
		gap = 0
	}
	if len(found) == 0 || gap != 0 {
		return fmt.Errorf("no elements, or a gap at the end")
	}
	for i, all := range found {
		lens, lasts := uint8(0), uint64(0)
		for _, h := range all {
			lens |= 1 << (h.n - 1)
			lasts |= lastBit(h.last)
			p.pairs = append(p.pairs, pairHash(uint16(p.elems), h.all))
			if i >= rare {
				p.hit(h, element{
					pat: uint16(len(p.pats)), at: uint16(p.elems), n: uint8(i), gap: p.gaps[p.elems], last: i == len(found)-1,
				}, i == rare)
			}
		}
		p.lens, p.lasts = append(p.lens, lens), append(p.lasts, lasts)
		p.elems++
	}
	p.pats = append(p.pats, pat)
	return nil
}

// hit notes that a phrase completes e.
func (p *program) hit(h phrase, e element, rare bool) {
	at, ok := p.index[h.all]
	if !ok {
		at = len(p.hits)
		p.index[h.all], p.hits = at, append(p.hits, hit{})
	}
	bit := uint8(1) << (h.n - 1)
	if rare {
		p.hits[at].rare = append(p.hits[at].rare, e)
		p.rare.addPhrase(h)
	} else {
		p.hits[at].next = append(p.hits[at].next, e)
		bit <<= 4
	}
	p.ends[h.last] |= bit
}

// pairHash stands for a phrase in an element.
func pairHash(at uint16, h uint32) uint32 {
	x := (h ^ uint32(at)*0x9E3779B1) * 0x85EBCA6B
	return max(1, x^x>>15)
}

// setMembers fills the table of phrases by element.
func (p *program) setMembers() {
	size := 1
	for size < 3*len(p.pairs) {
		size *= 2
	}
	p.of = make([]uint32, size)
	for _, x := range p.pairs {
		at := int(x) & (size - 1)
		for p.of[at] != 0 && p.of[at] != x {
			at = (at + 1) & (size - 1)
		}
		p.of[at] = x
	}
	p.pairs = nil
}

// member reports whether the phrase with hash h is one of an element.
func (p *program) member(at uint16, h uint32) bool {
	x, mask := pairHash(at, h), len(p.of)-1
	for i := int(x) & mask; p.of[i] != 0; i = (i + 1) & mask {
		if p.of[i] == x {
			return true
		}
	}
	return false
}
