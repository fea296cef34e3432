package sandbox

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lasting is a fake whose boxes outlive their gateway.
type lasting struct{ *fakeBackend }

func (lasting) Lasting() {}

// orphaned rewrites a box's record as a gateway that died would have left it.
func orphaned(t *testing.T, m *Manager, id string, created time.Time, p phase) {
	t.Helper()
	r := m.record(id)
	if err := m.writeRecord(Request{ID: id, Owner: r.Owner, Spec: r.Spec, Dir: filepath.Join(m.boxesDir(), id)}, r.Backend, created, p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.boxesDir(), id, recordFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte(self()), []byte("1@0"))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyFinishedBoxesAreAdopted(t *testing.T) {
	day := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	for _, c := range []struct {
		phase phase
		adopt bool
		files bool // the box's own files are there for the next one
	}{{making, false, true}, {living, true, true}, {ending, false, true}, {dropping, false, false}, {"", false, true}} {
		t.Run("phase "+string(c.phase), func(t *testing.T) {
			be := newFake("docker", TierContainer)
			state := t.TempDir()
			mk := func() *Manager {
				return NewManager(ManagerOptions{StateDir: state, Backends: []Backend{be}, ConfigFor: func(string) Config { return Config{Pool: noPool()} }})
			}
			m := mk()
			ref := SessionRef{Agent: "a", Tenant: "t"}
			b := get(t, m, ref)
			if err := os.WriteFile(filepath.Join(b.spec.Workspace, "f"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			orphaned(t, m, b.id, day, c.phase)
			next := mk()
			if err := next.Adopt(t.Context()); err != nil {
				t.Fatal(err)
			}
			again := get(t, next, ref)
			if (again == b) != c.adopt {
				t.Errorf("adopted: %v", again == b)
			}
			if be.count() != 1 {
				t.Errorf("%d boxes live", be.count())
			}
			if exists(filepath.Join(again.spec.Workspace, "f")) != c.files {
				t.Errorf("its files are there: %v", !c.files)
			}
			if c.adopt && !next.List("t")[0].Created.Equal(day) {
				t.Error("adoption makes a box young again")
			}
			if c.adopt && !next.record(b.id).Created.Equal(day) {
				t.Error("adoption makes a box's record young again")
			}
		})
	}
}

func TestWhatCouldNotBeRemovedIsRemovedLater(t *testing.T) {
	be := newFake("docker", TierContainer)
	m := testManager(t, &Config{Pool: noPool()}, lasting{be})
	ref := SessionRef{Agent: "a", Tenant: "t"}
	b := get(t, m, ref)
	if err := os.WriteFile(filepath.Join(b.spec.Workspace, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.stuck = errors.New("the engine is away")
	m.Recreate("*", nil)
	again := get(t, m, ref)
	if !exists(filepath.Join(again.spec.Workspace, "f")) {
		t.Error("its files are not there for the next box")
	}
	other := get(t, m, SessionRef{Agent: "b", Tenant: "t"})
	be.boxes["stray"] = &fakeBox{be: be, id: "stray"} // made after its gateway was killed
	m.sweepStrays()
	if be.boxes[b.id] != nil || be.boxes["stray"] != nil || be.boxes[other.id] == nil {
		t.Errorf("boxes after the sweep: %v", be.boxes)
	}
	if m.record(b.id).Backend != "" {
		t.Error("its record is still there")
	}
	m.Recreate("*", nil)
	if last := get(t, m, ref); !exists(filepath.Join(last.spec.Workspace, "f")) {
		t.Error("its files are lost")
	}
}

// TestCallsBeforeAdoption come while boxes are still being taken over: a
// scope's own box or at least its files must not be missed.
func TestCallsBeforeAdoption(t *testing.T) {
	for _, lost := range []bool{false, true} {
		be := newFake("docker", TierContainer)
		state := t.TempDir()
		cfg := Config{Scope: "session", Pool: noPool()}
		mk := func() *Manager {
			return NewManager(ManagerOptions{StateDir: state, Backends: []Backend{be}, ConfigFor: func(string) Config { return cfg }})
		}
		m := mk()
		early, over := SessionRef{Key: "early", Tenant: "t"}, SessionRef{Key: "over", Tenant: "t"}
		b, gone := get(t, m, early), get(t, m, over)
		for _, x := range []*fakeBox{b, gone} {
			if err := os.WriteFile(filepath.Join(x.spec.Workspace, "f"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if lost {
			be.mu.Lock()
			delete(be.boxes, b.id)
			be.mu.Unlock()
		}
		next := mk()
		next.EndSession("t", "over")
		first := get(t, next, early)
		if (first == b) == lost || !exists(filepath.Join(first.spec.Workspace, "f")) {
			t.Errorf("lost %v: the call gets box %s for %s, files %v", lost, first.id, b.id, exists(filepath.Join(first.spec.Workspace, "f")))
		}
		if err := next.Adopt(t.Context()); err != nil {
			t.Fatal(err)
		}
		if be.count() != 1 || get(t, next, early) != first {
			t.Errorf("lost %v: %d boxes live", lost, be.count())
		}
		if again := get(t, next, over); again == gone || exists(filepath.Join(again.spec.Workspace, "f")) {
			t.Error("a session that ended before it was taken over lives on")
		}
	}
}

// TestFilesOutliveACrashWhileABoxIsMade stops between the steps of making one.
func TestFilesOutliveACrashWhileABoxIsMade(t *testing.T) {
	be := newFake("docker", TierContainer)
	state := t.TempDir()
	mk := func() *Manager {
		return NewManager(ManagerOptions{StateDir: state, Backends: []Backend{be}, ConfigFor: func(string) Config { return Config{Pool: noPool()} }})
	}
	m := mk()
	ref := SessionRef{Agent: "a", Tenant: "t"}
	b := get(t, m, ref)
	if err := os.WriteFile(filepath.Join(b.spec.Workspace, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Recreate("*", nil) // puts the files away
	be.fail = errors.New("killed here")
	req := Request{ID: newID(), Owner: b.owner, Spec: b.spec}
	req.Spec.Workspace = ""
	if _, err := m.openRecord(&req, "docker", m.keptWorkspace(b.owner)); err != nil {
		t.Fatal(err)
	}
	be.fail = nil
	next := mk()
	if err := next.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := get(t, next, ref); !exists(filepath.Join(again.spec.Workspace, "f")) {
		t.Error("its files are lost")
	}
	if recs := next.records(); len(recs) != 1 {
		t.Errorf("%d records", len(recs))
	}
}
