package cron

import (
	"context"
	"errors"
	"time"
)

// Add makes a job. Its id, times and defaults are filled in.
func (s *Scheduler) Add(ctx context.Context, j Job) (Job, error) {
	now := s.now()
	j.ID, j.Created, j.Updated, j.Stopped = newID(), now, now, ""
	if err := j.normal(); err != nil {
		return j, err
	}
	if j.Name == "" {
		j.Name = j.ID[:8]
	}
	if err := s.plan(&j, now); err != nil {
		return j, err
	}
	if err := s.jobs.add(ctx, j); err != nil {
		return j, err
	}
	s.nudge()
	return j, nil
}

// plan sets when an enabled job is due next.
func (s *Scheduler) plan(j *Job, now time.Time) error {
	j.Due, j.Fire = time.Time{}, time.Time{}
	if !j.Enabled {
		return nil
	}
	if j.Due = j.Schedule.Next(now); j.Due.IsZero() {
		return &InvalidError{errors.New("schedule: that time has passed")}
	}
	j.Fire = s.jitter(*j, j.Due)
	return nil
}

// now is in milliseconds, which is what the database keeps.
func (s *Scheduler) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Millisecond) }

// Update changes a job with edit. When edit changes what the job does, it must
// set the authority of whoever asks: nobody's text runs as somebody else.
func (s *Scheduler) Update(ctx context.Context, tenant, id string, edit func(*Job) error) (Job, error) {
	for range 3 { // a run that begins meanwhile moves the job on
		was, err := s.jobs.get(ctx, tenant, id)
		if err != nil {
			return Job{}, err
		}
		j := was
		if err := edit(&j); err != nil {
			return j, err
		}
		j.ID, j.Tenant, j.Created = was.ID, was.Tenant, was.Created
		if err := s.refit(ctx, &j, was); err != nil {
			return j, err
		}
		ok, err := s.jobs.put(ctx, j, was)
		if err != nil {
			return j, err
		}
		if ok {
			s.nudge()
			return j, nil
		}
	}
	return Job{}, errors.New("cron: the job changed meanwhile; try again")
}

// refit checks an edited job and plans it anew where its times changed.
func (s *Scheduler) refit(ctx context.Context, j *Job, was Job) error {
	if err := j.normal(); err != nil {
		return err
	}
	now := s.now()
	if j.Updated = now; !now.After(was.Updated) {
		j.Updated = was.Updated.Add(time.Millisecond)
	}
	if j.Enabled {
		if err := s.mustLive(ctx, j.Authority); err != nil {
			return err
		}
		j.Stopped = ""
	}
	if j.Enabled != was.Enabled || j.Schedule != was.Schedule || j.Jitter != was.Jitter {
		return s.plan(j, now)
	}
	return nil
}

func (s *Scheduler) mustLive(ctx context.Context, a Authority) error {
	if ok, err := s.Alive(ctx, a); err != nil || !ok {
		return errors.Join(err, unless(err, ErrRevoked))
	}
	return nil
}

// Remove forgets a job and its history and cancels its run.
func (s *Scheduler) Remove(ctx context.Context, tenant, id string) error {
	if err := s.jobs.remove(ctx, tenant, id); err != nil {
		return err
	}
	s.cancel(tenant, id)
	return nil
}

// RunNow starts a job that may or may not be due; its schedule stays. It does
// not wait.
func (s *Scheduler) RunNow(ctx context.Context, tenant, id string) (Run, error) {
	j, err := s.jobs.get(ctx, tenant, id)
	if err != nil {
		return Run{}, err
	}
	if err := s.mustLive(ctx, j.Authority); err != nil {
		return Run{}, err
	}
	now := s.now()
	r := Run{ID: newID(), Cause: CauseManual, State: RunRunning, Due: now, Started: now}
	runCtx, release, err := s.reserve(j)
	if err != nil {
		return r, err
	}
	if err := s.jobs.begin(ctx, j, r); err != nil {
		release()
		return r, err
	}
	go s.work(runCtx, release, j, r)
	return r, nil
}

// Get returns a job of a tenant.
func (s *Scheduler) Get(ctx context.Context, tenant, id string) (Job, error) {
	return s.jobs.get(ctx, tenant, id)
}

// List returns a tenant's jobs in the order they were made.
func (s *Scheduler) List(ctx context.Context, tenant string) ([]Job, error) {
	return s.jobs.list(ctx, tenant)
}

// Runs returns a job's runs, the newest first.
func (s *Scheduler) Runs(ctx context.Context, tenant, id string, limit, offset int) ([]Run, error) {
	if _, err := s.jobs.get(ctx, tenant, id); err != nil {
		return nil, err
	}
	return s.jobs.runs(ctx, tenant, id, limit, offset)
}

// Status is how a tenant's schedules stand.
type Status struct {
	Jobs, Enabled, Running int
	Next                   time.Time // zero: nothing is planned
}

// Status counts a tenant's jobs.
func (s *Scheduler) Status(ctx context.Context, tenant string) (Status, error) {
	all, err := s.jobs.list(ctx, tenant)
	if err != nil {
		return Status{}, err
	}
	st := Status{Jobs: len(all)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range all {
		if s.running[j.Tenant+"\x00"+j.ID] != nil {
			st.Running++
		}
		if !j.Enabled {
			continue
		}
		st.Enabled++
		if st.Next.IsZero() || j.Fire.Before(st.Next) {
			st.Next = j.Fire
		}
	}
	return st, nil
}
