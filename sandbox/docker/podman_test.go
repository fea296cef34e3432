package docker

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

// TestConformancePodman is the exam on Podman's compatible socket, where
// Podman is installed: a service of its own with its own storage.
func TestConformancePodman(t *testing.T) {
	podman, err := exec.LookPath("podman")
	if err != nil || os.Getuid() != 0 {
		t.Log("needs root and podman")
		return
	}
	needEngine(t) // lends its image
	dir, err := os.MkdirTemp("", "chitin-pod")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, bin: podman, dir: dir}
	t.Cleanup(func() { d.kill(); d.clean() })
	d.cmd = exec.Command(podman, "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--cgroup-manager", "cgroupfs",
		"system", "service", "-t", "0", d.host())
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	engine := func(t testing.TB, state string) *Engine {
		return New(Options{Name: "podman", StateDir: state, Host: d.host(), Supervisor: supervisorBinary, Image: image.Maker{}})
	}
	for end := time.Now().Add(20 * time.Second); !engine(t, t.TempDir()).Status(context.Background()).Available; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("podman does not answer: %+v", engine(t, t.TempDir()).Status(context.Background()))
		}
	}
	d.lend()
	sandboxtest.Suite{
		New:    func(t testing.TB, state string) sandbox.Backend { return engine(t, state) },
		Adopts: true,
		Skip:   map[string]string{"files in scratch are bounded": "Podman passes no limit of files on; the memory limit bounds them"},
	}.Run(t)
}

// A root that may not raise its limits can start containers all the same.
func TestPodmanLimits(t *testing.T) {
	have := func(n uint64) func(int) (uint64, error) { return func(int) (uint64, error) { return n, nil } }
	l := podmanLimits(sandbox.Limits{Ulimits: map[string][2]int64{"nofile": {64, 128}}}, have(1000))
	if l.Ulimits["nproc"] != [2]int64{1000, 1000} || l.Ulimits["nofile"] != [2]int64{64, 128} {
		t.Errorf("%v", l.Ulimits)
	}
	if l := podmanLimits(sandbox.Limits{}, have(math.MaxUint64)); len(l.Ulimits) != 0 {
		t.Errorf("limits that nobody needs: %v", l.Ulimits)
	}
	own, err := hardLimit(unix.RLIMIT_NPROC)
	if err != nil || own == 0 || own > 1<<22 {
		t.Errorf("%d %v", own, err)
	}
}
