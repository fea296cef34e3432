package workspace

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// open makes a workspace with its intent log beside it.
func open(t testing.TB, opts Options) (*FS, string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "ws")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if opts.IntentDir == "" {
		opts.IntentDir = filepath.Join(top, "intents")
	}
	f, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, dir
}

func put(t testing.TB, dir, name, data string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eachTree runs a test with both ways of resolving names.
func eachTree(t *testing.T, run func(t *testing.T, f *FS, dir string)) {
	for _, name := range []string{"openat2", "os.Root"} {
		t.Run(name, func(t *testing.T) {
			f, dir := open(t, Options{})
			if name == "os.Root" {
				root, err := openRootTree(dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.tree.close(); err != nil {
					t.Fatal(err)
				}
				f.tree = root
			}
			run(t, f, dir)
		})
	}
}

func TestReadWriteRoundTrip(t *testing.T) {
	ctx := context.Background()
	eachTree(t, func(t *testing.T, f *FS, dir string) {
		for _, p := range []string{"a", "deep/er/b", "/workspace/c", "//workspace//d", "./e", "deep/../g"} {
			if p == "deep/../g" {
				put(t, dir, "deep/x", "")
			}
			created, err := f.Write(ctx, p, []byte("one"))
			if err != nil || !created {
				t.Fatalf("write %s: created %v, %v", p, created, err)
			}
			if created, err = f.Write(ctx, p, []byte("two!")); err != nil || created {
				t.Fatalf("rewrite %s: created %v, %v", p, created, err)
			}
			data, info, err := f.Read(ctx, p, 0)
			if err != nil || string(data) != "two!" || info.Size != 4 {
				t.Fatalf("read %s: %q %+v %v", p, data, info, err)
			}
		}
		data, info, err := f.Read(ctx, "a", 2)
		if err != nil || string(data) != "tw" || info.Size != 4 {
			t.Fatalf("limited read: %q %+v %v", data, info, err)
		}
		left, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
		if err != nil || len(left) != 0 {
			t.Fatalf("left behind: %v %v", left, err)
		}
	})
}

func TestErrorsNameTheBoxPathOnly(t *testing.T) {
	f, dir := open(t, Options{Workdir: "/box"})
	put(t, dir, "sub/x", "")
	ctx := context.Background()
	for p, want := range map[string]error{
		"missing":       fs.ErrNotExist,
		"/box/missing":  fs.ErrNotExist,
		"sub":           unix.EISDIR,
		"../up":         sandbox.ErrEscapes,
		"/etc/passwd":   sandbox.ErrEscapes,
		"/work-evil/a":  sandbox.ErrEscapes,
		"a\x00b":        fs.ErrInvalid,
		dir + "/sub/x":  sandbox.ErrEscapes,
		"/box/../box/x": sandbox.ErrEscapes,
	} {
		_, _, err := f.Read(ctx, p, 0)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", p, err, want)
		}
		if p != dir+"/sub/x" && strings.Contains(err.Error(), dir) {
			t.Errorf("%q: the host path is in %q", p, err)
		}
	}
	_, _, err := f.Read(ctx, "missing", 0)
	if err.Error() != "read /box/missing: no such file or directory" {
		t.Errorf("message: %v", err)
	}
}

func TestLinksInsideAreFollowed(t *testing.T) {
	ctx := context.Background()
	eachTree(t, func(t *testing.T, f *FS, dir string) {
		put(t, dir, "sub/real", "v1")
		for link, target := range map[string]string{"rel": "sub/real", "abs": "/workspace/sub/real", "sub/up": "../rel"} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range []string{"rel", "abs", "sub/up"} {
			data, _, err := f.Read(ctx, p, 0)
			if err != nil {
				t.Fatalf("read %s: %v", p, err)
			}
			next := append(bytes.Clone(data), byte('a'+i))
			if _, err := f.Write(ctx, p, next); err != nil {
				t.Fatalf("write %s: %v", p, err)
			}
			if got := get(t, dir, "sub/real"); got != string(next) {
				t.Fatalf("%s: the target holds %q", p, got)
			}
			if st, err := os.Lstat(filepath.Join(dir, p)); err != nil || st.Mode()&os.ModeSymlink == 0 {
				t.Fatalf("%s is no link any more: %v", p, err)
			}
		}
	})
}

func TestReadOnlyRefusesEveryChange(t *testing.T) {
	f, dir := open(t, Options{ReadOnly: true})
	put(t, dir, "a", "x")
	ctx := context.Background()
	_, werr := f.Write(ctx, "a", nil)
	for op, err := range map[string]error{
		"write":  werr,
		"remove": f.Remove(ctx, "a"),
		"rename": f.Rename(ctx, "a", "b"),
		"apply":  f.Apply(ctx, []sandbox.Change{{Path: "a", Data: []byte("y"), Old: []byte("x")}}),
	} {
		if !errors.Is(err, sandbox.ErrReadOnly) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if get(t, dir, "a") != "x" {
		t.Error("the file changed")
	}
}

func TestModesAndOwners(t *testing.T) {
	ctx := context.Background()
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 1000, 1001
	}
	f, dir := open(t, Options{UID: uid, GID: gid})
	put(t, dir, "script", "old")
	if err := os.Chmod(filepath.Join(dir, "script"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"script", "new/dir/file"} {
		if _, err := f.Write(ctx, p, []byte("data")); err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "script"), &st); err != nil || st.Mode&0o7777 != 0o755 {
		t.Errorf("script: mode %o, %v", st.Mode, err)
	}
	for _, p := range []string{"new", "new/dir", "new/dir/file"} {
		if err := unix.Stat(filepath.Join(dir, p), &st); err != nil || int(st.Uid) != uid || int(st.Gid) != gid {
			t.Errorf("%s belongs to %d:%d, want %d:%d, %v", p, st.Uid, st.Gid, uid, gid, err)
		}
	}
}

func TestSizeLimits(t *testing.T) {
	f, dir := open(t, Options{MaxFile: 10})
	put(t, dir, "big", strings.Repeat("x", 100))
	ctx := context.Background()
	data, info, err := f.Read(ctx, "big", 1<<40)
	if err != nil || len(data) != 10 || info.Size != 100 {
		t.Errorf("read %d of %d, %v", len(data), info.Size, err)
	}
	if _, err := f.Write(ctx, "w", make([]byte, 11)); !errors.Is(err, sandbox.ErrTooLarge) {
		t.Errorf("write: %v", err)
	}
	dead, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := f.Read(dead, "big", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled read: %v", err)
	}
}

// A closed workspace answers nothing: its descriptors may be somebody else's
// by then.
func TestClosedIsGone(t *testing.T) {
	f, dir := open(t, Options{})
	put(t, dir, "a", "x")
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	_, _, rerr := f.Read(ctx, "a", 0)
	_, werr := f.Write(ctx, "a", nil)
	_, serr := f.Stat(ctx, "a")
	_, lerr := f.List(ctx, "", 0)
	for op, err := range map[string]error{
		"read": rerr, "write": werr, "stat": serr, "list": lerr, "remove": f.Remove(ctx, "a"), "rename": f.Rename(ctx, "a", "b"),
		"apply": f.Apply(ctx, []sandbox.Change{{Path: "a", Old: []byte("x")}}),
	} {
		if !errors.Is(err, sandbox.ErrGone) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestListRenameRemove(t *testing.T) {
	ctx := context.Background()
	eachTree(t, func(t *testing.T, f *FS, dir string) {
		put(t, dir, "b/x", "")
		put(t, dir, "a", "1")
		put(t, dir, "c", "2")
		put(t, dir, tempName(), "half")
		list, err := f.List(ctx, "", 0)
		if err != nil || len(list) != 3 || list[0].Name != "a" || !list[1].IsDir || list[2].Size != 1 {
			t.Fatalf("list: %+v %v", list, err)
		}
		if list, err = f.List(ctx, ".", 1); err != nil || len(list) != 1 {
			t.Fatalf("limited list: %+v %v", list, err)
		}
		if _, err = f.List(ctx, "a", 0); !errors.Is(err, unix.ENOTDIR) {
			t.Fatalf("list of a file: %v", err)
		}
		if err := f.Rename(ctx, "a", "c"); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("rename over a file: %v", err)
		}
		if err := f.Rename(ctx, "a", "n/e/w"); err != nil || get(t, dir, "n/e/w") != "1" {
			t.Fatalf("rename: %v", err)
		}
		if err := f.Remove(ctx, "b"); err == nil {
			t.Fatal("a directory was removed")
		}
		if err := f.Remove(ctx, "c"); err != nil {
			t.Fatal(err)
		}
		if st, err := f.Stat(ctx, "n/e"); err != nil || !st.IsDir {
			t.Fatalf("stat: %+v %v", st, err)
		}
		if _, err := f.Stat(ctx, "c"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("stat of a removed file: %v", err)
		}
	})
}

func BenchmarkRead4K(b *testing.B) {
	f, dir := open(b, Options{})
	put(b, dir, "sub/file", strings.Repeat("x", 4096))
	ctx := context.Background()
	for b.Loop() {
		if _, _, err := f.Read(ctx, "sub/file", 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite4K(b *testing.B) {
	for name, durable := range map[string]bool{"rename": false, "durable": true} {
		b.Run(name, func(b *testing.B) {
			f, _ := open(b, Options{Durable: durable})
			data, ctx := bytes.Repeat([]byte("x"), 4096), context.Background()
			for b.Loop() {
				if _, err := f.Write(ctx, "file", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
