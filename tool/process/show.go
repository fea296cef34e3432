package process

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/exec"
	"github.com/chitin-sh/chitin/tool/procs"
)

// entry is one process in a list.
type entry struct {
	SessionID       string  `json:"sessionId"`
	Status          string  `json:"status"`
	StartedAt       int64   `json:"startedAt"`
	EndedAt         int64   `json:"endedAt,omitempty"`
	RuntimeMs       int64   `json:"runtimeMs"`
	Cwd             string  `json:"cwd"`
	Command         string  `json:"command"`
	Name            string  `json:"name"`
	Tail            string  `json:"tail"`
	Truncated       bool    `json:"truncated"`
	ExitCode        *int    `json:"exitCode,omitempty"`
	ExitSignal      *string `json:"exitSignal,omitempty"`
	PID             int     `json:"pid"`
	StdinWritable   bool    `json:"stdinWritable"`
	WaitingForInput bool    `json:"waitingForInput"`
	IdleMs          int64   `json:"idleMs"`
	LastOutputAt    int64   `json:"lastOutputAt"`
}

type listDetails struct {
	Status   string  `json:"status"`
	Sessions []entry `json:"sessions"`
}

const (
	listTail  = 500
	retryIn   = 5000
	idleInput = 15 * time.Second // silent this long with an open input: it waits
	logWindow = 200
)

func list(all []*procs.Process) tool.Result {
	d := listDetails{Status: "completed", Sessions: make([]entry, 0, len(all))}
	lines := make([]string, 0, len(all))
	for _, p := range all {
		e := entryOf(p)
		d.Sessions = append(d.Sessions, e)
		lines = append(lines, fmt.Sprintf("%s %-9s %s :: %s", e.SessionID, e.Status, short(e.RuntimeMs), e.Name))
	}
	if len(lines) == 0 {
		return tool.Text("No running or recent sessions.", d)
	}
	return tool.Text(strings.Join(lines, "\n"), d)
}

func short(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d < time.Second {
		return fmt.Sprintf("%dms", ms)
	}
	return d.Round(time.Second).String()
}

func entryOf(p *procs.Process) entry {
	st := p.Out.Stats()
	ended := p.Ended()
	now := time.Now()
	if !ended.IsZero() {
		now = ended
	}
	e := entry{
		SessionID: p.ID, Status: status(p), StartedAt: p.Started.UnixMilli(), RuntimeMs: now.Sub(p.Started).Milliseconds(),
		Cwd: p.Cwd, Command: p.Command, Name: p.Name, Tail: p.Out.Tail(listTail), Truncated: st.Truncated, PID: p.PID(),
	}
	e.StdinWritable, e.WaitingForInput, e.IdleMs, e.LastOutputAt = activity(p, st)
	if !ended.IsZero() {
		e.EndedAt = ended.UnixMilli()
		e.ExitCode, e.ExitSignal = exitOf(p)
	}
	return e
}

// status is running, completed, failed or killed.
func status(p *procs.Process) string {
	if p.Running() {
		return "running"
	}
	exit, err := p.Exit()
	switch {
	case p.Killed():
		return "killed"
	case err != nil, exit.TimedOut, exit.Signal != 0, exit.Code != 0:
		return "failed"
	}
	return "completed"
}

func exitOf(p *procs.Process) (code *int, signal *string) {
	exit, err := p.Exit()
	if err != nil {
		return nil, nil
	}
	if exit.Signal != 0 {
		name := exec.SignalName(exit.Signal)
		return nil, &name
	}
	return &exit.Code, nil
}

func activity(p *procs.Process, st procs.Stats) (writable, waiting bool, idleMs, last int64) {
	at := st.Last
	if at.IsZero() {
		at = p.Started
	}
	idle := time.Since(at)
	writable = p.Writable()
	return writable, writable && idle > idleInput, idle.Milliseconds(), at.UnixMilli()
}

