package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/sandbox"
)

func TestApplyIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	eachTree(t, func(t *testing.T, f *FS, dir string) {
		put(t, dir, "a", "1")
		put(t, dir, "gone", "2")
		good := []sandbox.Change{
			{Path: "a", Data: []byte("new"), Old: []byte("1")},
			{Path: "made/b", Data: []byte{}},
			{Path: "gone", Old: []byte("2")},
		}
		for name, bad := range map[string]struct {
			c    sandbox.Change
			want error
		}{
			"changed":     {sandbox.Change{Path: "a2", Data: []byte("x"), Old: []byte("y")}, fs.ErrNotExist},
			"conflict":    {sandbox.Change{Path: "other", Data: []byte("x"), Old: []byte("CURRENT")}, sandbox.ErrConflict},
			"exists":      {sandbox.Change{Path: "other", Data: []byte("x")}, fs.ErrExist},
			"gone twice":  {sandbox.Change{Path: "never"}, fs.ErrNotExist},
			"same twice":  {sandbox.Change{Path: "./a", Data: []byte("z"), Old: []byte("1")}, sandbox.ErrConflict},
			"outside":     {sandbox.Change{Path: "../out", Data: []byte("z")}, sandbox.ErrEscapes},
			"a directory": {sandbox.Change{Path: "sub", Data: []byte("z")}, nil},
		} {
			put(t, dir, "other", "current")
			put(t, dir, "sub/x", "")
			err := f.Apply(ctx, append(good[:len(good):len(good)], bad.c))
			if err == nil || bad.want != nil && !errors.Is(err, bad.want) {
				t.Errorf("%s: %v", name, err)
			}
			if get(t, dir, "a") != "1" || get(t, dir, "gone") != "2" {
				t.Fatalf("%s: half was done", name)
			}
			if _, err := os.Stat(filepath.Join(dir, "made")); err == nil {
				t.Fatalf("%s: an empty directory stays", name)
			}
		}
		if err := f.Apply(ctx, good); err != nil {
			t.Fatal(err)
		}
		if get(t, dir, "a") != "new" || get(t, dir, "made/b") != "" {
			t.Error("not everything was done")
		}
		if _, err := os.Stat(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the removed file is there")
		}
		if n := logEntries(t, f); n != 0 {
			t.Errorf("%d log entries stay", n)
		}
	})
}

func logEntries(t *testing.T, f *FS) int {
	t.Helper()
	entries, err := os.ReadDir(f.store.dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Name() != "lock" {
			n++
		}
	}
	return n
}

