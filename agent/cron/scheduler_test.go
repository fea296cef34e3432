package cron

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/store"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// world is a scheduler whose time is a bubble's and whose work is a function.
type world struct {
	*Scheduler
	db    *store.DB
	mu    sync.Mutex
	runs  []string
	dead  map[string]bool // credentials
	blind error           // what looking creators up gives
	work  func(context.Context, Job) (Outcome, error)
	rand  int64
}

func openDB(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// start opens a scheduler over a database; ending the world ends it.
func start(t *testing.T, db *store.DB, work func(context.Context, Job) (Outcome, error)) *world {
	t.Helper()
	w := &world{db: db, dead: map[string]bool{}, work: work}
	var err error
	w.Scheduler, err = New(t.Context(), Deps{
		DB: db, Run: w.run, Rand: func(int64) int64 { return w.rand },
		Alive: func(_ context.Context, a Authority) (bool, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return !w.dead[a.Creator.Credential], w.blind
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Start()
	return w
}

func (w *world) run(ctx context.Context, j Job) (Outcome, error) {
	w.mu.Lock()
	w.runs = append(w.runs, j.Name)
	w.mu.Unlock()
	if w.work == nil {
		return Outcome{Text: "ok"}, nil
	}
	return w.work(ctx, j)
}

func (w *world) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.runs)
}

func (w *world) kill(credential string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[credential] = true
}

func (w *world) add(t *testing.T, j Job) Job {
	t.Helper()
	j.Tenant, j.Agent, j.Session = "default", "main", "agent:main:main"
	j.Creator = gateway.Stored{Kind: gateway.KindToken, ID: "test", Tenant: "default", Scopes: gateway.ScopeWrite, Credential: "token:test", Epoch: 9}
	j.Enabled, j.Message = true, "look"
	if j.Schedule.Kind == "" {
		j.Schedule = Schedule{Kind: KindEvery, EveryMs: 60_000}
	}
	out, err := w.Add(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) history(t *testing.T, id string) []string {
	t.Helper()
	runs, err := w.Runs(t.Context(), "default", id, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range runs {
		out = append(out, r.Cause+" "+r.State)
	}
	return out
}

func (w *world) end(t *testing.T) {
	t.Helper()
	if err := w.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// bubble runs a test in fake time over a database that is opened outside of
// it, because its driver has goroutines of its own.
func bubble(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		f(t, db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunsWhenDue(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, nil)
		defer w.end(t)
		j := w.add(t, Job{Name: "tick"})
		once := w.add(t, Job{Name: "once", Schedule: Schedule{Kind: KindAt, At: time.Now().Add(90 * time.Second).Format(time.RFC3339)}})
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if got := w.names(); len(got) != 0 {
			t.Fatalf("ran early: %v", got)
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if got := w.names(); !slices.Equal(got, []string{"tick", "once", "tick", "tick", "tick"}) {
			t.Errorf("runs = %v", got)
		}
		if got := w.history(t, j.ID); !slices.Equal(got, slices.Repeat([]string{"schedule done"}, 4)) {
			t.Errorf("history = %v", got)
		}
		if got, err := w.Get(t.Context(), "default", once.ID); err != nil || got.Enabled || !got.Due.IsZero() {
			t.Errorf("a one-shot that ran = %+v, %v", got, err)
		}
		if st, err := w.Status(t.Context(), "default"); err != nil || st.Jobs != 2 || st.Enabled != 1 || st.Running != 0 || st.Next.IsZero() {
			t.Errorf("status = %+v, %v", st, err)
		}
	})
}

func TestJitterNeverSkipsOrRepeats(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, nil)
		defer w.end(t)
		w.rand = int64(40 * time.Second)
		j := w.add(t, Job{Name: "tick", Jitter: 50 * time.Second})
		if want := j.Due.Add(40 * time.Second); !j.Fire.Equal(want) {
			t.Errorf("fire = %v, want %v", j.Fire, want)
		}
		time.Sleep(99 * time.Second)
		synctest.Wait()
		if n := len(w.names()); n != 0 {
			t.Errorf("%d runs before the jitter passed", n)
		}
		time.Sleep(9*time.Minute + 2*time.Second)
		synctest.Wait()
		if n := len(w.names()); n != 10 {
			t.Errorf("%d runs, want 10", n)
		}
	})
}

func TestMissedRuns(t *testing.T) {
	for policy, want := range map[string][]string{
		MissedRun:  {"missed done"},
		MissedSkip: {"missed skipped"},
	} {
		t.Run(policy, func(t *testing.T) {
			bubble(t, func(t *testing.T, db *store.DB) {
				w := start(t, db, nil)
				j := w.add(t, Job{Name: "tick", Missed: policy, Schedule: Schedule{Kind: KindEvery, EveryMs: 600_000}})
				w.end(t)
				time.Sleep(95 * time.Minute) // nine due times pass
				w = start(t, db, nil)
				defer w.end(t)
				synctest.Wait()
				if got := w.history(t, j.ID); !slices.Equal(got, want) {
					t.Errorf("history = %v, want %v", got, want)
				}
				time.Sleep(6 * time.Minute)
				synctest.Wait()
				if got := w.history(t, j.ID); len(got) != 2 || got[0] != "schedule done" {
					t.Errorf("history = %v, want the next due time run", got)
				}
			})
		})
	}
}

func TestRunsDoNotOverlap(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, func(ctx context.Context, _ Job) (Outcome, error) {
			<-ctx.Done()
			return Outcome{}, ctx.Err()
		})
		defer w.end(t)
		j := w.add(t, Job{Name: "slow", Timeout: 150 * time.Second})
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		if _, err := w.RunNow(t.Context(), "default", j.ID); !errors.Is(err, ErrRunning) {
			t.Errorf("run = %v, want that it is running", err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := w.history(t, j.ID); !slices.Equal(got, []string{"schedule skipped", "schedule skipped", "schedule failed"}) {
			t.Errorf("history = %v", got)
		}
	})
}

func TestRevokedCreatorStops(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, func(ctx context.Context, _ Job) (Outcome, error) {
			<-ctx.Done()
			return Outcome{}, ctx.Err()
		})
		j := w.add(t, Job{Name: "tick"})
		time.Sleep(61 * time.Second)
		synctest.Wait()
		w.kill("token:test")
		time.Sleep(sweepEvery + time.Second)
		synctest.Wait()
		if got := w.history(t, j.ID); !slices.Equal(got, []string{"schedule cancelled"}) {
			t.Errorf("history = %v", got)
		}
		if _, err := w.RunNow(t.Context(), "default", j.ID); !errors.Is(err, ErrRevoked) {
			t.Errorf("run by hand = %v", err)
		}
		_, err := w.Update(t.Context(), "default", j.ID, func(j *Job) error { j.Enabled = true; return nil })
		if !errors.Is(err, ErrRevoked) {
			t.Errorf("enabling it = %v", err)
		}
		w.end(t)
		w = start(t, db, nil) // the creator is not known as dead any more
		defer w.end(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, err := w.Get(t.Context(), "default", j.ID); len(w.names()) != 0 || err != nil || got.Enabled || got.Stopped == "" {
			t.Errorf("after a restart: ran %v, %+v, %v", w.names(), got, err)
		}
	})
}

func TestCreatorThatCannotBeLookedUp(t *testing.T) {
	bubble(t, func(t *testing.T, db *store.DB) {
		w := start(t, db, nil)
		defer w.end(t)
		j := w.add(t, Job{Name: "tick"})
		see := func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.blind = err
		}
		see(errors.New("database is locked"))
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if got := w.names(); len(got) != 0 {
			t.Errorf("ran blindly: %v", got)
		}
		see(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := w.history(t, j.ID); !slices.Equal(got, []string{"schedule done"}) {
			t.Errorf("history = %v, want the run as soon as it could be", got)
		}
	})
}
