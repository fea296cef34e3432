package procs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a process that ends when it is signalled or told to.
type fake struct{ end chan sandbox.Exit }

func newFake() *fake { return &fake{end: make(chan sandbox.Exit, 2)} }

func (f *fake) PID() int                     { return 42 }
func (f *fake) Stdin() io.WriteCloser        { return nil }
func (f *fake) Resize(sandbox.Winsize) error { return nil }
func (f *fake) Signal(sig int) error {
	f.end <- sandbox.Exit{Code: -1, Signal: sig}
	return nil
}

func (f *fake) Wait(ctx context.Context) (sandbox.Exit, error) {
	select {
	case x := <-f.end:
		return x, nil
	case <-ctx.Done():
		return sandbox.Exit{}, ctx.Err()
	}
}

func add(t *Table, key Key, command string) (*Process, *fake) {
	f := newFake()
	return t.Add(context.Background(), key, Start{
		Command: command, Started: time.Now(), Proc: f, Out: NewOutput(0, nil), Stop: func() {},
	}), f
}

func TestProcessesBelongToOneSession(t *testing.T) {
	table := NewTable(Limits{})
	mine, other := Key{"a", "s"}, Key{"b", "s"}
	p, _ := add(table, mine, "sleep 1")
	if _, ok := table.Get(mine, p.ID); !ok {
		t.Error("the owner does not find it")
	}
	if _, ok := table.Get(other, p.ID); ok || len(table.List(other)) != 0 {
		t.Error("another tenant sees it")
	}
	table.CloseSession(other)
	if !p.Running() {
		t.Error("another tenant ended it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := table.Close(ctx); err != nil || p.Running() || !p.Killed() {
		t.Errorf("close: %v, running %v", err, p.Running())
	}
}

func TestFinishedProcessesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(Limits{Running: 2, Finished: 3, Forget: time.Minute})
		key := Key{"t", "s"}
		ids := map[string]bool{}
		for range 5 {
			p, f := add(table, key, "true")
			ids[p.ID] = true
			f.end <- sandbox.Exit{}
			synctest.Wait()
		}
		if len(ids) != 5 {
			t.Errorf("names repeat: %v", ids)
		}
		if n := len(table.List(key)); n != 3 {
			t.Errorf("%d finished are remembered", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(table.List(key)); n != 0 {
			t.Errorf("%d are remembered for ever", n)
		}
		add(table, key, "a")
		add(table, key, "b")
		if err := table.Room(key); !errors.Is(err, ErrTooMany) {
			t.Errorf("room for a third: %v", err)
		}
		table.CloseSession(key)
		synctest.Wait()
	})
}

func TestAwaitOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(Limits{})
		p, f := add(table, Key{}, "x")
		time.AfterFunc(time.Second, func() { fmt.Fprint(p.Out, "hello") })
		time.AfterFunc(3*time.Second, func() { f.end <- sandbox.Exit{Code: 1} })
		start := time.Now()
		wait := func(max time.Duration, want time.Duration, text string) {
			ctx, cancel := context.WithTimeout(context.Background(), max)
			defer cancel()
			p.AwaitOutput(ctx)
			if d := time.Since(start); d != want {
				t.Errorf("%q came after %v, want %v", text, d, want)
			}
			if got := p.Out.Next(); got != text {
				t.Errorf("got %q, want %q", got, text)
			}
		}
		wait(30*time.Second, time.Second, "hello")
		wait(time.Second, 2*time.Second, "")
		wait(30*time.Second, 3*time.Second, "")
	})
}

// stuck is an input that nobody reads.
type stuck struct{ release chan struct{} }

func (s stuck) Write(b []byte) (int, error) { <-s.release; return len(b), nil }
func (s stuck) Close() error                { return nil }

func TestWriteDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(Limits{})
		in := stuck{release: make(chan struct{})}
		f := newFake()
		p := table.Add(context.Background(), Key{}, Start{Command: "x", Proc: f, Out: NewOutput(0, nil), Stop: func() {}, Stdin: in})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Write(ctx, []byte("x"), false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
		close(in.release)
		f.end <- sandbox.Exit{}
		synctest.Wait()
		if err := p.Write(context.Background(), nil, true); !errors.Is(err, ErrNoStdin) {
			t.Errorf("write to the dead: %v", err)
		}
	})
}

// Whatever arrives in whatever pieces, the two ends are kept exactly.
func TestOutputAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.IntRange(1, 40).Draw(t, "keep")
		o := NewOutput(keep, nil)
		var all, polled string
		for _, piece := range rapid.SliceOfN(rapid.StringMatching(`[a-z\n]{0,30}`), 0, 20).Draw(t, "pieces") {
			if _, err := io.WriteString(o, piece); err != nil {
				t.Fatal(err)
			}
			all += piece
			if rapid.Bool().Draw(t, "poll") {
				next := o.Next()
				if len(polled)+len(next) > len(all) || !strings.HasSuffix(all, next) && len(next) <= keep {
					t.Fatalf("next %q of %q", next, all)
				}
				polled = all
			}
		}
		st := o.Stats()
		if st.Bytes != int64(len(all)) || st.Lines != int64(strings.Count(all, "\n")) {
			t.Fatalf("counts %+v of %q", st, all)
		}
		if cap(o.head)+cap(o.tail) > 16*keep+256 {
			t.Fatalf("holds %d bytes for a limit of %d", cap(o.head)+cap(o.tail), keep)
		}
		text := o.Text()
		if len(all) <= 2*keep {
			if text != all || st.Truncated {
				t.Fatalf("%q instead of %q", text, all)
			}
			return
		}
		if !st.Truncated || !strings.HasPrefix(text, all[:keep]) || !strings.HasSuffix(text, all[len(all)-keep:]) ||
			!strings.Contains(text, fmt.Sprintf("[... %d bytes omitted ...]", len(all)-2*keep)) {
			t.Fatalf("%q of %q", text, all)
		}
		if tail := o.Tail(keep / 2); tail != all[len(all)-keep/2:] {
			t.Fatalf("tail %q of %q", tail, all)
		}
	})
}

func TestShortNames(t *testing.T) {
	for command, want := range map[string]string{
		"echo a; sleep 3":              "echo a;",
		"ls -la /tmp":                  "ls /tmp",
		"top":                          "top",
		"  ":                           "",
		"x " + strings.Repeat("y", 80): "x " + strings.Repeat("y", 45) + "…",
	} {
		if got := shortName(command); got != want {
			t.Errorf("%q: %q", command, got)
		}
	}
}
