package tool

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/sandbox"
)

// Box is the sandbox that the call was placed in.
func (c *Call) Box() (sandbox.Box, error) {
	if !c.Place.Valid() {
		return nil, Forbidden("This call was not given a place to run.")
	}
	if box := c.Place.Box(); box != nil {
		return box, nil
	}
	return nil, Unavailable("This tool needs a sandbox and the session has none. Enable one with agents.defaults.sandbox.mode.", sandbox.ErrUnavailable)
}

// Files is the box that the call was placed in and its workspace.
func (c *Call) Files() (sandbox.Box, sandbox.Files, error) {
	box, err := c.Box()
	if err != nil {
		return nil, nil, err
	}
	files := box.Files()
	if files == nil {
		return nil, nil, Unavailable("This sandbox has no workspace.", sandbox.ErrUnavailable)
	}
	return box, confined{Files: files, workdir: Workdir(box)}, nil
}

// confined refuses names that lead out of the workspace by their text alone,
// before any backend sees them: a box may well have other files, but they are
// exec's business. What links lead to is the backend's work.
type confined struct {
	sandbox.Files
	workdir string
}

func (f confined) check(op, p string) error {
	full := p
	if !path.IsAbs(p) {
		full = f.workdir + "/" + p
	}
	full = path.Clean(full)
	if full != f.workdir && !strings.HasPrefix(full, f.workdir+"/") && f.workdir != "/" {
		return &fs.PathError{Op: op, Path: p, Err: sandbox.ErrEscapes}
	}
	return nil
}

func (f confined) Read(ctx context.Context, p string, limit int64) ([]byte, sandbox.FileInfo, error) {
	if err := f.check("read", p); err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	return f.Files.Read(ctx, p, limit)
}

func (f confined) Write(ctx context.Context, p string, data []byte) (bool, error) {
	if err := f.check("write", p); err != nil {
		return false, err
	}
	return f.Files.Write(ctx, p, data)
}

func (f confined) Stat(ctx context.Context, p string) (sandbox.FileInfo, error) {
	if err := f.check("stat", p); err != nil {
		return sandbox.FileInfo{}, err
	}
	return f.Files.Stat(ctx, p)
}

func (f confined) List(ctx context.Context, p string, limit int) ([]sandbox.FileInfo, error) {
	if err := f.check("scandir", p); err != nil {
		return nil, err
	}
	return f.Files.List(ctx, p, limit)
}

func (f confined) Remove(ctx context.Context, p string) error {
	if err := f.check("remove", p); err != nil {
		return err
	}
	return f.Files.Remove(ctx, p)
}

func (f confined) Rename(ctx context.Context, from, to string) error {
	if err := errors.Join(f.check("rename", from), f.check("rename", to)); err != nil {
		return err
	}
	return f.Files.Rename(ctx, from, to)
}

func (f confined) Apply(ctx context.Context, changes []sandbox.Change) error {
	for _, c := range changes {
		if err := f.check("apply", c.Path); err != nil {
			return err
		}
	}
	return f.Files.Apply(ctx, changes)
}

// Errno is the name of a file error's cause, such as ENOENT, or empty.
func Errno(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "ENOENT"
	case errors.Is(err, syscall.EISDIR):
		return "EISDIR"
	case errors.Is(err, syscall.ENOTDIR):
		return "ENOTDIR"
	case errors.Is(err, fs.ErrExist):
		return "EEXIST"
	case errors.Is(err, fs.ErrPermission):
		return "EACCES"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "ENOSPC"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "ENAMETOOLONG"
	case errors.Is(err, syscall.ELOOP):
		return "ELOOP"
	case errors.Is(err, sandbox.ErrReadOnly):
		return "EROFS"
	}
	return ""
}

// FileError turns an error of the workspace into one for the caller; name is
// as the caller gave it. Nothing of the host appears in the message.
func FileError(box sandbox.Box, name string, err error) error {
	code := Errno(err)
	var msg string
	switch {
	case errors.Is(err, sandbox.ErrEscapes), errors.Is(err, fs.ErrInvalid):
		msg = "Path escapes sandbox root (" + Workdir(box) + "): " + name
	case errors.Is(err, sandbox.ErrReadOnly):
		msg = "The workspace is read-only: " + name + " cannot be changed."
	case errors.Is(err, sandbox.ErrNotRegular):
		msg = "Not a regular file: " + name + ". Only regular files can be used."
	case errors.Is(err, sandbox.ErrLinked):
		msg = name + " has more than one hard link, which may lie outside the workspace. Copy it with exec first."
	case errors.Is(err, sandbox.ErrTooLarge):
		msg = name + " is larger than the workspace allows."
	case errors.Is(err, sandbox.ErrConflict):
		msg = name + " changed meanwhile. Read it again, then retry."
	case code != "":
		msg = code + ": " + errnoText(code) + ", '" + name[:min(len(name), 200)] + "'"
	default:
		return Failed("Could not use "+name+".", err)
	}
	return InputCode(code, msg, err)
}

// Workdir is where the box has its workspace.
func Workdir(box sandbox.Box) string {
	if w := box.Info().Workdir; w != "" {
		return w
	}
	return "/workspace"
}

func errnoText(code string) string {
	switch code {
	case "ENOENT":
		return "no such file or directory"
	case "ENAMETOOLONG":
		return "the path is too long"
	case "ELOOP":
		return "too many symbolic links"
	case "EISDIR":
		return "illegal operation on a directory"
	case "ENOTDIR":
		return "not a directory"
	case "EEXIST":
		return "file already exists"
	case "EACCES":
		return "permission denied"
	case "ENOSPC":
		return "no space left on device"
	}
	return "failed"
}
