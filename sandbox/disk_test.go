package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// diskBox is a fake that remembers what its keeper did to it.
type diskBox struct {
	*fakeBox
	resets atomic.Int64
	full   string
	pids   []int
}

func (b *diskBox) Reset(string) error { b.resets.Add(1); return nil }
func (b *diskBox) SetFull(why string) { b.full = why }
func (b *diskBox) HostPIDs() []int    { return b.pids }
func (b *diskBox) fill(t *testing.T, name string, n int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(b.spec.Workspace, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDiskLimit(t *testing.T) {
	be := newFake("docker", TierContainer)
	var events []Event
	m := NewManager(ManagerOptions{StateDir: t.TempDir(), Backends: []Backend{be}, OnEvent: func(e Event) { events = append(events, e) },
		ConfigFor: func(string) Config { return Config{Docker: DockerConfig{DiskLimit: "4m"}, Pool: noPool()} }})
	b := &diskBox{fakeBox: get(t, m, SessionRef{Agent: "a", Tenant: "t"})}
	for _, l := range m.lives() {
		l.box = b
	}
	look := func() {
		for _, u := range m.disks { // as if the last look were long ago
			u.at = u.at.Add(-time.Hour)
		}
		m.checkDisks()
	}
	b.active = 1
	b.fill(t, "small", 1<<20).Close()
	look()
	if b.resets.Load() != 0 || b.full != "" {
		t.Fatal("stopped below its limit")
	}
	b.fill(t, "large", 6<<20).Close()
	look()
	if b.resets.Load() != 1 || !strings.Contains(b.full, "4 MiB") || !strings.Contains(b.full, "diskLimit") {
		t.Fatalf("%d resets, %q", b.resets.Load(), b.full)
	}
	look()
	said := 0
	for _, e := range events {
		if e.Kind == "disk_limit" {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
	b.active = 0
	if err := os.Remove(filepath.Join(b.spec.Workspace, "large")); err != nil {
		t.Fatal(err)
	}
	look()
	if b.full != "" {
		t.Error("still full after files were removed")
	}
}

// TestDiskLimitSeesUnnamedFiles: a file whose name was removed holds its
// blocks while somebody has it open.
func TestDiskLimitSeesUnnamedFiles(t *testing.T) {
	b := &diskBox{fakeBox: &fakeBox{spec: Spec{Workspace: t.TempDir()}}}
	f := b.fill(t, "gone", 3<<20)
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	if n, blind := measureTree(b.spec.Workspace, 1<<30); n > 1<<20 || blind {
		t.Fatalf("%d bytes, blind %v", n, blind)
	}
	if n := unnamed(b.spec.Workspace, []int{os.Getpid()}); n < 3<<20 {
		t.Errorf("%d bytes without a name", n)
	}
	if n := unnamed("/proc", []int{os.Getpid()}); n != 0 {
		t.Errorf("%d bytes of another file system", n)
	}
}

func TestMeasureStopsEarly(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), make([]byte, 64<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := measureTree(dir, 100<<10); n <= 100<<10 || n > 300<<10 {
		t.Errorf("%d bytes", n)
	}
}
