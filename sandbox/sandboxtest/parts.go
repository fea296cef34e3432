package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

type part struct {
	name string
	run  func(t *testing.T, b sandbox.Box)
}

// parts are tried on one box, one after the other.
func parts() []part {
	return []part{
		{"exit codes", exitCodes}, {"streams", streams}, {"input", input}, {"environment", environment}, {"directory", directory},
		{"no such program", noSuchProgram}, {"signal reaches the group", signalGroup}, {"cancel kills the group", cancelGroup}, {"cancel kills at once", cancelAtOnce},
		{"time limit", timeLimit}, {"terminal", terminal}, {"large output", largeOutput}, {"slow reader", slowReader},
		{"failing writer", failingWriter}, {"background child", backgroundChild}, {"concurrent commands", concurrent}, {"orphans", orphans},
		{"identity", identity}, {"no network", noNetwork}, {"no escape by the obvious", obvious}, {"process limit", processLimit},
		{"memory limit", memoryLimit}, {"scratch is bounded", scratch}, {"files in scratch are bounded", scratchFiles},
		{"workspace files", workspaceFiles}, {"inside files", insideFiles},
	}
}

func exitCodes(t *testing.T, b sandbox.Box) {
	expect(t, b, "exit 0", "", 0)
	expect(t, b, "exit 7", "", 7)
	r := run(t, b, "kill -9 $$")
	if r.exit.Signal != 9 || r.exit.Code != -1 || r.fail != nil {
		t.Fatalf("killed: %+v", r)
	}
	if r.exit.Duration <= 0 {
		t.Fatal("no duration")
	}
}

func streams(t *testing.T, b sandbox.Box) {
	r := run(t, b, "echo out; echo err >&2")
	if r.out != "out\n" || r.err != "err\n" {
		t.Fatalf("%+v", r)
	}
	var both bytes.Buffer
	r = runCmd(t, b, sandbox.Cmd{Argv: []string{"sh", "-c", "echo a; echo b >&2; echo c"}, Stdin: sandbox.NoStdin, Stdout: &both, Stderr: &both})
	if both.String() != "a\nb\nc\n" {
		t.Fatalf("merged %q, %+v", both.String(), r)
	}
}

func input(t *testing.T, b sandbox.Box) {
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("hello")})
	if r.out != "hello" || r.fail != nil {
		t.Fatalf("%+v", r)
	}
	big := strings.Repeat("x", 3<<20)
	r = runCmd(t, b, sandbox.Cmd{Argv: []string{"wc", "-c"}, Stdin: strings.NewReader(big)})
	if strings.TrimSpace(r.out) != fmt.Sprint(len(big)) {
		t.Fatalf("%+v", r)
	}
	var out bytes.Buffer
	p, err := b.Start(t.Context(), sandbox.Cmd{Argv: []string{"cat"}, Stdout: &out})
	must(t, err)
	in := p.Stdin()
	if in == nil {
		t.Fatal("no input to write to")
	}
	_, err = io.WriteString(in, "later")
	must(t, err)
	must(t, in.Close())
	x, err := p.Wait(t.Context())
	if err != nil || x.Code != 0 || out.String() != "later" {
		t.Fatalf("%q %+v %v", out.String(), x, err)
	}
	// A process that does not read its input must not hold anything up.
	if r := runCmd(t, b, sandbox.Cmd{Argv: []string{"true"}, Stdin: strings.NewReader(big)}); r.exit.Code != 0 {
		t.Fatalf("%+v", r)
	}
}

func environment(t *testing.T, b sandbox.Box) {
	t.Setenv("CHITIN_TEST_CANARY", "canary-7f3a")
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"sh", "-c", "env"}, Env: []string{"GIVEN=yes"}, Stdin: sandbox.NoStdin})
	if !strings.Contains(r.out, "GIVEN=yes") || strings.Contains(r.out, "canary") || strings.Contains(r.out, "CHITIN_") {
		t.Fatalf("environment %q", r.out)
	}
	expect(t, b, `tr '\0' '\n' </proc/1/environ 2>/dev/null | grep -c . || true`, "0", 0)
}

