package attack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
	"github.com/chitin-sh/chitin/tool/applypatch"
	"github.com/chitin-sh/chitin/tool/edit"
	"github.com/chitin-sh/chitin/tool/read"
	"github.com/chitin-sh/chitin/tool/tooltest"
	"github.com/chitin-sh/chitin/tool/write"
)

const foreign = "foreign-5b0e"

// prey is a workspace with the file tools, and what lies beside it.
type prey struct {
	*tooltest.World
	t   *testing.T
	out string
}

func newPrey(t *testing.T) prey {
	t.Helper()
	w := tooltest.New(t, read.Tool{}, write.Tool{}, edit.Tool{}, applypatch.Tool{})
	p := prey{World: w, t: t, out: filepath.Join(filepath.Dir(w.Dir), "out")}
	for _, f := range []string{"secret", "dir/secret"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(p.out, f)), 0o755))
		must(t, os.WriteFile(filepath.Join(p.out, f), []byte(foreign), 0o644))
	}
	w.Put(t, "mine", "own\n")
	w.Put(t, "d/secret", "own\n")
	return p
}

func (p prey) at(name string) string { return filepath.Join(p.Dir, name) }

func (p prey) link(target, name string) {
	p.t.Helper()
	must(p.t, os.Symlink(target, p.at(name)))
}

// assault tries every file tool on a path; each call must end soon, none may
// show what is outside.
func (p prey) assault(path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	calls := []struct {
		tool string
		args map[string]any
	}{
		{"read", map[string]any{"path": path}},
		{"edit", map[string]any{"path": path, "edits": []map[string]any{{"oldText": foreign, "newText": "EVIL"}}}},
		{"apply_patch", map[string]any{"input": patch("*** Update File: " + path + "\n@@\n-" + foreign + "\n+EVIL\n")}},
		{"apply_patch", map[string]any{"input": patch("*** Update File: mine\n*** Move to: " + path + "\n@@\n-own\n+EVIL\n")}},
		{"apply_patch", map[string]any{"input": patch("*** Add File: " + path + "\n+EVIL\n")}},
		{"apply_patch", map[string]any{"input": patch("*** Delete File: " + path + "\n")}},
		{"write", map[string]any{"path": path, "content": "EVIL"}},
	}
	for _, c := range calls {
		start := time.Now()
		res, err := p.Call(ctx, c.tool, c.args)
		b, jerr := json.Marshal(res)
		if jerr != nil {
			p.t.Fatal(jerr)
		}
		// A caller who names the text learns nothing from hearing it again.
		told := strings.Contains(fmt.Sprint(c.args), foreign)
		if said := string(b) + fmt.Sprint(err); strings.Contains(said, foreign) && (!told || err == nil) {
			p.t.Errorf("%s of %q shows %.200s", c.tool, path, said)
		}
		if d := time.Since(start); d > 5*time.Second {
			p.t.Errorf("%s of %q took %v", c.tool, path, d)
		}
	}
	p.untouched()
}

func patch(body string) string { return "*** Begin Patch\n" + body + "*** End Patch" }

// untouched looks at everything beside the workspace.
func (p prey) untouched() {
	p.t.Helper()
	files := 0
	err := filepath.Walk(p.out, func(name string, st os.FileInfo, err error) error {
		if err != nil || st.IsDir() {
			return err
		}
		files++
		if b, rerr := os.ReadFile(name); rerr != nil || string(b) != foreign {
			p.t.Errorf("%s holds %.60q, %v", name, b, rerr)
		}
		return nil
	})
	if err != nil || files != 2 {
		p.t.Errorf("there are %d files outside, %v", files, err)
	}
}

