package docker

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox/image"
)

// daemon is an engine that a test may mistreat.
type daemon struct {
	t        *testing.T
	bin, dir string
	args     []string // further ones
	cmd      *exec.Cmd
}

// ownDaemon prepares an engine apart from the machine's, with its own
// directories, or nil where that is not asked for.
func ownDaemon(t *testing.T) *daemon {
	t.Helper()
	needEngine(t)
	dockerd, err := exec.LookPath("dockerd")
	if err != nil || os.Getuid() != 0 || os.Getenv("CHITIN_REQUIRE_DOCKER") != "1" {
		t.Log("an engine of its own needs root, dockerd, and most of a minute: set CHITIN_REQUIRE_DOCKER=1")
		return nil
	}
	dir, err := os.MkdirTemp("", "chitin-eng")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, bin: dockerd, dir: dir}
	t.Cleanup(func() { d.kill(); d.clean() })
	return d
}

// lend copies the default image from the machine's engine, which is faster
// than making it again.
func (d *daemon) lend() {
	d.t.Helper()
	from := testEngine(d.t, d.t.TempDir())
	if err := from.Ready(d.t.Context(), nil); err != nil {
		d.t.Fatal(err)
	}
	src, err := from.connect(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	dst, err := New(Options{StateDir: d.t.TempDir(), Host: d.host()}).connect(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	tar, err := src.ImageSave(d.t.Context(), []string{image.Maker{}.Name()})
	if err != nil {
		d.t.Fatal(err)
	}
	defer tar.Close()
	res, err := dst.ImageLoad(d.t.Context(), tar)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Close()
	if _, err := io.Copy(io.Discard, res); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) host() string { return "unix://" + filepath.Join(d.dir, "s") }

func (d *daemon) start() {
	d.t.Helper()
	_ = os.Remove(filepath.Join(d.dir, "pid"))
	args := []string{"-H", d.host(), "--data-root", d.dir + "/data", "--exec-root", d.dir + "/exec", "--pidfile", d.dir + "/pid",
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--log-level", "error"}
	d.cmd = exec.Command(d.bin, append(args, d.args...)...)
	// An engine without a bridge removes docker0 where it starts: not the machine's.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if st := New(Options{StateDir: d.t.TempDir(), Host: d.host()}).Status(context.Background()); st.Available {
			return
		}
	}
	d.t.Fatalf("the engine does not start: %+v", New(Options{StateDir: d.t.TempDir(), Host: d.host()}).Status(context.Background()))
}

func (d *daemon) signal(s syscall.Signal) {
	if d.cmd != nil && d.cmd.Process != nil {
		_ = d.cmd.Process.Signal(s)
	}
}

func (d *daemon) kill() {
	d.signal(syscall.SIGCONT)
	d.signal(syscall.SIGKILL)
	if d.cmd != nil {
		_ = d.cmd.Wait()
		d.cmd = nil
	}
	// Its containerd outlives it and would keep a new one from starting.
	if b, err := os.ReadFile(d.dir + "/exec/containerd/containerd.pid"); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = os.Remove(d.dir + "/exec/containerd/containerd.pid")
	}
}

// clean ends the engine's containerd and what hangs on it, all of which run
// from the test's own directory.
func (d *daemon) clean() {
	for range 3 {
		procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return
		}
		for _, p := range procs {
			b, err := os.ReadFile(p)
			if pid, aerr := strconv.Atoi(strings.Split(p, "/")[2]); err == nil && aerr == nil && bytes.Contains(b, []byte(d.dir)) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err == nil {
		for l := range strings.Lines(string(mounts)) {
			if f := strings.Fields(l); len(f) > 4 && strings.HasPrefix(f[4], d.dir) {
				_ = syscall.Unmount(f[4], syscall.MNT_DETACH)
			}
		}
	}
	_ = os.RemoveAll(d.dir)
}
