//go:build linux

// Package embedded is what the backends without a daemon have in common: a box
// that is a child of the gateway, spoken to over a socket that was its standard
// input from the start, bounded by a control group where one can be made.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
	"github.com/chitin-sh/chitin/sandbox/workspace"
)

// Process is the box's first process as the gateway sees it.
type Process interface {
	// Kill ends the box with everything in it and waits for that.
	Kill(ctx context.Context) error
	// Done is closed when it has ended.
	Done() <-chan struct{}
}

// Box is a live box of an embedded backend.
type Box struct {
	info  sandbox.Info
	env   []string
	conn  *client.Conn
	proc  Process
	group *cgroup.Group
	files sandbox.Files
	after func() // removes what else the box had

	mu   sync.Mutex
	used time.Time
	once sync.Once
	done chan struct{}
	err  error
}

// Parts are what a box is put together from. Group and After may be nil.
type Parts struct {
	Backend string
	Tier    sandbox.Tier
	Request sandbox.Request
	Conn    *client.Conn
	Process Process
	Group   *cgroup.Group
	Files   sandbox.Files
	After   func()
}

// NewBox makes the box. It is over when its first process ends.
func NewBox(p Parts) *Box {
	now := time.Now()
	s := p.Request.Spec
	b := &Box{env: s.Env, conn: p.Conn, proc: p.Process, group: p.Group, files: p.Files, after: p.After, used: now,
		done: make(chan struct{}),
		info: sandbox.Info{ID: p.Request.ID, Backend: p.Backend, Tier: string(p.Tier), Scope: p.Request.Owner.Scope,
			Key: p.Request.Owner.Key, Tenant: p.Request.Owner.Tenant, Image: s.Image, Workdir: sandbox.Workdir,
			Workspace: s.Workspace, Access: s.Access, Hash: s.Hash(), Created: now}}
	go func() {
		<-b.proc.Done()
		b.release(context.Background())
	}()
	return b
}

// Info describes the box.
func (b *Box) Info() sandbox.Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.info
	i.LastUsed = b.used
	return i
}

// Files is the workspace.
func (b *Box) Files() sandbox.Files { return b.files }

// Done is closed when the box is gone and nothing of it is left.
func (b *Box) Done() <-chan struct{} { return b.done }

// Active is how many processes callers have running.
func (b *Box) Active() int { return b.conn.Active() }

// Start runs a command. Without an environment of its own it gets the box's.
func (b *Box) Start(ctx context.Context, c sandbox.Cmd) (sandbox.Proc, error) {
	b.mu.Lock()
	b.used = time.Now()
	b.mu.Unlock()
	if c.Env == nil {
		c.Env = b.env
	}
	var before int64
	if b.group != nil {
		before = b.group.OOMKills()
	}
	p, err := b.conn.Start(ctx, c)
	if err != nil || b.group == nil {
		return p, err
	}
	return &proc{Proc: p, group: b.group, before: before}, nil
}

// Close ends the box and waits until nothing of it is left.
func (b *Box) Close(ctx context.Context) error {
	b.release(ctx)
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patience is how long the kernel may take to let go of a killed box.
const patience = 5 * time.Second

func (b *Box) release(ctx context.Context) {
	b.once.Do(func() {
		defer close(b.done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err := b.proc.Kill(ctx)
		b.conn.Quit()
		if b.group != nil {
			b.group.Kill()
			err = errors.Join(err, b.group.Remove(patience))
		}
		if c, ok := b.files.(interface{ Close() error }); ok {
			err = errors.Join(err, c.Close())
		}
		if b.after != nil {
			b.after()
		}
		b.err = err
	})
}

// proc adds to a process what only its control group knows.
type proc struct {
	sandbox.Proc
	group  *cgroup.Group
	before int64
}

// Wait says also whether the memory limit killed the process.
func (p *proc) Wait(ctx context.Context) (sandbox.Exit, error) {
	x, err := p.Proc.Wait(ctx)
	if x.Signal == int(syscall.SIGKILL) || x.Code == 128+int(syscall.SIGKILL) {
		x.OOM = p.group.OOMKills() > p.before
	}
	return x, err
}

// OpenFiles opens the workspace of a request. Root gives new files to the user
// inside; anybody else is that user.
func OpenFiles(r sandbox.Request) (sandbox.Files, error) {
	o := workspace.Options{Workdir: sandbox.Workdir, ReadOnly: r.Spec.ReadOnly()}
	if r.Dir != "" {
		o.IntentDir = filepath.Join(r.Dir, "intent")
		if err := os.Mkdir(o.IntentDir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	if os.Geteuid() == 0 {
		uid, gid, err := User(r.Spec.User)
		if err != nil {
			return nil, err
		}
		o.UID, o.GID = uid, gid
	}
	return workspace.Open(r.Spec.Workspace, o)
}

// User parses uid:gid. Zero is refused: nobody is root in a box.
func User(s string) (uid, gid int, err error) {
	u, g, ok := strings.Cut(s, ":")
	if !ok {
		g = u
	}
	uid, err1 := strconv.Atoi(u)
	gid, err2 := strconv.Atoi(g)
	if err1 != nil || err2 != nil || uid <= 0 || gid <= 0 || uid >= math.MaxInt32 || gid >= math.MaxInt32 {
		return 0, 0, fmt.Errorf("%w: user %q must be uid:gid, neither of them 0", sandbox.ErrRefused, s)
	}
	return uid, gid, nil
}

// Nonce proves a box to its gateway.
func Nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Pair makes the two ends of a box's channel.
func Pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("sandbox: %w", err)
	}
	host, box := os.NewFile(uintptr(fds[0]), "host"), os.NewFile(uintptr(fds[1]), "box")
	defer host.Close()
	c, err := net.FileConn(host)
	if err != nil {
		return nil, nil, errors.Join(err, box.Close())
	}
	return c.(*net.UnixConn), box, nil
}

// Unsupported refuses what a spec asks of an engine and an embedded backend
// cannot give, so that nothing is quietly left out.
func Unsupported(s sandbox.Spec) error {
	refuse := func(what string) error {
		return fmt.Errorf("%w: the embedded backends have %s", sandbox.ErrRefused, what)
	}
	switch {
	case s.Network != "none":
		return refuse("no network; set network to none or use an engine")
	case s.AppArmor != "" && s.AppArmor != "unconfined":
		return refuse("no AppArmor profile of their own; leave apparmorProfile out")
	case s.Seccomp != "":
		return refuse("one built-in system call filter; leave seccompProfile out")
	case s.Image != "" && !strings.HasPrefix(s.Image, "/"):
		return refuse("no image store; set image to a directory with a root file system, or leave it out")
	case s.Workspace == "":
		return refuse("no workspace of their own; name a directory")
	}
	return nil
}
