//go:build unix

package securefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/internal/securefile"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Perm()
}

// TestWhateverTheUmask also covers a umask that would take our own rights.
func TestWhateverTheUmask(t *testing.T) {
	dir := t.TempDir()
	for _, mask := range []int{0, 0o022, 0o077, 0o777} {
		old := syscall.Umask(mask)
		base := filepath.Join(dir, strings.Repeat("m", mask%7+1)+time.Now().Format("150405.000000"))
		err := errors.Join(securefile.MkdirAll(filepath.Join(base, "a", "b")), securefile.Create(filepath.Join(base, "a", "b", "c"), []byte("x")), securefile.Write(filepath.Join(base, "a", "w"), []byte("y")))
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %o: %v", mask, err)
		}
		if m := mode(t, filepath.Join(base, "a", "b")); m != 0o700 {
			t.Errorf("umask %o: directory %o", mask, m)
		}
		for _, f := range []string{"a/b/c", "a/w"} {
			if m := mode(t, filepath.Join(base, f)); m != 0o600 {
				t.Errorf("umask %o: %s %o", mask, f, m)
			}
		}
	}
}

func TestCreateDoesNotReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := securefile.Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := securefile.Create(path, []byte("two")); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "one" {
		t.Errorf("replaced by %q", data)
	}
	target := path + ".target"
	if err := os.Symlink(target, path+".link"); err != nil {
		t.Fatal(err)
	}
	if err := securefile.Create(path+".link", []byte("x")); err == nil {
		t.Error("wrote through a symbolic link")
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the link's target was made")
	}
}

// TestNobodySeesMore watches the directory while files are written: every
// file in it is 0600 at every moment, and the name always has a whole text.
func TestNobodySeesMore(t *testing.T) {
	dir := t.TempDir()
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(dir, "f")
	if err := securefile.Write(path, []byte(strings.Repeat("a", 4096))); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 100 {
			if err := securefile.Write(path, []byte(strings.Repeat(string(rune('a'+i%26)), 4096))); err != nil {
				t.Error(err)
			}
		}
	})
	for looking := true; looking; {
		select {
		case <-done:
			looking = false
		default:
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if st, err := e.Info(); err == nil && st.Mode().Perm()&0o077 != 0 {
				t.Fatalf("%s has mode %v", e.Name(), st.Mode())
			}
		}
		if data, err := os.ReadFile(path); err != nil || len(data) != 4096 || strings.Trim(string(data), string(data[:1])) != "" {
			t.Fatalf("half a file: %d bytes, %v", len(data), err)
		}
	}
	wg.Wait()
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}

func TestDirectoryThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := securefile.Create(path, nil); err != nil {
		t.Fatal(err)
	}
	if err := securefile.MkdirAll(filepath.Join(path, "sub")); err == nil {
		t.Error("made a directory below a file")
	}
}
