package supervisor

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

// A command may be gone long before its output's reader has a turn on a busy
// machine: what it left in the pipe, or in the reader's hands, is not given up.
func TestOutputInThePipeIsAwaited(t *testing.T) {
	var q [2]int
	if err := unix.Pipe2(q[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer closeAll([]int{q[0], q[1]}) // the writing end stays open, as a child's
	p := &proc{ptmx: -1, stdin: -1, window: proto.Window, outs: []source{{q[0], proto.Stdout}}}
	p.moved = sync.NewCond(&p.mu)
	if _, err := unix.Write(q[1], []byte("last words")); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { p.awaitOutput(nil); close(over) }()
	waits := func(where string) {
		t.Helper()
		select {
		case <-over:
			t.Fatalf("given up with output %s", where)
		case <-time.After(7 * grace / 2):
		}
	}
	waits("in the pipe")
	if n := p.read(p.outs[0], make([]byte, chunk), false); n != len("last words") {
		t.Fatalf("read %d bytes", n)
	}
	waits("in the reader's hands")
	p.mu.Lock()
	p.inHand--
	p.mu.Unlock()
	select {
	case <-over:
	case <-time.After(20 * grace):
		t.Fatal("a pipe on which nothing happens is waited for")
	}
}
