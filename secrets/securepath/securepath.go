//go:build unix

// Package securepath opens secret files and programs only when nobody else
// could have written them. Every component is opened relative to the checked
// descriptor of the one before, and the file's own checks are made on the
// descriptor that is read: swapping a path between the two gains nothing.
package securepath

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Readers is who may be able to read a secret file.
type Readers int

// Owner is the default; Group and All widen it.
const (
	Owner Readers = iota
	Group
	All
)

// Rules is what a path must satisfy. The zero value is the strictest.
type Rules struct {
	ReadableBy   Readers // who else may read it
	AllowSymlink bool    // follow a link in the last component
	Program      bool    // a program: may belong to root, be readable by all and have many links, must be executable
	MaxBytes     int64   // most that Read reads; 1 MiB when zero
}

// ErrInsecure is the sentinel behind every refusal of this package that is
// about permissions, ownership or kind, as opposed to a missing file.
var ErrInsecure = errors.New("path is not secure")

// Problem is one refusal: what is wrong with which path, and what to do.
type Problem struct {
	Path, Reason, Fix string
}

// Error is the path and the reason.
func (p *Problem) Error() string { return p.Path + ": " + p.Reason }

// Unwrap makes errors.Is(err, ErrInsecure) true.
func (p *Problem) Unwrap() error { return ErrInsecure }

const (
	defaultMax = 1 << 20
	maxLinks   = 20
	maxParts   = 255
)

// Open opens path and checks it and everything above it. The descriptor of a
// program can be executed but not read.
func Open(name string, r Rules) (*os.File, error) {
	if !strings.HasPrefix(name, "/") {
		return nil, &Problem{name, "is not an absolute path", "write the full path"}
	}
	w := walker{rules: r, euid: uint32(os.Geteuid()), name: name}
	fd, err := w.walk(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Read opens, checks and reads the whole file from one descriptor. The caller
// may Wipe what it gets.
func Read(ctx context.Context, name string, r Rules) (data []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.Program = false
	f, err := Open(name, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	limit := r.MaxBytes
	if limit <= 0 {
		limit = defaultMax
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, errors.Unwrap(err))
	}
	if int64(len(data)) > limit {
		Wipe(data)
		return nil, &Problem{name, fmt.Sprintf("is larger than %d bytes", limit), "raise maxBytes, or point at the right file"}
	}
	return data, nil
}

// Wipe overwrites a buffer that held a secret.
func Wipe(b []byte) { clear(b) }

// walker resolves one path a component at a time.
type walker struct {
	rules Rules
	euid  uint32
	name  string
	links int
}

// walk returns a checked descriptor of the last component. After each link it
// begins again at the root, so that the way to the link's target is checked
// like any other.
func (w *walker) walk(name string) (int, error) {
	for {
		fd, next, err := w.descend(split(name))
		if err != nil || next == "" {
			return fd, err
		}
		name = next
	}
}

// descend opens the parts one below the other. When it meets a link it
// returns the path to go on with instead of a descriptor.
func (w *walker) descend(parts []string) (fd int, next string, err error) {
	if len(parts) == 0 || len(parts) > maxParts {
		return -1, "", w.problem(w.name, "is a directory", "name a file")
	}
	dir, err := unix.Open("/", dirFlags, 0)
	if err != nil {
		return -1, "", wrap("/", err)
	}
	at := "/"
	for i, part := range parts {
		here, last := path.Join(at, part), i == len(parts)-1
		st, err := w.checkDir(dir, at)
		var target string
		fd := -1
		if err == nil {
			fd, target, err = w.step(dir, st, part, here, last)
		}
		_ = unix.Close(dir)
		switch {
		case err != nil:
			return -1, "", err
		case target != "":
			if !path.IsAbs(target) {
				target = path.Join(at, target)
			}
			return -1, path.Join(append([]string{target}, parts[i+1:]...)...), nil
		case last:
			return fd, "", nil
		}
		dir, at = fd, here
	}
	return -1, "", nil
}

// split is the components of a path, cleaned textually: ".." in a link's
// target is resolved by name, never by following a second link backwards.
func split(p string) []string {
	var out []string
	for part := range strings.SplitSeq(path.Clean("/"+p), "/") {
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// step opens one component. A symbolic link comes back as its target with the
// directory still open.
func (w *walker) step(dir int, parent *unix.Stat_t, part, here string, last bool) (fd int, target string, err error) {
	flags := dirFlags
	if last {
		flags = w.fileFlags()
	}
	fd, err = unix.Openat(dir, part, flags, 0)
	isLink := errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.ENOTDIR)
	var st unix.Stat_t
	if err == nil {
		if err := unix.Fstat(fd, &st); err != nil {
			_ = unix.Close(fd)
			return -1, "", wrap(here, err)
		}
		if isLink = st.Mode&unix.S_IFMT == unix.S_IFLNK; isLink {
			_ = unix.Close(fd) // O_PATH opens the link itself
		}
	}
	if isLink {
		return w.follow(dir, parent, part, here, last)
	}
	if err != nil {
		return -1, "", wrap(here, err)
	}
	if sticky(parent) && st.Uid != w.euid && st.Uid != 0 {
		_ = unix.Close(fd)
		return -1, "", w.problem(here, "belongs to another user in a directory that all may write", "move it to a directory of yours")
	}
	if last {
		if err := w.checkFile(&st, here); err != nil {
			_ = unix.Close(fd)
			return -1, "", err
		}
	}
	return fd, "", nil
}

// follow decides about a symbolic link. Links on the way are followed when
// they lie where only we or root can have put them; the last one only when
// the rules say so.
func (w *walker) follow(dir int, parent *unix.Stat_t, part, here string, last bool) (int, string, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, part, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return -1, "", wrap(here, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return -1, "", w.problem(here, "is not a directory", "correct the path")
	}
	if last && !w.rules.AllowSymlink {
		return -1, "", w.problem(here, "is a symbolic link", "name the file itself, or set allowSymlink: true")
	}
	if (st.Uid != w.euid && st.Uid != 0) || (sticky(parent) && st.Uid != w.euid) {
		return -1, "", w.problem(here, "is a symbolic link of another user", "name the file itself")
	}
	if w.links++; w.links > maxLinks {
		return -1, "", w.problem(here, "has too many symbolic links", "name the file itself")
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, part, buf)
	if err != nil {
		return -1, "", wrap(here, err)
	}
	if n == 0 || n == len(buf) {
		return -1, "", w.problem(here, "is a symbolic link that cannot be read", "name the file itself")
	}
	return -1, string(buf[:n]), nil
}

func sticky(st *unix.Stat_t) bool { return st.Mode&unix.S_ISVTX != 0 && st.Mode&0o022 != 0 }

func (w *walker) problem(here, reason, fix string) error { return &Problem{here, reason, fix} }

// wrap keeps "does not exist" recognisable and names the path.
func wrap(here string, err error) error {
	return &fs.PathError{Op: "open", Path: here, Err: err}
}
