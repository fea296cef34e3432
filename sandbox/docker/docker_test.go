package docker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

// supervisorBinary builds the program once per test run.
var supervisorBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "chitin-sup-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "chitin-sup")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/chitin-sh/chitin/cmd/chitin-sup")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: string(b), Err: err}
	}
	return out, os.Chmod(out, 0o755)
})

func TestMain(m *testing.M) {
	if state := os.Getenv(envGateway); state != "" {
		gateway(state)
	}
	code := m.Run()
	if p, err := supervisorBinary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(p))
	}
	os.Exit(code)
}

// needEngine skips where no engine answers, unless one must.
func needEngine(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	st := New(Options{StateDir: t.TempDir()}).Status(ctx)
	if st.Available {
		return
	}
	if os.Getenv("CI") == "true" || os.Getenv("CHITIN_REQUIRE_DOCKER") == "1" {
		t.Fatalf("no engine answers: %s", st.Reason)
	}
	t.Skipf("no engine answers: %s", st.Reason)
}

func testEngine(t testing.TB, state string) *Engine {
	t.Helper()
	e := New(Options{StateDir: state, Supervisor: supervisorBinary, Image: image.Maker{}, Labels: map[string]string{"chitin.test": "docker"}})
	t.Cleanup(func() {
		if _, err := e.Sweep(context.Background(), func(string) bool { return false }); err != nil {
			t.Errorf("sweep: %v", err)
		}
	})
	return e
}

func TestConformance(t *testing.T) {
	needEngine(t)
	sandboxtest.Suite{
		New:    func(t testing.TB, state string) sandbox.Backend { return testEngine(t, state) },
		Adopts: true,
	}.Run(t)
}
