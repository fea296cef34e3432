// Package figure measures ways of doing the same thing against each other in
// one run – each once a round, in random order, because machines are shared –
// and keeps what came out beside what was wanted.
package figure

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// Method is one way of doing a thing.
type Method struct {
	Name  string
	Every int // take part only each so many rounds; 0 is every round
	Do    func() error
	// Before is done first, outside the measurement; may be nil.
	Before func()
}

// warm is how many rounds are not counted.
const warm = 3

// Interleave measures methods, prints their medians with the first as what the
// others are compared with, and returns the medians in milliseconds.
func Interleave(w io.Writer, title string, rounds int, ms ...Method) ([]float64, error) {
	times := make([][]time.Duration, len(ms))
	for r := range rounds + warm {
		for _, i := range rand.Perm(len(ms)) {
			m := ms[i]
			if m.Every > 1 && (r-warm)%m.Every != 0 {
				continue
			}
			if m.Before != nil {
				m.Before()
			}
			t0 := time.Now()
			if err := m.Do(); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Name, err)
			}
			if r >= warm {
				times[i] = append(times[i], time.Since(t0))
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", title)
	p50 := make([]float64, len(ms))
	for i, m := range ms {
		p50[i] = Quantile(times[i], 0.5)
		fmt.Fprintf(w, "  %-44s p50 %9.3f ms  p95 %9.3f ms  n %4d  %8.2fx\n", m.Name, p50[i], Quantile(times[i], 0.95), len(times[i]), p50[i]/p50[0])
	}
	return p50, nil
}

// Quantile of durations in milliseconds; 0 of none.
func Quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return float64(s[min(int(q*float64(len(s))), len(s)-1)].Microseconds()) / 1000
}

// Table is what was measured beside what was wanted.
type Table struct{ rows []row }

type row struct {
	what, got, want string
	met             bool
}

// AtMost adds a figure that should not be above want.
func (t *Table) AtMost(what string, got, want float64, unit string) {
	t.rows = append(t.rows, row{what, fmt.Sprintf("%.2f %s", got, unit), fmt.Sprintf("<= %g %s", want, unit), got <= want})
}

// AtLeast adds a figure that should not be below want.
func (t *Table) AtLeast(what string, got, want float64, unit string) {
	t.rows = append(t.rows, row{what, fmt.Sprintf("%.1f %s", got, unit), fmt.Sprintf(">= %g %s", want, unit), got >= want})
}

// Print writes the table and returns how many figures missed what was wanted.
func (t *Table) Print(w io.Writer) (missed int) {
	fmt.Fprintf(w, "\n%-66s %14s   %-14s\n", "p50", "measured", "wanted")
	for _, r := range t.rows {
		verdict := "ok"
		if !r.met {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%-66s %14s   %-14s %s\n", r.what, r.got, r.want, verdict)
	}
	return missed
}
