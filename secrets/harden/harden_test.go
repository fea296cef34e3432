//go:build linux

package harden_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/secrets/harden"
)

const childVar = "HARDEN_TEST_CHILD"

// TestMain doubles as the process that is hardened: it says so, then crashes.
func TestMain(m *testing.M) {
	if os.Getenv(childVar) == "" {
		os.Exit(m.Run())
	}
	if err := harden.Process(); err != nil {
		os.Exit(3)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		os.Exit(4)
	}
	_, _ = os.Stdout.WriteString("hardened\n")
	_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
	select {}
}

func TestNoCoreDump(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), childVar+"=1", "GOTRACEBACK=crash")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "hardened") {
		t.Fatalf("%v %s", err, out.String())
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.CoreDump() {
		t.Error("the kernel wrote a core dump")
	}
	if cores, _ := filepath.Glob(filepath.Join(dir, "*core*")); len(cores) > 0 {
		t.Errorf("core dumps %v", cores)
	}
}
