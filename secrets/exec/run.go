//go:build unix

package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/securepath"
)

// run executes the checked program and returns what it wrote. Its process
// group is killed when a limit is reached, so that children do not outlive it.
func (p *Provider) run(ctx context.Context, stdin []byte) ([]byte, error) {
	f, err := securepath.Open(p.Command, p.rules())
	if err != nil {
		return nil, commandError(p.Command, err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd, pipe, err := p.start(ctx, f, stdin)
	if err != nil {
		return nil, err
	}
	out, readErr := p.read(pipe, cancel)
	waitErr := cmd.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return out, cause
	}
	if readErr != nil && !errors.Is(readErr, os.ErrClosed) {
		return out, readErr
	}
	return out, waitErr
}

// start starts the program. A program that was written a moment ago can be
// busy for as long as another fork of ours holds its descriptor: wait that out.
func (p *Provider) start(ctx context.Context, f *os.File, stdin []byte) (*osexec.Cmd, io.Reader, error) {
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		cmd := p.command(ctx, f, stdin)
		pipe, err := cmd.StdoutPipe()
		if err == nil {
			if err = cmd.Start(); err == nil {
				return cmd, pipe, nil
			}
		}
		if !errors.Is(err, syscall.ETXTBSY) || wait > time.Second {
			return nil, nil, secrets.Fail(secrets.CodeProviderError, p.Command+" cannot be started", "run it by hand to see why")
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// command runs the descriptor that was checked, not whatever has its name by
// now. Where there is no /proc, the checked parents keep the name honest.
func (p *Provider) command(ctx context.Context, f *os.File, stdin []byte) *osexec.Cmd {
	path := p.Command
	cmd := osexec.CommandContext(ctx, path, p.Args...)
	if _, err := os.Stat("/proc/self/fd"); err == nil && runtime.GOOS == "linux" {
		cmd.ExtraFiles = []*os.File{f}
		cmd.Path = "/proc/self/fd/3"
	}
	cmd.Err = nil
	cmd.Env = append([]string{}, p.Env...)
	cmd.Dir = filepath.Dir(p.Command)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Stderr = nil // may hold secrets; nobody reads it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// read collects the output until its end, a silence or the size limit.
func (p *Provider) read(pipe io.Reader, cancel context.CancelCauseFunc) ([]byte, error) {
	silence := time.AfterFunc(p.idle(), func() { cancel(errIdle) })
	defer silence.Stop()
	var out []byte
	buf := make([]byte, 32<<10)
	defer securepath.Wipe(buf)
	for {
		n, err := pipe.Read(buf)
		if n > 0 {
			silence.Reset(p.idle())
			if int64(len(out)+n) > p.maxOutput() {
				cancel(errOutput)
				return out, errOutput
			}
			out = append(out, buf[:n]...)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// exitText is how a program ended, without what it said.
func exitText(err error) string {
	var exit *osexec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() >= 0 {
			return fmt.Sprintf("exit code %d", exit.ExitCode())
		}
		return "killed by a signal"
	}
	return "it could not be run to its end"
}
