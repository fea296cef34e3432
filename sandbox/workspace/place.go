package workspace

import (
	"errors"
	"io"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// place is a name in a held directory: what happens to the path that led here
// no longer matters.
type place struct {
	dir  int    // descriptor of the parent directory
	base string // name in it, not a link when it was looked at
	rel  string // path of base after links were followed
	made []string
}

func (p place) close() {
	if p.dir >= 0 {
		closeFD(p.dir)
	}
}

const (
	maxHops  = 16
	maxDepth = 64
)

// parent finds the directory that holds rel's last name. A link at the end is
// followed by name, always from the top, so it can only lead inside.
func (f *FS) parent(rel string, create bool) (place, error) {
	for range maxHops {
		dir, base, err := split(rel)
		if err != nil {
			return place{}, err
		}
		fd, made, err := f.openDir(dir, create)
		if err != nil {
			return place{}, err
		}
		target, err := readlink(fd, base)
		if err != nil {
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
				return place{dir: fd, base: base, rel: rel, made: made}, nil
			}
			closeFD(fd)
			return place{}, err
		}
		closeFD(fd)
		if !strings.HasPrefix(target, "/") {
			rel = dir + "/" + target
			continue
		}
		if rel, err = f.rel(target); err != nil {
			return place{}, err
		}
	}
	return place{}, unix.ELOOP
}

// split cuts the last name off. Dot and dot-dot name directories, never files.
func split(rel string) (dir, base string, err error) {
	rel = strings.TrimRight(rel, "/")
	dir, base = path.Dir(rel), path.Base(rel)
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		dir = rel[:i] // path.Dir would resolve dot-dot by text
	}
	if base == "." || base == ".." || base == "" || dir == "" {
		return "", "", unix.EISDIR
	}
	if isTemp(base) {
		return "", "", unix.EPERM
	}
	return dir, base, nil
}

// openDir opens a directory below the workspace, making it when asked to.
func (f *FS) openDir(dir string, create bool) (int, []string, error) {
	flags := unix.O_DIRECTORY
	if !f.opts.Durable {
		flags |= unix.O_PATH // a name is enough; only fsync needs more
	}
	fd, err := f.tree.open(dir, flags)
	if err != unix.ENOENT || !create {
		return fd, nil, err
	}
	return f.mkdirs(dir, flags)
}

// mkdirs makes the missing directories of dir one by one; each is opened from
// the top again, so a directory swapped for a link leads nowhere else.
func (f *FS) mkdirs(dir string, flags int) (int, []string, error) {
	parts := strings.Split(dir, "/")
	if len(parts) > maxDepth {
		return -1, nil, unix.ENAMETOOLONG
	}
	var made []string
	fd, err := f.tree.open(".", flags)
	for i := 0; i < len(parts) && err == nil; i++ {
		prefix := strings.Join(parts[:i+1], "/")
		next, operr := f.tree.open(prefix, flags)
		if operr == unix.ENOENT {
			if operr = f.mkdir(fd, parts[i]); operr == nil {
				made = append(made, prefix)
				next, operr = f.tree.open(prefix, flags)
			}
		}
		closeFD(fd)
		fd, err = next, operr
	}
	if err != nil {
		f.unmake(made)
		return -1, nil, err
	}
	return fd, made, nil
}

func (f *FS) mkdir(dir int, name string) error {
	err := unix.Mkdirat(dir, name, 0o755)
	if err == unix.EEXIST {
		return nil
	}
	if err != nil {
		return err
	}
	if uid, gid := f.ownerOf(); f.writer == nil && (uid >= 0 || gid >= 0) {
		return chownErr(unix.Fchownat(dir, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
	}
	return nil
}

// unmake removes directories that were made for nothing; one that is in use
// meanwhile stays.
func (f *FS) unmake(made []string) {
	for i := len(made) - 1; i >= 0; i-- {
		dir, base, err := split(made[i])
		if err != nil {
			continue
		}
		if fd, err := f.tree.open(dir, unix.O_PATH|unix.O_DIRECTORY); err == nil {
			_ = unix.Unlinkat(fd, base, unix.AT_REMOVEDIR)
			closeFD(fd)
		}
	}
}

func readlink(dir int, base string) (string, error) {
	buf := make([]byte, 256)
	for {
		n, err := unix.Readlinkat(dir, base, buf)
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
		if len(buf) >= maxPath {
			return "", unix.ENAMETOOLONG
		}
		buf = make([]byte, maxPath)
	}
}

// lookup says what base is now, or nil when there is nothing.
func (p place) lookup() (*unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(p.dir, p.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return &st, nil
	case unix.S_IFDIR:
		return nil, unix.EISDIR
	}
	return nil, sandbox.ErrNotRegular
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
