package client

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

// wire decides how bytes travel and returns the descriptors to send along.
func (p *proc) wire(cmd *sandbox.Cmd, w *proto.Command) (send []int, err error) {
	open := wantsInput(cmd.Stdin)
	if open {
		w.Flags |= proto.FlagStdin
	}
	if open || cmd.PTY != nil {
		w.Flags |= proto.FlagStarted
	}
	merge := cmd.PTY != nil || same(cmd.Stdout, cmd.Stderr)
	if merge {
		w.Flags |= proto.FlagMerge
	}
	if cmd.PTY != nil {
		w.Flags |= proto.FlagPTY | proto.FlagStdin
		w.Cols, w.Rows = cmd.PTY.Cols, cmd.PTY.Rows
		open = true
	}
	p.fds = p.c.ux != nil && cmd.PTY == nil
	if cmd.PTY == nil && !open && cmd.Stdout == nil && cmd.Stderr == nil {
		w.Flags |= proto.FlagDiscard
		return nil, nil
	}
	if !p.fds {
		p.outputs = append(p.outputs, newOutput(p, proto.Stdout, cmd.Stdout, nil))
		if !merge {
			p.outputs = append(p.outputs, newOutput(p, proto.Stderr, cmd.Stderr, nil))
		}
		if open {
			p.stdin = newFrameWriter(p)
		}
		return nil, nil
	}
	w.Flags |= proto.FlagFDs
	return p.wirePipes(cmd, open, merge)
}

func (p *proc) wirePipes(cmd *sandbox.Cmd, open, merge bool) (send []int, err error) {
	defer func() {
		if err != nil {
			closeFiles(send)
			send = nil
			p.release()
		}
	}()
	addOut := func(t proto.Type, to io.Writer) error {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		if err := unix.SetNonblock(r, true); err != nil {
			return err
		}
		send = append(send, w)
		p.outputs = append(p.outputs, newOutput(p, t, to, os.NewFile(uintptr(r), "output")))
		return nil
	}
	if err = addOut(proto.Stdout, cmd.Stdout); err != nil {
		return send, err
	}
	if !merge {
		if err = addOut(proto.Stderr, cmd.Stderr); err != nil {
			return send, err
		}
	}
	if open {
		r, w, err := pipe()
		if err != nil {
			return send, err
		}
		send = append(send, r)
		if err := unix.SetNonblock(w, true); err != nil {
			return send, err
		}
		p.stdin = os.NewFile(uintptr(w), "input")
	}
	return send, nil
}

func pipe() (r, w int, err error) {
	var q [2]int
	err = unix.Pipe2(q[:], unix.O_CLOEXEC)
	return q[0], q[1], err
}

// wantsInput is false for an input that is known to be empty, which then
// costs nothing.
func wantsInput(r io.Reader) bool {
	if r == sandbox.NoStdin {
		return false
	}
	if l, ok := r.(interface{ Len() int }); ok {
		return l.Len() > 0
	}
	return true
}

// same compares writers, of which some types cannot be compared.
func same(a, b io.Writer) (eq bool) {
	defer func() {
		if recover() != nil {
			eq = false
		}
	}()
	return a == b
}

// output moves one stream to its writer: from a pipe of the process, or from
// frames within the window.
type output struct {
	p    *proc
	t    proto.Type
	to   io.Writer
	file *os.File
	done chan struct{}
	err  error

	mu    sync.Mutex
	moved *sync.Cond
	queue []byte
	used  int // of the window
	over  bool
	busy  bool // something was read and is not yet written
	last  time.Time
	late  bool // the process has ended: whatever comes is thrown away
}

func newOutput(p *proc, t proto.Type, to io.Writer, f *os.File) *output {
	if to == nil {
		to = io.Discard
	}
	o := &output{p: p, t: t, to: to, file: f, done: make(chan struct{})}
	o.moved = sync.NewCond(&o.mu)
	return o
}

// What is read at a time: little from most streams, much from those that fill
// their pipe, which then is enlarged.
const (
	smallRead = 32 << 10
	largeRead = 256 << 10
	largePipe = 1 << 20
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallRead); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeRead); return &b }}
)

func (o *output) run() {
	if o.file == nil {
		o.runFrames()
		return
	}
	pool := &smallBuffers
	buf := pool.Get().(*[]byte)
	for full := 0; ; {
		n := o.read(*buf)
		if n <= 0 {
			break
		}
		o.put((*buf)[:n])
		if n == smallRead && pool == &smallBuffers {
			if full++; full == 2 {
				pool.Put(buf)
				pool = &largeBuffers
				buf = pool.Get().(*[]byte)
				o.enlarge()
			}
		}
	}
	pool.Put(buf)
	o.p.c.mu.Lock()
	delete(o.p.c.bg, o.file)
	o.p.c.mu.Unlock()
	_ = o.file.Close()
	close(o.done)
}

