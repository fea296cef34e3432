package hostbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"

	"github.com/chitin-sh/chitin/sandbox"
)

// drain is how long output is still read after the command itself ended and a
// background child keeps the pipe open.
const drain = 200 * time.Millisecond

// proc is one running command and its group.
type proc struct {
	box   *Box
	cmd   *exec.Cmd
	stdin io.WriteCloser
	tty   *os.File
	start time.Time
	timed atomic.Bool
	timer *time.Timer

	mu    sync.Mutex // guards ended against signals to a reused pid
	ended bool

	done chan struct{}
	exit sandbox.Exit
}

func (p *proc) run(ctx context.Context, c sandbox.Cmd, dir string, grace time.Duration) error {
	p.cmd = exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	p.cmd.Dir, p.cmd.Env = dir, c.Env
	if p.cmd.Env == nil {
		p.cmd.Env = []string{} // nil would inherit the gateway's
	}
	p.cmd.Cancel = func() error { p.kill(); return nil }
	p.cmd.WaitDelay = drain
	var copied chan struct{}
	var err error
	if c.PTY != nil {
		copied, err = p.startTTY(c)
	} else {
		err = p.startPipes(c)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: %w", err, syscall.ENOENT) // as every other box says it
	}
	if err != nil {
		return err
	}
	if c.Timeout > 0 {
		p.mu.Lock() // finish may already be running
		p.timer = time.AfterFunc(c.Timeout, func() { p.expire(grace) })
		p.mu.Unlock()
	}
	go p.finish(copied)
	return nil
}

func (p *proc) startPipes(c sandbox.Cmd) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stdout, p.cmd.Stderr = c.Stdout, c.Stderr
	switch c.Stdin {
	case sandbox.NoStdin: // nil is /dev/null to os/exec
	case nil:
		in, err := p.cmd.StdinPipe()
		if err != nil {
			return err
		}
		p.stdin = in
	default:
		p.cmd.Stdin = c.Stdin
	}
	return p.cmd.Start()
}

// startTTY runs the command as the leader of a new session on a terminal.
func (p *proc) startTTY(c sandbox.Cmd) (chan struct{}, error) {
	tty, err := pty.StartWithSize(p.cmd, &pty.Winsize{Cols: c.PTY.Cols, Rows: c.PTY.Rows})
	if err != nil {
		return nil, err
	}
	p.tty, p.stdin = tty, tty
	if c.Stdin != nil && c.Stdin != sandbox.NoStdin {
		p.stdin = nil
		go func() { _, _ = io.Copy(tty, c.Stdin) }()
	}
	out := c.Stdout
	if out == nil {
		out = io.Discard
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, tty) // ends with EIO when the last user is gone
	}()
	return copied, nil
}

// expire ends a group whose time is up: asked first, then forced.
func (p *proc) expire(grace time.Duration) {
	p.timed.Store(true)
	_ = p.Signal(int(syscall.SIGTERM))
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.timer = time.AfterFunc(grace, p.kill)
	}
}

func (p *proc) finish(copied chan struct{}) {
	err := p.cmd.Wait()
	p.mu.Lock()
	p.ended = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	if copied != nil {
		select {
		case <-copied:
		case <-time.After(drain):
		}
		_ = p.tty.Close()
		<-copied
	}
	p.exit = p.result(err)
	p.box.forget(p)
	close(p.done)
}

func (p *proc) result(err error) sandbox.Exit {
	e := sandbox.Exit{Code: -1, TimedOut: p.timed.Load(), Duration: time.Since(p.start)}
	st := p.cmd.ProcessState
	if st == nil {
		return e
	}
	ws, ok := st.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		e.Signal = int(ws.Signal())
		return e
	}
	var ee *exec.ExitError
	if err == nil || errors.As(err, &ee) || errors.Is(err, exec.ErrWaitDelay) || errors.Is(err, context.Canceled) {
		e.Code = st.ExitCode()
	}
	return e
}

// PID is the host's process id.
func (p *proc) PID() int { return p.cmd.Process.Pid }

// Stdin is the command's input, or nil when it was given at the start.
func (p *proc) Stdin() io.WriteCloser { return p.stdin }

// Signal sends sig to the whole group.
func (p *proc) Signal(sig int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return sandbox.ErrGone
	}
	return syscall.Kill(-p.cmd.Process.Pid, syscall.Signal(sig))
}

func (p *proc) kill() { _ = p.Signal(int(syscall.SIGKILL)) }

// Resize changes the terminal's size; without a terminal it does nothing.
func (p *proc) Resize(w sandbox.Winsize) error {
	if p.tty == nil {
		return nil
	}
	return pty.Setsize(p.tty, &pty.Winsize{Cols: w.Cols, Rows: w.Rows})
}

// Wait blocks until the command ended and its output was written, or ctx is
// done; it may be called again.
func (p *proc) Wait(ctx context.Context) (sandbox.Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return sandbox.Exit{}, ctx.Err()
	}
}
