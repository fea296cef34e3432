package supervisor

import (
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watch waits, on one thread, for the gateway and for the ends of processes,
// where the kernel tells both by descriptors. That costs one wake-up for each
// thing that happens; a second thread in wait4 costs several.
//
// Orphans have no descriptor here. Their SIGCHLD comes to this thread and
// interrupts the wait; should it come a moment before the wait, the wait is
// short enough while anything lives.
type watch struct {
	polls []unix.PollFd // the gateway's, then one for each of kids
	kids  []*proc
	some  bool // something inside lives that this program must reap
	soon  bool // something was killed
	used  bool // commands ran since memory was last given back
	last  []lastRites
}

// lastRites is a killed command that has been reaped while others of its
// group are still dying: its end is told when all are gone.
type lastRites struct {
	pr    *proc
	ws    syscall.WaitStatus
	until time.Time
}

// The wait while something lives that may end without a descriptor to say so.
const (
	soonWait  = time.Millisecond
	shortWait = 5 * time.Millisecond
	longWait  = 2 * time.Second
	groupWait = 100 * time.Millisecond // for the group of a killed command
	restWait  = time.Second            // until a box counts as idle
)

// watches reports whether ends of processes can be waited for as descriptors.
func watches() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

// add follows a process that was just started; the server is locked.
func (w *watch) add(pr *proc) {
	w.some, w.used = true, true
	if pr.pidfd < 0 {
		return
	}
	w.kids = append(w.kids, pr)
	w.polls = append(w.polls, unix.PollFd{Fd: int32(pr.pidfd), Events: unix.POLLIN})
}

// drop forgets one that was reaped; the server is locked.
func (w *watch) drop(pr *proc) {
	for i, k := range w.kids {
		if k == pr {
			last := len(w.kids) - 1
			w.kids[i], w.polls[i+1] = w.kids[last], w.polls[last+1]
			w.kids[last] = nil
			w.kids, w.polls = w.kids[:last], w.polls[:last+1]
			_ = unix.Close(pr.pidfd)
			return
		}
	}
}

// untilHeard returns when the gateway has said something, reaping meanwhile.
func (s *server) untilHeard(in int) {
	w := &s.watch
	w.polls[0] = unix.PollFd{Fd: int32(in), Events: unix.POLLIN}
	pause := shortWait
	if w.soon {
		pause, w.soon = soonWait, false
	}
	for {
		wait := -1
		if w.some || len(w.last) > 0 {
			wait = int(pause.Milliseconds())
		} else if w.used {
			wait = int(restWait.Milliseconds())
		}
		n, err := unix.Poll(w.polls, wait)
		heard := err == nil && w.polls[0].Revents != 0
		if err == nil && n == 0 {
			pause = min(2*pause, longWait)
			if !w.some && w.used {
				w.used = false
				debug.FreeOSMemory()
			}
		} else {
			pause = shortWait
		}
		if !heard || n > 1 {
			s.sweep()
		}
		if s.bury(); len(w.last) > 0 {
			pause = soonWait
		}
		if heard || (err != nil && err != unix.EINTR) {
			return
		}
	}
}

// bury tells the ends that waited for a group.
func (s *server) bury() {
	kept := s.watch.last[:0]
	for _, l := range s.watch.last {
		if syscall.Kill(-l.pr.pid, 0) == nil && time.Now().Before(l.until) {
			kept = append(kept, l)
			continue
		}
		l.pr.ended(l.ws)
	}
	s.watch.last = kept
}

// sweep reaps whatever has ended.
func (s *server) sweep() {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			s.watch.some = err == nil
			return
		}
		s.reaped(pid, ws)
	}
}
