package supervisor

import (
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

const (
	chunk = 32 << 10
	// grace is how long output may follow the exit of a process whose
	// children keep its pipes open.
	grace = 100 * time.Millisecond
	// maxPipe is the most that an unprivileged process can leave in a pipe.
	maxPipe = 1 << 20
)

// proc is one started command. In stream mode its output is read here and
// sent in frames, never more than the gateway has given credit for.
type proc struct {
	id    uint32
	pid   int
	s     *server
	began time.Time
	ptmx  int
	pidfd int  // -1 where there is none
	muted bool // guarded by the server's wmu

	deadline time.Time // zero: none; guarded by the server's mu
	killed   bool      // likewise

	outs  []source // pipes to pump; empty when descriptors were passed
	pumps sync.WaitGroup

	mu       sync.Mutex
	moved    *sync.Cond
	window   int
	progress int64    // bytes of output sent
	inHand   int      // outputs of which something was read and is not yet sent
	queue    [][]byte // input not yet written; a nil entry is the end
	stdin    int
	timedOut bool
	dead     bool
}

type source struct {
	fd int
	t  proto.Type
}

// wire prepares the child's three descriptors. shut are to be closed in this
// process once the child has them.
func (p *proc) wire(c *proto.Command, fds []int, null int) (files []uintptr, shut []int, err error) {
	switch {
	case c.Flags&proto.FlagPTY != 0:
		return p.wirePTY(c)
	case c.Flags&proto.FlagFDs != 0:
		in, out, errfd := null, fds[0], fds[0]
		next := 1
		if c.Flags&proto.FlagMerge == 0 {
			errfd, next = fds[1], 2
		}
		if c.Flags&proto.FlagStdin != 0 {
			in = fds[next]
		}
		return []uintptr{uintptr(in), uintptr(out), uintptr(errfd)}, nil, nil
	case c.Flags&proto.FlagDiscard != 0:
		return []uintptr{uintptr(null), uintptr(null), uintptr(null)}, nil, nil
	}
	return p.wirePipes(c, null)
}

func (p *proc) wirePipes(c *proto.Command, null int) (files []uintptr, shut []int, err error) {
	mk := func() (r, w int) {
		var q [2]int
		if err == nil {
			err = unix.Pipe2(q[:], unix.O_CLOEXEC)
		}
		return q[0], q[1]
	}
	r, w := mk()
	if err != nil {
		return nil, nil, err
	}
	_ = unix.SetNonblock(r, true) // our end alone
	p.outs = append(p.outs, source{r, proto.Stdout})
	shut = append(shut, w)
	errw := w
	if c.Flags&proto.FlagMerge == 0 {
		r, errw = mk()
		if err == nil {
			_ = unix.SetNonblock(r, true)
			p.outs = append(p.outs, source{r, proto.Stderr})
			shut = append(shut, errw)
		}
	}
	in := null
	if c.Flags&proto.FlagStdin != 0 {
		if r, in2 := mk(); err == nil {
			in, p.stdin = r, in2
			shut = append(shut, r)
		}
	}
	if err != nil {
		closeAll(shut)
		p.abandon()
		return nil, nil, err
	}
	return []uintptr{uintptr(in), uintptr(w), uintptr(errw)}, shut, nil
}

func (p *proc) wirePTY(c *proto.Command) ([]uintptr, []int, error) {
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		_ = unix.Close(m)
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		_ = unix.Close(m)
		return nil, nil, err
	}
	t, err := unix.Open("/dev/pts/"+itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(m)
		return nil, nil, err
	}
	p.ptmx = m
	p.resize(c.Cols, c.Rows)
	in, err := unix.FcntlInt(uintptr(m), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		in = -1
	}
	p.outs, p.stdin = []source{{m, proto.Stdout}}, in
	return []uintptr{uintptr(t), uintptr(t), uintptr(t)}, []int{t}, nil
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// abandon releases what wire opened for a process that never started.
func (p *proc) abandon() {
	for _, o := range p.outs {
		_ = unix.Close(o.fd)
	}
	if p.stdin >= 0 {
		_ = unix.Close(p.stdin)
	}
	p.outs, p.stdin = nil, -1
}

func (p *proc) resize(cols, rows uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ptmx >= 0 {
		_ = unix.IoctlSetWinsize(p.ptmx, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	}
}

// pump starts moving what this process moves itself.
func (p *proc) pump() {
	for i := range p.outs {
		p.pumps.Add(1)
		go p.drain(i)
	}
	if p.stdin >= 0 {
		go p.write()
	}
}

func (p *proc) drain(i int) {
	defer p.pumps.Done()
	o := p.outs[i]
	buf := make([]byte, chunk)
	more := false // is likely there
	for n := p.read(o, buf, more); n > 0; n = p.read(o, buf, more) {
		more = n == len(buf) && o.fd != p.ptmx // a terminal's reads would wait
		for b := buf[:n]; len(b) > 0; {
			k := p.take(len(b))
			p.s.sendFor(p, o.t, p.id, b[:k])
			b = b[k:]
		}
		p.mu.Lock()
		p.inHand--
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.fd == p.ptmx {
		p.ptmx = -1
	}
	p.outs[i].fd = -1
	_ = unix.Close(o.fd)
}

// read waits for output and takes it; 0 or less is its end. Taking it and
// having it in hand are one step, so that no byte is ever in neither place.
func (p *proc) read(o source, buf []byte, ready bool) int {
	for {
		if !ready {
			fds := []unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
				return -1
			} else if err != nil || fds[0].Revents == 0 {
				continue
			}
		}
		p.mu.Lock()
		n, err := unix.Read(o.fd, buf)
		if n > 0 {
			p.inHand++
		}
		p.mu.Unlock()
		switch err {
		case unix.EINTR, unix.EAGAIN:
			ready = false
		default:
			return n
		}
	}
}

// unread reports whether output still waits in a pipe for a reader that has
// not had its turn, or in its hands; the process is locked.
func (p *proc) unread() bool {
	for _, o := range p.outs {
		if o.fd < 0 {
			continue
		}
		if n, err := unix.IoctlGetInt(o.fd, unix.TIOCINQ); err == nil && n > 0 {
			return true
		}
	}
	return p.inHand > 0
}

// take waits for credit and uses up to n of it.
func (p *proc) take(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.window == 0 {
		p.moved.Wait()
	}
	k := min(n, p.window)
	p.window -= k
	p.progress += int64(k)
	return k
}

func (p *proc) credit(n int) {
	p.mu.Lock()
	p.window = min(p.window+n, proto.Window)
	p.mu.Unlock()
	p.moved.Broadcast()
}

// feed queues input; nil ends it.
func (p *proc) feed(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stdin < 0 || p.dead {
		return
	}
	if b != nil {
		b = append([]byte(nil), b...)
	}
	p.queue = append(p.queue, b)
	p.moved.Broadcast()
}

// write moves queued input into the process and tells the gateway how much.
func (p *proc) write() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.dead {
			p.moved.Wait()
		}
		if len(p.queue) == 0 || (p.queue[0] == nil && p.ptmx < 0) {
			_ = unix.Close(p.stdin)
			p.stdin = -1
			p.queue = nil
			p.mu.Unlock()
			return
		}
		b := p.queue[0]
		p.queue = p.queue[1:]
		fd := p.stdin
		p.mu.Unlock()
		if b == nil { // the end of a terminal's input is a character
			b = []byte{4}
		}
		total := len(b)
		for len(b) > 0 {
			n, err := unix.Write(fd, b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				break
			}
			b = b[n:]
		}
		p.s.sendU32(proto.Consumed, p.id, uint32(total))
	}
}

