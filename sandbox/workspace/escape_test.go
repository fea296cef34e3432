package workspace

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

const canary = "outside-7c1f"

// hostile is a workspace next to files that must stay unseen and unchanged.
type hostile struct {
	*FS
	t         testing.TB
	root, out string
}

func newHostile(t testing.TB, fs *FS, dir string) hostile {
	h := hostile{FS: fs, t: t, root: dir, out: filepath.Join(filepath.Dir(dir), "out")}
	put(t, h.out, "secret", canary)
	put(t, h.out, "dir/secret", canary)
	put(t, dir, "file", "ok")
	if err := os.MkdirAll(filepath.Join(dir, "sub/deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h hostile) link(target, name string) {
	if err := os.Symlink(target, filepath.Join(h.root, name)); err != nil {
		h.t.Fatal(err)
	}
}

// held opens the secret, as a leaked descriptor would be, and names it.
func (h hostile) held() string {
	f, err := os.Open(filepath.Join(h.out, "secret"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = f.Close() })
	return "/proc/self/fd/" + itoa(int(f.Fd()))
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// escapes are names that lead outside, with what must be prepared for them.
var escapes = map[string]func(h hostile) string{
	"dot-dot":                  func(hostile) string { return "../out/secret" },
	"dot-dot deep":             func(hostile) string { return "sub/deep/../../../out/secret" },
	"dot-dot and dots":         func(hostile) string { return "./sub/.././../out/./secret" },
	"dot-dot over many":        func(hostile) string { return strings.Repeat("../", 40) + "etc/passwd" },
	"absolute":                 func(h hostile) string { return h.out + "/secret" },
	"absolute, doubled slash":  func(h hostile) string { return "/" + h.out + "/secret" },
	"workdir, then dot-dot":    func(hostile) string { return "/workspace/../out/secret" },
	"sibling of the workdir":   func(hostile) string { return "/workspace-out/secret" },
	"relative link":            func(h hostile) string { h.link("../out/secret", "l"); return "l" },
	"absolute link":            func(h hostile) string { h.link(h.out+"/secret", "l"); return "l" },
	"link to link":             func(h hostile) string { h.link("m", "l"); h.link("../out/secret", "m"); return "l" },
	"link in a sub-directory":  func(h hostile) string { h.link("../../out/secret", "sub/l"); return "sub/l" },
	"linked directory":         func(h hostile) string { h.link("../out/dir", "d"); return "d/secret" },
	"absolute linked dir":      func(h hostile) string { h.link(h.out+"/dir", "d"); return "d/secret" },
	"dot-dot behind a link":    func(h hostile) string { h.link(h.out+"/dir", "d"); return "d/../secret" },
	"link with a trailing /":   func(h hostile) string { h.link("../out", "d"); return "d//dir/./secret" },
	"dangling link":            func(h hostile) string { h.link("../out/created", "l"); return "l" },
	"dangling link to a dir":   func(h hostile) string { h.link("../out/new", "d"); return "d/file" },
	"link to itself":           func(h hostile) string { h.link("l", "l"); return "l" },
	"descriptor":               func(h hostile) string { return h.held() },
	"link to a descriptor":     func(h hostile) string { h.link(h.held(), "l"); return "l" },
	"proc cwd":                 func(hostile) string { return "/proc/self/cwd/../out/secret" },
	"proc root":                func(h hostile) string { return "/proc/self/root" + h.out + "/secret" },
	"link to proc root":        func(h hostile) string { h.link("/proc/self/root", "d"); return "d" + h.out + "/secret" },
	"link to the workdir's up": func(h hostile) string { h.link("/workspace/../out/secret", "l"); return "l" },
	"dev zero":                 func(h hostile) string { h.link("/dev/zero", "l"); return "l" },
	"zero byte":                func(hostile) string { return "file\x00/../../out/secret" },
	"too long":                 func(hostile) string { return strings.Repeat("a/", 4000) + "../out/secret" },
}

func TestNothingOutsideIsReached(t *testing.T) {
	ctx := context.Background()
	for name, prepare := range escapes {
		t.Run(name, func(t *testing.T) {
			eachTree(t, func(t *testing.T, f *FS, dir string) {
				h := newHostile(t, f, dir)
				p := prepare(h)
				if data, _, err := f.Read(ctx, p, 0); err == nil {
					t.Errorf("read %q: %q", p, data)
				}
				if _, err := f.Stat(ctx, p); err == nil && name != "link to itself" {
					t.Errorf("stat %q", p)
				}
				if up := p[:max(0, strings.LastIndexByte(p, '/'))]; strings.HasPrefix(p, "d/") {
					if _, err := f.List(ctx, up, 0); err == nil {
						t.Errorf("list %q", up)
					}
				}
				_, werr := f.Write(ctx, p, []byte("EVIL"))
				aerr := f.Apply(ctx, []sandbox.Change{{Path: p, Data: []byte("EVIL"), Old: []byte(canary)}})
				nerr := f.Apply(ctx, []sandbox.Change{{Path: p, Data: []byte("EVIL")}, {Path: "new", Data: []byte("x")}})
				merr := f.Rename(ctx, "file", p)
				for op, err := range map[string]error{"write": werr, "apply": aerr, "create": nerr, "rename": merr} {
					if err == nil {
						t.Errorf("%s %q was not refused", op, p)
					}
				}
				if err := f.Remove(ctx, p); err == nil && !strings.HasPrefix(p, "l") && !strings.HasPrefix(p, "sub/l") {
					t.Errorf("remove %q", p)
				}
				h.untouched()
			})
		})
	}
}

func (h hostile) untouched() {
	h.t.Helper()
	var names []string
	err := filepath.Walk(h.out, func(p string, st os.FileInfo, err error) error {
		if err == nil && !st.IsDir() {
			names = append(names, st.Name())
			if data, rerr := os.ReadFile(p); rerr != nil || string(data) != canary {
				h.t.Errorf("%s holds %q, %v", p, data, rerr)
			}
		}
		return err
	})
	if err != nil || len(names) != 2 {
		h.t.Errorf("outside now has %v, %v", names, err)
	}
	if _, err := os.Lstat(filepath.Join(h.root, "new")); err == nil {
		h.t.Error("a refused Apply left a file")
	}
}

func TestHardLinks(t *testing.T) {
	ctx := context.Background()
	eachTree(t, func(t *testing.T, f *FS, dir string) {
		h := newHostile(t, f, dir)
		if err := os.Link(filepath.Join(h.out, "secret"), filepath.Join(dir, "hl")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Read(ctx, "hl", 0); !errors.Is(err, sandbox.ErrLinked) {
			t.Errorf("read: %v", err)
		}
		if err := f.Apply(ctx, []sandbox.Change{{Path: "hl", Data: []byte("EVIL"), Old: []byte(canary)}}); !errors.Is(err, sandbox.ErrLinked) {
			t.Errorf("apply: %v", err)
		}
		// A replacement gets its own inode, so it is allowed.
		if _, err := f.Write(ctx, "hl", []byte("mine")); err != nil {
			t.Errorf("write: %v", err)
		}
		h.untouched()
		f.opts.AllowHardLinks = true
		if err := os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "twin")); err != nil {
			t.Fatal(err)
		}
		if data, _, err := f.Read(ctx, "twin", 0); err != nil || string(data) != "ok" {
			t.Errorf("allowed read: %q %v", data, err)
		}
	})
}

// Nothing but a regular file is opened for longer than a look, and nothing
// ever waits.
func TestOddFilesNeitherHangNorAnswer(t *testing.T) {
	ctx := context.Background()
	kinds := map[string]func(p string) error{
		"fifo":   func(p string) error { return unix.Mkfifo(p, 0o666) },
		"socket": bindSocket,
		"dir":    func(p string) error { return os.Mkdir(p, 0o755) },
		"device": func(p string) error {
			if os.Geteuid() != 0 {
				return unix.Mkfifo(p, 0o666)
			}
			return unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5)))
		},
	}
	for name, mk := range kinds {
		t.Run(name, func(t *testing.T) {
			eachTree(t, func(t *testing.T, f *FS, dir string) {
				if err := mk(filepath.Join(dir, "odd")); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, _, rerr := f.Read(ctx, "odd", 0)
				_, werr := f.Write(ctx, "odd", []byte("x"))
				aerr := f.Apply(ctx, []sandbox.Change{{Path: "odd", Data: []byte("x"), Old: []byte{}}})
				for op, err := range map[string]error{"read": rerr, "write": werr, "apply": aerr} {
					if !errors.Is(err, sandbox.ErrNotRegular) && !errors.Is(err, unix.EISDIR) {
						t.Errorf("%s: %v", op, err)
					}
				}
				if d := time.Since(start); d > 2*time.Second {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

func bindSocket(p string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	// A long temporary path does not fit a socket address: bind by descriptor.
	dir, err := unix.Open(filepath.Dir(p), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + itoa(dir) + "/" + filepath.Base(p)})
}

// A directory and a link to the outside change places all the time while the
// tools work. Not once may the outside be seen or written.
func TestSwapRace(t *testing.T) {
	ctx := context.Background()
	eachTree(t, func(t *testing.T, f *FS, dir string) {
		h := newHostile(t, f, dir)
		put(t, dir, "r/secret", "inside")
		h.link("../out/dir", "x")
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			a, b := filepath.Join(dir, "r"), filepath.Join(dir, "x")
			for {
				select {
				case <-stop:
					return
				default:
					_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
				}
			}
		}()
		inside := 0
		for i := range 4000 {
			data, _, err := f.Read(ctx, "r/secret", 0)
			if err == nil && bytes.Contains(data, []byte(canary)) {
				t.Error("the outside was read")
				break
			}
			if err == nil {
				inside++
			}
			if i%4 == 0 {
				_, _ = f.Write(ctx, "r/planted", []byte("EVIL"))
			}
			if i%16 == 0 {
				_ = f.Apply(ctx, []sandbox.Change{{Path: "r/new/a", Data: []byte("EVIL")}, {Path: "r/b", Data: []byte("EVIL")}})
				_ = f.Remove(ctx, "r/b")
			}
		}
		close(stop)
		<-done
		h.untouched()
		if inside == 0 {
			t.Error("the race never let a good read through")
		}
	})
}
