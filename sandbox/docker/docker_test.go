package docker

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// supervisorBinary builds the program once per test run.
func supervisorBinary(t testing.TB) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "chitin-sup")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/chitin-sh/chitin/cmd/chitin-sup")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the supervisor: %v\n%s", err, b)
	}
	if err := os.Chmod(out, 0o755); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEndToEnd(t *testing.T) {
	state := t.TempDir()
	sup := supervisorBinary(t)
	e := New(Options{StateDir: state, Supervisor: func() (string, error) { return sup, nil }})
	ctx := context.Background()
	st := e.Status(ctx)
	t.Logf("%+v", st)
	ws := filepath.Join(state, "ws")
	os.Mkdir(ws, 0o700)
	os.Chown(ws, 64000, 64000)
	s, err := sandbox.BuildSpec(sandbox.Config{Docker: sandbox.DockerConfig{Image: "chitin-dev:1"}}, "docker", ws, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(state, "box1")
	os.Mkdir(dir, 0o700)
	t0 := time.Now()
	b, err := e.Create(ctx, sandbox.Request{ID: "box1", Spec: s, Dir: dir, Prove: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("create", time.Since(t0))
	defer b.Close(ctx)
	var out bytes.Buffer
	t0 = time.Now()
	p, err := b.Start(ctx, sandbox.Cmd{Argv: strings.Fields("id"), Stdin: sandbox.NoStdin, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	x, err := p.Wait(ctx)
	t.Log(x, err, out.String(), time.Since(t0))
	for i := 0; i < 5; i++ {
		t0 = time.Now()
		p, _ := b.Start(ctx, sandbox.Cmd{Argv: []string{"true"}, Stdin: sandbox.NoStdin, Stdout: &out, Stderr: &out})
		p.Wait(ctx)
		t.Log(time.Since(t0))
	}
}
