package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

const boxUID, boxGID = 64123, 64124

// asUser makes a workspace that belongs to owner and is used by the box's
// user, with a file that only root may read. Only root can set that up.
func asUser(t *testing.T, owner int) (*FS, string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "ws")
	put(t, dir, "public", "seen")
	put(t, dir, "private", canary)
	put(t, dir, "group", canary)
	put(t, dir, "theirs/x", "")
	put(t, dir, "mine", "m1")
	for _, err := range []error{
		os.Chmod(filepath.Join(dir, "private"), 0o600), os.Chmod(filepath.Join(dir, "group"), 0o640),
		os.Chown(filepath.Join(dir, "mine"), boxUID, boxGID), os.Chmod(filepath.Join(dir, "mine"), 0o600),
		os.Chown(dir, owner, owner),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(dir, Options{UID: boxUID, GID: boxGID, IntentDir: filepath.Join(top, "intents")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, dir
}

func ownedByBox(t *testing.T, p string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(p, &st); err != nil || st.Uid != boxUID || st.Gid != boxGID {
		t.Errorf("%s belongs to %d:%d, %v", p, st.Uid, st.Gid, err)
	}
}

// A root gateway must not lend its rights to the box.
func TestRootActsAsTheBoxUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root has rights to lend")
		return
	}
	ctx := context.Background()
	for name, owner := range map[string]int{"the box user's workspace": boxUID, "root's workspace": 0} {
		t.Run(name, func(t *testing.T) {
			f, dir := asUser(t, owner)
			for _, p := range []string{"private", "group"} {
				if data, _, err := f.Read(ctx, p, 0); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("read %s: %q %v", p, data, err)
				}
			}
			for p, want := range map[string]string{"public": "seen", "mine": "m1"} {
				if data, _, err := f.Read(ctx, p, 0); err != nil || string(data) != want {
					t.Errorf("read %s: %q %v", p, data, err)
				}
			}
			if _, err := f.Write(ctx, "new/dir/file", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := f.Apply(ctx, []sandbox.Change{{Path: "mine", Data: []byte("m2"), Old: []byte("m1")}, {Path: "b/c", Data: []byte("y")}}); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{"new", "new/dir", "new/dir/file", "mine", "b/c"} {
				ownedByBox(t, filepath.Join(dir, p))
			}
			_, werr := f.Write(ctx, "theirs/planted", []byte("x"))
			if refused := errors.Is(werr, fs.ErrPermission); refused != (owner == boxUID) {
				t.Errorf("write into a directory of root's: %v", werr)
			}
			if _, err := os.ReadFile(filepath.Join(dir, "private")); err != nil {
				t.Errorf("the thread kept the box's rights: %v", err)
			}
		})
	}
}

func TestRecoveryAsTheBoxUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root has rights to lend")
		return
	}
	f, dir := asUser(t, boxUID)
	back, err := f.writer.take()
	if err != nil {
		t.Fatal(err)
	}
	crash(t, f, []sandbox.Change{{Path: "mine", Data: []byte("m2"), Old: []byte("m1")}, {Path: "n/ew", Data: []byte("x")}}, true, 1)
	back()
	again, err := Open(dir, f.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if get(t, dir, "mine") != "m2" || get(t, dir, "n/ew") != "x" || logEntries(t, again) != 0 {
		t.Error("the change is not whole")
	}
	ownedByBox(t, filepath.Join(dir, "n/ew"))
}

// Many goroutines switch at once; none may keep or lose rights.
func TestRightsStayWithTheirThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root has rights to lend")
		return
	}
	f, dir := asUser(t, boxUID)
	ctx := context.Background()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				if i%2 == 0 {
					if _, err := os.ReadFile(filepath.Join(dir, "private")); err != nil {
						t.Errorf("root lost its rights: %v", err)
						return
					}
					continue
				}
				if _, _, err := f.Read(ctx, "private", 0); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("the box's read: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
