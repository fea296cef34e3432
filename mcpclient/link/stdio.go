package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// writeTime is how long a server may leave its input unread.
const writeTime = 10 * time.Second

// Process is a server that runs in a box.
type Process struct {
	proc   sandbox.Proc
	stdout *io.PipeReader
	feed   *io.PipeWriter
	stderr *lines
	cancel context.CancelFunc
	done   chan struct{}
	end    string
	stop   sync.Once
}

// Start runs the command of a server in its box. env is all that it gets
// beside what every box has; ctx bounds its life.
func Start(ctx context.Context, box sandbox.Box, name string, s mcpclient.Server, env map[string]string, log *slog.Logger) (*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	out, in := io.Pipe()
	p := &Process{stdout: out, feed: in, cancel: cancel, done: make(chan struct{}), stderr: &lines{log: &serverLog{log: log, server: name}}}
	proc, err := box.Start(ctx, sandbox.Cmd{
		Argv: append([]string{s.Command}, s.Args...), Env: environ(s, env), Dir: s.Cwd, Stdout: in, Stderr: p.stderr,
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", s.Command, err)
	}
	if proc.Stdin() == nil {
		cancel()
		return nil, errors.New("the sandbox gave no standard input")
	}
	p.proc = proc
	go p.wait()
	return p, nil
}

// environ is the whole environment: what every box has, the way out if there
// is one, and what was declared.
func environ(s mcpclient.Server, env map[string]string) []string {
	out := []string{sandbox.DefaultEnv, "HOME=" + sandbox.Workdir, "LANG=C.UTF-8", "TMPDIR=/tmp"}
	if s.Network == "egress" {
		for _, k := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			out = append(out, k+"="+sandbox.EgressProxy)
		}
		out = append(out, "NO_PROXY=localhost,127.0.0.1", "no_proxy=localhost,127.0.0.1")
	}
	for k, v := range env {
		out = slices.DeleteFunc(out, func(e string) bool { return strings.HasPrefix(e, k+"=") })
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func (p *Process) wait() {
	exit, err := p.proc.Wait(context.Background())
	switch {
	case err != nil:
		p.end = "it ended: " + err.Error()
	case exit.OOM:
		p.end = "it took more memory than its sandbox has"
	case exit.Signal != 0:
		p.end = fmt.Sprintf("it was ended by signal %d", exit.Signal)
	default:
		p.end = fmt.Sprintf("it ended with exit code %d", exit.Code)
	}
	if t := p.stderr.Tail(); t != "" {
		p.end += "; its last words: " + t
	}
	_ = p.feed.CloseWithError(io.EOF)
	close(p.done)
}

// Stop ends the process and lets go of everything that waits for it.
func (p *Process) Stop() {
	p.stop.Do(func() {
		p.cancel()
		_ = p.proc.Signal(9)
		_ = p.feed.CloseWithError(io.EOF)
		_ = p.stdout.Close()
	})
}

// End is how the process ended; it waits a moment for that to be known.
func (p *Process) End() string {
	select {
	case <-p.done:
		return p.end
	case <-time.After(time.Second):
		return ""
	}
}

// Transport speaks over the process's streams; messages have at most limit
// bytes.
func (p *Process) Transport(limit int) mcp.Transport {
	return &mcp.IOTransport{Reader: p.stdout, Writer: &input{p: p}, MaxLineLength: limit}
}

// input writes to the process and gives up on one that does not read.
type input struct{ p *Process }

func (w *input) Write(b []byte) (int, error) {
	t := time.AfterFunc(writeTime, w.p.Stop)
	defer t.Stop()
	return w.p.proc.Stdin().Write(b)
}

// Close is the end of input: a well-behaved server ends by itself.
func (w *input) Close() error { return w.p.proc.Stdin().Close() }
