package supervisor

import (
	"os"

	"golang.org/x/sys/unix"
)

// slack is how late the kernel may wake this program's threads from a sleep.
// Go's runtime looks after blocked threads every 20 µs for a while after each
// event, which costs more than the events; nothing here needs a finer clock.
const slack = 8_000_000 // ns

// usual is what commands get back.
const usual = 50_000 // ns

// relax gives every thread of this program the slack. Threads have it from
// their maker, and the runtime's first ones exist by now: so it starts the
// program once more, before anything else happens. The caller holds its
// thread. Where that is not possible
// the program only costs more.
func relax() {
	if now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || now >= slack {
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0) != nil {
		return
	}
	_ = unix.Exec("/proc/self/exe", os.Args, os.Environ())
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, usual, 0, 0, 0)
}

// brisk gives the calling thread, which the caller holds, the usual slack,
// and with it every command that it starts.
func brisk() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, usual, 0, 0, 0) }
