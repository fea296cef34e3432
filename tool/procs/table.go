// Package procs keeps the background processes of sessions: exec puts them in,
// process looks after them. A session sees only its own.
package procs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// Key is whose processes they are. Tenant first: a session name alone is
// something that two tenants may share.
type Key struct{ Tenant, Session string }

// Limits bound one session's processes. The zero value has the defaults.
type Limits struct {
	Running  int           // at the same time; default 32
	Finished int           // remembered after their end; default 32
	Forget   time.Duration // how long they are remembered; default 30 minutes
}

// ErrTooMany says that a session has as many processes as it may.
var ErrTooMany = errors.New("too many background processes in this session")

// Table holds the processes of all sessions. Safe for concurrent use.
type Table struct {
	limits Limits
	mu     sync.Mutex
	procs  map[Key][]*Process // oldest first
	wait   sync.WaitGroup
}

// NewTable makes an empty table.
func NewTable(l Limits) *Table {
	if l.Running <= 0 {
		l.Running = 32
	}
	if l.Finished <= 0 {
		l.Finished = 32
	}
	if l.Forget <= 0 {
		l.Forget = 30 * time.Minute
	}
	return &Table{limits: l, procs: map[Key][]*Process{}}
}

// Process is one background process.
type Process struct {
	ID      string
	Command string
	Name    string // short form of the command
	Cwd     string
	Started time.Time
	Out     *Output

	proc  sandbox.Proc
	stop  context.CancelFunc
	stdin io.WriteCloser
	done  chan struct{}

	mu     sync.Mutex
	ended  time.Time
	exit   sandbox.Exit
	err    error
	killed bool
}

// Start is what exec knows of a process that goes to the background.
type Start struct {
	Command, Cwd string
	Started      time.Time
	Proc         sandbox.Proc
	Out          *Output
	Stdin        io.WriteCloser     // nil when nothing can be written
	Stop         context.CancelFunc // ends the process group
}

// Room reports ErrTooMany when the session may start no further process.
func (t *Table) Room(key Key) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	running := 0
	for _, p := range t.procs[key] {
		if p.Running() {
			running++
		}
	}
	if running >= t.limits.Running {
		return ErrTooMany
	}
	return nil
}

// Add takes over a running process and waits for its end in the background.
func (t *Table) Add(ctx context.Context, key Key, s Start) *Process {
	p := &Process{
		Command: s.Command, Name: shortName(s.Command), Cwd: s.Cwd, Started: s.Started,
		Out: s.Out, proc: s.Proc, stop: s.Stop, stdin: s.Stdin, done: make(chan struct{}),
	}
	t.mu.Lock()
	p.ID = t.freeID(key)
	t.procs[key] = append(t.prune(t.procs[key]), p)
	t.mu.Unlock()
	t.wait.Add(1)
	go func() {
		defer t.wait.Done()
		p.watch(context.WithoutCancel(ctx))
	}()
	return p
}

func (p *Process) watch(ctx context.Context) {
	exit, err := p.proc.Wait(ctx)
	p.mu.Lock()
	p.exit, p.err, p.ended = exit, err, time.Now()
	p.mu.Unlock()
	p.stop()
	close(p.done)
}

// prune drops finished processes that are too old or too many.
func (t *Table) prune(list []*Process) []*Process {
	finished := 0
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Running() {
			continue
		}
		finished++
		if finished > t.limits.Finished || time.Since(list[i].Ended()) > t.limits.Forget {
			list = slices.Delete(list, i, i+1)
		}
	}
	return list
}

// freeID is two words that no process of the session has.
func (t *Table) freeID(key Key) string {
	for try := 0; ; try++ {
		id := firstWords[rand.N(len(firstWords))] + "-" + secondWords[rand.N(len(secondWords))]
		if try > 20 {
			id = fmt.Sprintf("%s-%d", id, try)
		}
		if !slices.ContainsFunc(t.procs[key], func(p *Process) bool { return p.ID == id }) {
			return id
		}
	}
}

// List is the session's processes, newest first.
func (t *Table) List(key Key) []*Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.procs[key] = t.prune(t.procs[key])
	if len(t.procs[key]) == 0 {
		delete(t.procs, key)
		return nil
	}
	list := slices.Clone(t.procs[key])
	slices.Reverse(list)
	return list
}

// Get finds a process of the session.
func (t *Table) Get(key Key, id string) (*Process, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.procs[key] {
		if p.ID == id {
			return p, true
		}
	}
	return nil, false
}

// Remove forgets a process, ending it when it still runs.
func (t *Table) Remove(key Key, p *Process) {
	t.mu.Lock()
	t.procs[key] = slices.DeleteFunc(t.procs[key], func(q *Process) bool { return q == p })
	if len(t.procs[key]) == 0 {
		delete(t.procs, key)
	}
	t.mu.Unlock()
	if p.Running() {
		p.Kill()
	}
}

// CloseSession ends and forgets everything of a session.
func (t *Table) CloseSession(key Key) {
	for _, p := range t.List(key) {
		t.Remove(key, p)
	}
}

// Close ends everything and waits for it, at most as long as ctx lives.
func (t *Table) Close(ctx context.Context) error {
	t.mu.Lock()
	keys := make([]Key, 0, len(t.procs))
	for k := range t.procs {
		keys = append(keys, k)
	}
	t.mu.Unlock()
	for _, k := range keys {
		t.CloseSession(k)
	}
	done := make(chan struct{})
	go func() { t.wait.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PID is the process id in the box, for information only.
func (p *Process) PID() int { return p.proc.PID() }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Ended is when the process ended, zero while it runs.
func (p *Process) Ended() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// Exit is how the process ended; meaningful once Running is false.
func (p *Process) Exit() (sandbox.Exit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit, p.err
}

// Killed reports whether Kill was called.
func (p *Process) Killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// Kill ends the whole process group. It does not wait.
func (p *Process) Kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	_ = p.proc.Signal(int(syscall.SIGKILL)) // gone already: nothing to end
	p.stop()
}

// Writable reports whether Write can reach the process.
func (p *Process) Writable() bool { return p.stdin != nil && p.Running() }

// ErrNoStdin says that a process was started without an input.
var ErrNoStdin = errors.New("stdin is not writable")

// Write sends data to the process and closes its input when eof is set. A
// process that does not read cannot hold the caller longer than ctx.
func (p *Process) Write(ctx context.Context, data []byte, eof bool) error {
	if !p.Writable() {
		return ErrNoStdin
	}
	result := make(chan error, 1)
	go func() {
		_, err := p.stdin.Write(data)
		if eof && err == nil {
			err = p.stdin.Close()
		}
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AwaitOutput waits until there is output for Next, the process has ended or
// ctx is done.
func (p *Process) AwaitOutput(ctx context.Context) {
	more := p.Out.pending()
	if more == nil {
		return
	}
	select {
	case <-more:
	case <-p.done:
	case <-ctx.Done():
	}
}
