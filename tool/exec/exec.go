// Package exec is the tool that runs a shell command in the call's sandbox:
// in the foreground, in the background, on a terminal, with a deadline. It
// reaches the host only when the call was explicitly placed there.
package exec

import (
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/procs"
)

// Options are exec's limits and what the application connects to it.
type Options struct {
	// Procs receives commands that go to the background.
	Procs *procs.Table
	// YieldAfter is when a foreground command goes to the background unless
	// the call says otherwise. Default 10 s.
	YieldAfter time.Duration
	// Timeout ends a command unless the call says otherwise. Default 30 min.
	Timeout time.Duration
	// Host returns the box of elevated calls. Nil: there is none.
	Host func(*tool.Call) (sandbox.Box, error)
	// Env adds variables for one call, before the call's own. May be nil.
	Env func(*tool.Call) []string
	// Path is the PATH of commands; it has a default.
	Path string
	// Keep is how many bytes of output are kept at the beginning and at the
	// end. Default 128 KiB.
	Keep int
}

const (
	defaultYield   = 10 * time.Second
	defaultTimeout = 30 * time.Minute
	maxTimeout     = 24 * time.Hour
	defaultPath    = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	maxCommand     = 1 << 20
)

// Tool is exec.
type Tool struct{ opts Options }

var (
	_ tool.Tool       = (*Tool)(nil)
	_ tool.ArgChecker = (*Tool)(nil)
)

// New makes the tool; a nil process table gets one of its own.
func New(o Options) *Tool {
	if o.Procs == nil {
		o.Procs = procs.NewTable(procs.Limits{})
	}
	if o.YieldAfter <= 0 {
		o.YieldAfter = defaultYield
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Path == "" {
		o.Path = defaultPath
	}
	return &Tool{opts: o}
}

// Spec describes exec.
func (t *Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "exec",
		Aliases:     []string{"bash"},
		Title:       "Run a command",
		Description: "Run a shell command in the session's sandbox. Returns its output and exit code; long commands continue in the background and are followed with process.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true, Writes: true, Stream: true},
	}
}

const schema = `{"type":"object","required":["command"],"properties":{
"command":{"type":"string","description":"Shell command, as sh -c runs it."},
"title":{"type":"string","maxLength":120,"description":"What the command is for, in a few words."},
"workdir":{"type":"string","description":"Directory to run in; the workspace by default."},
"env":{"type":"object","additionalProperties":{"type":"string"},"description":"Further environment variables."},
"yieldMs":{"type":"number","description":"Milliseconds to wait before the command goes on in the background. Default 10000."},
"background":{"type":"boolean","description":"Run in the background at once."},
"timeoutSeconds":{"type":"number","description":"End the command after this many seconds. Default 1800."},
"pty":{"type":"boolean","description":"Run on a terminal."},
"elevated":{"type":"boolean","description":"Run on the host; only where it was explicitly allowed."},
"host":{"type":"string","enum":["auto","sandbox","gateway","node"],"description":"Where to run."},
"ask":{"type":"string","description":"Approval wish; the policy decides."},
"node":{"type":"string","description":"Node to run on; there are none."}}}`

// Args are exec's parameters.
type Args struct {
	Command  string            `json:"command"`
	Title    string            `json:"title"`
	Workdir  string            `json:"workdir"`
	Env      map[string]string `json:"env"`
	YieldMs  *float64          `json:"yieldMs"`
	Back     bool              `json:"background"`
	Timeout  *float64          `json:"timeoutSeconds"`
	PTY      bool              `json:"pty"`
	Elevated bool              `json:"elevated"`
	Host     string            `json:"host"`
	Ask      string            `json:"ask"`
	Node     string            `json:"node"`
}

// CheckArgs checks everything that does not depend on where the call runs.
func (t *Tool) CheckArgs(raw json.RawMessage) error {
	_, err := parse(raw)
	return err
}

