package supervisor

import (
	"syscall"
	"time"
)

// alarm ends commands whose time is over. One timer serves all, set only when
// a deadline is nearer than the one it is set for: most commands end long
// before theirs and never touch it.
type alarm struct {
	timer *time.Timer
	at    time.Time // when it rings; zero while it is not set
}

// due arms the alarm for a deadline; the server is locked.
func (s *server) due(at time.Time) {
	a := &s.alarm
	if !a.at.IsZero() && !at.Before(a.at) {
		return
	}
	a.at = at
	if d := time.Until(at); a.timer == nil {
		a.timer = time.AfterFunc(d, s.ring)
	} else {
		a.timer.Reset(d)
	}
}

// ring kills what is overdue and arms the alarm for what comes next.
func (s *server) ring() {
	now := time.Now()
	var over []*proc
	var next time.Time
	s.mu.Lock()
	for _, pr := range s.byID {
		switch {
		case pr.deadline.IsZero():
		case !pr.deadline.After(now):
			over = append(over, pr)
			pr.deadline = time.Time{}
		case next.IsZero() || pr.deadline.Before(next):
			next = pr.deadline
		}
	}
	s.alarm.at = time.Time{}
	if !next.IsZero() {
		s.due(next)
	}
	s.mu.Unlock()
	for _, pr := range over {
		pr.mu.Lock()
		pr.timedOut = true
		pr.mu.Unlock()
		s.signal(pr, syscall.SIGKILL)
	}
}
