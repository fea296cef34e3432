package hostbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBox(t *testing.T) *Box {
	t.Helper()
	b, err := New(Options{Dir: t.TempDir(), Workdir: "/workspace", Grace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func sh(script string, out io.Writer) sandbox.Cmd {
	return sandbox.Cmd{Argv: []string{"/bin/sh", "-c", script}, Stdin: sandbox.NoStdin, Stdout: out, Stderr: out}
}

func run(t *testing.T, b *Box, c sandbox.Cmd) sandbox.Exit {
	t.Helper()
	p, err := b.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	x, err := p.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestExitsAndStreams(t *testing.T) {
	b := newBox(t)
	t.Setenv("HOST_SECRET", "leaked")
	var out bytes.Buffer
	if x := run(t, b, sh("echo one; echo two >&2; exit 7", &out)); x.Code != 7 || x.Signal != 0 || out.String() != "one\ntwo\n" {
		t.Errorf("%+v %q", x, out.String())
	}
	if x := run(t, b, sh("kill -TERM $$", nil)); x.Code != -1 || x.Signal != int(syscall.SIGTERM) {
		t.Errorf("signal: %+v", x)
	}
	out.Reset()
	if run(t, b, sh("echo ${HOST_SECRET-none}; pwd", &out)); out.String() != "none\n"+b.opts.Dir+"\n" {
		t.Errorf("environment or directory: %q", out.String())
	}
	c := sh("cat", &out)
	c.Stdin = strings.NewReader("given")
	out.Reset()
	if run(t, b, c); out.String() != "given" {
		t.Errorf("stdin: %q", out.String())
	}
}

func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	b := newBox(t)
	var out bytes.Buffer
	c := sh("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; sleep 60' & wait", &out)
	c.Timeout = 200 * time.Millisecond
	start := time.Now()
	if x := run(t, b, c); !x.TimedOut || x.Signal != int(syscall.SIGKILL) {
		t.Errorf("%+v", x)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	gone(t, out.String())
}

// gone waits for a process to be no more; it may be a zombie of init's for a
// moment.
func gone(t *testing.T, pidText string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(pidText))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d of the group still runs", pid)
}

func TestCancelKillsTheGroup(t *testing.T) {
	b := newBox(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := b.Start(ctx, sh("sh -c 'echo $$; sleep 60' & wait", w))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 32)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if x, err := p.Wait(context.Background()); err != nil || x.Signal != int(syscall.SIGKILL) {
		t.Errorf("%+v %v", x, err)
	}
	gone(t, string(buf[:n]))
	if err := p.Signal(int(syscall.SIGTERM)); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("signal to the dead: %v", err)
	}
}

func TestWaitMayBeGivenUpAndRepeated(t *testing.T) {
	b := newBox(t)
	p, err := b.Start(context.Background(), sh("sleep 0.2; exit 3", nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("first wait: %v", err)
	}
	if x, err := p.Wait(context.Background()); err != nil || x.Code != 3 {
		t.Errorf("second wait: %+v %v", x, err)
	}
}

func TestTerminal(t *testing.T) {
	b := newBox(t)
	var out bytes.Buffer
	c := sandbox.Cmd{Argv: []string{"/bin/sh", "-c", "stty size; read x; echo got $x; test -t 0"}, Env: []string{"PATH=/usr/bin:/bin"},
		Stdout: &out, PTY: &sandbox.Winsize{Cols: 91, Rows: 17}}
	p, err := b.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(p.Stdin(), "hello\r"); err != nil {
		t.Fatal(err)
	}
	x, err := p.Wait(context.Background())
	if err != nil || x.Code != 0 {
		t.Errorf("%+v %v", x, err)
	}
	if s := out.String(); !strings.Contains(s, "17 91") || !strings.Contains(s, "got hello") {
		t.Errorf("output %q", s)
	}
}

func TestRefusals(t *testing.T) {
	b := newBox(t)
	ctx := context.Background()
	if _, err := b.Start(ctx, sandbox.Cmd{}); err == nil {
		t.Error("an empty command was started")
	}
	c := sh("true", nil)
	c.Dir = "/workspace/none"
	if _, err := b.Start(ctx, c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if _, err := New(Options{Dir: "/no/such/dir"}); err == nil {
		t.Error("a missing host directory was accepted")
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(ctx, sh("true", nil)); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("start in a closed box: %v", err)
	}
}
