package livebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

// opTime bounds one file operation inside.
const opTime = 20 * time.Second

// files sends each path to the side it lives on: the workspace to the host,
// everything else, and what is mounted over a part of the workspace, inside.
type files struct {
	sandbox.Files
	box    *Box
	inside []string
}

// isInside reports whether p is reached only from within, with the absolute
// path to use there. The longest mount point decides.
func (f *files) isInside(p string) (string, bool) {
	work := f.box.o.Info.Workdir
	full := p
	if !path.IsAbs(full) {
		full = work + "/" + full
	}
	full = path.Clean(full)
	best := ""
	for _, m := range append([]string{work}, f.inside...) {
		if (full == m || strings.HasPrefix(full, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	if best == work || !path.IsAbs(p) && best == "" {
		return full, false
	}
	return full, true
}

func (f *files) Read(ctx context.Context, p string, limit int64) ([]byte, sandbox.FileInfo, error) {
	full, in := f.isInside(p)
	if !in {
		b, fi, err := f.Files.Read(ctx, p, limit)
		if !errors.Is(err, sandbox.ErrEscapes) || !strings.HasPrefix(full, f.box.o.Info.Workdir+"/") {
			return b, fi, err
		}
		// A link in the workspace may name a path of the box.
	}
	out, info, err := f.run(ctx, nil, "read", full, strconv.FormatInt(limit, 10))
	if err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	list, err := parseInfos(info)
	if err != nil || len(list) != 1 {
		return nil, sandbox.FileInfo{}, fmt.Errorf("%w: bad answer", sandbox.ErrGone)
	}
	return out, list[0], nil
}

func (f *files) Write(ctx context.Context, p string, data []byte) (bool, error) {
	full, in := f.isInside(p)
	if !in {
		if err := f.room(); err != nil {
			return false, err
		}
		return f.Files.Write(ctx, p, data)
	}
	_, info, err := f.run(ctx, data, "write", full)
	return bytes.HasPrefix(info, []byte("created")), err
}

func (f *files) Stat(ctx context.Context, p string) (sandbox.FileInfo, error) {
	full, in := f.isInside(p)
	if !in {
		fi, err := f.Files.Stat(ctx, p)
		if !errors.Is(err, sandbox.ErrEscapes) || !strings.HasPrefix(full, f.box.o.Info.Workdir+"/") {
			return fi, err
		}
	}
	out, _, err := f.run(ctx, nil, "stat", full)
	if err != nil {
		return sandbox.FileInfo{}, err
	}
	list, err := parseInfos(out)
	if err != nil || len(list) != 1 {
		return sandbox.FileInfo{}, fmt.Errorf("%w: bad answer", sandbox.ErrGone)
	}
	return list[0], nil
}

func (f *files) List(ctx context.Context, p string, limit int) ([]sandbox.FileInfo, error) {
	full, in := f.isInside(p)
	if !in {
		return f.Files.List(ctx, p, limit)
	}
	out, _, err := f.run(ctx, nil, "list", full, strconv.Itoa(min(max(limit, 1), 10000)))
	if err != nil {
		return nil, err
	}
	return parseInfos(out)
}

func (f *files) Remove(ctx context.Context, p string) error {
	full, in := f.isInside(p)
	if !in {
		return f.Files.Remove(ctx, p)
	}
	_, _, err := f.run(ctx, nil, "remove", full)
	return err
}

func (f *files) Rename(ctx context.Context, from, to string) error {
	a, ain := f.isInside(from)
	b, bin := f.isInside(to)
	switch {
	case !ain && !bin:
		return f.Files.Rename(ctx, from, to)
	case ain && bin:
		_, _, err := f.run(ctx, nil, "rename", a, b)
		return err
	}
	return fmt.Errorf("%w: a file cannot be moved between the workspace and the rest", sandbox.ErrEscapes)
}

func (f *files) Apply(ctx context.Context, changes []sandbox.Change) error {
	for _, c := range changes {
		if _, in := f.isInside(c.Path); in {
			return fmt.Errorf("%w: %s lies outside the workspace", sandbox.ErrEscapes, c.Path)
		}
	}
	return f.Files.Apply(ctx, changes)
}

// run performs one operation in a process of the box, whose answer is as
// untrusted as any output: it is bounded and parsed with care.
func (f *files) run(ctx context.Context, in []byte, args ...string) (out, info []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, opTime)
	defer cancel()
	if len(args[1]) > 4096 || strings.ContainsRune(args[1], 0) {
		return nil, nil, fmt.Errorf("%w: not a path", sandbox.ErrEscapes)
	}
	limit := int64(16 << 20)
	if args[0] == "read" {
		if n, err := strconv.ParseInt(args[2], 10, 64); err == nil {
			limit = n
		}
	}
	stdout, stderr := &bounded{limit: limit}, &bounded{limit: 64 << 10}
	p, err := f.box.o.Conn.Start(ctx, sandbox.Cmd{Argv: append([]string{supervisor.Path, "file"}, args...), Env: f.box.o.Env,
		Stdin: bytes.NewReader(in), Stdout: stdout, Stderr: stderr, Dir: "/", Timeout: opTime})
	if err != nil {
		return nil, nil, err
	}
	x, err := p.Wait(ctx)
	if err != nil {
		return nil, nil, err
	}
	if stdout.over {
		return nil, nil, sandbox.ErrTooLarge
	}
	return stdout.b, stderr.b, fileError(x, args[1])
}

func fileError(x sandbox.Exit, p string) error {
	wrap := func(e error) error { return fmt.Errorf("%s: %w", p, e) }
	switch x.Code {
	case supervisor.FileOK:
		return nil
	case supervisor.FileNotExist:
		return wrap(errNotExist)
	case supervisor.FileDenied:
		return wrap(errPermission)
	case supervisor.FileReadOnly:
		return wrap(sandbox.ErrReadOnly)
	case supervisor.FileNotRegular:
		return wrap(sandbox.ErrNotRegular)
	case supervisor.FileTooBig:
		return wrap(sandbox.ErrTooLarge)
	case supervisor.FileExists:
		return wrap(errExist)
	}
	return fmt.Errorf("%s: the file operation inside failed (%d)", p, x.Code)
}

// bounded collects at most limit bytes.
type bounded struct {
	b     []byte
	limit int64
	over  bool
}

func (w *bounded) Write(p []byte) (int, error) {
	if int64(len(w.b)+len(p)) > w.limit {
		w.over = true
		return len(p), nil
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// parseInfos reads what the helper wrote about files.
func parseInfos(b []byte) ([]sandbox.FileInfo, error) {
	var out []sandbox.FileInfo
	for rec := range bytes.SplitSeq(b, []byte{0}) {
		if len(rec) == 0 {
			continue
		}
		f := strings.SplitN(string(rec), " ", 5)
		if len(f) != 5 || len(f[4]) > 255 || strings.ContainsRune(f[4], '/') && f[4] != "/" {
			return nil, errors.New("malformed file record")
		}
		size, e1 := strconv.ParseInt(f[0], 10, 64)
		mode, e2 := strconv.ParseUint(f[1], 8, 32)
		ns, e3 := strconv.ParseInt(f[3], 10, 64)
		if e1 != nil || e2 != nil || e3 != nil || size < 0 {
			return nil, errors.New("malformed file record")
		}
		out = append(out, sandbox.FileInfo{Name: f[4], Size: size, Mode: uint32(mode), IsDir: f[2] == "1", MTime: time.Unix(0, ns)})
		if len(out) > 10000 {
			break
		}
	}
	return out, nil
}

// room refuses what would make a workspace larger that is over its limit.
func (f *files) room() error {
	if why := f.box.full.Load(); why != nil {
		return fmt.Errorf("%w: %s", sandbox.ErrFull, *why)
	}
	return nil
}
