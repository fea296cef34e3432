package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLookPathNeverLooksHere(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"tool": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + dir + ":.:relative:"}
	if p, err := lookPath("tool", dir, env); err != nil || p != dir+"/tool" {
		t.Errorf("%s %v", p, err)
	}
	for name, want := range map[string]error{"absent": syscall.ENOENT, "folder": syscall.ENOENT} {
		if _, err := lookPath(name, dir, env); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Chdir(dir)
	if p, err := lookPath("tool", dir, []string{"PATH=.:"}); err == nil {
		t.Errorf("found %s in the working directory", p)
	}
	if p, err := lookPath("/x/y", "", nil); err != nil || p != "/x/y" {
		t.Errorf("%s %v", p, err)
	}
}

// TestKillTreeReachesWhoLeft starts a family whose members left group and
// session.
func TestKillTreeReachesWhoLeft(t *testing.T) {
	out := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command("sh", "-c", `sleep 300 & echo $! >> `+out+`; setsid sleep 300 & echo $! >> `+out+`; (sleep 300 & echo $! >> `+out+`; wait) & wait`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for end := time.Now().Add(5 * time.Second); len(pids) < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the family did not start")
		}
		b, err := os.ReadFile(out)
		if err != nil {
			continue
		}
		pids = nil
		for f := range strings.FieldsSeq(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
	}
	killTree(cmd.Process.Pid)
	_ = cmd.Wait()
	for _, p := range pids {
		for end := time.Now().Add(5 * time.Second); running(p); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d lives", p)
			}
		}
	}
}

// running is false for a zombie too.
func running(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestStatWithAnyName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stat")
	for text, want := range map[string]node{
		"7 (a) S 1 2 3 0":         {7, 1, 2, 3},
		"7 (a) S) R 9 8) S 4 5 6": {7, 4, 5, 6},
		"7 (\n) ( ) S 1 2 3":      {7, 1, 2, 3},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := readStat(7, path, make([]byte, 512)); !ok || got != want {
			t.Errorf("%q: %+v %v", text, got, ok)
		}
	}
	if err := os.WriteFile(path, []byte("7 (a) S"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := readStat(7, path, make([]byte, 512)); ok {
		t.Error("a short line was accepted")
	}
}

func TestRemovedDirectoryIsNoticed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctl")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	held := "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) // as a mount holds it
	if removed(held) {
		t.Error("a directory that is there counts as removed")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if !removed(held) {
		t.Error("a removed directory was not noticed")
	}
}

// Outside a box there is nothing that it may end.
func TestOnlyTheFirstProcessSupervises(t *testing.T) {
	if code := supervise(); code != 2 {
		t.Fatalf("it ran, and ended with %d", code)
	}
	bystander := exec.Command("sleep", "300")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	newServer(-1, "").killAll()
	if err := bystander.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("a bystander was killed: %v", err)
	}
	_ = bystander.Process.Kill()
	_ = bystander.Wait()
}
