// Package detect finds instructions in text that should hold none: attempts to
// override, re-role, spoof or extract, in many languages and encodings. It
// reads a text once, as folded words; rules name what they know, a small
// linear model weighs the rest. Detection labels; it blocks nothing.
package detect

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Family is a kind of attack.
type Family string

// Span is a piece of the original text that something fired on, in bytes.
type Span struct {
	Start    int    `json:"start"`
	End      int    `json:"end"`
	Rule     string `json:"rule"`
	Family   Family `json:"family"`
	Severity string `json:"severity"`
}

// Report is what a scan found. Score is the calibrated probability that the
// text tries to instruct its reader.
type Report struct {
	Flagged  bool
	Score    float64
	Families []Family
	Spans    []Span
}

// Config chooses how a detector decides; the zero value is the default.
type Config struct {
	// Threshold is the score from which a text is flagged; 0 means the one
	// that the model was calibrated for, 0.5.
	Threshold float64
	// Model replaces the built-in one; nil keeps it.
	Model *Model
}

// Detector scans texts. It is safe for concurrent use.
type Detector struct {
	cfg  Config
	pool sync.Pool
}

// New is a detector. Its tables are loaded by the first scan.
func New(cfg Config) *Detector { return &Detector{cfg: cfg} }

var shared Detector

// Default is the detector that everything shares.
func Default() *Detector { return &shared }

func (d *Detector) scanner() *scanner {
	if s, ok := d.pool.Get().(*scanner); ok {
		return s
	}
	m := d.cfg.Model
	if m == nil {
		m = embedded()
	}
	return newScanner(m)
}

// free gives s back after a text of so many bytes.
func (d *Detector) free(s *scanner, size int) {
	s.lex.s = ""
	if size > maxKept {
		s.rooms = [maxLayers]room{}
	}
	d.pool.Put(s)
}

// Scan reads text, and what it decodes to, and says what it found. Families
// and spans are those of a flagged text; spans are in order and at most 64.
func (d *Detector) Scan(text string) Report {
	s := d.scanner()
	defer d.free(s, len(text))
	threshold := 0.5
	if d.cfg.Threshold > 0 {
		threshold = d.cfg.Threshold
	}
	s.run(text, nil)
	r := s.report(threshold, 0)
	if s.coded() {
		s.below = maxBelowFor*len(text) + freeBelow
		s.decoded(text, threshold, &r, 0, 0)
	}
	return r
}

// report is what the last run found.
func (s *scanner) report(threshold, bonus float64) Report {
	r := Report{Score: s.model.score(s.model.Odds(s.summary()) + bonus)}
	if r.Flagged = r.Score >= threshold; r.Flagged {
		s.explain(&r)
	}
	return r
}

// explain adds what fired to the report of a flagged text.
func (s *scanner) explain(r *Report) {
	for _, h := range s.hits {
		rule := &s.prog.rules[s.prog.pats[h.pat].rule]
		if rule.Severity != Low {
			r.Spans = append(r.Spans, Span{h.start, h.end, rule.ID, rule.Family, rule.Severity})
		}
	}
	if len(r.Spans) == 0 {
		r.Spans = []Span{{s.from, s.to, "model", Paraphrase, Medium}}
	}
	r.tidy()
}

// tidy sorts spans and families and drops what is there twice.
func (r *Report) tidy() {
	slices.SortFunc(r.Spans, func(a, b Span) int { return cmp.Or(a.Start-b.Start, a.End-b.End, strings.Compare(a.Rule, b.Rule)) })
	r.Spans = slices.Compact(r.Spans)
	r.Spans = r.Spans[:min(len(r.Spans), maxSpans)]
	for _, sp := range r.Spans {
		r.Families = append(r.Families, sp.Family)
	}
	slices.Sort(r.Families)
	r.Families = slices.Compact(r.Families)
}