type pollDetails struct {
	Status          string  `json:"status"`
	SessionID       string  `json:"sessionId"`
	ExitCode        *int    `json:"exitCode,omitempty"`
	ExitSignal      *string `json:"exitSignal,omitempty"`
	TimedOut        bool    `json:"timedOut,omitempty"`
	Aggregated      string  `json:"aggregated"`
	Name            string  `json:"name"`
	StdinWritable   bool    `json:"stdinWritable"`
	WaitingForInput bool    `json:"waitingForInput"`
	IdleMs          int64   `json:"idleMs"`
	LastOutputAt    int64   `json:"lastOutputAt"`
	RetryInMs       int     `json:"retryInMs,omitempty"`
}

// poll waits for output or the end, and shows what is new.
func poll(ctx context.Context, p *procs.Process, a args) tool.Result {
	if wait := min(time.Duration(a.Timeout)*time.Millisecond, maxPoll); wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, wait)
		p.AwaitOutput(waiting)
		cancel()
	}
	running := p.Running() // before reading: what an ended process wrote is complete
	text := strings.TrimRight(p.Out.Next(), "\r\n")
	if text == "" {
		text = "(no new output)"
	}
	d := pollDetails{SessionID: p.ID, Aggregated: p.Out.Text(), Name: p.Name}
	d.StdinWritable, d.WaitingForInput, d.IdleMs, d.LastOutputAt = activity(p, p.Out.Stats())
	if running {
		d.Status, d.RetryInMs = "running", retryIn
		return tool.Text(text+"\n\nProcess still running.", d)
	}
	d.Status = "completed"
	if status(p) != "completed" {
		d.Status = "failed"
	}
	d.ExitCode, d.ExitSignal = exitOf(p)
	exit, _ := p.Exit()
	d.TimedOut = exit.TimedOut
	return tool.Text(text+"\n\n"+ending(d), d)
}

func ending(d pollDetails) string {
	switch {
	case d.ExitCode != nil:
		return fmt.Sprintf("Process exited with code %d.", *d.ExitCode)
	case d.ExitSignal != nil:
		return "Process exited with signal " + *d.ExitSignal + "."
	}
	return "Process ended with its sandbox."
}

type logDetails struct {
	Status          string `json:"status"`
	SessionID       string `json:"sessionId"`
	Name            string `json:"name"`
	StdinWritable   bool   `json:"stdinWritable"`
	WaitingForInput bool   `json:"waitingForInput"`
	IdleMs          int64  `json:"idleMs"`
	LastOutputAt    int64  `json:"lastOutputAt"`
	Output          string `json:"output"`
	Total           int    `json:"total"`
	TotalLines      int    `json:"totalLines"`
	TotalChars      int    `json:"totalChars"`
	Truncated       bool   `json:"truncated"`
}

// logOf shows a window of the output by lines, the last ones by default.
func logOf(p *procs.Process, a args) tool.Result {
	text, st := p.Out.Text(), p.Out.Stats()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	from, to := window(len(lines), a.Offset, a.Limit)
	d := logDetails{
		Status: "running", SessionID: p.ID, Name: p.Name, Output: strings.Join(lines[from:to], "\n"),
		Total: len(lines), TotalLines: len(lines), TotalChars: len([]rune(text)), Truncated: st.Truncated,
	}
	if !p.Running() {
		d.Status = status(p)
	}
	d.StdinWritable, d.WaitingForInput, d.IdleMs, d.LastOutputAt = activity(p, st)
	shown := d.Output
	switch {
	case len(lines) == 0:
		shown = "(no output yet)"
	case from > 0 || to < len(lines):
		shown += fmt.Sprintf("\n\n[showing lines %d-%d of %d; pass offset and limit to page]", from+1, to, len(lines))
	}
	return tool.Text(shown, d)
}

// window is the half-open range of lines that offset and limit ask for.
func window(n int, offset, limit *float64) (from, to int) {
	if offset == nil && limit == nil {
		return max(0, n-logWindow), n
	}
	count := n
	if limit != nil && *limit > 0 {
		count = int(min(*limit, float64(n)))
	}
	if offset == nil {
		return max(0, n-count), n
	}
	from = int(max(0, min(*offset, float64(n))))
	return from, min(n, from+count)
}
