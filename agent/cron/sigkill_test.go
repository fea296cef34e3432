package cron

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
)

// childDir names, in the environment, the state of a process that is to be
// killed.
const childDir = "CRON_TEST_CHILD_DIR"

// child runs schedules and writes a line before the end of each run, until
// somebody kills it.
func child(dir string) error {
	db, err := store.Open(context.Background(), dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "ran"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s, err := New(context.Background(), Deps{
		DB:    db,
		Alive: func(context.Context, Authority) (bool, error) { return true, nil },
		Log:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Run: func(_ context.Context, j Job) (Outcome, error) {
			time.Sleep(2 * time.Millisecond)
			_, err := fmt.Fprintln(f, j.Name)
			return Outcome{Text: "ok"}, err
		},
	})
	if err != nil {
		return err
	}
	s.Start()
	select {}
}

// TestSIGKILL kills the process again and again while a hundred jobs come due:
// each has one row and did its work at most once.
func TestSIGKILL(t *testing.T) {
	const n = 100
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s, err := New(t.Context(), Deps{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		at := time.Now().Add(time.Second + time.Duration(i)*30*time.Millisecond).Format(time.RFC3339Nano)
		_, err := s.Add(t.Context(), Job{Tenant: "default", Name: fmt.Sprint(i), Agent: "main", Message: "x", Enabled: true, Schedule: Schedule{Kind: KindAt, At: at}})
		if err != nil {
			t.Fatal(err)
		}
	}
	kills := 0
	for deadline := time.Now().Add(time.Minute); ; kills++ {
		life := time.Duration(300+kills%3*70) * time.Millisecond
		if kills >= 10 {
			life = 2 * time.Second // let what is left end
		}
		bear(t, dir, life)
		if st, err := s.Status(t.Context(), "default"); err != nil || st.Enabled == 0 || time.Now().After(deadline) {
			break
		}
	}
	if _, err := New(t.Context(), Deps{DB: db}); err != nil { // settles the last kill
		t.Fatal(err)
	}
	states, worked := outcomes(t, s), lines(t, filepath.Join(dir, "ran"))
	done, unknown := 0, 0
	for i := range n {
		name := fmt.Sprint(i)
		switch w := worked[name]; {
		case len(states[name]) != 1:
			t.Errorf("job %s has the runs %v, want one", name, states[name])
		case states[name][0] == RunDone && w == 1:
			done++
		case states[name][0] == RunUnknown && w <= 1:
			unknown++
		default:
			t.Errorf("job %s is %s and worked %d times", name, states[name][0], w)
		}
	}
	t.Logf("%d kills: %d done, %d unknown", kills+1, done, unknown)
	if done == 0 {
		t.Error("nothing was done")
	}
}

// bear starts a process that lives for a while.
func bear(t *testing.T, dir string, life time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(life)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
}

func outcomes(t *testing.T, s *Scheduler) map[string][]string {
	t.Helper()
	all, err := s.List(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, j := range all {
		runs, err := s.Runs(t.Context(), "default", j.ID, 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			out[j.Name] = append(out[j.Name], r.State)
		}
	}
	return out
}

func lines(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]int{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		out[sc.Text()]++
	}
	return out
}
