package supervisor

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"golang.org/x/sys/unix"
)

// slack is how late the kernel may wake the runtime's own watcher from a sleep.
// It looks after the other threads every 20 µs for a while after each event,
// which costs more than the events; nothing here needs so fine a clock.
const slack = 8_000_000 // ns

// usual is what all other threads have, and with them the commands.
const usual = 50_000 // ns

// relax gives the watcher that slack. A thread has it from its maker, and the
// watcher exists by now: so the program starts itself once more, before
// anything else happens, unless whoever started it has seen to it. Where that
// is not possible the program only costs more. The caller is the only
// goroutine and on the first thread.
func relax() {
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return
	}
	if now < slack {
		if unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0) == nil {
			_ = unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), Env()...))
		}
		brisk()
		return
	}
	brisk()
	go meet(threads() - 2)
}

// meet makes the threads brisk that the runtime made before main: as many
// goroutines keep one each.
func meet(n int) {
	var met sync.WaitGroup
	met.Add(max(n, 0))
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			brisk()
			met.Done()
			met.Wait()
		}()
	}
}

// Env is what the runtime should be started with. Later it would have to stop
// all threads for it, and wait for one that sleeps late.
func Env() []string { return []string{"GOGC=25", "GOMAXPROCS=2"} }

// sparing sets the same where nobody has.
func sparing() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2)
	}
}

// brisk gives the calling thread the usual slack.
func brisk() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, usual, 0, 0, 0) }

func threads() int {
	d, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	return len(d)
}
