// Package livebox is the Box that every backend with a supervisor hands out:
// commands go over the supervisor's connection, files of the workspace are
// reached from the host, and paths that exist only inside through a helper
// process there.
package livebox

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// Options make a box.
type Options struct {
	Info  sandbox.Info
	Conn  *client.Conn
	Files sandbox.Files // the workspace, from the host
	Env   []string      // of every command, below what the command sets
	// Inside are the mount points inside other than the workspace's own.
	Inside []string
	// Stop ends and removes what holds the box; called once.
	Stop func(ctx context.Context) error
	// OOMKills counts the processes that the box's memory limit has killed,
	// from none when the box is made; nil where nobody can know. Memory is the
	// limit.
	OOMKills func() int64
	Memory   int64
	// PIDs are the box's processes on the host; nil where they cannot be seen.
	PIDs func() []int
	// Let releases what the gateway holds when it lets go of the box without
	// ending it; may be nil.
	Let func()
}

// Box is a live box.
type Box struct {
	o      Options
	files  *files
	used   atomic.Int64
	ooms   atomic.Int64 // kills that a command was told of
	full   atomic.Pointer[string]
	mu     sync.Mutex // guards the owner in o.Info, and why
	why    string     // of the last reset
	resets atomic.Uint64
	once   sync.Once
	err    error
}

var (
	_ sandbox.Box        = (*Box)(nil)
	_ sandbox.Watched    = (*Box)(nil)
	_ sandbox.Idler      = (*Box)(nil)
	_ sandbox.Assignable = (*Box)(nil)
	_ sandbox.Resetter   = (*Box)(nil)
	_ sandbox.Fillable   = (*Box)(nil)
	_ sandbox.Populated  = (*Box)(nil)
)

// New wraps a connected supervisor.
func New(o Options) *Box {
	b := &Box{o: o}
	b.used.Store(time.Now().UnixNano())
	b.files = &files{Files: o.Files, box: b, inside: o.Inside}
	return b
}

// Assign gives a box from the pool its owner.
func (b *Box) Assign(o sandbox.Owner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o.Info.Tenant, b.o.Info.Scope, b.o.Info.Key = o.Tenant, o.Scope, o.Key
}

// Reset stops everything that runs inside; what it ends says why.
func (b *Box) Reset(why string) error {
	b.mu.Lock()
	b.why = why
	b.mu.Unlock()
	b.resets.Add(1)
	return b.o.Conn.Reset()
}

// SetFull makes the workspace refuse more files from the host's side.
func (b *Box) SetFull(why string) {
	if why == "" {
		b.full.Store(nil)
		return
	}
	b.full.Store(&why)
}

// HostPIDs are the box's processes as the host numbers them, as far as they
// can be seen.
func (b *Box) HostPIDs() []int {
	if b.o.PIDs == nil {
		return nil
	}
	return b.o.PIDs()
}

// Info describes the box.
func (b *Box) Info() sandbox.Info {
	b.mu.Lock()
	i := b.o.Info
	b.mu.Unlock()
	i.LastUsed = time.Unix(0, b.used.Load())
	return i
}

// Start runs a command; its environment is the box's with the command's laid
// over it.
func (b *Box) Start(ctx context.Context, c sandbox.Cmd) (sandbox.Proc, error) {
	b.used.Store(time.Now().UnixNano())
	c.Env = mergeEnv(b.o.Env, c.Env)
	resets := b.resets.Load()
	p, err := b.o.Conn.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return proc{p, b, resets}, nil
}

// Files is the workspace and, by absolute path, what exists only inside.
func (b *Box) Files() sandbox.Files {
	b.used.Store(time.Now().UnixNano())
	return b.files
}

// Done is closed when the supervisor went away.
func (b *Box) Done() <-chan struct{} { return b.o.Conn.Done() }

// Active is how many commands run.
func (b *Box) Active() int { return b.o.Conn.Active() }

// Conn is the supervisor's connection, for probes and measurements.
func (b *Box) Conn() *client.Conn { return b.o.Conn }

// Detach lets go of the box without ending it, for a later gateway to adopt.
func (b *Box) Detach() {
	_ = b.o.Conn.Close()
	if b.o.Let != nil {
		b.o.Let()
	}
}

// Close ends the box and removes it.
func (b *Box) Close(ctx context.Context) error {
	b.once.Do(func() {
		_ = b.o.Conn.Close()
		if b.o.Stop != nil {
			b.err = b.o.Stop(ctx)
		}
		if c, ok := b.o.Files.(interface{ Close() error }); ok {
			_ = c.Close()
		}
	})
	return b.err
}

// proc is a command that a limit may kill.
type proc struct {
	sandbox.Proc
	b      *Box
	resets uint64 // of the box when it started
}

// Wait says also whether a limit killed the command.
func (p proc) Wait(ctx context.Context) (sandbox.Exit, error) {
	x, err := p.Proc.Wait(ctx)
	const killed = int(syscall.SIGKILL)
	if err != nil || x.TimedOut || x.Signal != killed && x.Code != 128+killed {
		return x, err
	}
	if p.b.resets.Load() != p.resets {
		p.b.mu.Lock()
		x.Stopped = p.b.why
		p.b.mu.Unlock()
		return x, nil
	}
	if p.b.o.OOMKills != nil {
		n := p.b.o.OOMKills()
		if x.OOM = n > p.b.ooms.Swap(n); x.OOM {
			x.Memory = p.b.o.Memory
		}
	}
	return x, err
}

func mergeEnv(base, over []string) []string {
	if len(over) == 0 {
		return base
	}
	out := make([]string, 0, len(base)+len(over))
	for _, e := range base {
		k, _, _ := strings.Cut(e, "=")
		hidden := false
		for _, o := range over {
			if strings.HasPrefix(o, k) && len(o) > len(k) && o[len(k)] == '=' {
				hidden = true
				break
			}
		}
		if !hidden {
			out = append(out, e)
		}
	}
	return append(out, over...)
}