// Run runs the command and waits for it, at most until it goes to the
// background.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	args, err := parse(c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	box, err := t.box(c, args)
	if err != nil {
		return tool.Result{}, err
	}
	r, err := t.plan(c, args, box)
	if err != nil {
		return tool.Result{}, err
	}
	return r.run(ctx)
}

// run is one command on its way.
type run struct {
	tool    *Tool
	call    *tool.Call
	args    Args
	box     sandbox.Box
	cmd     sandbox.Cmd
	shell   []string // that runs the command if its program alone does not start
	out     *procs.Output
	key     procs.Key
	started time.Time
}

func (r *run) run(ctx context.Context) (tool.Result, error) {
	if err := r.tool.opts.Procs.Room(r.key); err != nil {
		return tool.Result{}, tool.Input("There are too many background processes in this session. End some with process (kill or remove), then retry.")
	}
	// The command may outlive the call; only stop ends it.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.started = time.Now()
	p, err := r.box.Start(life, r.cmd)
	if err != nil {
		stop()
		if r.notStarted(err) {
			return r.run(ctx)
		}
		return tool.Result{}, r.startError(err)
	}
	if r.args.Back {
		return r.background(ctx, p, stop), nil
	}
	wait, cancel := context.WithTimeout(ctx, r.yieldAfter())
	defer cancel()
	exit, err := p.Wait(wait)
	switch {
	case err == nil:
		stop()
		return r.finished(exit), nil
	case ctx.Err() != nil: // the caller went away: so does the command
		stop()
		return tool.Result{}, tool.Failed("The call was cancelled; the command was terminated.", ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return r.background(ctx, p, stop), nil
	}
	stop()
	if r.notStarted(err) { // some boxes learn it only now
		return r.run(ctx)
	}
	return tool.Result{}, r.startError(err)
}

func (r *run) yieldAfter() time.Duration {
	if r.args.YieldMs == nil {
		return r.tool.opts.YieldAfter
	}
	return clampDuration(*r.args.YieldMs, time.Millisecond, 10*time.Millisecond, maxTimeout)
}

// background hands the process over to the session's table.
func (r *run) background(ctx context.Context, p sandbox.Proc, stop context.CancelFunc) tool.Result {
	r.out.Detach()
	s := procs.Start{
		Command: r.args.Command, Cwd: r.cwd(), Started: r.started,
		Proc: p, Out: r.out, Stop: stop,
	}
	if r.cmd.PTY != nil {
		s.Stdin = p.Stdin()
	}
	return running(r.tool.opts.Procs.Add(ctx, r.key, s))
}

// startError says why a command did not start.
func (r *run) startError(err error) error {
	code := tool.Errno(err)
	switch {
	case r.cmd.Dir != "" && (code == "ENOENT" || code == "ENOTDIR" || code == "EACCES"):
		return tool.InputCode(code, "Working directory not found: "+r.args.Workdir+".", err)
	case code == "ENOENT":
		return tool.Unavailable("The sandbox's image has no /bin/sh. Choose another image.", err)
	case errors.Is(err, syscall.EAGAIN):
		return tool.Unavailable("The sandbox has as many processes as it may. End some, then retry.", err)
	case errors.Is(err, syscall.E2BIG):
		return tool.InputCode("E2BIG", "The command and its environment are too long.", err)
	}
	return boxError(err)
}

func boxError(err error) error {
	switch {
	case errors.Is(err, sandbox.ErrGone), errors.Is(err, sandbox.ErrUnavailable):
		return tool.Unavailable("The sandbox is not available. Retry; if it stays so, run `chitin doctor`.", err)
	case errors.Is(err, sandbox.ErrRefused):
		return &tool.Error{Kind: tool.KindForbidden, Public: "The sandbox refused to run the command.", Err: err}
	}
	return tool.Failed("The command could not be run.", err)
}

// clampDuration turns a number of units into a duration between two bounds.
func clampDuration(n float64, unit, low, high time.Duration) time.Duration {
	if !(n > 0) { // also NaN
		return low
	}
	if n >= float64(high/unit) {
		return high
	}
	return max(low, time.Duration(n*float64(unit)))
}
