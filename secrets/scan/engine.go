// Package scan finds secrets in text: configuration, source and logs. One
// automaton pass stops at assignments, addresses, key headers and the
// prefixes of providers' formats; what is found there is then judged by the
// field's name and the form of the value. Things that only look like secrets
// (identifiers, digests, public keys, references, placeholders) stay quiet.
package scan

import (
	"slices"
	"sync"

	"github.com/chitin-sh/chitin/secrets/match"
)

// Span is one secret in a text, as byte offsets, and the rule that found it.
type Span struct {
	Rule       string
	Start, End int
	Key        string // the field's name, when there is one
}

type action uint8

const (
	onColon action = iota
	onEquals
	onAddress
	onPEM
	onJWT
	onAuth
	onKubernetes
	onTag
	onRule
	onCaller
)

type target struct {
	do action
	id int // of the rule or the caller's pattern
}

// Engine is a compiled set of detectors. It is safe for concurrent use.
type Engine struct {
	rules   *ruleSet
	set     *match.Set
	targets [][]target
}

// Default is the engine without patterns of a caller's own, built when first
// asked for.
var Default = sync.OnceValue(func() *Engine { return New(nil) })

// New builds an engine. The patterns are a caller's own: Find reports where
// they end and the caller says what they mean.
func New(patterns []string) *Engine {
	e := &Engine{rules: newRuleSet()}
	index := map[string]int{}
	var all []string
	add := func(p string, t target) {
		at, ok := index[p]
		if !ok {
			at = len(all)
			index[p] = at
			all = append(all, p)
			e.targets = append(e.targets, nil)
		}
		e.targets[at] = append(e.targets[at], t)
	}
	for p, do := range map[string]action{
		":": onColon, "=": onEquals, "://": onAddress, "-----begin ": onPEM, "putty-user-key-file-": onPEM, "eyj": onJWT, "ls0tls1crudjti": onJWT,
		"bearer ": onAuth, "basic ": onAuth, "kind: secret": onKubernetes, `"kind": "secret"`: onKubernetes, "</": onTag,
	} {
		add(p, target{do: do})
	}
	for i := range e.rules.rules {
		for _, k := range keywordsOf(&e.rules.rules[i]) {
			add(k, target{onRule, i})
		}
	}
	for i, p := range patterns {
		add(p, target{onCaller, i})
	}
	e.set = match.New(all)
	return e
}

// pass is one run over one text.
type pass struct {
	e     *Engine
	b     []byte
	spans []Span
	// skip is where the assignment that was judged last ends: what is inside
	// it is not judged again.
	skip int
	// ruleLine remembers the line on which a rule was tried last.
	ruleLine map[int]int
}

// Find returns the secrets in b, sorted and without overlaps. caller is told
// where the caller's own patterns end and returns the span they stand for.
func (e *Engine) Find(b []byte, caller func(pattern, end int) (Span, bool)) []Span {
	spans, _ := e.FindOpen(b, caller)
	return spans
}

// FindOpen is Find for a text that goes on: open is how many of its last
// bytes could be the beginning of a pattern.
func (e *Engine) FindOpen(b []byte, caller func(pattern, end int) (Span, bool)) (spans []Span, open int) {
	p := pass{e: e, b: b}
	i, st, hit := 0, match.State(0), false
	for {
		if i, st, hit = e.set.Next(b, i, st); !hit {
			break
		}
		for _, h := range e.set.Hits(st) {
			for _, t := range e.targets[h] {
				p.at(t, i, caller)
			}
		}
	}
	return tidy(p.spans), e.set.Depth(st)
}

func (p *pass) at(t target, end int, caller func(pattern, end int) (Span, bool)) {
	if t.do == onCaller {
		if s, ok := caller(t.id, end); ok {
			p.spans = append(p.spans, s)
		}
		return
	}
	if n := len(p.spans); n > 0 && end <= p.spans[n-1].End && t.do != onKubernetes {
		return
	}
	switch t.do {
	case onColon, onEquals:
		if end > p.skip {
			p.assignment(end-1, t.do == onEquals)
		}
	case onAddress:
		if end > p.skip {
			p.address(end)
		}
	case onPEM:
		p.pem(end)
	case onJWT:
		p.encoded(end)
	case onAuth:
		p.authorization(end)
	case onKubernetes:
		p.kubernetes(end)
	case onTag:
		p.element(end - 2)
	case onRule:
		p.rule(t.id, end)
	}
}

func (p *pass) add(rule string, start, end int, key []byte) {
	p.spans = append(p.spans, Span{Rule: rule, Start: start, End: end, Key: string(key)})
}

// rule applies the expression of a rule to the line around a keyword, once a
// line.
func (p *pass) rule(id, end int) {
	from, to := p.line(end, 200, 1500)
	if last, ok := p.ruleLine[id]; ok && last == from+1 && end-from < 200 {
		return
	}
	if !hasLongToken(p.b[from:to]) {
		return
	}
	if p.ruleLine == nil {
		p.ruleLine = map[int]int{}
	}
	p.ruleLine[id] = from + 1
	if a, b, ok := p.e.rules.match(id, p.b[from:to]); ok && !isPublic(p.b[from+a:from+b]) {
		p.add(p.e.rules.rules[id].id, from+a, from+b, nil)
	}
}

// line is the part of the line around pos within some distance of it.
func (p *pass) line(pos, before, after int) (from, to int) {
	from, to = pos, pos
	for from > 0 && pos-from < before && p.b[from-1] != '\n' {
		from--
	}
	for to < len(p.b) && to-pos < after && p.b[to] != '\n' {
		to++
	}
	return from, to
}

// hasLongToken reports whether there is anything on a line that could be a
// provider's token.
func hasLongToken(line []byte) bool {
	run := 0
	for _, c := range line {
		if isToken(c) || c == '/' || c == '+' || c == '=' {
			if run++; run >= 18 {
				return true
			}
		} else {
			run = 0
		}
	}
	return false
}

// tidy sorts spans and keeps the first of those that overlap, widened to
// cover the others.
func tidy(spans []Span) []Span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortStableFunc(spans, func(a, b Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.End - a.End
	})
	out := spans[:1]
	for _, s := range spans[1:] {
		last := &out[len(out)-1]
		if s.Start >= last.End {
			out = append(out, s)
			continue
		}
		last.End = max(last.End, s.End)
		if last.Key == "" {
			last.Key = s.Key
		}
	}
	return out
}
