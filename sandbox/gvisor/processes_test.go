//go:build linux

package gvisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded/embeddedtest"
)

// processes are the command lines of this process's descendants.
func processes(t *testing.T, pid int) []string {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range tasks {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for c := range strings.FieldsSeq(string(b)) {
			n, err := strconv.Atoi(c)
			if err != nil {
				t.Fatal(err)
			}
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", n))
			if err == nil {
				out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
			}
			out = append(out, processes(t, n)...)
		}
	}
	return out
}

// What stays beside an idle box's kernel costs memory: runsc and its file
// server leave when the box has started.
func TestOnlyTheKernelStays(t *testing.T) {
	b := backend(t)
	box := embeddedtest.Create(t, b, embeddedtest.Request(t, b, "few", "none"))
	if out, x := embeddedtest.Run(t, box, "ls / /workspace; echo a > f && cat f && ls -l /workspace"); x.Code != 0 {
		t.Fatalf("%q %+v", out, x)
	}
	var kernels, others []string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		kernels, others = nil, nil
		for _, p := range processes(t, os.Getpid()) {
			switch {
			case strings.HasPrefix(p, "runsc-sandbox "):
				kernels = append(kernels, p)
			case strings.HasPrefix(p, "runsc") || strings.HasPrefix(p, runscPath):
				others = append(others, p)
			}
		}
		if len(kernels) == 1 && len(others) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d kernels, and %q", len(kernels), others)
		}
	}
}

// A mounted file cannot be opened by the kernel itself, so its server stays.
func TestMountedFile(t *testing.T) {
	b := backend(t)
	r := embeddedtest.Request(t, b, "file", "none")
	src, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for dir := src; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	one, many := filepath.Join(src, "one"), filepath.Join(src, "many")
	if err := os.WriteFile(one, []byte("single\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(many, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(many, "deep", "f"), []byte("deep\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.Spec.Mounts = []sandbox.Mount{{Source: one, Target: "/data/one", ReadOnly: true}, {Source: many, Target: "/data/many", ReadOnly: true}}
	box := embeddedtest.Create(t, b, r)
	time.Sleep(time.Second) // whoever leaves has left
	out, x := embeddedtest.Run(t, box, "cat /data/one /data/many/deep/f; ls /data/many; echo x > /data/one || echo x > /data/many/x || true")
	if x.Code != 0 || !strings.HasPrefix(out, "single\ndeep\ndeep\n") {
		t.Errorf("%q %+v", out, x)
	}
	if got, err := os.ReadFile(one); err != nil || string(got) != "single\n" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(many, "x")); err == nil {
		t.Error("a file was made through a read-only mount")
	}
}
