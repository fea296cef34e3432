//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHierarchies(t *testing.T) {
	const mounts = `31 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
32 24 0:27 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 24 0:29 / /proc rw - proc proc rw
broken line`
	hs := hierarchies(mounts)
	if len(hs) != 3 || hs[2].controllers != nil {
		t.Fatalf("%+v", hs)
	}
	own := ownGroups("4:memory:/docker/ab/x\n1:cpu,cpuacct:/\n0::/user.slice\n")
	for _, c := range []struct{ got, want string }{
		{hs[0].at(own["cpu"]), "/sys/fs/cgroup/cpu,cpuacct"},
		{hs[1].at(own["memory"]), "/sys/fs/cgroup/memory/x"},
		{hs[2].at(own[""]), "/sys/fs/cgroup/unified/user.slice"},
		{hs[1].at("/elsewhere"), "/sys/fs/cgroup/memory"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

// A plain directory stands in for a group of version 2: what is written to it
// can be read back.
func TestVersion2(t *testing.T) {
	top := t.TempDir()
	box := filepath.Join(top, "box")
	if err := os.MkdirAll(box, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"memory.max", "pids.max", "cpu.max"} {
		if err := os.WriteFile(filepath.Join(box, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree := &Tree{v2: true, dirs: map[string]string{Memory: top, Pids: top, CPU: top}}
	g, err := tree.Create("box", Limits{Memory: 512 << 20, Pids: 256, NanoCPUs: 15e8})
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[string]string{"memory.max": "536870912", "pids.max": "256", "cpu.max": "150000 100000"} {
		b, err := os.ReadFile(filepath.Join(g.Dirs()[""], f))
		if err != nil || string(b) != want {
			t.Errorf("%s: %q, want %s (%v)", f, b, want, err)
		}
	}
}

// A gateway may be killed while it looks; the next one cleans up after it.
func TestProbesOfTheDeadGo(t *testing.T) {
	top := t.TempDir()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(top, fmt.Sprintf(".probe-chitin-gvisor-ab-%d", gone.Process.Pid))
	alive := filepath.Join(top, fmt.Sprintf(".probe-chitin-gvisor-cd-%d", os.Getppid()))
	for _, d := range []string{dead, alive, filepath.Join(top, ".probe-chitin-x")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if !writable(top, "chitin-namespace-ef-") {
		t.Error("not writable")
	}
	left, err := os.ReadDir(top)
	if err != nil || len(left) != 2 {
		t.Errorf("%v %v", left, err)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("the dead one's stays")
	}
}

func TestNothingWritable(t *testing.T) {
	if _, err := detect("chitin", "34 24 0:29 / /proc rw - proc proc rw\n", "0::/\n"); err == nil {
		t.Fatal("found a tree where there is none")
	}
}

func TestCreateRefusesNames(t *testing.T) {
	tree := &Tree{dirs: map[string]string{}}
	for _, n := range []string{"", "../x", "a/b", ".hidden"} {
		if _, err := tree.Create(n, Limits{}); err == nil {
			t.Errorf("%q accepted", n)
		}
	}
}

// With the machine's own hierarchies, where this user may write to them.
func TestRealGroup(t *testing.T) {
	tree, err := Detect("chitin-cgroup-test")
	if err != nil {
		if os.Getuid() == 0 {
			t.Logf("root without a writable control group: %v", err)
		}
		return
	}
	g, err := tree.Create("box", Limits{Memory: 64 << 20, Pids: 20, NanoCPUs: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(cmd.Process.Pid); err != nil {
		t.Error(err)
	}
	g.Kill()
	if err := cmd.Wait(); err == nil {
		t.Error("the process was not killed")
	}
	if names := tree.Names(); len(names) != 1 || names[0] != "box" {
		t.Errorf("names: %v", names)
	}
	if err := g.Remove(2 * time.Second); err != nil {
		t.Error(err)
	}
	if names := tree.Names(); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

// Whatever the kernel's files hold, reading them must not fail and must not
// lead outside the mount.
func FuzzParsers(f *testing.F) {
	f.Add("33 24 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "0::/user.slice")
	f.Add("32 24 0:27 /docker/ab /cg rw - cgroup cgroup rw,memory", "4:memory:/../..")
	f.Fuzz(func(t *testing.T, mounts, own string) {
		groups := ownGroups(own)
		for _, h := range hierarchies(mounts) {
			for _, g := range groups {
				if at := h.at(g); at != filepath.Clean(h.point) && !strings.HasPrefix(at, strings.TrimSuffix(filepath.Clean(h.point), "/")+"/") {
					t.Fatalf("%q in %+v leads to %q", g, h, at)
				}
			}
		}
	})
}
