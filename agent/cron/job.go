package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
)

// Limits of jobs.
const (
	MaxJobs        = 100      // of one tenant
	MaxMessage     = 64 << 10 // bytes
	MaxName        = 200      // bytes
	MaxJitter      = 24 * time.Hour
	MaxTimeout     = time.Hour
	DefaultTimeout = 15 * time.Minute
	keepRuns       = 200 // of one job
	maxOutcome     = 64 << 10
)

// What happens to due times that passed while nothing could run.
const (
	MissedRun  = "run" // once, however many there were
	MissedSkip = "skip"
)

// Errors that callers are told about.
var (
	ErrNotFound = errors.New("no such job")
	ErrRunning  = errors.New("the job is running")
	ErrTooMany  = fmt.Errorf("there are already %d jobs", MaxJobs)
	ErrRevoked  = errors.New("its creator's authority has ended; give it a message anew to take it over")
	ErrClosed   = errors.New("the gateway is stopping")
)

// Authority is what a job may act as at most: its creator without ownership,
// inside the policy that the creator had.
type Authority struct {
	Creator   gateway.Stored
	Inherited string // the creator's policy, encoded
	Session   string // that the job was made in
	Label     string // of that session
}

// Job is one schedule.
type Job struct {
	Authority
	ID       string
	Tenant   string
	Agent    string
	Name     string
	Message  string
	Schedule Schedule
	Missed   string
	Jitter   time.Duration // at most this much later than due
	Timeout  time.Duration
	Enabled  bool
	Stopped  string // why the gateway disabled it
	Created  time.Time
	Updated  time.Time
	Due      time.Time // of the next run; zero: none
	Fire     time.Time // Due with jitter
}

// SessionName is the name of the session that the job's runs happen in.
func (j Job) SessionName() string { return "cron:" + j.ID }

// InvalidError says what is wrong with a job, in words for whoever made it.
type InvalidError struct{ err error }

// Error is the message.
func (e *InvalidError) Error() string { return e.err.Error() }

// Unwrap is what was wrong.
func (e *InvalidError) Unwrap() error { return e.err }

// normal fills defaults and checks a job.
func (j *Job) normal() error {
	if err := j.check(); err != nil {
		return &InvalidError{err}
	}
	return nil
}

func (j *Job) check() error {
	if j.Missed == "" {
		j.Missed = MissedRun
	}
	if j.Timeout <= 0 {
		j.Timeout = DefaultTimeout
	}
	j.Timeout = min(j.Timeout, MaxTimeout)
	if j.Schedule.Kind == KindEvery && j.Schedule.AnchorMs == 0 {
		j.Schedule.AnchorMs = j.Created.UnixMilli()
	}
	switch {
	case strings.TrimSpace(j.Message) == "" || len(j.Message) > MaxMessage:
		return fmt.Errorf("message must be 1 to %d bytes", MaxMessage)
	case len(j.Name) > MaxName:
		return fmt.Errorf("name must be at most %d bytes", MaxName)
	case j.Missed != MissedRun && j.Missed != MissedSkip:
		return errors.New("missed must be run or skip")
	case j.Jitter < 0 || j.Jitter > MaxJitter:
		return fmt.Errorf("schedule.staggerMs must be between 0 and %d", MaxJitter.Milliseconds())
	case j.Schedule.Kind == KindEvery && j.Jitter.Milliseconds() >= j.Schedule.EveryMs:
		return errors.New("schedule.staggerMs must be less than everyMs")
	}
	return j.Schedule.Validate()
}

// The states of a run.
const (
	RunRunning   = "running"
	RunDone      = "done"
	RunFailed    = "failed"
	RunCancelled = "cancelled"
	RunUnknown   = "unknown" // the gateway was killed during it; it is not repeated
	RunSkipped   = "skipped"
)

// What made a run.
const (
	CauseSchedule = "schedule"
	CauseMissed   = "missed"
	CauseManual   = "manual"
)

// Run is one entry of a job's history.
type Run struct {
	ID      string
	Cause   string
	State   string
	Outcome string
	Label   string // of the outcome
	Due     time.Time
	Started time.Time
	Ended   time.Time
}