// ended reports the exit, after the output where this process moves it.
func (p *proc) ended(ws syscall.WaitStatus) {
	info := proto.ExitInfo{MicroSec: uint64(time.Since(p.began).Microseconds())}
	if ws.Signaled() {
		info.Signal = uint8(ws.Signal())
	} else {
		info.Code = uint8(ws.ExitStatus())
	}
	p.mu.Lock()
	p.dead = true
	info.TimedOut = p.timedOut
	p.mu.Unlock()
	p.moved.Broadcast()
	if len(p.outs) == 0 {
		p.s.sendFor(p, proto.Exit, p.id, info.Append(nil))
		return
	}
	go func() {
		done := make(chan struct{})
		go func() { p.pumps.Wait(); close(done) }()
		p.awaitOutput(done)
		p.s.sendFor(p, proto.Exit, p.id, info.Append(nil))
		p.s.mu.Lock()
		p.s.forget(p)
		p.s.mu.Unlock()
		p.credit(proto.Window) // whoever still writes writes to nobody
	}()
}

// awaitOutput waits for the end of the output, but only for a while once it
// stands still without waiting for credit.
func (p *proc) awaitOutput(done <-chan struct{}) {
	t := time.NewTicker(grace)
	defer t.Stop()
	p.mu.Lock()
	first := p.progress
	p.mu.Unlock()
	last := int64(-1)
	for {
		select {
		case <-done:
			return
		case <-t.C:
			p.mu.Lock()
			blocked, now := p.window == 0, p.progress
			still := now == last && !p.unread()
			p.mu.Unlock()
			// No pipe holds more: the rest is from children that live on.
			if !blocked && (still || now-first > maxPipe) {
				return
			}
			last = now
		}
	}
}

// lookPath finds the program as execvp would with the command's own PATH.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.IndexByte(name, '/') >= 0 {
		if name[0] != '/' && dir != "" {
			return name, nil // relative to the directory it starts in
		}
		return name, nil
	}
	path := "/usr/local/bin:/usr/bin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	found := error(syscall.ENOENT)
	for d := range strings.SplitSeq(path, ":") {
		if d == "" || d[0] != '/' {
			continue // the working directory is never searched
		}
		full := d + "/" + name
		var st unix.Stat_t
		if unix.Stat(full, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if err := unix.Access(full, unix.X_OK); err != nil {
			found = syscall.EACCES
			continue
		}
		return full, nil
	}
	return "", found
}
