//go:build linux

package launch

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mkdirAll makes path with perm and its parents with 0755; a directory that
// is there already is left as it is.
func mkdirAll(path string, perm uint32) error {
	err := unix.Mkdir(path, perm)
	if errors.Is(err, unix.ENOENT) {
		if err := mkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		err = unix.Mkdir(path, perm)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func writeFile(path string, perm uint32, content string) error {
	if err := mkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(content))
	return errors.Join(err, unix.Close(fd), unix.Chmod(path, perm))
}

// target makes the mount point: a directory for a directory, else a file.
func target(path string, dir bool) error {
	if dir {
		return mkdirAll(path, 0o755)
	}
	err := writeFile(path, 0o644, "")
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// bind shows a piece of the host at path.
func bind(source, path string, attrs uint64, want string) error {
	source = old + source
	var st unix.Stat_t
	if err := unix.Stat(source, &st); err != nil {
		if want == Optional {
			return nil
		}
		return err
	}
	if err := target(path, st.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return err
	}
	if err := unix.Mount(source, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if want != "" && want != Optional {
		if err := unix.Stat(path, &st); err != nil {
			return err
		}
		if Identity(st.Dev, st.Ino) != want {
			return failed("the path was swapped for another")
		}
	}
	return restrict(path, attrs, true)
}

// place hangs a detached mount, which the gateway opened and checked, at path.
func place(fd int, path string, attrs uint64) error {
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if err := target(path, st.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	return restrict(path, attrs, true)
}

// restrict adds nosuid, nodev and what attrs ask for to a mount, and to every
// mount below it when all is set.
func restrict(path string, attrs uint64, all bool) error {
	set := uint64(unix.MOUNT_ATTR_NOSUID)
	if attrs&AttrReadOnly != 0 {
		set |= unix.MOUNT_ATTR_RDONLY
	}
	if attrs&AttrNoExec != 0 {
		set |= unix.MOUNT_ATTR_NOEXEC
	}
	if attrs&AttrDevices == 0 {
		set |= unix.MOUNT_ATTR_NODEV
	}
	flags := uint(0)
	if all {
		flags = unix.AT_RECURSIVE
	}
	return unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: set})
}

func mountFS(kind, path string, flags uintptr, data string) error {
	if err := mkdirAll(path, 0o755); err != nil {
		return err
	}
	return unix.Mount(kind, path, kind, flags, data)
}

// mask hides path behind an empty directory or the null device.
func mask(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return ignoreMissing(err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.Mount("tmpfs", path, "tmpfs",
			unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,nr_inodes=2,mode=555")
	}
	// The device in our own /dev, so that it cannot be a link of an image.
	return unix.Mount("/dev/null", path, "", unix.MS_BIND, "")
}

func readOnly(path string) error {
	if err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return ignoreMissing(err)
	}
	return restrict(path, AttrReadOnly|AttrNoExec, true)
}

func ignoreMissing(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// seal lets go of the host's tree and makes the root read-only.
func seal() error {
	if err := unix.Unmount(old, unix.MNT_DETACH); err != nil {
		return because("detach the host", err)
	}
	if err := unix.Rmdir(old); err != nil {
		return err
	}
	return restrict("/", AttrReadOnly, false)
}
