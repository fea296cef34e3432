package workspace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// Half-made files carry this name; tools neither see nor touch them.
const (
	tempPrefix = ".chitin-"
	tempSuffix = ".tmp"
)

func isTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

func tempName() string { return fmt.Sprintf("%s%016x%s", tempPrefix, rand.Uint64(), tempSuffix) }

const newFileMode = 0o644

// Write replaces the file atomically and reports whether it is new. Parents
// are created. The mode and owner of an existing file are kept.
func (f *FS) Write(ctx context.Context, p string, data []byte) (created bool, err error) {
	if err := f.writable(ctx, data); err != nil {
		return false, f.fail("write", p, err)
	}
	back, err := f.begin(f.writer)
	if err != nil {
		return false, f.fail("write", p, err)
	}
	defer back()
	rel, err := f.rel(p)
	if err != nil {
		return false, f.fail("write", p, err)
	}
	pl, err := f.parent(rel, true)
	if err != nil {
		return false, f.fail("write", p, err)
	}
	defer pl.close()
	st, err := pl.lookup()
	if err != nil {
		return false, f.fail("write", p, err)
	}
	if err := f.put(pl, st, data); err != nil {
		f.unmake(pl.made)
		return false, f.fail("write", p, err)
	}
	return st == nil, nil
}

func (f *FS) writable(ctx context.Context, data []byte) error {
	switch {
	case f.opts.ReadOnly:
		return sandbox.ErrReadOnly
	case int64(len(data)) > f.opts.MaxFile:
		return sandbox.ErrTooLarge
	}
	return ctx.Err()
}

// put stages data and moves it into place.
func (f *FS) put(pl place, old *unix.Stat_t, data []byte) error {
	t, err := f.makeTemp(pl.dir, temp{name: tempName(), old: old, mode: newFileMode, data: data})
	if err != nil {
		return err
	}
	return f.commit(t, pl, 0)
}

// temp is a complete file that has no name of its own yet.
type temp struct {
	dir  int
	name string
	old  *unix.Stat_t // file that will be replaced, nil for a new one
	mode uint32       // of a new file
	data []byte
}

func (t temp) drop() { _ = unix.Unlinkat(t.dir, t.name, 0) }

// makeTemp writes t.data to a temporary file, outside the workspace when that
// is on the same mount, else beside the target.
func (f *FS) makeTemp(beside int, t temp) (temp, error) {
	t.dir = beside
	if s := int(f.stage.Load()); s >= 0 {
		t.dir = s
	}
	fd, err := unix.Openat(t.dir, t.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return temp{}, err
	}
	err = f.fill(fd, t)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		t.drop()
		return temp{}, err
	}
	return t, nil
}

// fill writes the data, then hands the file to its owner.
func (f *FS) fill(fd int, t temp) error {
	for data := t.data; len(data) > 0; {
		n, err := unix.Write(fd, data)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	uid, gid := f.ownerOf()
	mode := t.mode
	if t.old != nil {
		uid, gid, mode = int(t.old.Uid), int(t.old.Gid), t.old.Mode
	}
	if f.writer == nil && (uid >= 0 || gid >= 0) { // else it is the writer's already
		if err := chownErr(unix.Fchown(fd, uid, gid)); err != nil {
			return err
		}
	}
	// Never set-uid: whoever writes a file must not lend it an identity.
	if err := unix.Fchmod(fd, mode&0o777); err != nil {
		return err
	}
	if f.opts.Durable {
		return unix.Fsync(fd)
	}
	return nil
}

// commit gives the file its name in one step; flags as renameat2.
func (f *FS) commit(t temp, pl place, flags uint) error {
	err := rename(t.dir, t.name, pl.dir, pl.base, flags)
	if err == unix.EXDEV && t.dir != pl.dir {
		// Another mount or quota tree after all: stage beside the target.
		t.drop()
		f.stage.Store(-1)
		if t, err = f.makeTemp(pl.dir, t); err == nil {
			err = rename(t.dir, t.name, pl.dir, pl.base, flags)
		}
	}
	if err != nil {
		t.drop()
		return err
	}
	return f.syncDir(pl.dir)
}

// rename is renameat2, without its flags where a file system lacks them.
func rename(odir int, oname string, ndir int, nname string, flags uint) error {
	if flags == 0 {
		return unix.Renameat(odir, oname, ndir, nname)
	}
	err := unix.Renameat2(odir, oname, ndir, nname, flags)
	if err != unix.EINVAL && err != unix.ENOSYS {
		return err
	}
	var st unix.Stat_t
	if unix.Fstatat(ndir, nname, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		return unix.EEXIST
	}
	return unix.Renameat(odir, oname, ndir, nname)
}

func (f *FS) syncDir(dir int) error {
	if !f.opts.Durable {
		return nil
	}
	return unix.Fsync(dir)
}

// Remove deletes a file or a link itself, never a directory.
func (f *FS) Remove(ctx context.Context, p string) error {
	if err := f.writable(ctx, nil); err != nil {
		return f.fail("remove", p, err)
	}
	back, err := f.begin(f.writer)
	if err != nil {
		return f.fail("remove", p, err)
	}
	defer back()
	rel, err := f.rel(p)
	if err != nil {
		return f.fail("remove", p, err)
	}
	dir, base, err := split(rel)
	if err != nil {
		return f.fail("remove", p, err)
	}
	fd, _, err := f.openDir(dir, false)
	if err != nil {
		return f.fail("remove", p, err)
	}
	defer closeFD(fd)
	if err := unix.Unlinkat(fd, base, 0); err != nil {
		return f.fail("remove", p, err)
	}
	return f.fail("remove", p, f.syncDir(fd))
}

// Rename moves a regular file to a name that must be free, creating parents.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	if err := f.writable(ctx, nil); err != nil {
		return f.fail("rename", from, err)
	}
	back, err := f.begin(f.writer)
	if err != nil {
		return f.fail("rename", from, err)
	}
	defer back()
	src, err := f.open2(from, false)
	if err != nil {
		return f.fail("rename", from, err)
	}
	defer src.close()
	st, err := src.lookup()
	if err == nil && st == nil {
		err = unix.ENOENT
	}
	if err != nil {
		return f.fail("rename", from, err)
	}
	dst, err := f.open2(to, true)
	if err != nil {
		return f.fail("rename", to, err)
	}
	defer dst.close()
	if err := rename(src.dir, src.base, dst.dir, dst.base, unix.RENAME_NOREPLACE); err != nil {
		f.unmake(dst.made)
		return f.fail("rename", to, err)
	}
	if err := f.syncDir(src.dir); err != nil {
		return f.fail("rename", from, err)
	}
	return f.fail("rename", to, f.syncDir(dst.dir))
}

// open2 is rel and parent in one.
func (f *FS) open2(p string, create bool) (place, error) {
	rel, err := f.rel(p)
	if err != nil {
		return place{}, err
	}
	return f.parent(rel, create)
}