// read takes what the pipe holds, 0 or less at its end. Taking it and being busy
// with it are one step, so that no byte is ever in neither place.
func (o *output) read(b []byte) (n int) {
	rc, err := o.file.SyscallConn()
	if err != nil {
		return 0
	}
	err = rc.Read(func(fd uintptr) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		var err error
		for n, err = unix.Read(int(fd), b); err == unix.EINTR; {
			n, err = unix.Read(int(fd), b)
		}
		o.busy = n > 0
		return err != unix.EAGAIN
	})
	if err != nil {
		return 0
	}
	return n
}

// holds reports whether the pipe still has something for a reader that has not
// had its turn.
func (o *output) holds() bool {
	n := 0
	if rc, err := o.file.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return n > 0
}

// put writes, unless nobody waits for this output any more. After an error of
// the writer it only drains, so that the process does not block.
func (o *output) put(b []byte) {
	o.mu.Lock()
	late := o.late
	o.mu.Unlock()
	if late {
		return
	}
	var err error
	if o.err == nil {
		_, err = o.to.Write(b)
	}
	o.mu.Lock()
	o.busy, o.last = false, time.Now()
	if o.err == nil {
		o.err = err
	}
	o.mu.Unlock()
}

func (o *output) enlarge() {
	rc, err := o.file.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, largePipe) })
}

// push takes a frame's bytes; more than the window allows is a violation.
func (o *output) push(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.used += len(b); o.used > proto.Window {
		return ErrProtocol
	}
	o.queue = append(o.queue, b...)
	o.moved.Signal()
	return nil
}

func (o *output) runFrames() {
	defer close(o.done)
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.over {
			o.moved.Wait()
		}
		b := o.queue
		o.queue = nil
		o.mu.Unlock()
		if len(b) == 0 {
			return
		}
		if o.err == nil {
			_, o.err = o.to.Write(b)
		}
		o.mu.Lock()
		o.used -= len(b)
		o.mu.Unlock()
		var p [4]byte
		p[0], p[1], p[2], p[3] = byte(len(b)), byte(len(b)>>8), byte(len(b)>>16), byte(len(b)>>24)
		_ = o.p.c.write(proto.Credit, o.p.id, p[:])
	}
}

// finish says that the process has ended.
func (o *output) finish() {
	o.mu.Lock()
	o.over = true
	o.mu.Unlock()
	o.moved.Signal()
}

// wait returns when everything was written. Children of the process may hold
// its pipe open for ever: after a while what they write is thrown away.
func (o *output) wait(ctx context.Context) error {
	select {
	case <-o.done:
		return o.err
	default:
	}
	t := time.NewTicker(grace)
	defer t.Stop()
	for {
		select {
		case <-o.done:
			return o.err
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			if o.file != nil && o.detach() {
				return o.err
			}
		}
	}
}

// detach leaves a pipe on which nothing happens to a reader that throws away.
func (o *output) detach() bool {
	o.mu.Lock()
	if o.busy || time.Since(o.last) < grace || o.holds() {
		o.mu.Unlock()
		return false
	}
	o.late = true
	o.mu.Unlock()
	c := o.p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-o.done:
	default:
		if c.err != nil || len(c.bg) >= 256 {
			_ = o.file.Close()
		} else {
			c.bg[o.file] = struct{}{}
		}
	}
	return true
}

// frameWriter is a process's input over frames, at most a window ahead.
type frameWriter struct {
	p     *proc
	mu    sync.Mutex
	moved *sync.Cond
	used  int
	ended bool
}

func newFrameWriter(p *proc) *frameWriter {
	w := &frameWriter{p: p}
	w.moved = sync.NewCond(&w.mu)
	return w
}

// Write blocks while the process does not read.
func (w *frameWriter) Write(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		w.mu.Lock()
		for w.used >= proto.Window && !w.ended {
			w.moved.Wait()
		}
		if w.ended {
			w.mu.Unlock()
			return n, io.ErrClosedPipe
		}
		k := min(len(b), 32<<10, proto.Window-w.used)
		w.used += k
		w.mu.Unlock()
		if err := w.p.c.write(proto.Stdin, w.p.id, b[:k]); err != nil {
			return n, err
		}
		n, b = n+k, b[k:]
	}
	return n, nil
}

// Close ends the input.
func (w *frameWriter) Close() error {
	w.mu.Lock()
	done := w.ended
	w.mu.Unlock()
	if done {
		return nil
	}
	err := w.p.c.write(proto.StdinEOF, w.p.id, nil)
	if errors.Is(err, sandbox.ErrGone) {
		return nil
	}
	return err
}

func (w *frameWriter) consumed(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > w.used && n != 1 { // a terminal's end of input is a byte of its own
		return ErrProtocol
	}
	w.used = max(w.used-n, 0)
	w.moved.Broadcast()
	return nil
}

func (w *frameWriter) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.moved.Broadcast()
}
