package docker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

// TestConformancePodman is the exam on Podman's compatible socket, where
// Podman is installed: a service of its own with its own storage.
func TestConformancePodman(t *testing.T) {
	podman, err := exec.LookPath("podman")
	if err != nil || os.Getuid() != 0 || os.Getenv("CHITIN_TEST_PODMAN") != "1" {
		t.Log("needs root, podman, and most of a minute: set CHITIN_TEST_PODMAN=1")
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
	state := t.TempDir()
	m, _ := managed(t, engine(t, state), state)
	if _, err := m.Prove(t.Context(), sandbox.Config{Backend: "podman"}); err != nil && strings.Contains(err.Error(), "setting rlimit type 6") {
		t.Logf("root of this machine may not set what Podman's runtime asks for: %v", err)
		return
	}
	sandboxtest.Suite{New: func(t testing.TB, state string) sandbox.Backend { return engine(t, state) }, Adopts: true}.Run(t)
}