// TestFileToolsStayInside sets a trap in the workspace, as a command in the
// sandbox could, and lets every file tool step into it.
func TestFileToolsStayInside(t *testing.T) {
	t.Parallel()
	for name, trap := range map[string]func(p prey) string{
		"link to a file":                 func(p prey) string { p.link(p.out+"/secret", "l"); return "l" },
		"relative link in a directory":   func(p prey) string { p.link("../../out/secret", "d/l"); return "d/l" },
		"linked directory":               func(p prey) string { p.link("../out/dir", "x"); return "x/secret" },
		"link to the outer workspace":    func(p prey) string { p.link(p.Dir+"/../out", "x"); return "x/dir/secret" },
		"dangling link outwards":         func(p prey) string { p.link("../out/born", "l"); return "l" },
		"dangling link, then a file":     func(p prey) string { p.link("../out/born", "x"); return "x/born" },
		"forty links, then out":          func(p prey) string { return p.chain(39) },
		"more links than any kernel":     func(p prey) string { return p.chain(60) },
		"dot-dot behind a linked dir":    func(p prey) string { p.link("../out/dir", "x"); return "x/../secret" },
		"dot-dot behind a missing dir":   func(prey) string { return "missing/../../out/secret" },
		"dot-dot behind a file":          func(prey) string { return "mine/../../out/secret" },
		"root of this process":           func(p prey) string { return "/proc/self/root" + p.out + "/secret" },
		"link to the root of a process":  func(p prey) string { p.link("/proc/self/root"+p.out, "x"); return "x/secret" },
		"working directory of a process": func(prey) string { return "/proc/self/cwd/../out/secret" },
		"process of a thread":            func(p prey) string { p.link("/proc/thread-self/root"+p.out, "x"); return "x/secret" },
		"home directory":                 func(p prey) string { return "~/../.." + p.out + "/secret" },
		"address of a file":              func(p prey) string { return "file://" + p.out + "/secret" },
		"at sign":                        func(p prey) string { return "@" + p.out + "/secret" },
		"blank before":                   func(prey) string { return " ../out/secret" },
		"carriage return behind":         func(prey) string { return "../out/secret\r" },
		"backslashes":                    func(prey) string { return `..\out\secret` },
		"encoded dots":                   func(prey) string { return "%2e%2e/out/secret" },
		"zero byte":                      func(prey) string { return "mine\x00/../../out/secret" },
		"workdir and dot-dot":            func(prey) string { return "/workspace/d/../../out/secret" },
		"name of 5,000 bytes":            func(prey) string { return strings.Repeat("n", 5000) },
		"path of 100,000 bytes":          func(prey) string { return strings.Repeat("a/", 50_000) + "../out/secret" },
		"hard link to a foreign file": func(p prey) string {
			must(p.t, os.Link(p.out+"/secret", p.at("h")))
			return "h"
		},
		"pipe that nobody writes": func(p prey) string { must(p.t, unix.Mkfifo(p.at("f"), 0o666)); return "f" },
		"link to a pipe": func(p prey) string {
			must(p.t, unix.Mkfifo(p.at("f"), 0o666))
			p.link("f", "l")
			return "l"
		},
		"endless device": func(p prey) string {
			if os.Geteuid() != 0 {
				p.link("/dev/zero", "z")
			} else {
				must(p.t, unix.Mknod(p.at("z"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
			}
			return "z"
		},
		"file with a terabyte of holes": func(p prey) string {
			must(p.t, os.WriteFile(p.at("s"), []byte("x"), 0o644))
			must(p.t, os.Truncate(p.at("s"), 1<<40))
			return "s"
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrey(t)
			p.assault(trap(p))
		})
	}
}

// What may be read is shown: else the traps above would prove nothing.
func TestFileToolsShowTheirOwn(t *testing.T) {
	t.Parallel()
	p := newPrey(t)
	p.Put(t, "copy", foreign)
	p.link("copy", "l")
	for _, path := range []string{"copy", "l", "/workspace/d/../copy"} {
		res, err := p.Call(t.Context(), "read", map[string]any{"path": path})
		if b, jerr := json.Marshal(res); err != nil || jerr != nil || !strings.Contains(string(b), foreign) {
			t.Errorf("%s: %s %v %v", path, b, err, jerr)
		}
	}
}

// chain is a file behind n links, the last of which leads outside.
func (p prey) chain(n int) string {
	for i := range n {
		p.link(fmt.Sprintf("c%d", i+1), fmt.Sprintf("c%d", i))
	}
	p.link("../out/secret", fmt.Sprintf("c%d", n))
	return "c0"
}

// A component of the path and a link outwards change places all the time, also
// between a look and the rename of an atomic write.
func TestFileToolsInARace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ a, b, path string }{
		"directory against a link": {"d", "x", "d/secret"},
		"file against a link":      {"mine", "l", "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrey(t)
			p.link("../out/dir", "x")
			p.link("../out/secret", "l")
			stop, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					default:
						_ = unix.Renameat2(unix.AT_FDCWD, p.at(c.a), unix.AT_FDCWD, p.at(c.b), unix.RENAME_EXCHANGE)
					}
				}
			}()
			for range 60 {
				p.assault(c.path)
				if p.t.Failed() {
					break
				}
			}
			close(stop)
			<-done
		})
	}
}

// The workspace is the directory that was opened, whatever its name leads to
// later.
func TestFileToolsInAMovedWorkspace(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	real, name, out := filepath.Join(top, "real"), filepath.Join(top, "ws"), filepath.Join(top, "out")
	for _, d := range []string{real, out} {
		must(t, os.Mkdir(d, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(out, "f"), []byte(foreign), 0o644))
	must(t, os.Symlink(real, name))
	files, err := workspace.Open(name, workspace.Options{})
	if err != nil {
		t.Logf("a workspace whose name is a link is not opened at all: %v", err)
		return
	}
	defer func() { _ = files.Close() }()
	w := tooltest.New(t, read.Tool{}, write.Tool{})
	if w.Box, err = hostbox.New(hostbox.Options{Dir: name, Workdir: "/workspace", Files: files}); err != nil {
		t.Fatal(err)
	}
	must(t, os.Remove(name))
	must(t, os.Symlink(out, name))
	if res, err := w.Call(t.Context(), "read", map[string]any{"path": "f"}); err == nil {
		t.Errorf("the new directory was read: %+v", res)
	}
	if _, err := w.Call(t.Context(), "write", map[string]any{"path": "f", "content": "EVIL"}); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(out, "f")); err != nil || string(b) != foreign {
		t.Errorf("%q %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(real, "f")); err != nil || string(b) != "EVIL" {
		t.Errorf("%q %v", b, err)
	}
}

// A file that the gateway rewrites must not come out of it with rights that
// the one who planted it never had.
func TestRewritingGivesNoRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("only root could give any")
		return
	}
	p := newPrey(t)
	for _, name := range []string{"w", "e", "a"} {
		must(t, os.WriteFile(p.at(name), []byte("own\n"), 0o755))
		must(t, os.Chown(p.at(name), 64000, 64000))
		must(t, os.Chmod(p.at(name), 0o755|os.ModeSetuid|os.ModeSetgid))
	}
	ctx := t.Context()
	_, _ = p.Call(ctx, "write", map[string]any{"path": "w", "content": "x"})
	_, _ = p.Call(ctx, "edit", map[string]any{"path": "e", "edits": []map[string]any{{"oldText": "own", "newText": "x"}}})
	_, _ = p.Call(ctx, "apply_patch", map[string]any{"input": patch("*** Update File: a\n@@\n-own\n+x\n")})
	for _, name := range []string{"w", "e", "a"} {
		var u unix.Stat_t
		must(t, unix.Stat(p.at(name), &u))
		if u.Uid != 64000 && u.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			t.Errorf("%s belongs to %d and has mode %o", name, u.Uid, u.Mode)
		}
	}
}
