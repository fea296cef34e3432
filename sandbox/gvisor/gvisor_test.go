//go:build linux

package gvisor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func TestMain(m *testing.M) {
	supervisor.MaybeRun()
	launch.MaybeRun()
	os.Exit(m.Run())
}

// runscPathForTest is CHITIN_RUNSC or what make runsc built, and builds it when
// it is absent.
func runscPathForTest(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("CHITIN_RUNSC"); p != "" {
		return p
	}
	built.Do(func() {
		out, err := exec.Command("../../scripts/build-runsc").CombinedOutput()
		if err != nil {
			buildErr = fmt.Errorf("build runsc: %w: %s", err, out)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	p, err := filepath.Abs("../../bin/runsc")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	built    sync.Once
	buildErr error
)

// backend is a backend whose program is this test binary.
func backend(t testing.TB) *Backend {
	t.Helper()
	b := New(Options{StateDir: t.TempDir(), Program: os.Executable, Runsc: runscPathForTest(t)})
	if st := b.Status(context.Background()); !st.Available {
		t.Fatalf("not available: %s", st.Reason)
	}
	return b
}

// request asks for a box with the default limits on a new workspace.
func request(t testing.TB, id, access string) sandbox.Request {
	t.Helper()
	dir := t.TempDir()
	ws := filepath.Join(dir, "ws")
	if err := os.Mkdir(ws, 0o755); err != nil {
		t.Fatal(err)
	}
	spec, err := sandbox.BuildSpec(sandbox.Config{WorkspaceAccess: access}, Name, ws, nil)
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

func create(t testing.TB, b *Backend, r sandbox.Request) sandbox.Box {
	t.Helper()
	box, err := b.Create(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close(context.Background()) })
	return box
}

func output(t testing.TB, box sandbox.Box, argv ...string) (string, sandbox.Exit) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Second)
	defer cancel()
	var out bytes.Buffer
	p, err := box.Start(ctx, sandbox.Cmd{Argv: argv, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	x, err := p.Wait(ctx)
	if err != nil {
		t.Log(out.String())
		t.Fatal(err)
	}
	return out.String(), x
}

func TestBox(t *testing.T) {
	box := create(t, backend(t), request(t, "one", "rw"))
	out, x := output(t, box, "sh", "-c", "id -u; pwd; echo hi > f; cat f; dmesg|head -3; ls /sys/fs/cgroup; ulimit -a; ls -la / /.chitin /dev; cat /proc/mounts | tail -30; cat /proc/self/status")
	t.Log(out, x)
	if !strings.Contains(out, "/workspace\nhi\n") {
		t.Error("no workspace")
	}
	b, _, err := box.Files().Read(context.Background(), "f", 100)
	if err != nil || string(b) != "hi\n" {
		t.Errorf("%q %v", b, err)
	}
}

func TestZZEscape(t *testing.T) {
	r := request(t, "esc", "ro")
	r.Spec.Workspace = os.Getenv("ESC")
	r.Dir = t.TempDir()
	box := create(t, backend(t), r)
	out, _ := output(t, box, "sh", "-c", "H4_ONLY="+os.Getenv("H4")+" sh run-all.sh; cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes")
	t.Log("\n" + out)
}
