package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/chitin-sh/chitin/external/detect"
)

func run(w io.Writer, docs []doc, p params, cv string, out string, show int) error {
	if strings.Contains(cv, "rows") {
		fmt.Fprintf(w, "cross-validation by row (five folds)\n")
		curve(w, crossValidate(docs, p, byRow, true))
	}
	if !strings.Contains(cv, "sources") {
		return nil
	}
	all := crossValidate(docs, p, bySource, true)
	fmt.Fprintf(w, "\ncross-validation by source\n")
	curve(w, all)
	threshold := thresholdFor(all, p.fpr) // new texts may come from unknown sources
	fmt.Fprintf(w, "\ncross-validation by source, threshold %.2f\n", threshold)
	table(w, all, threshold)
	mistakes(w, all, threshold, show)
	if out == "" {
		return nil
	}
	m := fit(pointers(docs, func(*doc) bool { return true }), p).quantise(threshold, platt(all, threshold))
	fmt.Fprintf(w, "\nfitted to all, threshold %.2f\n", threshold)
	d := detect.New(detect.Config{Model: m})
	fitted := make([]scored, len(docs))
	for i := range docs {
		fitted[i] = scored{d: &docs[i], odds: d.Scan(docs[i].text).Score}
	}
	table(w, fitted, 0.5)
	return os.WriteFile(out, m.Bytes(), 0o644)
}

func pointers(docs []doc, keep func(*doc) bool) (out []*doc) {
	for i := range docs {
		if keep(&docs[i]) {
			out = append(out, &docs[i])
		}
	}
	return out
}

// curve prints the recall at some shares of false positives.
func curve(w io.Writer, all []scored) {
	for _, fpr := range []float64{0.0025, 0.005, 0.01, 0.02, 0.05} {
		t := quantile(all, fpr, func(d *doc) bool { return !d.own })
		n, hit := map[string]int{}, map[string]int{}
		for _, s := range all {
			if s.d.Injection {
				for _, k := range []string{"all", s.d.Tier} {
					n[k]++
					if s.odds >= t {
						hit[k]++
					}
				}
			}
		}
		fmt.Fprintf(w, "at %.2f %% false positives (log-odds %6.2f): ", 100*fpr, t)
		for _, k := range []string{"all", "explicit", "mixed", "contextual"} {
			fmt.Fprintf(w, " %s %.3f", k, float64(hit[k])/float64(max(1, n[k])))
		}
		fmt.Fprintln(w)
	}
}

// thresholdFor is the lowest log-odds at which at most the share fpr of the
// harmless texts is flagged.
func thresholdFor(all []scored, fpr float64) float64 {
	return quantile(all, fpr, func(d *doc) bool { return !d.own })
}

func quantile(all []scored, fpr float64, of func(*doc) bool) float64 {
	var odds []float64
	for _, s := range all {
		if !s.d.Injection && of(s.d) {
			odds = append(odds, s.odds)
		}
	}
	if len(odds) == 0 {
		return 0
	}
	slices.Sort(odds)
	n := int(float64(len(odds)) * fpr)
	return math.Nextafter(odds[len(odds)-1-n], math.Inf(1)) + 0.01
}

// table prints the flagged share by source and tier.
func table(w io.Writer, all []scored, threshold float64) {
	type row struct{ n, flagged int }
	rows := map[string]*row{}
	count := func(key string, hit bool) {
		r := rows[key]
		if r == nil {
			r = &row{}
			rows[key] = r
		}
		r.n++
		if hit {
			r.flagged++
		}
	}
	for _, s := range all {
		hit, label := s.odds >= threshold, "benign"
		if s.d.Injection {
			label = "injection"
		}
		if !s.d.own {
			count("all "+label, hit)
			if s.d.Injection {
				count("tier "+s.d.Tier, hit)
			}
		}
		count(label+" "+s.d.Source, hit)
	}
	keys := make([]string, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		r := rows[k]
		fmt.Fprintf(w, "%-45s %5d / %5d  %6.2f %%\n", k, r.flagged, r.n, 100*float64(r.flagged)/float64(r.n))
	}
}

// mistakes prints the worst of each source.
func mistakes(w io.Writer, all []scored, threshold float64, n int) {
	if n == 0 {
		return
	}
	left := map[string]int{}
	for _, s := range all {
		if (s.odds >= threshold) == s.d.Injection {
			continue
		}
		if left[s.d.Source]++; left[s.d.Source] > n {
			continue
		}
		fmt.Fprintf(w, "%s %s %v %.2f %.300q\n", s.d.ID, s.d.Source, s.d.Injection, s.odds, s.d.text[s.at:])
	}
}

// platt is the slope that fits the odds above the threshold best to the labels
// of texts that the model had not seen; 1 if there are none.
func platt(all []scored, threshold float64) float64 {
	best, least := 1.0, math.Inf(1)
	for slope := 0.1; slope < 4 && len(all) > 0; slope *= 1.1 {
		loss := 0.0
		for _, s := range all {
			p := min(1-1e-6, max(1e-6, detect.Sigmoid(slope*(s.odds-threshold))))
			if s.d.Injection {
				loss -= math.Log(p)
			} else {
				loss -= math.Log(1 - p)
			}
		}
		if loss < least {
			best, least = slope, loss
		}
	}
	return best
}

// quantise is the model in bytes.
func (l *learner) quantise(threshold, slope float64) *detect.Model {
	top := 0.0
	for _, v := range l.w {
		top = max(top, math.Abs(float64(v)))
	}
	parts := [detect.Summaries]float64{l.bias, 1, -l.p.length, l.p.plain, l.p.hint, -l.p.talk, -l.p.quote}
	m := &detect.Model{Scale: min(top, 4) / 127, Combine: parts, Threshold: threshold, Slope: slope}
	if m.Scale == 0 {
		m.Scale = 1
	}
	b := make([]byte, len(l.w))
	for i, v := range l.w {
		b[i] = byte(int8(math.Round(max(-127, min(127, float64(v)/m.Scale)))))
	}
	m.W = string(b)
	return m
}
