package runcmd

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/image"
)

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
	code := m.Run()
	if p, err := supervisorBinary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(p))
	}
	os.Exit(code)
}

func backends(state string) []sandbox.Backend {
	return []sandbox.Backend{docker.New(docker.Options{Name: "docker", StateDir: state, Supervisor: supervisorBinary, Image: image.Maker{}, Labels: map[string]string{"chitin.test": "docker"}})}
}

// needEngine skips where no engine answers, unless one must.
func needEngine(t *testing.T) {
	t.Helper()
	st := backends(t.TempDir())[0].Status(t.Context())
	if st.Available {
		return
	}
	if os.Getenv("CI") == "true" || os.Getenv("CHITIN_REQUIRE_DOCKER") == "1" {
		t.Fatalf("no engine answers: %s", st.Reason)
	}
	t.Skipf("no engine answers: %s", st.Reason)
}

// runIn executes the command and returns its output and exit code.
func runIn(t *testing.T, state, stdin string, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	env := &cliutil.Env{In: strings.NewReader(stdin), Out: &o, Err: &e, Getenv: func(string) string { return "" }, State: state}
	d := Deps{Backends: backends, Authorize: Authorizer(func() (Decider, error) {
		p, err := app.LoadPolicy(filepath.Join(state, "chitin.yml"))
		if err != nil {
			return nil, err
		}
		return p.Engine, nil
	})}
	cmd := New(env, d)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(context.Background())
	if err != nil {
		e.WriteString(err.Error())
	}
	return o.String(), e.String(), cliutil.Code(err)
}

func TestRun(t *testing.T) {
	needEngine(t)
	state := t.TempDir()
	ws := t.TempDir()
	if err := os.WriteFile(filepath.Join(ws, "given"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(ws, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		out         string
		code        int
	}{
		{"output and code", "", []string{"--", "sh", "-c", "echo hi; exit 3"}, "hi\n", 3},
		{"standard input", "data", []string{"cat"}, "data", 0},
		{"read-only workspace", "", []string{"--workspace", ws, "--access", "ro", "--", "sh", "-c", "ls; touch new 2>/dev/null || echo no"}, "given\nno\n", 0},
		{"writable workspace", "", []string{"--workspace", ws, "--access", "rw", "--", "sh", "-c", "echo more > made; cat made"}, "more\n", 0},
		{"no such program", "", []string{"no-such-program"}, "", 127},
		{"killed", "", []string{"sh", "-c", "kill -9 $$"}, "", 137},
		{"unknown backend", "", []string{"--backend", "chroot", "true"}, "", 2},
		{"host network", "", []string{"--network", "host", "true"}, "", 2},
		{"no such workspace", "", []string{"--workspace", "/no/such", "true"}, "", 2},
		{"backend that is not here", "", []string{"--backend", "podman", "true"}, "", 125},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, code := runIn(t, state, c.stdin, c.args...)
			if out != c.out || code != c.code {
				t.Fatalf("printed %q and %q, exit %d; want %q and %d", out, errs, code, c.out, c.code)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(ws, "made")); err != nil || string(b) != "more\n" {
		t.Errorf("%q %v", b, err)
	}
	if left, err := os.ReadDir(filepath.Join(state, "sandbox", "boxes")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if n, err := backends(state)[0].Sweep(t.Context(), func(string) bool { return false }); err != nil || n != 0 {
		t.Errorf("%d containers were left behind, %v", n, err)
	}
}
