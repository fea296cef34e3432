package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Resetter is a Box that can stop everything inside at once. The commands
// that end by it say why.
type Resetter interface{ Reset(why string) error }

// Fillable is a Box that can refuse to take more files; "" ends that.
type Fillable interface{ SetFull(why string) }

// Populated is a Box whose processes the host can see.
type Populated interface{ HostPIDs() []int }

const (
	// maxWalk bounds how many files are looked at when a workspace is
	// measured; one with more is over any limit.
	maxWalk = 200_000
	// maxOpen bounds how many open files are looked at.
	maxOpen = 20_000

	diskPause = 250 * time.Millisecond // between looks while something runs
	diskRest  = 2 * time.Second        // while nothing does
	diskStale = 5 * time.Second        // a measurement is believed no longer
	diskShare = 10                     // measuring takes at most a tenth of the time
)

// diskUse is what is known of one workspace.
type diskUse struct {
	bytes int64 // when it was measured
	free  int64 // bytes free in the file system at that time
	at    time.Time
	cost  time.Duration
	full  bool
}

// checkDisks keeps boxes with a workspace of their own within its limit and
// returns when to look again. Quotas of the file system would be better; few
// machines have them. What a workspace holds can have grown by no more than
// the file system has shrunk, so most looks cost one system call for all.
func (m *Manager) checkDisks() time.Duration {
	var st unix.Statfs_t
	if unix.Statfs(m.dir, &st) != nil {
		return diskRest
	}
	free := int64(st.Bfree) * st.Bsize
	pause, now, lives := diskRest, time.Now(), map[string]bool{}
	for _, l := range m.lives() {
		spec := l.req.Spec
		if spec.Access != "none" || spec.Limits.Disk <= 0 {
			continue
		}
		lives[l.req.ID] = true
		u := m.disks[l.req.ID]
		if u == nil {
			u = &diskUse{}
			m.disks[l.req.ID] = u
		}
		i, ok := l.box.(Idler)
		busy := ok && i.Active() > 0
		if busy {
			pause = diskPause
		}
		if !busy && !u.full && !l.box.Info().LastUsed.After(u.at) {
			continue
		}
		age := now.Sub(u.at)
		if may := u.bytes + u.free - free; may > spec.Limits.Disk || u.full || age > diskStale {
			if age > diskShare*u.cost {
				m.measure(l, u, free)
			}
		}
	}
	for id := range m.disks {
		if !lives[id] {
			delete(m.disks, id)
		}
	}
	return pause
}

// measure looks at a workspace and acts on what it finds.
func (m *Manager) measure(l *live, u *diskUse, free int64) {
	limit, dir := l.req.Spec.Limits.Disk, l.req.Spec.Workspace
	may := u.bytes + u.free - free
	first := u.at.IsZero()
	t0 := time.Now()
	n, blind := measureTree(dir, limit)
	if p, ok := l.box.(Populated); ok && n <= limit {
		n += unnamed(dir, p.HostPIDs())
	}
	if blind && !first && may > limit { // more is gone than can be seen
		n = max(n, may)
	}
	u.bytes, u.free, u.at, u.cost = n, free, t0, time.Since(t0)
	over := n > limit
	if over {
		why := fmt.Sprintf("the sandbox's workspace holds more than its limit of %d MiB; remove files, or raise agents.defaults.sandbox.docker.diskLimit", limit>>20)
		if f, ok := l.box.(Fillable); ok {
			f.SetFull(why)
		}
		if r, ok := l.box.(Resetter); ok {
			_ = r.Reset("killed: " + why)
		}
		if !u.full {
			m.event(Event{Kind: "disk_limit", Box: l.req.ID, Backend: l.backend.Name(), Owner: l.req.Owner, Text: why})
		}
	} else if f, ok := l.box.(Fillable); ok && u.full {
		f.SetFull("")
	}
	u.full = over
}

// measureTree adds up allocated blocks, stopping once limit is passed. blind
// says that there was something it could not look into.
func measureTree(dir string, limit int64) (total int64, blind bool) {
	files := 0
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			blind = blind || os.IsPermission(err)
			return nil // vanished meanwhile, or closed to us
		}
		if files++; files > maxWalk {
			total = limit + 1
			return fs.SkipAll
		}
		if fi, err := d.Info(); err == nil {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok {
				total += st.Blocks * 512
			}
		}
		if total > limit {
			return fs.SkipAll
		}
		return nil
	})
	return total, blind
}

// unnamed adds up the files on dir's file system that processes hold open
// after their names were removed.
func unnamed(dir string, pids []int) int64 {
	var home unix.Stat_t
	if unix.Stat(dir, &home) != nil {
		return 0
	}
	var total int64
	seen, left := map[uint64]bool{}, maxOpen
	for _, pid := range pids {
		fds := "/proc/" + strconv.Itoa(pid) + "/fd"
		names, err := os.ReadDir(fds)
		if err != nil {
			continue
		}
		for _, n := range names {
			var st unix.Stat_t
			if left--; left < 0 {
				return total
			}
			if unix.Stat(fds+"/"+n.Name(), &st) == nil && st.Nlink == 0 && st.Dev == home.Dev && st.Mode&unix.S_IFMT == unix.S_IFREG && !seen[st.Ino] {
				seen[st.Ino] = true
				total += st.Blocks * 512
			}
		}
	}
	return total
}
