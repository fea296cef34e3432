// Package probe proves a box before its first use: facts collected by the
// supervisor's own program inside are compared, on the host, with what the
// spec declared. The program is ours and runs before anything else, so its
// word counts; what it cannot see is checked from outside by the backend.
package probe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

const (
	timeout  = 15 * time.Second
	maxFacts = 1 << 20
)

// Facts are what was found inside, by name; a name may repeat.
type Facts map[string][]string

// First is the first value of a fact, "" when there is none.
func (f Facts) First(name string) string {
	if v := f[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// starter is a supervisor's connection.
type starter interface {
	Start(ctx context.Context, c sandbox.Cmd) (sandbox.Proc, error)
}

// Run collects the facts of a box.
func Run(ctx context.Context, c starter, s sandbox.Spec) (Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out := &limited{}
	argv := []string{supervisor.Path, "probe"}
	if s.Workspace != "" {
		argv = append(argv, sandbox.Workdir)
	}
	for _, m := range s.Mounts {
		argv = append(argv, m.Target)
	}
	p, err := c.Start(ctx, sandbox.Cmd{Argv: argv, Env: s.Env, Dir: "/", Stdin: sandbox.NoStdin, Stdout: out, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	x, err := p.Wait(ctx)
	if err != nil {
		return nil, err
	}
	if x.Code != 0 {
		return nil, fmt.Errorf("the probes ended with code %d, signal %d", x.Code, x.Signal)
	}
	return Parse(out.b)
}

type limited struct{ b []byte }

func (w *limited) Write(p []byte) (int, error) {
	if len(w.b)+len(p) <= maxFacts {
		w.b = append(w.b, p...)
	}
	return len(p), nil
}

// Parse reads the probes' output; it must be complete.
func Parse(b []byte) (Facts, error) {
	f := Facts{}
	sc := bufio.NewScanner(bytes.NewReader(b))
	n := 0
	for sc.Scan() {
		k, v, ok := strings.Cut(sc.Text(), " ")
		if !ok || k == "" {
			return nil, fmt.Errorf("malformed fact %q", sc.Text())
		}
		if n++; n > 10000 {
			return nil, fmt.Errorf("too many facts")
		}
		f[k] = append(f[k], v)
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if f.First("end") != "1" {
		return nil, fmt.Errorf("the facts are incomplete")
	}
	return f, nil
}

// Expectation is what must be found. Backends start from Expect and say where
// theirs differs.
type Expectation struct {
	UID, GID   string
	Filter     bool // a system-call filter of the kernel is visible
	NoNewPrivs bool
	Network    bool // routes to the outside are declared
	MaxFiles   int64
	Memory     int64 // bytes; 0: not visible inside
	Pids       int64
	CPU        bool
	Tmpfs      []sandbox.Tmpfs
	// At is device:inode of each mounted directory as the host sees it.
	At map[string]string
	// NoDevUnseen says that the kernel inside does not report nodev.
	NoDevUnseen bool
	// Shown are mounts of the backend's own, each of which must be read-only.
	Shown []string
	// ReadOnly and Writable are directories that must refuse or take files.
	ReadOnly, Writable []string
	// Refused are answers that count as a refused system call.
	Refused []string
	// Skip names facts that mean nothing on this backend, with the reason.
	Skip map[string]string
}

// Expect derives from a spec what its box must look like.
func Expect(s sandbox.Spec) Expectation {
	uid, gid, _ := strings.Cut(s.User, ":")
	e := Expectation{UID: uid, GID: gid, Filter: true, NoNewPrivs: true, Network: s.Network != "none" && s.Network != "egress",
		MaxFiles: s.Limits.Ulimits["nofile"][1], Memory: s.Limits.Memory, Pids: s.Limits.Pids, CPU: s.Limits.NanoCPUs > 0,
		Tmpfs: s.Tmpfs, At: map[string]string{}, Refused: []string{"EPERM", "EACCES", "ENOSYS"}, Skip: map[string]string{},
		ReadOnly: []string{"/", "/usr", "/usr/bin", "/etc", "/proc/sys/kernel", "/sys/fs/cgroup", "/.chitin"}}
	add := func(src, dst string, ro bool) {
		var st unix.Stat_t
		if unix.Stat(src, &st) == nil {
			e.At[dst] = strconv.FormatUint(st.Dev, 10) + ":" + strconv.FormatUint(st.Ino, 10)
		} else {
			e.At[dst] = "missing on the host"
		}
		if ro {
			e.ReadOnly = append(e.ReadOnly, dst)
		}
	}
	if s.Workspace != "" {
		add(s.Workspace, sandbox.Workdir, s.ReadOnly())
		if s.Access == "none" || s.Access == "rw" {
			e.Writable = append(e.Writable, sandbox.Workdir)
		}
	}
	for _, m := range s.Mounts {
		add(m.Source, m.Target, m.ReadOnly)
	}
	return e
}

// Check compares and returns one line for each contradiction. What is missing
// contradicts.
func Check(f Facts, e Expectation) []string {
	c := &checker{f: f, e: e}
	c.identity()
	c.kernel()
	c.files()
	c.network()
	c.limits()
	slices.Sort(c.bad)
	return c.bad
}

type checker struct {
	f   Facts
	e   Expectation
	bad []string
}

func (c *checker) fail(name, format string, a ...any) {
	if _, skip := c.e.Skip[name]; !skip {
		c.bad = append(c.bad, name+": "+fmt.Sprintf(format, a...))
	}
}

func (c *checker) is(name string, want ...string) {
	if got := c.f.First(name); !slices.Contains(want, got) {
		c.fail(name, "%q, not %s", got, strings.Join(want, " or "))
	}
}

func (c *checker) empty(name string) {
	v, ok := c.f[name]
	if !ok || len(v) != 1 || v[0] != "" {
		c.fail(name, "%q, not empty", strings.Join(v, " "))
	}
}
