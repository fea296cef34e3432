package docker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// TestDiskLimit fills a box's own workspace in ways that a count of names
// would miss.
func TestDiskLimit(t *testing.T) {
	needEngine(t)
	state := t.TempDir()
	e := testEngine(t, state)
	zero := 0
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{e}, ConfigFor: func(string) sandbox.Config {
		return sandbox.Config{Docker: sandbox.DockerConfig{DiskLimit: "64m"}, Pool: sandbox.PoolConfig{Ready: &zero, Max: &zero}}
	}})
	t.Cleanup(func() {
		m.Recreate("*", nil)
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	go m.Run(t.Context())
	b, err := m.BoxFor(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"one file":       "head -c 200000000 /dev/zero > big; sleep 30",
		"without a name": "exec 3> gone; rm gone; head -c 200000000 /dev/zero >&3; sleep 30",
		"closed":         "mkdir -p shut && head -c 200000000 /dev/zero > shut/big; chmod 0 shut; sleep 30",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := b.Start(t.Context(), sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			x, err := p.Wait(ctx)
			if err != nil || x.Signal != 9 || !strings.Contains(x.Note(), "64 MiB") || !strings.Contains(x.Note(), "diskLimit") {
				t.Fatalf("%+v %v", x, err)
			}
			if name != "without a name" { // that went with its process
				if _, err := b.Files().Write(t.Context(), "more", []byte("x")); !errors.Is(err, sandbox.ErrFull) {
					t.Errorf("a full workspace took a file: %v", err)
				}
			}
			for end := time.Now().Add(15 * time.Second); ; time.Sleep(200 * time.Millisecond) {
				_, _ = exec1(t.Context(), b, "chmod -R u+rwx . ; rm -rf ./*") // may be stopped once more
				if _, err = b.Files().Write(t.Context(), "more", []byte("x")); err == nil || time.Now().After(end) {
					break
				}
			}
			if err != nil {
				t.Errorf("after tidying up: %v", err)
			}
		})
	}
}

// TestFullFileSystem gives a gateway a file system that is too small.
func TestFullFileSystem(t *testing.T) {
	needEngine(t)
	if os.Getuid() != 0 {
		t.Log("mounting needs root")
		return
	}
	state := t.TempDir()
	if err := syscall.Mount("chitin-test", state, "tmpfs", 0, "size=8m,nr_inodes=400,mode=700"); err != nil {
		t.Logf("no file system of its own here: %v", err)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(state, syscall.MNT_DETACH) })
	e := testEngine(t, state)
	m, _ := managed(t, e, state)
	b, err := m.BoxFor(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	files := b.Files()
	if _, err := files.Write(t.Context(), "kept", []byte("before")); err != nil {
		t.Fatal(err)
	}
	if _, err := exec1(t.Context(), b, "head -c 100000000 /dev/zero > fill; true"); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Write(t.Context(), "kept", make([]byte, 1<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write into a full file system: %v", err)
	}
	if got, _, err := files.Read(t.Context(), "kept", 100); err != nil || string(got) != "before" {
		t.Errorf("the old content is %q, %v", got, err)
	}
	if out, err := exec1(t.Context(), b, "echo runs"); err != nil || out != "runs" {
		t.Errorf("commands in a live box: %q %v", out, err)
	}
	boxes := func() int {
		d, err := os.ReadDir(filepath.Join(state, "sandbox", "boxes"))
		if err != nil {
			t.Fatal(err)
		}
		return len(d)
	}
	before := boxes()
	if other, err := m.BoxFor(t.Context(), sandbox.SessionRef{Agent: "other", Tenant: "t"}); err == nil {
		if out, err := exec1(t.Context(), other, "echo runs"); err != nil || out != "runs" { // the disk held what little it needed
			t.Errorf("a new box: %q %v", out, err)
		}
	} else if !errors.Is(err, syscall.ENOSPC) || boxes() != before {
		t.Errorf("a new box on a full disk: %v; %d directories, then %d", err, before, boxes())
	}
	api, err := e.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if items, err := e.list(t.Context(), api); err != nil || len(items) != boxes() {
		t.Errorf("%d containers for %d directories, %v", len(items), boxes(), err)
	}
	if m.Recreate("*", nil) == 0 {
		t.Error("no box was removed from the full disk")
	}
	again, err := m.BoxFor(t.Context(), ref)
	if errors.Is(err, syscall.ENOSPC) { // somebody makes room
		kept, gerr := filepath.Glob(filepath.Join(state, "sandbox", "workspaces", "*", "fill"))
		if gerr != nil || len(kept) != 1 || os.Remove(kept[0]) != nil {
			t.Fatalf("its files were not kept: %v %v", kept, gerr)
		}
		again, err = m.BoxFor(t.Context(), ref)
	}
	if err != nil {
		t.Fatalf("a box for what is there: %v", err)
	}
	if got, err := exec1(t.Context(), again, "cat kept; rm -f fill"); err != nil || got != "before" {
		t.Errorf("its files are %q, %v", got, err)
	}
	if _, err := again.Files().Write(t.Context(), "kept", []byte("after")); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}
