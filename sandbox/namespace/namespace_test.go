//go:build linux

package namespace

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded/embeddedtest"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

func backend(t testing.TB) *Backend {
	t.Helper()
	b := New(Options{StateDir: t.TempDir(), Program: embeddedtest.Program})
	if st := b.Status(context.Background()); !st.Available {
		t.Fatalf("not available: %s", st.Reason)
	}
	return b
}

func TestConformance(t *testing.T) {
	sandboxtest.Suite{New: func(_ testing.TB, state string) sandbox.Backend {
		return New(Options{StateDir: state, Program: embeddedtest.Program})
	}}.Run(t)
}

// Root and everybody else take different ways to a box; both must pass.
func TestUnprivileged(t *testing.T) {
	embeddedtest.AsNobody(t, "^TestConformance$", nil)
}

func TestOrphansLeaveNoZombie(t *testing.T) {
	box := embeddedtest.Create(t, backend(t), embeddedtest.Request(t, backend(t), "orphans", "none"))
	out, x := embeddedtest.Run(t, box, `i=0; while [ $i -lt 1000 ]; do (true &) ; i=$((i+1)); done; sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status; true`)
	if x.Code != 0 || strings.Contains(out, "/proc/") {
		t.Errorf("zombies after 1000 orphans: %q %+v", out, x)
	}
}

// The median counts: the rest of the machine is not ours.
func TestCancelKillsTheGroupAtOnce(t *testing.T) {
	b := backend(t)
	box := embeddedtest.Create(t, b, embeddedtest.Request(t, b, "cancel", "none"))
	var took []time.Duration
	for range 21 {
		ctx, cancel := context.WithCancel(context.Background())
		r, w := io.Pipe()
		p, err := box.Start(ctx, sandbox.Cmd{Argv: []string{"sh", "-c", "sleep 77 & sleep 77 & echo up; wait"}, Stdin: sandbox.NoStdin, Stdout: w})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		cancel()
		if x, _ := p.Wait(context.Background()); x.Signal != int(syscall.SIGKILL) {
			t.Fatalf("%+v", x)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("median %v, worst %v", took[10], took[20])
	if took[10] > 25*time.Millisecond { // 5 ms on a machine of its own
		t.Errorf("median %v", took[10])
	}
	if out, _ := embeddedtest.Run(t, box, "grep -lsx sleep /proc/[0-9]*/comm; true"); out != "" {
		t.Errorf("still there: %s", out)
	}
}

// Each weakening of the plan must be noticed by the probes before the box is
// handed out.
func TestMutationsTurnTheProofRed(t *testing.T) {
	without := func(op launch.Op) func([]launch.Step) []launch.Step {
		return func(s []launch.Step) []launch.Step {
			return slices.DeleteFunc(s, func(x launch.Step) bool { return x.Op == op })
		}
	}
	change := func(op launch.Op, path string, f func(*launch.Step)) func([]launch.Step) []launch.Step {
		return func(s []launch.Step) []launch.Step {
			for i := range s {
				if s[i].Op == op && slices.Contains(s[i].Args, path) {
					f(&s[i])
				}
			}
			return s
		}
	}
	for name, edit := range map[string]func([]launch.Step) []launch.Step{
		"no system call filter": without(launch.OpSeccomp),
		"capabilities kept":     without(launch.OpCaps),
		"writable root":         change(launch.OpBind, "/usr", func(s *launch.Step) { s.Args[2] = "0" }),
		"host directory added": func(s []launch.Step) []launch.Step {
			return slices.Insert(s, slices.IndexFunc(s, func(x launch.Step) bool { return x.Op == launch.OpSeal }),
				launch.Step{Op: launch.OpBind, Args: []string{"/var/tmp", "/home/x", "0", ""}})
		},
		"device added": func(s []launch.Step) []launch.Step {
			return slices.Insert(s, slices.IndexFunc(s, func(x launch.Step) bool { return x.Op == launch.OpRestrict }),
				launch.Step{Op: launch.OpBind, Args: []string{"/dev/kmsg", "/dev/kmsg", "4", ""}})
		},
		"more files":    change(launch.OpRlimit, "7", func(s *launch.Step) { s.Args[1], s.Args[2] = "8000", "8000" }),
		"large scratch": change(launch.OpMount, "/tmp", func(s *launch.Step) { s.Args[3] = "mode=1777,size=900m,nr_inodes=8192" }),
		"many inodes":   change(launch.OpMount, "/tmp", func(s *launch.Step) { s.Args[3] = "mode=1777,size=64m,nr_inodes=900000" }),
		"set-uid files": change(launch.OpMount, "/tmp", func(s *launch.Step) { s.Args[2] = "0" }),
	} {
		t.Run(name, func(t *testing.T) {
			b := backend(t)
			b.edit = edit
			r := embeddedtest.Request(t, b, "mutant", "none")
			r.Prove = true
			box, err := b.Create(context.Background(), r)
			if err == nil {
				_ = box.Close(context.Background())
				t.Fatal("the box was handed out")
			}
			if !errors.Is(err, sandbox.ErrRefused) {
				t.Fatalf("not for its weakness: %v", err)
			}
		})
	}
}

// A closed box must leave the gateway no descriptor, goroutine or child.
func TestClosedBoxLeavesNothingInTheGateway(t *testing.T) {
	b := backend(t)
	cycle := func(i int) {
		r := embeddedtest.Request(t, b, "leak"+strconv.Itoa(i), "none")
		box, err := b.Create(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		embeddedtest.Run(t, box, "sleep 60 & echo")
		if err := box.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	cycle(0)
	time.Sleep(50 * time.Millisecond)
	fds, routines := descriptors(t), runtime.NumGoroutine()
	for i := range 10 {
		cycle(i + 1)
	}
	for range 100 {
		if descriptors(t) <= fds && runtime.NumGoroutine() <= routines {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d descriptors became %d, %d goroutines became %d", fds, descriptors(t), routines, runtime.NumGoroutine())
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestUnsupportedIsRefused(t *testing.T) {
	b := backend(t)
	for name, change := range map[string]func(*sandbox.Spec){
		"egress":      func(s *sandbox.Spec) { s.Network = "egress" },
		"image name":  func(s *sandbox.Spec) { s.Image = "debian:12" },
		"own filter":  func(s *sandbox.Spec) { s.Seccomp = "{}" },
		"runtime":     func(s *sandbox.Spec) { s.Runtime = "runc" },
		"system bind": func(s *sandbox.Spec) { s.Mounts = []sandbox.Mount{{Source: "/etc", Target: "/x"}} },
		"no limits":   func(s *sandbox.Spec) { s.Limits = sandbox.Limits{} },
	} {
		r := embeddedtest.Request(t, b, "unsupported", "none")
		change(&r.Spec)
		if box, err := b.Create(context.Background(), r); !errors.Is(err, sandbox.ErrRefused) {
			if err == nil {
				_ = box.Close(context.Background())
			}
			t.Errorf("%s: %v", name, err)
		}
	}
}