func directory(t *testing.T, b sandbox.Box) {
	expect(t, b, "pwd", sandbox.Workdir, 0)
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"pwd"}, Dir: "/tmp", Stdin: sandbox.NoStdin})
	if r.out != "/tmp\n" {
		t.Fatalf("%+v", r)
	}
	if r := runCmd(t, b, sandbox.Cmd{Argv: []string{"pwd"}, Dir: "/no/such", Stdin: sandbox.NoStdin}); r.fail == nil {
		t.Fatalf("started in a directory that is not there: %+v", r)
	}
}

func noSuchProgram(t *testing.T, b sandbox.Box) {
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"no-such-program"}, Stdin: sandbox.NoStdin})
	if !errors.Is(r.fail, syscall.ENOENT) || r.exit.Code == 0 && !errors.Is(r.fail, syscall.ENOENT) {
		t.Fatalf("%+v", r)
	}
	if _, err := b.Start(t.Context(), sandbox.Cmd{}); err == nil {
		t.Fatal("an empty command started")
	}
}

// started waits until a command has printed its first line.
func started(t *testing.T, b sandbox.Box, ctx context.Context, script string) (sandbox.Proc, *lines) {
	t.Helper()
	l := &lines{got: make(chan struct{})}
	p, err := b.Start(ctx, sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin, Stdout: l, Stderr: l})
	must(t, err)
	select {
	case <-l.got:
	case <-time.After(10 * time.Second):
		t.Fatal("the command did not start")
	}
	return p, l
}

type lines struct {
	mu   sync.Mutex
	b    bytes.Buffer
	once sync.Once
	got  chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.once.Do(func() { close(l.got) })
	return l.b.Write(p)
}

func signalGroup(t *testing.T, b sandbox.Box) {
	p, _ := started(t, b, t.Context(), "trap 'exit 5' TERM; sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; echo up; wait")
	must(t, p.Signal(int(syscall.SIGTERM)))
	x, err := p.Wait(t.Context())
	if err != nil || x.Code != 5 {
		t.Fatalf("%+v %v", x, err)
	}
	gone(t, b, "sleep 1000")
}

// gone waits until no process with that command line is left.
func gone(t *testing.T, b sandbox.Box, cmdline string) {
	t.Helper()
	eventually(t, "the end of "+cmdline, func() bool {
		r := run(t, b, `for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' <"$f" 2>/dev/null; echo; done`)
		for l := range strings.Lines(r.out) {
			if strings.TrimSpace(l) == cmdline {
				return false
			}
		}
		return true
	})
}

func cancelGroup(t *testing.T, b sandbox.Box) {
	ctx, cancel := context.WithCancel(t.Context())
	p, _ := started(t, b, ctx, "(trap '' TERM INT HUP; sleep 1001) & setsid sleep 1002 & echo up; sleep 1003")
	cancel()
	t0 := time.Now()
	x, err := p.Wait(context.Background())
	if x.Signal != 9 {
		t.Fatalf("%+v %v", x, err)
	}
	if d := time.Since(t0); d > 2*time.Second {
		t.Fatalf("took %v", d)
	}
	for _, n := range []string{"1001", "1002", "1003"} {
		gone(t, b, "sleep "+n)
	}
}

func timeLimit(t *testing.T, b sandbox.Box) {
	t0 := time.Now()
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"sh", "-c", "sleep 1004 & sleep 1005"}, Stdin: sandbox.NoStdin, Timeout: 200 * time.Millisecond})
	if !r.exit.TimedOut || time.Since(t0) > 5*time.Second {
		t.Fatalf("%+v", r)
	}
	gone(t, b, "sleep 1004")
}

