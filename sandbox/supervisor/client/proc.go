package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

const (
	// grace is how long output is awaited after the exit of a process whose
	// children keep its pipes open.
	grace = 100 * time.Millisecond
	// patience is how long a killed or timed-out process may take to be
	// reported before it is given up.
	patience = 5 * time.Second
)

// StartError says that a command could not be started; Exit's code is then
// 127 when there is no such program and 126 otherwise, as a shell would say.
type StartError struct {
	Name  string
	Errno syscall.Errno
}

// Error names the program and the reason.
func (e *StartError) Error() string { return e.Name + ": " + e.Errno.Error() }

// Unwrap is the errno.
func (e *StartError) Unwrap() error { return e.Errno }

type proc struct {
	c       *Conn
	id      uint32
	name    string
	began   time.Time
	stdin   io.WriteCloser // nil without input
	fed     bool           // the input is Cmd.Stdin, nobody else's
	outputs []*output
	fds     bool

	mu   sync.Mutex
	pid  int
	exit sandbox.Exit
	err  error
	over bool

	cause error         // why it was cancelled
	ended chan struct{} // the supervisor reported the end
	stop  func() bool
	timer *time.Timer
}

// Start sends one command. It is sent once: after an error it has either not
// run or its fate is unknown, and it is never tried again here.
func (c *Conn) Start(ctx context.Context, cmd sandbox.Cmd) (sandbox.Proc, error) {
	if len(cmd.Argv) == 0 || cmd.Argv[0] == "" {
		return nil, errors.New("sandbox: no command")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &proc{c: c, name: cmd.Argv[0], ended: make(chan struct{}), fed: cmd.Stdin != nil, began: time.Now()}
	w := proto.Command{Dir: cmd.Dir, Argv: cmd.Argv, Env: cmd.Env}
	if w.Dir == "" {
		w.Dir = c.dir
	}
	if cmd.Timeout > 0 {
		w.TimeoutMS = uint32(min(max(cmd.Timeout.Milliseconds(), 1), 1<<31))
	}
	sent, err := p.wire(&cmd, &w)
	defer closeFiles(sent)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.err != nil || len(c.procs) >= proto.MaxStreams {
		err := c.err
		c.mu.Unlock()
		p.release()
		if err == nil {
			err = fmt.Errorf("%w: too many processes at a time", sandbox.ErrRefused)
		}
		return nil, err
	}
	c.next++
	p.id = c.next
	c.procs[p.id] = p
	c.mu.Unlock()
	if err := c.write(proto.Start, p.id, w.Append(nil), sent...); err != nil {
		c.mu.Lock()
		delete(c.procs, p.id)
		c.mu.Unlock()
		p.release()
		return nil, err
	}
	p.begin(ctx, &cmd)
	return p, nil
}

// begin starts what runs beside the process.
func (p *proc) begin(ctx context.Context, cmd *sandbox.Cmd) {
	for _, o := range p.outputs {
		go o.run()
	}
	if cmd.Stdin != nil && p.stdin != nil {
		go func() {
			_, _ = io.Copy(p.stdin, cmd.Stdin) // the process may not want it all
			_ = p.stdin.Close()
		}()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if ctx.Done() != nil {
		p.stop = context.AfterFunc(ctx, func() {
			p.mu.Lock()
			p.cause = context.Cause(ctx)
			p.mu.Unlock()
			_ = p.Signal(int(syscall.SIGKILL))
			p.giveUp(patience, context.Cause(ctx))
		})
	}
	if cmd.Timeout > 0 {
		p.timer = time.AfterFunc(cmd.Timeout+patience, func() { p.finish(sandbox.Exit{Code: -1, TimedOut: true}, nil) })
	}
}

// giveUp ends the wait for a process that was killed but is not reported.
func (p *proc) giveUp(after time.Duration, cause error) {
	select {
	case <-p.ended:
	case <-time.After(after):
		p.finish(sandbox.Exit{Code: -1, Signal: int(syscall.SIGKILL)}, fmt.Errorf("%w: it does not report the end of a killed process: %w", sandbox.ErrGone, cause))
	}
}

// frame handles one frame for this process, on the connection's reader.
func (p *proc) frame(t proto.Type, b []byte) error {
	switch t {
	case proto.Started:
		n, err := proto.U32(b)
		if err != nil {
			return ErrProtocol
		}
		p.mu.Lock()
		p.pid = int(n)
		p.mu.Unlock()
		return nil
	case proto.Stdout, proto.Stderr:
		for _, o := range p.outputs {
			if o.t == t && o.file == nil {
				return o.push(b)
			}
		}
		return ErrProtocol
	case proto.Consumed:
		n, err := proto.U32(b)
		in, ok := p.framesIn()
		if err != nil || !ok {
			return ErrProtocol
		}
		return in.consumed(int(n))
	case proto.Failed:
		n, err := proto.U32(b)
		if err != nil || n == 0 || n > 4095 {
			return ErrProtocol
		}
		e := syscall.Errno(n)
		code := 126
		if e == syscall.ENOENT {
			code = 127
		}
		p.finish(sandbox.Exit{Code: code}, &StartError{Name: p.name, Errno: e})
		return nil
	case proto.Exit:
		info, err := proto.ParseExit(b)
		if err != nil {
			return ErrProtocol
		}
		x := sandbox.Exit{Code: int(info.Code), Signal: int(info.Signal), TimedOut: info.TimedOut}
		if x.Signal != 0 {
			x.Code = -1
		}
		p.finish(x, nil)
		return nil
	}
	return ErrProtocol
}

func (p *proc) lost(err error) { p.finish(sandbox.Exit{Code: -1}, err) }

// finish records the end, once, and lets the output drain.
func (p *proc) finish(x sandbox.Exit, err error) {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	p.over = true
	x.Duration = time.Since(p.began)
	p.exit, p.err = x, err
	stop, timer := p.stop, p.timer
	p.mu.Unlock()
	p.c.mu.Lock()
	delete(p.c.procs, p.id)
	p.c.mu.Unlock()
	if stop != nil {
		stop()
	}
	if timer != nil {
		timer.Stop()
	}
	if in, ok := p.framesIn(); ok {
		in.end()
	}
	for _, o := range p.outputs {
		o.finish()
	}
	close(p.ended)
}

// Wait returns when the process has ended and its output is written. ctx only
// bounds the wait; it does not stop the process.
func (p *proc) Wait(ctx context.Context) (sandbox.Exit, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		return sandbox.Exit{Code: -1}, ctx.Err()
	}
	var werr error
	for _, o := range p.outputs {
		if err := o.wait(ctx); err != nil && werr == nil {
			werr = err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && werr == nil && p.exit.Signal != 0 {
		return p.exit, p.cause
	}
	return p.exit, errors.Join(p.err, werr)
}

// PID is the number inside, 0 until it is known.
func (p *proc) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Stdin is the process's input, or nil when it was given one.
func (p *proc) Stdin() io.WriteCloser {
	if p.fed || p.stdin == nil {
		return nil
	}
	return p.stdin
}

func (p *proc) framesIn() (*frameWriter, bool) {
	w, ok := p.stdin.(*frameWriter)
	return w, ok
}

// Signal reaches the process's whole group.
func (p *proc) Signal(sig int) error {
	if sig < 1 || sig > 64 {
		return fmt.Errorf("sandbox: no signal %d", sig)
	}
	select {
	case <-p.ended:
		return os.ErrProcessDone
	default:
	}
	return p.c.write(proto.Signal, p.id, []byte{byte(sig)})
}

func (p *proc) Resize(w sandbox.Winsize) error {
	var b [4]byte
	binary.LittleEndian.PutUint16(b[:], w.Cols)
	binary.LittleEndian.PutUint16(b[2:], w.Rows)
	return p.c.write(proto.Resize, p.id, b[:])
}

// release closes what wire opened for a process that was never sent.
func (p *proc) release() {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	for _, o := range p.outputs {
		if o.file != nil {
			_ = o.file.Close()
		}
	}
}

func closeFiles(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
