package hub

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long a server that failed is left alone. Zero fields are the
// defaults.
type Backoff struct {
	Min     time.Duration // after the first failure; 1 s
	Max     time.Duration // at most; 5 min
	Healthy time.Duration // up so long, earlier failures are forgotten; 10 min
	Eager   int           // failures in a row after which only a call restarts it; 8
}

func (b Backoff) orDefault() Backoff {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&b.Min, time.Second)
	set(&b.Max, 5*time.Minute)
	set(&b.Healthy, 10*time.Minute)
	if b.Eager <= 0 {
		b.Eager = 8
	}
	return b
}

// after is the pause after the nth failure in a row: doubled each time, capped,
// and spread over its upper half so that servers do not restart together.
func (b Backoff) after(n int) time.Duration {
	d := b.Min
	for i := 1; i < n && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	return d/2 + rand.N(d/2+1)
}
