//go:build linux

package namespace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/embedded"
	"github.com/chitin-sh/chitin/sandbox/oci"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// Options of the backend.
type Options struct {
	// StateDir names this gateway among others on the machine.
	StateDir string
	// Program finds the small static program that is launcher and supervisor.
	Program func() (string, error)
	// Prove runs the probes in a box before it is handed out; nil when the
	// caller proves by itself.
	Prove func(ctx context.Context, b sandbox.Box, r sandbox.Request) error
}

// Name is the backend's name in configurations.
const Name = "namespace"

// Backend makes boxes out of namespaces.
type Backend struct {
	opts  Options
	tree  func() (*cgroup.Tree, error)
	probe func() sandbox.Status
}

var _ sandbox.Backend = (*Backend)(nil)

// New makes the backend. It looks at the machine on first use.
func New(o Options) *Backend {
	b := &Backend{opts: o}
	b.tree = sync.OnceValues(func() (*cgroup.Tree, error) { return cgroup.Detect(TreeName(o.StateDir)) })
	b.probe = sync.OnceValue(b.look)
	return b
}

// TreeName names the control groups of one state directory.
func TreeName(stateDir string) string {
	sum := sha256.Sum256([]byte(stateDir))
	return "chitin-" + hex.EncodeToString(sum[:6])
}

// Name returns "namespace".
func (b *Backend) Name() string { return Name }

// Status says whether boxes can be made here, and what they lack.
func (b *Backend) Status(context.Context) sandbox.Status { return b.probe() }

// Create starts a box: about eight milliseconds.
func (b *Backend) Create(ctx context.Context, r sandbox.Request) (sandbox.Box, error) {
	if err := embedded.Unsupported(r.Spec); err != nil {
		return nil, err
	}
	if st := b.probe(); !st.Available {
		return nil, fmt.Errorf("%w: %s", sandbox.ErrUnavailable, st.Reason)
	}
	box, err := b.create(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Prove && b.opts.Prove != nil {
		if err := b.opts.Prove(ctx, box, r); err != nil {
			return nil, errors.Join(err, box.Close(ctx))
		}
	}
	return box, nil
}

func (b *Backend) create(ctx context.Context, r sandbox.Request) (box *embedded.Box, err error) {
	exe, err := b.opts.Program()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	nonce := embedded.Nonce()
	tree, _ := b.tree() // nil where there is none: limits apply per process
	bp, id, err := draw(r.Spec, exe, nonce, tree)
	if err != nil {
		return nil, err
	}
	var undo undoList
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.run())
		}
	}()
	var group *cgroup.Group
	if tree != nil {
		if group, err = tree.Create(r.ID, groupLimits(r.Spec.Limits)); err != nil {
			return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
		}
		undo.add(func() error { return group.Remove(killTime) })
		bp.group = group.Dirs()
	}
	files, err := embedded.OpenFiles(r)
	if err != nil {
		return nil, err
	}
	if c, ok := files.(interface{ Close() error }); ok {
		undo.add(c.Close)
	}
	conn, p, err := b.start(ctx, bp, id, exe, group, client.Options{Nonce: nonce})
	if err != nil {
		return nil, err
	}
	return embedded.NewBox(embedded.Parts{Backend: Name, Tier: sandbox.TierNamespace, Request: r, Conn: conn,
		Process: p, Group: group, Files: files}), nil
}

// start launches process 1 and waits for its greeting.
func (b *Backend) start(ctx context.Context, bp *blueprint, id identity, exe string, g *cgroup.Group,
	o client.Options) (*client.Conn, *initProcess, error) {
	mounts, err := bp.open(id.privileged)
	defer closeFiles(mounts)
	if err != nil {
		return nil, nil, err
	}
	steps, err := bp.steps()
	if err != nil {
		return nil, nil, err
	}
	host, control, err := embedded.Pair()
	if err != nil {
		return nil, nil, err
	}
	p, err := spawn(exe, id, control, mounts)
	_ = control.Close()
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
	conn, err := client.New(ctx, host, o)
	if err != nil {
		return nil, nil, errors.Join(err, p.killNow())
	}
	return conn, p, nil
}

// draw turns a spec into what the launcher is to build.
func draw(s sandbox.Spec, exe, nonce string, tree *cgroup.Tree) (*blueprint, identity, error) {
	uid, gid, err := embedded.User(s.User)
	if err != nil {
		return nil, identity{}, err
	}
	bp := &blueprint{spec: s, run: program{
		path: supervisor.Path,
		argv: []string{supervisor.Path},
		env:  []string{supervisor.EnvNonce + "=" + nonce, sandbox.DefaultEnv},
	}}
	if s.Image == "" {
		bp.view, err = oci.HostView(uid, gid)
	} else {
		bp.view, err = oci.ImageView(s.Image, uid, gid)
	}
	if err != nil {
		return nil, identity{}, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	if bp.bounds, err = bounds(s.Limits, tree); err != nil {
		return nil, identity{}, err
	}
	bp.mounts = append(bp.mounts, sandbox.Mount{Source: s.Workspace, Target: sandbox.Workdir, ReadOnly: s.ReadOnly()})
	bp.mounts = append(bp.mounts, s.Mounts...)
	bp.mounts = append(bp.mounts, sandbox.Mount{Source: exe, Target: supervisor.Path, ReadOnly: true})
	return bp, self(uid, gid), nil
}

func groupLimits(l sandbox.Limits) cgroup.Limits {
	return cgroup.Limits{Memory: l.Memory, Pids: l.Pids, NanoCPUs: l.NanoCPUs}
}

// open looks every mount's source up once, without following a link. Root
// takes the mount itself along as a descriptor; anybody else can only say
// which file the path must still lead to.
func (b *blueprint) open(privileged bool) ([]*os.File, error) {
	b.byFD = privileged
	var files []*os.File
	for _, m := range b.mounts {
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

// Sweep removes the control groups that a killed gateway left. Its processes
// and mounts went with it.
func (b *Backend) Sweep(_ context.Context, keep func(id string) bool) (int, error) {
	tree, err := b.tree()
	if err != nil {
		return 0, nil
	}
	n := 0
	var errs error
	for _, name := range tree.Names() {
		if keep != nil && keep(name) {
			continue
		}
		g := tree.Open(name)
		g.Kill()
		if err := g.Remove(killTime); err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		n++
	}
	return n, errs
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