func terminal(t *testing.T, b sandbox.Box) {
	var out lockedBuffer
	p, err := b.Start(t.Context(), sandbox.Cmd{Argv: []string{"sh", "-c", "test -t 0 && test -t 1 && stty size; read x; echo got $x; stty size"}, PTY: &sandbox.Winsize{Cols: 91, Rows: 33}, Stdout: &out})
	must(t, err)
	eventually(t, "the terminal's size", func() bool { return strings.Contains(out.String(), "33 91") })
	must(t, p.Resize(sandbox.Winsize{Cols: 100, Rows: 40}))
	_, err = io.WriteString(p.Stdin(), "word\n")
	must(t, err)
	x, err := p.Wait(t.Context())
	if err != nil || x.Code != 0 || !strings.Contains(out.String(), "got word") || !strings.Contains(out.String(), "40 100") {
		t.Fatalf("%q %+v %v", out.String(), x, err)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func largeOutput(t *testing.T, b sandbox.Box) {
	var n counter
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"sh", "-c", "head -c 20000000 /dev/zero"}, Stdin: sandbox.NoStdin, Stdout: &n})
	if n != 20000000 || r.exit.Code != 0 {
		t.Fatalf("%d bytes, %+v", n, r)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// slowWriter blocks until it is let go.
type slowWriter struct{ free chan struct{} }

func (w slowWriter) Write(p []byte) (int, error) { <-w.free; return len(p), nil }

func slowReader(t *testing.T, b sandbox.Box) {
	free := make(chan struct{})
	slow, err := b.Start(t.Context(), sandbox.Cmd{Argv: []string{"sh", "-c", "head -c 3000000 /dev/zero"}, Stdin: sandbox.NoStdin, Stdout: slowWriter{free}})
	must(t, err)
	for range 20 {
		expect(t, b, "echo quick", "quick", 0)
	}
	close(free)
	if x, err := slow.Wait(t.Context()); err != nil || x.Code != 0 {
		t.Fatalf("%+v %v", x, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func failingWriter(t *testing.T, b sandbox.Box) {
	r := runCmd(t, b, sandbox.Cmd{Argv: []string{"sh", "-c", "head -c 1000000 /dev/zero; exit 3"}, Stdin: sandbox.NoStdin, Stdout: brokenWriter{}})
	if r.exit.Code != 3 || !errors.Is(r.fail, io.ErrShortWrite) {
		t.Fatalf("%+v", r)
	}
}

func backgroundChild(t *testing.T, b sandbox.Box) {
	t0 := time.Now()
	r := run(t, b, "sleep 1006 & echo $! >/tmp/bg; echo started")
	if r.out != "started\n" || r.exit.Code != 0 || time.Since(t0) > 5*time.Second {
		t.Fatalf("%+v after %v", r, time.Since(t0))
	}
	expect(t, b, "kill -9 $(cat /tmp/bg) && echo done", "done", 0)
}

func concurrent(t *testing.T, b sandbox.Box) {
	var wg sync.WaitGroup
	errs := make(chan error, 50)
	for i := range 50 {
		wg.Go(func() {
			var out bytes.Buffer
			p, err := b.Start(context.Background(), sandbox.Cmd{Argv: []string{"sh", "-c", fmt.Sprintf("echo %d; echo %d; exit %d", i, i*i, i)}, Stdin: sandbox.NoStdin, Stdout: &out})
			if err != nil {
				errs <- err
				return
			}
			x, err := p.Wait(context.Background())
			if want := fmt.Sprintf("%d\n%d\n", i, i*i); err != nil || x.Code != i || out.String() != want {
				errs <- fmt.Errorf("%d: %q %+v %w", i, out.String(), x, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

func orphans(t *testing.T, b sandbox.Box) {
	for range 50 {
		expect(t, b, "(sleep 0.02 &) ; (true &) ; echo ok", "ok", 0)
	}
	expect(t, b, "i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; echo ok", "ok", 0)
	eventually(t, "the reaping of orphans", func() bool {
		r := run(t, b, `n=0; for f in /proc/[0-9]*/stat; do read -r l <"$f" 2>/dev/null || continue; case "$l" in *") Z "*) n=$((n+1));; esac; done; echo $n`)
		return strings.TrimSpace(r.out) == "0"
	})
}

func identity(t *testing.T, b sandbox.Box) {
	r := run(t, b, "id -u; id -g")
	f := strings.Fields(r.out)
	if len(f) != 2 || f[0] == "0" || f[1] == "0" {
		t.Fatalf("identity %q", r.out)
	}
	expect(t, b, "awk '/^(CapEff|CapBnd|CapPrm):/{print $2}' /proc/self/status | sort -u", "0000000000000000", 0)
	if os.Getuid() == 0 && b.Info().Access == "none" {
		expect(t, b, "touch f && stat -c %u f", f[0], 0)
	}
}
