//go:build linux

package namespace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/embedded"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/oci"
	"github.com/chitin-sh/chitin/sandbox/probe"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// Options of the backend.
type Options struct {
	// StateDir names this gateway among others on the machine.
	StateDir string
	// Program finds the small static program that is launcher and supervisor.
	Program func() (string, error)
}

// Name is the backend's name in configurations.
const Name = "namespace"

// Backend makes boxes out of namespaces.
type Backend struct {
	opts  Options
	live  embedded.Registry
	tree  func() (*cgroup.Tree, error)
	probe func() sandbox.Status
	edit  func([]launch.Step) []launch.Step // tests weaken a plan with it
}

var _ sandbox.Backend = (*Backend)(nil)

// New makes the backend. It looks at the machine on first use.
func New(o Options) *Backend {
	b := &Backend{opts: o}
	b.tree = sync.OnceValues(func() (*cgroup.Tree, error) { return cgroup.Detect(TreeName(Name, o.StateDir)) })
	b.probe = sync.OnceValue(b.look)
	return b
}

// TreeName names the control groups of one backend of one state directory. No
// name is the beginning of another.
func TreeName(backend, stateDir string) string {
	sum := sha256.Sum256([]byte(stateDir))
	return "chitin-" + backend + "-" + hex.EncodeToString(sum[:6])
}

// Name returns "namespace".
func (b *Backend) Name() string { return Name }

// Status says whether boxes can be made here, and what they lack.
func (b *Backend) Status(context.Context) sandbox.Status { return b.probe() }

// Create starts a box: about eight milliseconds.
func (b *Backend) Create(ctx context.Context, r sandbox.Request) (sandbox.Box, error) {
	if err := embedded.Check(r.Spec); err != nil {
		return nil, err
	}
	if st := b.probe(); !st.Available {
		return nil, fmt.Errorf("%w: %s", sandbox.ErrUnavailable, st.Reason)
	}
	return b.create(ctx, r)
}

func (b *Backend) create(ctx context.Context, r sandbox.Request) (sandbox.Box, error) {
	tree, _ := b.tree() // nil where there is none: limits apply per process
	var view oci.View
	return embedded.Create(ctx, embedded.Recipe{Backend: Name, Tier: sandbox.TierNamespace, Request: r, Tree: tree, Live: &b.live,
		Expect: func(e *probe.Expectation) {
			for _, b := range view.Binds {
				e.Shown = append(e.Shown, b.Target)
			}
		},
		Start: func(g *cgroup.Group) (*client.Conn, embedded.Process, error) {
			exe, err := b.opts.Program()
			if err != nil {
				return nil, nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
			}
			nonce := embedded.Nonce()
			bp, id, err := draw(r.Spec, exe, nonce, tree)
			if err != nil {
				return nil, nil, err
			}
			view, bp.edit = bp.View, b.edit
			if g != nil {
				bp.Groups = g.Dirs()
			}
			return Start(ctx, bp, id, exe, g, client.Options{Nonce: nonce})
		}})
}

// Start builds a box with the launcher exe, puts it into group g, which may be
// nil, and waits for the greeting of the supervisor in it.
func Start(ctx context.Context, bp *Blueprint, id Identity, exe string, g *cgroup.Group,
	o client.Options) (*client.Conn, embedded.Process, error) {
	mounts, err := bp.open(id.privileged)
	defer closeFiles(mounts)
	if err != nil {
		return nil, nil, err
	}
	steps, err := bp.steps()
	if err != nil {
		return nil, nil, err
	}
	if bp.edit != nil {
		steps = bp.edit(steps)
	}
	channel := embedded.Socket
	if bp.Nested {
		channel = embedded.Pipes
	}
	host, err := channel()
	if err != nil {
		return nil, nil, err
	}
	var said lastWords
	var stderr io.Writer
	if bp.Nested {
		stderr = &said
	}
	p, err := spawn(exe, id, host.In, host.Out, mounts, stderr, g)
	host.Release()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err), host.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err = p.send(ctx, steps, g)
	if err == nil {
		err = p.running(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err), host.Close(), p.killNow())
	}
	conn, err := client.New(ctx, host.ReadWriteCloser, o)
	if err != nil {
		kerr := p.killNow()
		return nil, nil, errors.Join(said.add(err), kerr)
	}
	return conn, p, nil
}

// draw turns a spec into what the launcher is to build.
func draw(s sandbox.Spec, exe, nonce string, tree *cgroup.Tree) (*Blueprint, Identity, error) {
	uid, gid, err := embedded.User(s.User)
	if err != nil {
		return nil, Identity{}, err
	}
	bp := &Blueprint{Tmpfs: s.Tmpfs, Run: Program{
		Path: supervisor.Path,
		Argv: []string{supervisor.Path},
		Env:  append(supervisor.Env(), supervisor.EnvNonce+"="+nonce, sandbox.DefaultEnv),
	}}
	if bp.View, err = oci.SpecView(s.Image, uid, gid); err != nil {
		return nil, Identity{}, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	if bp.Bounds, err = Bounds(s.Limits, tree); err != nil {
		return nil, Identity{}, err
	}
	bp.Mounts = append(bp.Mounts, sandbox.Mount{Source: s.Workspace, Target: sandbox.Workdir, ReadOnly: s.ReadOnly()})
	bp.Mounts = append(bp.Mounts, s.Mounts...)
	bp.Mounts = append(bp.Mounts, sandbox.Mount{Source: exe, Target: supervisor.Path, ReadOnly: true})
	return bp, Self(uid, gid), nil
}

// open looks every mount's source up once, without following a link. Root
// takes the mount itself along as a descriptor; anybody else can only say
// which file the path must still lead to.
func (b *Blueprint) open(privileged bool) ([]*os.File, error) {
	b.byFD = privileged
	var files []*os.File
	for _, m := range b.Mounts {
		f, id, err := openSource(m.Source, privileged)
		if err != nil {
			return files, fmt.Errorf("%w: mount %s: %w", sandbox.ErrRefused, m.Source, err)
		}
		if f != nil {
			files = append(files, f)
		}
		b.ids = append(b.ids, id)
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// Adopt finds nothing: a box of this backend does not outlive its gateway.
func (b *Backend) Adopt(context.Context, sandbox.Request) (sandbox.Box, error) {
	return nil, sandbox.ErrGone
}

// Sweep closes boxes and removes the control groups that a killed gateway left. Its processes
// and mounts went with it.
func (b *Backend) Sweep(ctx context.Context, keep func(id string) bool) (int, error) {
	tree, _ := b.tree()
	return b.live.Sweep(ctx, tree, keep)
}

// openSource opens what is to be mounted. dev and inode name it.
func openSource(path string, privileged bool) (*os.File, string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, "", err
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(fd)
	if !privileged {
		id, err := identify(fd)
		return nil, id, err
	}
	tree, err := unix.OpenTree(fd, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return nil, "", err
	}
	return os.NewFile(uintptr(tree), path), "", nil
}
