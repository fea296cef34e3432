package workspace

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A gateway that is root could read and change what the box's own user
// cannot, and hand it to the box. So it acts with that user's rights: always
// when it reads, and when it writes into a workspace that is that user's. A
// workspace of somebody else is written as the gateway, with new files given
// to the box's user.

// rights are those of the box's user; nil means the gateway's own.
type rights struct {
	uid, gid int
	groups   []uint32 // the gateway's supplementary groups, to come back to
}

// setRights finds out what the FS must switch to.
func (f *FS) setRights() error {
	if os.Geteuid() != 0 || f.opts.UID <= 0 || f.opts.GID <= 0 {
		return nil
	}
	groups, err := os.Getgroups()
	if err != nil {
		return err
	}
	r := &rights{uid: f.opts.UID, gid: f.opts.GID}
	for _, g := range groups {
		r.groups = append(r.groups, uint32(g))
	}
	f.reader = r
	st, err := f.rootStat()
	if err == nil && int(st.Uid) == f.opts.UID {
		f.writer = r
	}
	return err
}

func (f *FS) rootStat() (*unix.Stat_t, error) {
	fd, err := f.tree.open(".", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	var st unix.Stat_t
	return &st, unix.Fstat(fd, &st)
}

// take gives the calling goroutine's thread the rights for file access, and
// returns how to give them back. The kernel keeps these rights per thread.
func (r *rights) take() (giveBack func(), err error) {
	if r == nil {
		return func() {}, nil
	}
	runtime.LockOSThread()
	if err := setGroups(nil); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	gid, _ := unix.SetfsgidRetGid(r.gid)
	uid, _ := unix.SetfsuidRetUid(r.uid)
	back := func() {
		_, _ = unix.SetfsuidRetUid(uid)
		_, _ = unix.SetfsgidRetGid(gid)
		// A thread that cannot come back is never used for anything else:
		// it ends with its goroutine.
		if now, _ := unix.SetfsuidRetUid(-1); setGroups(r.groups) == nil && now == uid {
			runtime.UnlockOSThread()
		}
	}
	if now, _ := unix.SetfsuidRetUid(-1); now != r.uid {
		back()
		return nil, unix.EPERM
	}
	return back, nil
}

// setGroups sets the supplementary groups of this thread only, which is what
// the system call does before a C library spreads it.
func setGroups(groups []uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
