package workspace

import (
	"context"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// A FIFO or a terminal must never make the gateway wait: open without
// blocking, then look at what was opened.
const readFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY

// maxList bounds the names of one directory that are looked at.
const maxList = 200_000

// Read returns at most limit bytes from the start of a regular file, and what
// it is; limit 0 means the workspace's own limit. A file is longer than what
// was read when FileInfo.Size says so.
func (f *FS) Read(ctx context.Context, p string, limit int64) ([]byte, sandbox.FileInfo, error) {
	back, err := f.begin(f.reader)
	if err != nil {
		return nil, sandbox.FileInfo{}, f.fail("read", p, err)
	}
	defer back()
	rel, err := f.rel(p)
	if err != nil {
		return nil, sandbox.FileInfo{}, f.fail("read", p, err)
	}
	fd, err := f.openFile(rel)
	if err != nil {
		return nil, sandbox.FileInfo{}, f.fail("read", p, err)
	}
	defer closeFD(fd)
	st, err := f.regular(fd)
	if err != nil {
		return nil, sandbox.FileInfo{}, f.fail("read", p, err)
	}
	if limit <= 0 || limit > f.opts.MaxFile {
		limit = f.opts.MaxFile
	}
	data, err := readAll(ctx.Err, fd, st.Size, limit)
	if err != nil {
		return nil, sandbox.FileInfo{}, f.fail("read", p, err)
	}
	return data, info(path.Base(rel), st), nil
}

// openFile opens rel for reading. A link with an absolute target inside the
// workdir is valid in the box but not to the kernel here; it is followed by
// name, one hop at a time.
func (f *FS) openFile(rel string) (int, error) {
	fd, err := f.tree.open(rel, readFlags)
	if err != unix.EXDEV && err != sandbox.ErrEscapes {
		return fd, err
	}
	pl, perr := f.parent(rel, false)
	if perr != nil {
		return -1, err
	}
	defer pl.close()
	return openLeaf(pl.dir, pl.base)
}

// openLeaf opens a name in a held directory without following it.
func openLeaf(dir int, base string) (int, error) {
	for {
		fd, err := unix.Openat(dir, base, readFlags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// regular refuses everything but an ordinary file.
func (f *FS) regular(fd int) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	return &st, f.checkRegular(&st)
}

func (f *FS) checkRegular(st *unix.Stat_t) error {
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return unix.EISDIR
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return sandbox.ErrNotRegular
	case st.Nlink > 1 && !f.opts.AllowHardLinks:
		return sandbox.ErrLinked
	}
	return nil
}

// readAll reads up to limit bytes in steps, so that a huge or growing file
// cannot outlive its caller.
func readAll(stop func() error, fd int, size, limit int64) ([]byte, error) {
	const step = 1 << 20
	// One byte more than the size says: the end is seen without growing.
	buf := make([]byte, 0, min(size, limit)+1)
	for int64(len(buf)) < limit {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(step, int(limit)-len(buf)))
		}
		end := min(cap(buf), len(buf)+step, int(limit))
		n, err := unix.Read(fd, buf[len(buf):end])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		}
		buf = buf[:len(buf)+n]
		if err := stop(); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// Stat says what path is, following links that stay inside.
func (f *FS) Stat(_ context.Context, p string) (sandbox.FileInfo, error) {
	back, err := f.begin(f.reader)
	if err != nil {
		return sandbox.FileInfo{}, f.fail("stat", p, err)
	}
	defer back()
	rel, err := f.rel(p)
	if err != nil {
		return sandbox.FileInfo{}, f.fail("stat", p, err)
	}
	fd, err := f.tree.open(rel, unix.O_PATH)
	if err != nil {
		return sandbox.FileInfo{}, f.fail("stat", p, err)
	}
	defer closeFD(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return sandbox.FileInfo{}, f.fail("stat", p, err)
	}
	return info(path.Base(rel), &st), nil
}

// List returns at most limit entries of a directory, sorted by name; limit 0
// means all. Links are listed as themselves.
func (f *FS) List(ctx context.Context, p string, limit int) ([]sandbox.FileInfo, error) {
	back, err := f.begin(f.reader)
	if err != nil {
		return nil, f.fail("scandir", p, err)
	}
	defer back()
	rel, err := f.rel(p)
	if err != nil {
		return nil, f.fail("scandir", p, err)
	}
	fd, err := f.tree.open(rel, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, f.fail("scandir", p, err)
	}
	dir := os.NewFile(uintptr(fd), "workspace")
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(maxList)
	if err != nil && len(names) == 0 && !isEOF(err) {
		return nil, f.fail("scandir", p, err)
	}
	slices.Sort(names)
	if limit <= 0 || limit > len(names) {
		limit = len(names)
	}
	out := make([]sandbox.FileInfo, 0, limit)
	for _, name := range names {
		if len(out) == limit {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, f.fail("scandir", p, err)
		}
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || isTemp(name) {
			continue // gone meanwhile, or ours
		}
		out = append(out, info(name, &st))
	}
	return out, nil
}

func info(name string, st *unix.Stat_t) sandbox.FileInfo {
	return sandbox.FileInfo{
		Name:  name,
		Size:  st.Size,
		Mode:  st.Mode,
		IsDir: st.Mode&unix.S_IFMT == unix.S_IFDIR,
		MTime: time.Unix(st.Mtim.Unix()),
	}
}