// crash runs an Apply up to a point and forgets the process's memory.
func crash(t *testing.T, f *FS, changes []sandbox.Change, committed bool, steps int) {
	t.Helper()
	works, err := f.prepare(context.Background(), changes)
	if err != nil {
		t.Fatal(err)
	}
	in, names := newIntent(works)
	id, err := f.store.begin(in, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.stageAll(works, names); err != nil {
		t.Fatal(err)
	}
	if committed {
		if err := f.store.commit(id); err != nil {
			t.Fatal(err)
		}
	}
	for i := range steps {
		if err := f.step(&works[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range works {
		works[i].place.close()
	}
}

// Whatever moment a process dies at, the next Open leaves all or nothing.
func TestOpenFinishesOrUndoesACrashedApply(t *testing.T) {
	changes := func() []sandbox.Change {
		return []sandbox.Change{
			{Path: "a", Data: []byte("A2"), Old: []byte("A1")},
			{Path: "dir/new", Data: []byte("N")},
			{Path: "gone", Old: []byte("G")},
		}
	}
	for _, beside := range []bool{false, true} {
		for steps := -1; steps <= 3; steps++ {
			f, dir := open(t, Options{})
			put(t, dir, "a", "A1")
			put(t, dir, "gone", "G")
			if beside {
				f.stage.Store(-1)
			}
			crash(t, f, changes(), steps >= 0, max(steps, 0))
			again, err := Open(dir, f.opts)
			if err != nil {
				t.Fatal(err)
			}
			if n := logEntries(t, again); n != 0 {
				t.Errorf("beside %v, %d steps: %d log entries stay", beside, steps, n)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
			_, goneErr := os.Stat(filepath.Join(dir, "gone"))
			_, newErr := os.Stat(filepath.Join(dir, "dir/new"))
			if steps < 0 && (get(t, dir, "a") != "A1" || goneErr != nil || newErr == nil) {
				t.Errorf("beside %v: an uncommitted change was made", beside)
			}
			if steps >= 0 && (get(t, dir, "a") != "A2" || goneErr == nil || newErr != nil) {
				t.Errorf("beside %v, %d steps: the change is not whole", beside, steps)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*", tempPrefix+"*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		}
	}
}

func TestRecoverBeforeAMove(t *testing.T) {
	f, dir := open(t, Options{})
	put(t, dir, "a", "A1")
	crash(t, f, []sandbox.Change{{Path: "a", Data: []byte("A2"), Old: []byte("A1")}, {Path: "b", Data: []byte("B")}}, true, 1)
	if err := Recover(dir, f.opts); err != nil {
		t.Fatal(err)
	}
	if get(t, dir, "a")+get(t, dir, "b") != "A2B" {
		t.Error("the change is not whole")
	}
	if err := Recover(dir, Options{IntentDir: filepath.Join(dir, "none")}); err != nil {
		t.Errorf("without a log: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a log was made for nothing")
	}
}

// What the box does to the files between crash and recovery is the box's
// affair: its work is kept, nothing outside is touched, Open succeeds.
func TestRecoveryOfATamperedWorkspace(t *testing.T) {
	for name, tamper := range map[string]func(h hostile){
		"changed since": func(h hostile) { put(h.t, h.root, "a", "theirs") },
		"now a link": func(h hostile) {
			_ = os.Remove(filepath.Join(h.root, "a"))
			h.link("../out/secret", "a")
		},
		"directory is a link": func(h hostile) {
			_ = os.RemoveAll(filepath.Join(h.root, "d"))
			h.link("../out/dir", "d")
		},
		"staged files gone": func(h hostile) {
			for _, g := range []string{"", "d/"} {
				left, _ := filepath.Glob(filepath.Join(h.root, g+tempPrefix+"*"))
				for _, l := range left {
					_ = os.Remove(l)
				}
			}
		},
		"now a directory": func(h hostile) {
			_ = os.Remove(filepath.Join(h.root, "a"))
			_ = os.MkdirAll(filepath.Join(h.root, "a/b"), 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := open(t, Options{})
			f.stage.Store(-1)
			h := newHostile(t, f, dir)
			put(t, dir, "a", "A1")
			put(t, dir, "d/secret", "D1")
			crash(t, f, []sandbox.Change{
				{Path: "a", Data: []byte("A2"), Old: []byte("A1")},
				{Path: "d/secret", Data: []byte("D2"), Old: []byte("D1")},
			}, true, 0)
			tamper(h)
			again, err := Open(dir, f.opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
			h.untouched()
			if name == "changed since" && get(t, dir, "a") != "theirs" {
				t.Error("newer work was overwritten")
			}
		})
	}
}

// Apply behaves as the same changes made one by one on a map.
func TestApplyAgainstAModel(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "d/a", "d/e/f"})
	rapid.Check(t, func(rt *rapid.T) {
		top, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		dir := filepath.Join(top, "ws")
		if err := os.Mkdir(dir, 0o755); err != nil {
			rt.Fatal(err)
		}
		f, err := Open(dir, Options{IntentDir: filepath.Join(top, "i")})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		model := map[string]string{}
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			var changes []sandbox.Change
			next := map[string]string{}
			for k, v := range model {
				next[k] = v
			}
			for _, n := range rapid.SliceOfNDistinct(names, 1, 4, rapid.ID[string]).Draw(rt, "names") {
				c := sandbox.Change{Path: n}
				old, has := model[n]
				if has {
					c.Old = []byte(old)
				}
				if !has || rapid.Bool().Draw(rt, "keep") {
					next[n] = rapid.StringN(0, 5, -1).Draw(rt, "text")
					c.Data = []byte(next[n])
				} else {
					delete(next, n)
				}
				changes = append(changes, c)
			}
			if err := f.Apply(context.Background(), changes); err != nil {
				rt.Fatalf("apply %v: %v", changes, err)
			}
			model = next
			for n, want := range model {
				if data, _, err := f.Read(context.Background(), n, 0); err != nil || string(data) != want {
					rt.Fatalf("%s: %q %v, want %q", n, data, err, want)
				}
			}
		}
	})
}

func TestRollbackAfterAFailedStep(t *testing.T) {
	f, dir := open(t, Options{})
	put(t, dir, "a", "A1")
	put(t, dir, "b", "B1")
	works, err := f.prepare(context.Background(), []sandbox.Change{
		{Path: "a", Data: []byte("A2"), Old: []byte("A1")},
		{Path: "c", Data: []byte("C")},
		{Path: "b", Data: []byte("B2"), Old: []byte("B1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "c", "somebody was faster")
	if err := f.applyMany(works); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error: %v", err)
	}
	for i := range works {
		works[i].place.close()
	}
	if get(t, dir, "a") != "A1" || get(t, dir, "b") != "B1" || get(t, dir, "c") != "somebody was faster" {
		t.Error("the failed change was not undone")
	}
	if n := logEntries(t, f); n != 0 {
		t.Errorf("%d log entries stay", n)
	}
}
