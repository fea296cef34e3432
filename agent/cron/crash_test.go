package cron

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
)

// TestKilledDuringARun leaves a scheduler in the middle of a run, as a SIGKILL
// does, and opens another one over the same database.
func TestKilledDuringARun(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		hang := make(chan struct{})
		killed := start(t, db, func(context.Context, Job) (Outcome, error) {
			<-hang
			return Outcome{Text: "too late"}, nil
		})
		once := killed.add(t, Job{Name: "once", Schedule: Schedule{Kind: KindAt, At: time.Now().Add(time.Minute).Format(time.RFC3339)}})
		tick := killed.add(t, Job{Name: "tick", Schedule: Schedule{Kind: KindEvery, EveryMs: 3_600_000}})
		if _, err := killed.RunNow(t.Context(), "default", tick.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		killed.halt() // its loop ends; its runs never write again until the end

		w := start(t, db, nil)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if got := w.names(); len(got) != 0 {
			t.Errorf("ran again: %v", got)
		}
		if got := w.history(t, once.ID); !slices.Equal(got, []string{"schedule unknown"}) {
			t.Errorf("once = %v", got)
		}
		if got := w.history(t, tick.ID); !slices.Equal(got, []string{"manual unknown"}) {
			t.Errorf("tick = %v", got)
		}
		close(hang) // the dead process's late words change nothing
		killed.end(t)
		if got := w.history(t, once.ID); !slices.Equal(got, []string{"schedule unknown"}) {
			t.Errorf("once after the late end = %v", got)
		}
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		if got := w.names(); !slices.Equal(got, []string{"tick"}) {
			t.Errorf("the next due time ran %v", got)
		}
		w.end(t)
	})
}

// TestOneDueTimeOneRun lets many processes claim the same due time.
func TestOneDueTimeOneRun(t *testing.T) {
	db := openDB(t)
	defer func() { _ = db.Close() }()
	s, err := New(t.Context(), Deps{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.Add(t.Context(), Job{Tenant: "default", Agent: "main", Message: "x", Enabled: true, Schedule: Schedule{Kind: KindEvery, EveryMs: 60_000}})
	if err != nil {
		t.Fatal(err)
	}
	won := make(chan bool)
	for range 8 {
		go func() {
			ok, err := s.jobs.claim(context.Background(), j, Run{ID: newID(), Cause: CauseSchedule, State: RunRunning, Due: j.Due, Started: time.Now()}, j.Due.Add(time.Minute), j.Due.Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			won <- ok
		}()
	}
	winners := 0
	for range 8 {
		if <-won {
			winners++
		}
	}
	if runs, err := s.Runs(t.Context(), "default", j.ID, 10, 0); err != nil || winners != 1 || len(runs) != 1 {
		t.Errorf("%d winners, %d rows, %v; want one", winners, len(runs), err)
	}
	// Even a job set back to a due time that had its run does not repeat it.
	if _, err := db.ExecContext(t.Context(), `UPDATE cron_jobs SET due_ms = ?`, millis(j.Due)); err != nil {
		t.Fatal(err)
	}
	ok, err := s.jobs.claim(t.Context(), j, Run{ID: newID(), Cause: CauseMissed, State: RunRunning, Due: j.Due, Started: time.Now()}, time.Time{}, time.Time{})
	if err != nil || ok {
		t.Errorf("claimed a due time again: %v, %v", ok, err)
	}
}

func TestNothingRunsWithoutAlive(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, nil)
		w.add(t, Job{Name: "tick"})
		w.end(t)
		s, err := New(t.Context(), Deps{DB: db, Run: w.run})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if err := s.Close(context.Background()); err != nil || len(w.names()) != 0 {
			t.Errorf("ran %v, %v", w.names(), err)
		}
	})
}

func TestManage(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, func(_ context.Context, j Job) (Outcome, error) {
			return Outcome{Text: strings.Repeat("é", maxOutcome), Label: "untrusted:email"}, nil
		})
		defer w.end(t)
		ctx := t.Context()
		j := w.add(t, Job{})
		for what, err := range map[string]error{
			"get":    second(w.Get(ctx, "other", j.ID)),
			"runs":   second(w.Runs(ctx, "other", j.ID, 1, 0)),
			"run":    second(w.RunNow(ctx, "other", j.ID)),
			"remove": w.Remove(ctx, "other", j.ID),
			"update": second(w.Update(ctx, "other", j.ID, func(*Job) error { return nil })),
		} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s from another tenant = %v", what, err)
			}
		}
		if all, err := w.List(ctx, "other"); err != nil || len(all) != 0 {
			t.Errorf("another tenant lists %v, %v", all, err)
		}
		if _, err := w.Update(ctx, "default", j.ID, func(j *Job) error { j.Enabled = false; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(w.names()) != 0 {
			t.Error("a disabled job ran")
		}
		if _, err := w.RunNow(ctx, "default", j.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		runs, err := w.Runs(ctx, "default", j.ID, 10, 0)
		if err != nil || len(runs) != 1 || runs[0].Label != "untrusted:email" || len(runs[0].Outcome) > maxOutcome+4 {
			t.Errorf("runs = %d, %v", len(runs), err)
		}
		if err := w.Remove(ctx, "default", j.ID); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM cron_runs) + (SELECT count(*) FROM cron_jobs)`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d rows left, %v", left, err)
		}
		for i := range MaxJobs {
			w.add(t, Job{Name: fmt.Sprint(i)})
		}
		_, err = w.Add(ctx, Job{Tenant: "default", Message: "x", Schedule: Schedule{Kind: KindEvery, EveryMs: 60_000}})
		if !errors.Is(err, ErrTooMany) {
			t.Errorf("one too many = %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }
