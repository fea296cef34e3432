package approval

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// Limits of a plan.
const (
	MaxBound    = 32       // files
	MaxBoundLen = 64 << 20 // bytes of one file
)

// ErrTooMuch means that a call names more than a plan can bind.
var ErrTooMuch = errors.New("approval: the call names too much to bind")

// Files looks at the place where the call would run: inside its sandbox, or on
// the host.
type Files interface {
	// Program finds what a command name means there.
	Program(ctx context.Context, name string) (path string, err error)
	// Open opens a regular file there; fs.ErrNotExist when there is none.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
}

// Context is where and with what a call would run.
type Context struct {
	Files   Files // nil binds no files: the plan is the words alone
	Cwd     string
	Env     []string // complete, name=value
	Sandbox string   // specification hash of the sandbox
}

// Build makes the plan of a call. Call it again right before the call runs, so
// that Redeem compares what was approved with what is there now.
func Build(ctx context.Context, pet toolpolicy.Petition, args json.RawMessage, c Context) (Plan, error) {
	p := Plan{
		Tool: pet.Tool(), Session: pet.Session(), Args: bytes.Clone(args), Cwd: c.Cwd,
		Env: slices.Clone(c.Env), Sandbox: c.Sandbox, Host: pet.Host(),
	}
	slices.Sort(p.Env)
	var fields struct {
		Command string `json:"command"`
		Path    string `json:"path"`
		Image   string `json:"image"`
		Workdir string `json:"workdir"`
		Input   string `json:"input"`
	}
	if len(args) > 0 {
		if err := json.Unmarshal(args, &fields); err != nil {
			return Plan{}, err
		}
	}
	if fields.Workdir != "" {
		p.Cwd = at(c.Cwd, fields.Workdir)
	}
	b := binder{ctx: ctx, c: c, plan: &p}
	if pet.Tool() == "exec" {
		p.Command = fields.Command
		b.command(fields.Command)
	} else {
		for _, f := range append([]string{fields.Path, fields.Image}, toolpolicy.PatchPaths(fields.Input)...) {
			if f != "" {
				p.Paths = b.bind(p.Paths, f)
			}
		}
	}
	return p, b.err
}

// The list of package shell is what the policy asks about command lines.
var _ toolpolicy.Commands = (*shell.List)(nil)

type binder struct {
	ctx  context.Context
	c    Context
	plan *Plan
	err  error
}

// command binds the words, the programs and, for programs that run code, every
// file among their words and the file they read by custom.
func (b *binder) command(line string) {
	a := shell.Analyze(line)
	b.plan.Doubts = a.Reasons
	if !path.IsAbs(b.plan.Cwd) && b.c.Files != nil {
		b.plan.Doubts = append(b.plan.Doubts, "the directory is not known: scripts named by a relative path are not bound")
	}
	for _, cmd := range a.Commands {
		b.plan.Commands = append(b.plan.Commands, cmd.Argv)
		if len(cmd.Argv) == 0 {
			continue
		}
		b.program(cmd.Argv[0])
		runs := false
		for _, w := range cmd.Argv { // a wrapper's own words can be interpreters
			runs = runs || shell.Kind(w) != ""
		}
		if !runs && !strings.Contains(cmd.Argv[0], "/") {
			continue
		}
		for _, w := range cmd.Argv[1:] {
			if _, value, ok := cut(w); ok && strings.HasPrefix(w, "-") {
				w = value
			}
			b.script(w)
		}
		for _, w := range customary {
			b.script(w)
		}
	}
}

// customary are the files that runners read without being told.
var customary = []string{
	"Makefile", "makefile", "GNUmakefile", "package.json", "justfile", "Justfile", "Rakefile",
	"Taskfile.yml", "build.gradle", "build.gradle.kts", "pom.xml", "Cargo.toml", "build.rs",
	"pyproject.toml", "setup.py", "noxfile.py", "tox.ini", "CMakeLists.txt", "Dockerfile",
	"compose.yaml", "docker-compose.yml", "conftest.py", ".npmrc", ".envrc",
}

func (b *binder) program(name string) {
	f := File{Name: name, Path: name}
	if b.c.Files != nil {
		if p, err := b.c.Files.Program(b.ctx, name); err == nil {
			f.Path = p
			f.Digest, _ = b.digest(p)
		}
	}
	if !slices.Contains(b.plan.Programs, f) {
		b.plan.Programs = append(b.plan.Programs, f)
	}
}

// script binds a word that names a file, if there is one.
func (b *binder) script(word string) {
	if word == "" || strings.HasPrefix(word, "-") || len(word) > 4096 {
		return
	}
	p := at(b.plan.Cwd, word)
	if d, ok := b.digest(p); ok {
		f := File{Name: word, Path: p, Digest: d}
		if !slices.Contains(b.plan.Scripts, f) {
			b.plan.Scripts = append(b.plan.Scripts, f)
		}
	}
	b.limit(len(b.plan.Scripts))
}

// bind adds a path whether or not a file is there: a file that appears later
// voids the yes as well.
func (b *binder) bind(files []File, name string) []File {
	p := at(b.plan.Cwd, name)
	d, _ := b.digest(p)
	b.limit(len(files) + 1)
	return append(files, File{Name: name, Path: p, Digest: d})
}

func (b *binder) limit(n int) {
	if n > MaxBound {
		b.err = ErrTooMuch
	}
}

// digest hashes a regular file there.
func (b *binder) digest(p string) (string, bool) {
	if b.c.Files == nil || b.err != nil {
		return "", false
	}
	r, err := b.c.Files.Open(b.ctx, p)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return "unreadable", false
		}
		return "", false
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, MaxBoundLen+1))
	if err != nil || n > MaxBoundLen {
		b.err = ErrTooMuch
		return "", false
	}
	return hex.EncodeToString(h.Sum(nil)), true
}

func at(cwd, p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(cwd, p)
}

// Workspace is Files of a sandbox: scripts are read through the workspace, and
// programs are bound by the hash of the sandbox's specification, whose root
// nothing inside can write.
type Workspace struct {
	// Read reads a regular file of the workspace, at most limit bytes.
	Read func(ctx context.Context, path string, limit int64) ([]byte, error)
}

// Program is the name itself.
func (w Workspace) Program(_ context.Context, name string) (string, error) {
	return "sandbox:" + name, nil
}

// Open reads a file of the workspace; a program's file is not among them.
func (w Workspace) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	if w.Read == nil || !path.IsAbs(p) {
		return nil, fs.ErrNotExist
	}
	b, err := w.Read(ctx, p, MaxBoundLen+1)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Host is Files of this machine.
type Host struct{ List *shell.List }

// Program resolves a name in the trusted directories.
func (h Host) Program(_ context.Context, name string) (string, error) {
	if h.List == nil {
		return "", fs.ErrNotExist
	}
	p, why := h.List.Resolve(name)
	if why != "" {
		return "", errors.New(why)
	}
	return p, nil
}

// Open opens a regular file without following a link at its end.
func (h Host) Open(_ context.Context, p string) (io.ReadCloser, error) {
	if !path.IsAbs(p) {
		return nil, fs.ErrNotExist // never the directory this process happens to be in
	}
	real, err := filepath.EvalSymlinks(p)
	if err != nil {
		return nil, err
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return os.Open(real)
}
