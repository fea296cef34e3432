package approval

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// settle answers the first request that waits, as soon as there is one.
func (w *world) settle(t *testing.T, a Answer) {
	t.Helper()
	for range 200 {
		rs, err := w.book.List(context.Background(), w.boss)
		if err != nil {
			t.Error(err)
			return
		}
		if len(rs) > 0 {
			if err := w.book.Decide(context.Background(), w.boss, rs[0].ID, a); err != nil {
				t.Error(err)
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("nothing waits")
}

func TestDeskRound(t *testing.T) {
	for _, c := range []struct {
		name  string
		a     Answer
		meant error
		after func(*world)
	}{
		{"yes", Answer{Allow: true}, nil, nil},
		{"no", Answer{}, ErrDenied, nil},
		{"the policy closed meanwhile", Answer{Allow: true}, ErrVoid, func(w *world) {
			w.engine, _ = toolpolicy.Compile(toolpolicy.Source{KnownTools: []string{"exec"}, Config: toolpolicy.Config{Deny: []string{"exec"}}})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			d := &Desk{Book: w.book, Policy: func() Decider { return w.engine }}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 200 { // the policy changes once the call waits
					if rs, _ := w.book.List(context.Background(), w.boss); len(rs) > 0 {
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
				if c.after != nil {
					c.after(w)
				}
				w.settle(t, c.a)
			}()
			q := &toolpolicy.Query{Tool: "exec", Surface: toolpolicy.SurfaceCLI, Session: w.session, Args: []byte(gitStatus)}
			g, id, err := d.Approve(t.Context(), w.asker, q)
			<-done
			if !errors.Is(err, c.meant) || g.Valid() != (c.meant == nil) || id == "" {
				t.Errorf("grant %v, id %q, error %v; want %v", g.Valid(), id, err, c.meant)
			}
		})
	}
}

func TestDeskRefusesWhatWasNotAsked(t *testing.T) {
	w := newWorld(t, Options{})
	d := &Desk{Book: w.book, Policy: func() Decider { return w.engine }}
	q := &toolpolicy.Query{Tool: "write", Surface: toolpolicy.SurfaceCLI, Session: w.session}
	if g, _, err := d.Approve(t.Context(), w.asker, q); g.Valid() || !errors.Is(err, ErrVoid) {
		t.Errorf("%v %v", g.Valid(), err)
	}
	if _, err := w.book.Ask(t.Context(), toolpolicy.Petition{}, &Plan{}); !errors.Is(err, ErrVoid) {
		t.Errorf("an empty petition: %v", err)
	}
}

func TestPlanOnTheHost(t *testing.T) {
	w := newWorld(t, Options{})
	dir := t.TempDir()
	script := filepath.Join(dir, "run.sh")
	if err := os.WriteFile(script, []byte("echo hi\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := `{"command":"sh run.sh && cat notes"}`
	where := Context{Files: Host{List: &shell.List{}}, Cwd: dir, Env: []string{"SECRET=abc", "A=1"}}
	p := w.petition(toolpolicy.SurfaceCLI, args)
	one, err := Build(t.Context(), p, []byte(args), where)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Programs) != 2 || one.Programs[0].Digest == "" || len(one.Scripts) != 1 || one.Scripts[0].Path != script || len(one.Doubts) == 0 {
		t.Errorf("plan %+v", one)
	}
	if err := os.WriteFile(script, []byte("echo ho\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	two, err := Build(t.Context(), p, []byte(args), where)
	if err != nil || one.Digest() == two.Digest() {
		t.Errorf("a changed script keeps the digest (%v)", err)
	}
	r, err := w.book.Ask(t.Context(), p, &two)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Plan.Env, ","); got != "A,SECRET" {
		t.Errorf("a plan for people shows the environment as %q", got)
	}
}

func TestPlanDigestSeparatesFields(t *testing.T) {
	base := Plan{Tool: "exec", Command: "a", Cwd: "b", Env: []string{"x"}, Commands: [][]string{{"a", "b"}}}
	seen := map[string]string{base.Digest(): "base"}
	for name, p := range map[string]Plan{
		"words moved":    {Tool: "exec", Command: "ab", Env: []string{"x"}, Commands: [][]string{{"a", "b"}}},
		"words split":    {Tool: "exec", Command: "a", Cwd: "b", Env: []string{"x"}, Commands: [][]string{{"a"}, {"b"}}},
		"words joined":   {Tool: "exec", Command: "a", Cwd: "b", Env: []string{"x"}, Commands: [][]string{{"a b"}}},
		"trailing space": {Tool: "exec", Command: "a ", Cwd: "b", Env: []string{"x"}, Commands: [][]string{{"a", "b"}}},
		"host":           {Tool: "exec", Command: "a", Cwd: "b", Env: []string{"x"}, Commands: [][]string{{"a", "b"}}, Host: true},
		"env as doubt":   {Tool: "exec", Command: "a", Cwd: "b", Doubts: []string{"x"}, Commands: [][]string{{"a", "b"}}},
		"script as path": {Tool: "exec", Command: "a", Cwd: "b", Paths: []File{{Path: "x"}}},
		"path as script": {Tool: "exec", Command: "a", Cwd: "b", Scripts: []File{{Path: "x"}}},
	} {
		d := p.Digest()
		if other, taken := seen[d]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
}

func TestStandingCanBeRevoked(t *testing.T) {
	w := newWorld(t, Options{})
	r, _, _ := w.ask(gitStatus)
	if err := w.book.Decide(t.Context(), w.boss, r.ID, Answer{Allow: true, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	ss, err := w.book.Standings(t.Context(), w.boss)
	if err != nil || len(ss) != 1 || ss[0].Uses != 10 {
		t.Fatalf("%+v %v", ss, err)
	}
	if r, _, _ := w.ask(gitStatus); r.State != StateApproved {
		t.Errorf("the same plan again is %s", r.State)
	}
	if err := w.book.Revoke(t.Context(), w.boss, ss[0].ID); err != nil {
		t.Fatal(err)
	}
	if r, _, _ := w.ask(gitStatus); r.State != StatePending {
		t.Errorf("after revoking it is %s", r.State)
	}
	w.advance(2 * time.Hour)
	if err := w.book.Revoke(t.Context(), w.asker, ss[0].ID); !errors.Is(err, ErrForbidden) {
		t.Errorf("without the scope: %v", err)
	}
}

func TestPlanInASandbox(t *testing.T) {
	w := newWorld(t, Options{})
	files := map[string]string{"/workspace/run.py": "print(1)"}
	where := Context{Cwd: "/workspace", Sandbox: "hash", Files: Workspace{Read: func(_ context.Context, p string, _ int64) ([]byte, error) {
		text, ok := files[p]
		if !ok {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	}}}
	args := `{"command":"python3 run.py"}`
	p := w.petition(toolpolicy.SurfaceCLI, args)
	one, err := Build(t.Context(), p, []byte(args), where)
	if err != nil || len(one.Scripts) != 1 || one.Scripts[0].Digest == "" {
		t.Fatalf("%+v %v", one, err)
	}
	files["/workspace/run.py"] = "print(2)"
	two, _ := Build(t.Context(), p, []byte(args), where)
	where.Sandbox = "other"
	three, _ := Build(t.Context(), p, []byte(args), where)
	if one.Digest() == two.Digest() || two.Digest() == three.Digest() {
		t.Error("a changed script or sandbox keeps the digest")
	}
}
