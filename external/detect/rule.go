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
	for _, list := range [][]Rule{overrideRules, roleRules, extractionRules, toolRules, exfiltrationRules, turnRules, triggerRules, hiddenRules, otherRules} {
		all = append(all, list...)
	}
	return all
}

// program is the rules, compiled: by the hash of the last word of a phrase,
// what elements it completes.
type program struct {
	rules []Rule
	pats  []pattern
	ends  [1 << endBits]uint8 // by the last word of phrases: bit n for phrases of n+1 words
	keys  []uint32            // open addressing: hash of a phrase
	vals  []uint16            // its place in hits, +1
	hits  [][]element
	elems int // elements of all patterns
}

const endBits = 15

type pattern struct {
	rule      int
	text      string
	length    int // elements
	lineStart bool
}

// element is one element of a pattern.
type element struct {
	pat, at     uint16 // its pattern, and its number among all elements
	n, gap      uint8  // its place in the pattern, and the tokens allowed before it
	first, last bool
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
	p := &program{rules: rules}
	index := map[uint32]int{}
	for r, rule := range rules {
		for _, text := range rule.Patterns {
			if err := p.add(r, text, index); err != nil {
				return nil, fmt.Errorf("rule %s: pattern %q: %w", rule.ID, text, err)
			}
		}
	}
	for _, h := range p.hits { // later elements first: a word must not follow itself
		slices.SortStableFunc(h, func(a, b element) int { return int(b.n) - int(a.n) })
	}
	size := 1
	for size < 4*len(index) {
		size *= 2
	}
	p.keys, p.vals = make([]uint32, size), make([]uint16, size)
	for h, n := range index {
		at := int(h) & (size - 1)
		for p.vals[at] != 0 {
			at = (at + 1) & (size - 1)
		}
		p.keys[at], p.vals[at] = h, uint16(n+1)
	}
	return p, nil
}

func (p *program) add(rule int, text string, index map[uint32]int) error {
	pat := pattern{rule: rule, text: text}
	fields := strings.Fields(strings.TrimPrefix(text, "^"))
	lastField := len(fields) - 1
	pat.lineStart = strings.HasPrefix(text, "^")
	gap := 0
	for i, f := range fields {
		if len(f) == 2 && f[0] == '~' && f[1] >= '0' && f[1] <= '9' {
			gap = int(f[1] - '0')
			continue
		}
		all := phrases(f)
		if len(all) == 0 {
			return fmt.Errorf("%q is no word", f)
		}
		for _, h := range all {
			at, ok := index[h.all]
			if !ok {
				at = len(p.hits)
				index[h.all], p.hits = at, append(p.hits, nil)
			}
			p.hits[at] = append(p.hits[at], element{
				pat: uint16(len(p.pats)), at: uint16(p.elems), n: uint8(pat.length), gap: uint8(gap),
				first: pat.length == 0, last: i == lastField,
			})
			p.ends[h.last>>(32-endBits)] |= 1 << (h.n - 1)
		}
		pat.length++
		p.elems++
		gap = 0
	}
	if pat.length == 0 || gap != 0 {
		return fmt.Errorf("no elements, or a gap at the end")
	}
	p.pats = append(p.pats, pat)
	return nil
}

// find is the elements that the phrase with hash h completes.
func (p *program) find(h uint32) []element {
	mask := len(p.keys) - 1
	for at := int(h) & mask; p.vals[at] != 0; at = (at + 1) & mask {
		if p.keys[at] == h {
			return p.hits[p.vals[at]-1]
		}
	}
	return nil
}

type phrase struct {
	all, last uint32
	n         int // tokens
}

// phrases are the hashes of the alternatives of an element. An alternative of
// signs that do not matter between words is none.
func phrases(f string) (out []phrase) {
	if f == "|" {
		return signPhrases(f)
	}
	for alt := range strings.SplitSeq(f, "|") {
		if signs := signPhrases(alt); signs != nil {
			out = append(out, signs...)
			continue
		}
		l := lexer{s: strings.ReplaceAll(alt, "_", " ")}
		var buf [16]tok
		if n := l.fill(buf[:]); n > 0 {
			out = append(out, hashPhrase(buf[:n]))
		}
	}
	return out
}

func signPhrases(f string) (out []phrase) {
	for _, g := range signClasses(f) {
		l := lexer{gap: g}
		h := l.sign().h
		out = append(out, phrase{h, h, 1})
	}
	return out
}

// hashPhrase joins the tokens of a phrase as the scanner does. Of a long phrase,
// its last four tokens stand for it.
func hashPhrase(t []tok) phrase {
	if len(t) > 4 {
		t = t[len(t)-4:]
	}
	p := phrase{n: min(len(t), 4)}
	for i, w := range t {
		if i == 0 {
			p.all = w.h
		} else {
			p.all = join(p.all, w.h)
		}
		p.last = w.h
	}
	return p
}

// join is the hash of two neighbours.
func join(a, b uint32) uint32 { return (a*0x01000193 ^ b) * 0x85EBCA6B }

// signClasses are the signs that an element of one or two signs matches; nil
// if it is words.
func signClasses(f string) (out []uint32) {
	if len(f) == 0 || len(f) > 2 {
		return nil
	}
	a := uint32(sign[f[0]])
	if a == 0 {
		return nil
	}
	if len(f) == 2 {
		b := uint32(sign[f[1]])
		if b == 0 {
			return nil
		}
		return []uint32{a | b<<5}
	}
	for b := uint32(0); b <= paragraph; b++ {
		if b != a {
			out = append(out, a|b<<5)
		}
	}
	return out
}
