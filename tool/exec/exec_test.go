package exec_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/exec"
	"github.com/chitin-sh/chitin/tool/procs"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWorld(t testing.TB, o exec.Options) *tooltest.World {
	if o.Procs == nil {
		o.Procs = procs.NewTable(procs.Limits{Running: 3})
	}
	w := tooltest.New(t, exec.New(o))
	t.Cleanup(func() {
		if err := o.Procs.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestOutputIsStreamedAndBounded(t *testing.T) {
	w := newWorld(t, exec.Options{Keep: 1000})
	var mu sync.Mutex
	streamed := 0
	w.Emit = func(stream string, b []byte) {
		mu.Lock()
		defer mu.Unlock()
		streamed += len(b)
	}
	res, err := w.Call(context.Background(), "exec", map[string]any{"command": "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"})
	if err != nil {
		t.Fatal(err)
	}
	d := res.Details.(exec.Details)
	if !d.Truncated || len(d.Aggregated) > 2100 {
		t.Errorf("truncated %v, %d bytes", d.Truncated, len(d.Aggregated))
	}
	if !strings.HasPrefix(d.Aggregated, "first\nx") || !strings.HasSuffix(d.Aggregated, "x\nlast") || !strings.Contains(d.Aggregated, "bytes omitted") {
		t.Errorf("%.60q … %q", d.Aggregated, d.Aggregated[len(d.Aggregated)-60:])
	}
	mu.Lock()
	defer mu.Unlock()
	if want := len("first\n") + 3000000 + len("\nlast\n"); streamed != want {
		t.Errorf("streamed %d bytes, want %d", streamed, want)
	}
}

func TestYieldKeepsTheCommandAndStopsEmitting(t *testing.T) {
	table := procs.NewTable(procs.Limits{})
	w := newWorld(t, exec.Options{Procs: table})
	var mu sync.Mutex
	var got strings.Builder
	w.Emit = func(_ string, b []byte) { mu.Lock(); got.Write(b); mu.Unlock() }
	res, err := w.Call(context.Background(), "exec", map[string]any{"command": "echo a; sleep 0.5; echo b", "yieldMs": 150})
	if err != nil {
		t.Fatal(err)
	}
	d, ok := res.Details.(exec.Running)
	if !ok || d.Tail != "a\n" || d.Status != "running" {
		t.Fatalf("details %+v", res.Details)
	}
	p, ok := table.Get(procs.Key{Tenant: "default", Session: "agent:main:main"}, d.SessionID)
	if !ok {
		t.Fatal("not in the table")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for p.Running() && ctx.Err() == nil {
		_ = p.Out.Next()
		p.AwaitOutput(ctx)
	}
	if x, err := p.Exit(); err != nil || x.Code != 0 || p.Out.Text() != "a\nb\n" {
		t.Errorf("%+v %v %q", x, err, p.Out.Text())
	}
	mu.Lock()
	defer mu.Unlock()
	if got.String() != "a\n" {
		t.Errorf("emitted %q after the answer", got.String())
	}
}

func TestCallerGoneKillsTheCommand(t *testing.T) {
	w := newWorld(t, exec.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	start := time.Now()
	_, err := w.Call(ctx, "exec", map[string]any{"command": "sleep 30; touch survived"})
	if err == nil || !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestBackgroundLimitPerSession(t *testing.T) {
	w := newWorld(t, exec.Options{})
	ctx := context.Background()
	for range 3 {
		if _, err := w.Call(ctx, "exec", map[string]any{"command": "sleep 30", "background": true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Call(ctx, "exec", map[string]any{"command": "true"}); err == nil {
		t.Error("a fourth process was started")
	}
	w.Session.Tenant = "other"
	if _, err := w.Call(ctx, "exec", map[string]any{"command": "true"}); err != nil {
		t.Errorf("another tenant's session of the same name: %v", err)
	}
}

// Elevated calls run in the host's box with the host's rules, and only when
// the place says so.
func TestElevated(t *testing.T) {
	used := false
	host, err := hostbox.New(hostbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, exec.Options{Host: func(*tool.Call) (sandbox.Box, error) { used = true; return host, nil }})
	ctx := context.Background()
	if _, err := w.Call(ctx, "exec", map[string]any{"command": "true", "elevated": true}); tool.AsError(err).Kind != tool.KindForbidden || used {
		t.Errorf("not placed on the host: %v", err)
	}
	w.Host = true
	if res, err := w.Call(ctx, "exec", map[string]any{"command": "pwd", "elevated": true}); err != nil || !used || res.Content[0].Text != host.Info().Workdir {
		t.Errorf("elevated: %v %+v", err, res)
	}
	for _, name := range []string{"PYTHONSTARTUP", "GIT_DIR", "BASH_ENV", "NODE_OPTIONS", "EDITOR", "HOME", "FOO", "lang"} {
		_, err := w.Call(ctx, "exec", map[string]any{"command": "true", "env": map[string]string{name: "x"}})
		if tool.AsError(err).Kind != tool.KindForbidden {
			t.Errorf("%s on the host: %v", name, err)
		}
	}
	if _, err := w.Call(ctx, "exec", map[string]any{"command": "true", "env": map[string]string{"LC_ALL": "C", "TZ": "UTC"}}); err != nil {
		t.Errorf("harmless variables: %v", err)
	}
	if _, err := w.Call(ctx, "exec", map[string]any{"command": "true", "host": "sandbox"}); err == nil {
		t.Error("host=sandbox without a sandbox")
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	w := newWorld(t, exec.Options{})
	for name, args := range map[string]any{
		"blank command":    map[string]any{"command": "  "},
		"zero byte":        map[string]any{"command": "a\x00b"},
		"long title":       map[string]any{"command": "true", "title": strings.Repeat("x", 121)},
		"proc workdir":     map[string]any{"command": "true", "workdir": "/proc/self/fd/3"},
		"hidden proc":      map[string]any{"command": "true", "workdir": "../proc/1/cwd"},
		"newline workdir":  map[string]any{"command": "true", "workdir": "a\nb"},
		"odd env name":     map[string]any{"command": "true", "env": map[string]string{"A B": "x"}},
		"env with =":       map[string]any{"command": "true", "env": map[string]string{"A=B": "x"}},
		"DYLD":             map[string]any{"command": "true", "env": map[string]string{"dyld_insert_libraries": "x"}},
		"env zero byte":    map[string]any{"command": "true", "env": map[string]string{"A": "x\x00y"}},
		"env of a number":  `{"command":"true","env":{"A":1}}`,
		"command twice":    `{"command":"true","command":"rm -rf /"}`,
		"other case":       `{"command":"true","Command":"rm -rf /"}`,
		"escaped same":     `{"command":"true","comm\u0061nd":"rm -rf /"}`,
		"array":            `["true"]`,
		"no json":          `{"command":`,
		"background words": `{"command":"true","background":"yes"}`,
	} {
		_, err := w.Call(context.Background(), "exec", args)
		if e := tool.AsError(err); err == nil || e.Kind != tool.KindInput && e.Kind != tool.KindForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing is inherited: the environment is exactly what the tool says.
func TestEnvironment(t *testing.T) {
	t.Setenv("GATEWAY_TOKEN", "secret")
	w := newWorld(t, exec.Options{Env: func(*tool.Call) []string { return []string{"EXTRA=1"} }})
	res, err := w.Call(context.Background(), "exec", map[string]any{"command": "env | sort | cut -d= -f1 | tr '\\n' ' '", "env": map[string]string{"MINE": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Content[0].Text; got != "CHITIN_SHELL EXTRA LANG MINE OPENCLAW_SHELL PATH PWD" {
		t.Errorf("environment: %q", got)
	}
}

// instant is a box whose commands take no time: what is left is the tool.
type instant struct{ *hostbox.Box }

type ended struct{}

func (instant) Start(context.Context, sandbox.Cmd) (sandbox.Proc, error) { return ended{}, nil }

func (ended) PID() int                                   { return 1 }
func (ended) Stdin() io.WriteCloser                      { return nil }
func (ended) Signal(int) error                           { return nil }
func (ended) Resize(sandbox.Winsize) error               { return nil }
func (ended) Wait(context.Context) (sandbox.Exit, error) { return sandbox.Exit{}, nil }

// late is a box that reports a failed start only to Wait.
type late struct {
	*hostbox.Box
	err error
}

type stillborn struct {
	ended
	err error
}

func (l late) Start(context.Context, sandbox.Cmd) (sandbox.Proc, error) {
	return stillborn{err: l.err}, nil
}
func (s stillborn) Wait(context.Context) (sandbox.Exit, error) { return sandbox.Exit{Code: -1}, s.err }

func TestFailedStartsAreExplained(t *testing.T) {
	host, err := hostbox.New(hostbox.Options{Dir: t.TempDir(), Workdir: "/workspace"})
	if err != nil {
		t.Fatal(err)
	}
	for args, c := range map[string]struct {
		cause error
		kind  tool.ErrorKind
		text  string
	}{
		`{"command":"x","workdir":"none"}`: {syscall.ENOENT, tool.KindInput, "Working directory not found: none."},
		`{"command":"x","workdir":"."}`:    {syscall.ENOENT, tool.KindUnavail, "The sandbox's image has no /bin/sh. Choose another image."},
		`{"command":"x"}`:                  {syscall.EAGAIN, tool.KindUnavail, "The sandbox has as many processes as it may. End some, then retry."},
		`{"command":"y"}`:                  {syscall.E2BIG, tool.KindInput, "The command and its environment are too long."},
		`{"command":"z"}`:                  {sandbox.ErrGone, tool.KindUnavail, "The sandbox is not available. Retry; if it stays so, run `chitin doctor`."},
		`{"command":"w"}`:                  {sandbox.ErrRefused, tool.KindForbidden, "The sandbox refused to run the command."},
		`{"command":"v"}`:                  {errors.New("dial /run/host.sock"), tool.KindFailed, "The command could not be run."},
	} {
		place := tooltest.Place(late{host, c.cause}, false)
		_, err := exec.New(exec.Options{}).Run(context.Background(), &tool.Call{Args: []byte(args), Place: place})
		if e := tool.AsError(err); e.Kind != c.kind || e.Public != c.text || !errors.Is(err, c.cause) {
			t.Errorf("%s: %s %q", args, e.Kind, e.Public)
		}
	}
}

func BenchmarkExecOverhead(b *testing.B) {
	host, err := hostbox.New(hostbox.Options{Dir: b.TempDir(), Workdir: "/workspace"})
	if err != nil {
		b.Fatal(err)
	}
	reg, err := tool.NewRegistry(exec.New(exec.Options{}))
	if err != nil {
		b.Fatal(err)
	}
	e, _ := reg.Get("exec")
	c := &tool.Call{Args: []byte(`{"command":"true"}`), Place: tooltest.Place(instant{host}, false)}
	b.ReportAllocs()
	for b.Loop() {
		if err := reg.Validate("exec", c.Args); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Run(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
}
