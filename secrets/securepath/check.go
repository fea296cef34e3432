//go:build unix

package securepath

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// checkDir refuses a directory in which somebody else can put or swap
// entries. A sticky one passes; what is taken from it must then be ours.
func (w *walker) checkDir(fd int, here string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, wrap(here, err)
	}
	if st.Uid != w.euid && st.Uid != 0 {
		return nil, w.problem(here, fmt.Sprintf("is a directory of user %d", st.Uid), "move the file to a directory of yours")
	}
	if st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return nil, w.problem(here, fmt.Sprintf("is a directory that others may write (mode %04o)", st.Mode&0o7777), "chmod go-w "+here)
	}
	return &st, nil
}

// checkFile judges the last component by its own descriptor.
func (w *walker) checkFile(st *unix.Stat_t, here string) error {
	mode := uint32(st.Mode)
	if kind := mode & unix.S_IFMT; kind != unix.S_IFREG {
		reason := "is not a regular file"
		if kind == unix.S_IFDIR {
			reason = "is a directory"
		}
		return w.problem(here, reason, "name a regular file")
	}
	owner := st.Uid == w.euid || (w.rules.Program && st.Uid == 0)
	switch {
	case !owner:
		return w.problem(here, fmt.Sprintf("owner is user %d, not us (%d)", st.Uid, w.euid), fmt.Sprintf("chown %d %s", w.euid, here))
	case mode&0o002 != 0:
		return w.problem(here, fmt.Sprintf("is writable by everybody (mode %04o)", mode&0o7777), "chmod go-w "+here)
	case mode&0o020 != 0:
		return w.problem(here, fmt.Sprintf("is writable by its group (mode %04o)", mode&0o7777), "chmod go-w "+here)
	}
	if w.rules.Program {
		if mode&0o111 == 0 {
			return w.problem(here, "is not executable", "chmod u+x "+here)
		}
		return nil
	}
	switch {
	case st.Nlink != 1:
		return w.problem(here, fmt.Sprintf("has %d hard links", st.Nlink), "copy it to a file of its own")
	case mode&0o004 != 0 && w.rules.ReadableBy < All:
		return w.problem(here, fmt.Sprintf("is readable by everybody (mode %04o)", mode&0o7777), "chmod 600 "+here)
	case mode&0o040 != 0 && w.rules.ReadableBy < Group:
		return w.problem(here, fmt.Sprintf("is readable by its group (mode %04o)", mode&0o7777), "chmod 600 "+here)
	}
	return nil
}

// fileFlags open the last component: never through a link, never blocking on
// a pipe, and a program without the right to read it.
func (w *walker) fileFlags() int {
	if w.rules.Program {
		return programFlags
	}
	return unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
}
