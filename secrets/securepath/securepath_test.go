package securepath_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/secrets/securepath"
)

// home is a directory whose parents only we or root can write.
func home(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readCase is a path and what becomes of reading it.
type readCase struct {
	name  string
	make  func(t *testing.T, dir string) string
	rules rules
	want  string // part of the refusal; empty means it is read
}

type rules = securepath.Rules

func fileCases() []readCase {
	return []readCase{
		{"plain 0600", func(t *testing.T, d string) string { return put(t, d+"/f", 0o600) }, rules{}, ""},
		{"plain 0400", func(t *testing.T, d string) string { return put(t, d+"/f", 0o400) }, rules{}, ""},
		{"0644", func(t *testing.T, d string) string { return put(t, d+"/f", 0o644) }, rules{}, "readable by everybody"},
		{"0640", func(t *testing.T, d string) string { return put(t, d+"/f", 0o640) }, rules{}, "readable by its group"},
		{"0640 allowed", func(t *testing.T, d string) string { return put(t, d+"/f", 0o640) }, rules{ReadableBy: securepath.Group}, ""},
		{"0644 allowed", func(t *testing.T, d string) string { return put(t, d+"/f", 0o644) }, rules{ReadableBy: securepath.All}, ""},
		{"0660", func(t *testing.T, d string) string { return put(t, d+"/f", 0o660) }, rules{ReadableBy: securepath.All}, "writable by its group"},
		{"0602", func(t *testing.T, d string) string { return put(t, d+"/f", 0o602) }, rules{ReadableBy: securepath.All}, "writable by everybody"},
		{"hard link", func(t *testing.T, d string) string {
			f := put(t, d+"/f", 0o600)
			must(t, os.Link(f, d+"/g"))
			return d + "/g"
		}, rules{}, "hard links"},
	}
}

func linkCases() []readCase {
	return []readCase{
		{"symlink refused", func(t *testing.T, d string) string {
			must(t, os.Symlink(put(t, d+"/f", 0o600), d+"/l"))
			return d + "/l"
		}, rules{}, "symbolic link"},
		{"symlink followed", func(t *testing.T, d string) string {
			put(t, d+"/f", 0o600)
			must(t, os.Symlink("../"+filepath.Base(d)+"/f", d+"/l"))
			return d + "/l"
		}, rules{AllowSymlink: true}, ""},
		{"symlink to an open file", func(t *testing.T, d string) string {
			must(t, os.Symlink(put(t, d+"/f", 0o644), d+"/l"))
			return d + "/l"
		}, rules{AllowSymlink: true}, "readable by everybody"},
		{"symlink loop", func(t *testing.T, d string) string {
			must(t, os.Symlink(d+"/b", d+"/a"))
			must(t, os.Symlink(d+"/a", d+"/b"))
			return d + "/a"
		}, rules{AllowSymlink: true}, "too many symbolic links"},
		{"directory", func(_ *testing.T, d string) string { return d }, rules{}, "is a directory"},
		{"root", func(_ *testing.T, _ string) string { return "/" }, rules{}, "is a directory"},
		{"fifo", func(t *testing.T, d string) string { must(t, unix.Mkfifo(d+"/p", 0o600)); return d + "/p" }, rules{}, "not a regular file"},
		{"device", func(_ *testing.T, _ string) string { return "/dev/null" }, rules{ReadableBy: securepath.All}, "not a regular file"},
		{"relative", func(_ *testing.T, _ string) string { return "f" }, rules{}, "absolute"},
		{"file as directory", func(t *testing.T, d string) string { return put(t, d+"/f", 0o600) + "/x" }, rules{}, "not a directory"},
	}
}

func parentCases() []readCase {
	return []readCase{
		{"group-writable parent", func(t *testing.T, d string) string {
			must(t, os.Mkdir(d+"/open", 0o700))
			f := put(t, d+"/open/f", 0o600)
			must(t, os.Chmod(d+"/open", 0o770))
			return f
		}, rules{}, "others may write"},
		{"sticky parent", func(t *testing.T, d string) string {
			must(t, os.Mkdir(d+"/tmp", 0o700))
			f := put(t, d+"/tmp/f", 0o600)
			must(t, os.Chmod(d+"/tmp", 0o777|os.ModeSticky))
			return f
		}, rules{}, ""},
		{"linked parent", func(t *testing.T, d string) string {
			must(t, os.Mkdir(d+"/real", 0o700))
			put(t, d+"/real/f", 0o600)
			must(t, os.Symlink("real", d+"/alias"))
			return d + "/alias/f"
		}, rules{}, ""},
		{"linked parent into the open", func(t *testing.T, d string) string {
			must(t, os.Mkdir(d+"/real", 0o700))
			put(t, d+"/real/f", 0o600)
			must(t, os.Symlink("real", d+"/alias"))
			must(t, os.Chmod(d+"/real", 0o777))
			return d + "/alias/f"
		}, rules{}, "others may write"},
		{"too large", func(t *testing.T, d string) string { return put(t, d+"/f", 0o600) }, rules{MaxBytes: 3}, "larger than"},
	}
}

func TestRead(t *testing.T) {
	for _, tc := range slices.Concat(fileCases(), linkCases(), parentCases()) {
		t.Run(tc.name, func(t *testing.T) {
			data, err := securepath.Read(t.Context(), tc.make(t, home(t)), tc.rules)
			switch {
			case tc.want == "" && (err != nil || string(data) != "content"):
				t.Fatalf("got %q, %v", data, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Fatalf("got %q, %v; want a refusal with %q", data, err, tc.want)
			case tc.want != "" && !errors.Is(err, securepath.ErrInsecure):
				t.Fatalf("refusal is not ErrInsecure: %v", err)
			}
		})
	}
}

func TestMissingIsNotInsecure(t *testing.T) {
	_, err := securepath.Read(t.Context(), home(t)+"/none", securepath.Rules{})
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, securepath.ErrInsecure) {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := securepath.Read(ctx, "/etc/hostname", securepath.Rules{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestForeignOwner(t *testing.T) {
	if os.Geteuid() == 0 {
		f := put(t, home(t)+"/f", 0o600)
		must(t, os.Chown(f, 12345, -1))
		_, err := securepath.Read(t.Context(), f, securepath.Rules{})
		if err == nil || !strings.Contains(err.Error(), "owner is user 12345") {
			t.Fatalf("got %v", err)
		}
		return
	}
	_, err := securepath.Read(t.Context(), "/etc/passwd", securepath.Rules{ReadableBy: securepath.All})
	if err == nil || !strings.Contains(err.Error(), "owner is user 0") {
		t.Fatalf("got %v", err)
	}
}

func TestProgram(t *testing.T) {
	dir := home(t)
	for _, tc := range []struct {
		mode os.FileMode
		want string
	}{{0o700, ""}, {0o755, ""}, {0o111, ""}, {0o777, "writable by everybody"}, {0o775, "writable by its group"}, {0o600, "not executable"}} {
		os.Remove(dir + "/p")
		f, err := securepath.Open(put(t, dir+"/p", tc.mode), securepath.Rules{Program: true})
		if err == nil {
			must(t, f.Close())
		}
		if (tc.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("mode %o: %v", tc.mode, err)
		}
	}
	f, err := securepath.Open("/bin/sh", securepath.Rules{Program: true, AllowSymlink: true})
	if err != nil {
		t.Fatalf("a system program is refused: %v", err)
	}
	must(t, f.Close())
}
