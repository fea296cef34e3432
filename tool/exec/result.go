package exec

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/procs"
)

// Details is the structured result of a command that ended.
type Details struct {
	Status           string  `json:"status"` // completed, failed
	ExitCode         *int    `json:"exitCode"`
	ExitSignal       *string `json:"exitSignal"`
	FailureKind      string  `json:"failureKind,omitempty"`
	ExitReason       string  `json:"exitReason"`
	DurationMs       int64   `json:"durationMs"`
	Aggregated       string  `json:"aggregated"`
	TimedOut         bool    `json:"timedOut,omitempty"`
	NoOutputTimedOut bool    `json:"noOutputTimedOut"`
	OutOfMemory      bool    `json:"outOfMemory,omitempty"`
	Truncated        bool    `json:"truncated,omitempty"`
	Cwd              string  `json:"cwd"`
}

// Running is the structured result of a command that goes on.
type Running struct {
	Status    string `json:"status"`
	SessionID string `json:"sessionId"`
	PID       int    `json:"pid"`
	StartedAt int64  `json:"startedAt"`
	Cwd       string `json:"cwd"`
	Tail      string `json:"tail"`
	FollowUp  string `json:"followUp"`
}

const (
	followUp  = "Use process (list/poll/log/write/send-keys/submit/paste/kill/clear/remove) for follow-up."
	tailBytes = 2000
	timedOut  = "overall-timeout"
)

func running(p *procs.Process) tool.Result {
	return tool.Text(
		fmt.Sprintf("Command still running (session %s, pid %d). %s", p.ID, p.PID(), followUp),
		Running{
			Status: "running", SessionID: p.ID, PID: p.PID(), StartedAt: p.Started.UnixMilli(),
			Cwd: p.Cwd, Tail: p.Out.Tail(tailBytes), FollowUp: followUp,
		})
}

// finished is the result of a command that ended in the foreground.
func (r *run) finished(exit sandbox.Exit) tool.Result {
	output := strings.TrimRight(r.out.Text(), " \t\r\n")
	d := Details{
		Status: "completed", ExitReason: "exit", Aggregated: output, Cwd: r.cwd(),
		DurationMs:  time.Since(r.started).Milliseconds(),
		OutOfMemory: exit.OOM, Truncated: r.out.Stats().Truncated,
	}
	var note string
	switch {
	case exit.TimedOut:
		d.Status, d.FailureKind, d.ExitReason, d.TimedOut = "failed", timedOut, timedOut, true
		d.ExitSignal = signalName(int(syscall.SIGTERM))
		note = fmt.Sprintf(timeoutText, r.cmd.Timeout.Seconds())
		return tool.Text(join(output, note), d)
	case exit.Signal != 0:
		d.Status, d.ExitReason, d.FailureKind = "failed", "signal", "signal"
		d.ExitSignal = signalName(exit.Signal)
		note = "(Command was ended by signal " + *d.ExitSignal + ")"
	default:
		d.ExitCode = &exit.Code
		if exit.Code != 0 {
			note = fmt.Sprintf("(Command exited with code %d)", exit.Code)
		}
	}
	if why := exit.Note(); why != "" {
		note = join(note, "("+why+")")
	}
	d.Aggregated = join(output, note)
	text := d.Aggregated
	if text == "" {
		text = "(no output)"
	}
	return tool.Text(text, d)
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}

const timeoutText = "Command timed out after %v seconds.\n\n" +
	"The command was terminated, but external side effects may already have completed. Verify the resulting state before retrying. " +
	"Do not automatically rerun non-idempotent commands. Use a higher timeout only when the command is known to be safe to retry.\n\n" +
	"If it should keep running, start it with exec background=true or yieldMs so chitin can register a pollable process session. " +
	"Do not rely on shell backgrounding with a trailing &."

func signalName(sig int) *string {
	name := SignalName(sig)
	return &name
}

// SignalName is the name of a signal, such as SIGKILL.
func SignalName(sig int) string {
	switch syscall.Signal(sig) {
	case syscall.SIGHUP:
		return "SIGHUP"
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGQUIT:
		return "SIGQUIT"
	case syscall.SIGILL:
		return "SIGILL"
	case syscall.SIGABRT:
		return "SIGABRT"
	case syscall.SIGFPE:
		return "SIGFPE"
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGPIPE:
		return "SIGPIPE"
	case syscall.SIGALRM:
		return "SIGALRM"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGSYS:
		return "SIGSYS"
	}
	return fmt.Sprintf("SIG%d", sig)
}
