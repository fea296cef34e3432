//go:build linux

// Package embeddedtest gives tests of the embedded backends what a release has
// beside it: the supervisor program and gVisor's runtime, built on demand.
package embeddedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// root is the top of the source tree.
func root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("where is the source?")
	}
	return filepath.Abs(filepath.Join(filepath.Dir(file), "../../.."))
}

// build makes the supervisor once for each test binary. The directory is
// removed with the machine's other temporary files: it may still run.
var build = sync.OnceValues(func() (string, error) {
	top, err := root()
	if err != nil {
		return "", err
	}
	out := filepath.Join(top, "bin", "chitin-sup-test")
	tmp := fmt.Sprintf("%s.%d", out, os.Getpid())
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", tmp, "./cmd/chitin-sup")
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the supervisor: %w: %s", err, b)
	}
	// Another test may be using the program; the same bytes stay where they are.
	if old, err := os.ReadFile(out); err == nil {
		if b, err := os.ReadFile(tmp); err == nil && bytes.Equal(old, b) {
			return out, os.Remove(tmp)
		}
	}
	return out, os.Rename(tmp, out)
})

// Program is the path of the supervisor, for Options of the backends.
func Program() (string, error) {
	if p := os.Getenv("CHITIN_SUP"); p != "" {
		return p, nil
	}
	return build()
}

// Runsc is the path of gVisor's runtime: CHITIN_RUNSC, or what make runsc
// builds, which is built when it is absent.
func Runsc(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("CHITIN_RUNSC"); p != "" {
		return p
	}
	p, err := runsc()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var runsc = sync.OnceValues(func() (string, error) {
	top, err := root()
	if err != nil {
		return "", err
	}
	if out, err := exec.Command(filepath.Join(top, "scripts/build-runsc")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build runsc: %w: %s", err, out)
	}
	return filepath.Join(top, "bin", "runsc"), nil
})

// Request asks for a box with the default limits on a new workspace that the
// box's user owns.
func Request(t testing.TB, be sandbox.Backend, id, access string) sandbox.Request {
	t.Helper()
	dir := t.TempDir()
	ws := filepath.Join(dir, "ws")
	if err := os.Mkdir(ws, 0o755); err != nil {
		t.Fatal(err)
	}
	spec, err := sandbox.BuildSpec(sandbox.Config{WorkspaceAccess: access}, be.Name(), ws, nil)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(ws, sandbox.DefaultUID, sandbox.DefaultUID); err != nil {
			t.Fatal(err)
		}
	}
	return sandbox.Request{ID: id, Spec: spec, Dir: dir, Owner: sandbox.Owner{Tenant: "t", Scope: "agent", Key: id}}
}

// Create makes a box and closes it with the test.
func Create(t testing.TB, be sandbox.Backend, r sandbox.Request) sandbox.Box {
	t.Helper()
	box, err := be.Create(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close(context.Background()) })
	return box
}

// Run runs a shell script in a box and returns what it printed.
func Run(t testing.TB, box sandbox.Box, script string) (string, sandbox.Exit) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	p, err := box.Start(ctx, sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	x, err := p.Wait(ctx)
	if err != nil {
		t.Fatalf("%v after %q", err, out.String())
	}
	return out.String(), x
}
