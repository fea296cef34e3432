package tool

import (
	"errors"
	"io/fs"
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

// Files is the workspace of the box that the call was placed in.
func (c *Call) Files() (sandbox.Files, error) {
	box, err := c.Box()
	if err != nil {
		return nil, err
	}
	files := box.Files()
	if files == nil {
		return nil, Unavailable("This sandbox has no workspace.", sandbox.ErrUnavailable)
	}
	return files, nil
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
	case errors.Is(err, sandbox.ErrReadOnly):
		return "EROFS"
	}
	return ""
}

// FileError turns an error of the workspace into one for the caller; path is
// as the caller gave it. Nothing of the host appears in the message.
func FileError(box sandbox.Box, path string, err error) error {
	code := Errno(err)
	var msg string
	switch {
	case errors.Is(err, sandbox.ErrEscapes), errors.Is(err, fs.ErrInvalid):
		msg = "Path escapes sandbox root (" + Workdir(box) + "): " + path
	case errors.Is(err, sandbox.ErrReadOnly):
		msg = "The workspace is read-only: " + path + " cannot be changed."
	case errors.Is(err, sandbox.ErrNotRegular):
		msg = "Not a regular file: " + path + ". Only regular files can be used."
	case errors.Is(err, sandbox.ErrLinked):
		msg = path + " has more than one hard link, which may lie outside the workspace. Copy it with exec first."
	case errors.Is(err, sandbox.ErrTooLarge):
		msg = path + " is larger than the workspace allows."
	case errors.Is(err, sandbox.ErrConflict):
		msg = path + " changed meanwhile. Read it again, then retry."
	case code != "":
		msg = code + ": " + errnoText(code) + ", '" + path + "'"
	default:
		return Failed("Could not use "+path+".", err)
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
