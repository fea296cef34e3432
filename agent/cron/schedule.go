// Package cron keeps schedules and runs them: durable, per tenant, each due
// time at most once whatever happens to the process. What a run may do is not
// decided here: a job carries its creator and the policy of the session that
// made it, and whoever runs it gives it no more.
package cron

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	gocron "github.com/netresearch/go-cron"
)

// MinEvery is the shortest interval of a schedule.
const MinEvery = 10 * time.Second

// The kinds of a schedule.
const (
	KindAt    = "at"
	KindEvery = "every"
	KindCron  = "cron"
)

// Schedule says when a job is due. The names are those that clients of the
// tool use.
type Schedule struct {
	Kind     string `json:"kind"`               // at, every or cron
	At       string `json:"at,omitempty"`       // RFC 3339
	EveryMs  int64  `json:"everyMs,omitempty"`  // interval
	AnchorMs int64  `json:"anchorMs,omitempty"` // Unix milliseconds that intervals count from
	Expr     string `json:"expr,omitempty"`     // five fields, or @daily and the like
	TZ       string `json:"tz,omitempty"`       // of expr, IANA name; UTC when empty
}

// limits of what is parsed.
const (
	maxExpr = 256
	maxTZ   = 64
	maxMs   = 10 * 365 * 24 * int64(time.Hour/time.Millisecond)
)

// parser reads five fields; a day matches when its month day or its weekday
// does, as cron always did.
var parser = sync.OnceValues(func() (gocron.Parser, error) {
	return gocron.TryNewParser(gocron.Minute | gocron.Hour | gocron.Dom | gocron.Month | gocron.Dow | gocron.Descriptor | gocron.DowOrDom)
})

// Validate says in words what is wrong with a schedule.
func (s Schedule) Validate() error {
	_, err := s.compile()
	return err
}

// Next is the first due time after t; zero when there is none.
func (s Schedule) Next(t time.Time) time.Time {
	next, err := s.compile()
	if err != nil {
		return time.Time{}
	}
	return next(t)
}

func (s Schedule) compile() (func(time.Time) time.Time, error) {
	switch s.Kind {
	case KindAt:
		return s.at()
	case KindEvery:
		return s.every()
	case KindCron:
		return s.cron()
	}
	return nil, errors.New("schedule.kind must be at, every or cron")
}

func (s Schedule) at() (func(time.Time) time.Time, error) {
	at, err := time.Parse(time.RFC3339, s.At)
	if err != nil || at.UnixMilli() <= 0 {
		return nil, errors.New("schedule.at must be a time such as 2030-01-31T09:00:00Z")
	}
	at = at.Truncate(time.Millisecond) // what the database keeps: a due time must equal itself when read back
	return func(t time.Time) time.Time {
		if at.After(t) {
			return at
		}
		return time.Time{}
	}, nil
}

func (s Schedule) every() (func(time.Time) time.Time, error) {
	step := time.Duration(s.EveryMs) * time.Millisecond
	if s.EveryMs > maxMs || step < MinEvery {
		return nil, fmt.Errorf("schedule.everyMs must be between %d and %d", MinEvery.Milliseconds(), maxMs)
	}
	if s.AnchorMs < 0 {
		return nil, errors.New("schedule.anchorMs must not be negative")
	}
	anchor := time.UnixMilli(s.AnchorMs)
	return func(t time.Time) time.Time {
		if t.Before(anchor) {
			return anchor
		}
		return t.Add(step - t.Sub(anchor)%step)
	}, nil
}

func (s Schedule) cron() (func(time.Time) time.Time, error) {
	expr := strings.TrimSpace(s.Expr)
	switch {
	case expr == "" || len(expr) > maxExpr || len(s.TZ) > maxTZ:
		return nil, errors.New("schedule.expr must be five fields such as 0 9 * * 1-5")
	case strings.Contains(expr, "="):
		return nil, errors.New("schedule.expr holds no time zone: set schedule.tz")
	case strings.HasPrefix(expr, "@every"):
		return nil, errors.New("schedule.expr is no interval: use kind every with everyMs")
	}
	zone, err := time.LoadLocation(s.TZ)
	if err != nil || s.TZ == "Local" {
		return nil, fmt.Errorf("schedule.tz %q is not a time zone such as Europe/Berlin", s.TZ)
	}
	p, err := parser()
	if err != nil {
		return nil, err
	}
	parsed, err := p.Parse(expr)
	if err != nil {
		return nil, fmt.Errorf("schedule.expr: %w", err)
	}
	fixed := false
	if spec, ok := parsed.(*gocron.SpecSchedule); ok {
		spec.Location = zone
		fixed = spec.Hour != everyHour(spec.Hour)
	}
	if parsed.Next(time.Now().In(zone)).IsZero() {
		return nil, errors.New("schedule.expr is never due")
	}
	return func(t time.Time) time.Time {
		next := parsed.Next(t.In(zone))
		for fixed && !next.IsZero() && repeated(next) {
			next = parsed.Next(next)
		}
		return next
	}, nil
}

// everyHour is the set of all hours, with whatever flags the set has.
func everyHour(set uint64) uint64 { return set | (1<<24 - 1) }

// repeated reports whether a wall clock shows t for the second time because it
// was set back: what runs at certain hours does not run again then.
func repeated(t time.Time) bool {
	before := t.Add(-time.Hour)
	return before.Hour() == t.Hour() && before.Day() == t.Day()
}
