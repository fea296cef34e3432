//go:build linux

// Package gvisor is the embedded backend with a kernel of its own: runsc runs
// the box's programs on gVisor's kernel in user space, so that they never
// speak to the host's. runsc itself is started without any privilege inside a
// namespace box with a read-only minimum of the host, no network and a control
// group: who breaks out of gVisor is there and not on the host, and when the
// gateway dies everything goes with the box's first process.
package gvisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/embedded"
	"github.com/chitin-sh/chitin/sandbox/namespace"
	"github.com/chitin-sh/chitin/sandbox/oci"
	"github.com/chitin-sh/chitin/sandbox/probe"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// Name is the backend's name in configurations.
const Name = "gvisor"

// Options of the backend.
type Options struct {
	// StateDir names this gateway among others on the machine.
	StateDir string
	// Program finds the small static program that is launcher and supervisor.
	Program func() (string, error)
	// Runsc is the path of gVisor's runtime; "" looks beside the gateway's
	// own binary, then in PATH.
	Runsc string
}

// Backend makes boxes with runsc.
type Backend struct {
	opts  Options
	live  embedded.Registry
	tree  func() (*cgroup.Tree, error)
	probe func() sandbox.Status

	version func() string
}

var _ sandbox.Backend = (*Backend)(nil)

// New makes the backend. It looks for runsc and tries it on first use.
func New(o Options) *Backend {
	b := &Backend{opts: o}
	b.tree = sync.OnceValues(func() (*cgroup.Tree, error) { return cgroup.Detect(namespace.TreeName(Name, o.StateDir)) })
	b.version = sync.OnceValue(func() string {
		if v, ok := b.remembered(); ok {
			return v
		}
		return version(o.Runsc)
	})
	b.probe = sync.OnceValue(b.look)
	return b
}

// Name returns "gvisor".
func (b *Backend) Name() string { return Name }

// Status says whether boxes can be made here, and what they lack.
func (b *Backend) Status(context.Context) sandbox.Status { return b.probe() }

// Create starts a box: about a fifth of a second.
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
	return embedded.Create(ctx, embedded.Recipe{Backend: Name, Tier: sandbox.TierGVisor, Request: r, Tree: tree, Live: &b.live, Extra: overhead(),
		Expect: func(e *probe.Expectation) {
			e.NoDevUnseen = true // device files cannot be made without a capability that nobody has
			e.Skip["at"] = "gVisor numbers files itself; runsc is given the mounts by descriptor or checked path"
		},
		Start: func(g *cgroup.Group) (*client.Conn, embedded.Process, error) {
			return b.start(ctx, r.Spec, g)
		}})
}

// overhead is what gVisor's own processes need on top of a box's limits.
func overhead() cgroup.Limits { return cgroup.Limits{Memory: 256 << 20, Pids: 512} }

// Where things are in the namespace box that runsc runs in.
const (
	bundleDir = "/bundle"
	rootDir   = bundleDir + "/rootfs"
	stateDir  = "/run"
	runscPath = "/runsc"
)

// start runs runsc in a namespace box and waits for the supervisor within.
func (b *Backend) start(ctx context.Context, s sandbox.Spec, g *cgroup.Group) (*client.Conn, embedded.Process, error) {
	exe, err := b.opts.Program()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	runsc, err := find(b.opts.Runsc)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	nonce := embedded.Nonce()
	bp, id, err := draw(s, exe, runsc, nonce, g)
	if err != nil {
		return nil, nil, err
	}
	// Descriptors cannot be passed into another kernel.
	return namespace.Start(ctx, bp, id, exe, g, client.Options{Nonce: nonce, NoFDs: true, Timeout: greetTime})
}

// draw builds the outer box around a bundle.
func draw(s sandbox.Spec, exe, runsc, nonce string, g *cgroup.Group) (*namespace.Blueprint, namespace.Identity, error) {
	uid, gid, err := embedded.User(s.User)
	if err != nil {
		return nil, namespace.Identity{}, err
	}
	view, err := oci.SpecView(s.Image, uid, gid)
	if err != nil {
		return nil, namespace.Identity{}, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	inner := append([]sandbox.Mount{{Source: s.Workspace, Target: sandbox.Workdir, ReadOnly: s.ReadOnly()}}, s.Mounts...)
	b := oci.Bundle{Root: rootDir, UID: uid, GID: gid, HostUID: uid, HostGID: gid, Argv: []string{supervisor.Path},
		Env:   []string{supervisor.EnvNonce + "=" + nonce, sandbox.DefaultEnv},
		Tmpfs: s.Tmpfs, Limits: s.Limits, Groups: g != nil}
	bp := &namespace.Blueprint{Nested: true, View: view.Under(rootDir)}
	if g != nil {
		bp.Groups = g.Dirs()
		bp.View.Dirs = append(bp.View.Dirs, rootDir+"/sys/fs/cgroup")
	}
	for i, m := range inner {
		at := "/mounts/" + strconv.Itoa(i)
		bp.Mounts = append(bp.Mounts, sandbox.Mount{Source: m.Source, Target: at, ReadOnly: m.ReadOnly})
		b.Mounts = append(b.Mounts, sandbox.Mount{Source: at, Target: m.Target, ReadOnly: m.ReadOnly})
		if fi, err := os.Stat(m.Source); err == nil && !fi.IsDir() { // a file is mounted on a file
			bp.View.Dirs = append(bp.View.Dirs, rootDir+filepath.Dir(m.Target))
			bp.View.Files = append(bp.View.Files, oci.File{Path: rootDir + m.Target, Mode: 0o644})
			continue
		}
		bp.View.Dirs = append(bp.View.Dirs, rootDir+m.Target)
	}
	for _, t := range s.Tmpfs {
		bp.View.Dirs = append(bp.View.Dirs, rootDir+t.Path)
	}
	config, err := b.Config()
	if err != nil {
		return nil, namespace.Identity{}, err
	}
	bp.View.Dirs = append([]string{bundleDir, rootDir}, bp.View.Dirs...)
	bp.View.Dirs = append(bp.View.Dirs, "/proc", "/tmp", "/etc", "/sys", stateDir, rootDir+sandbox.ControlDir)
	bp.View.Files = append(bp.View.Files, oci.File{Path: bundleDir + "/config.json", Mode: 0o644, Content: string(config)})
	bp.Mounts = append(bp.Mounts,
		sandbox.Mount{Source: exe, Target: rootDir + supervisor.Path, ReadOnly: true},
		sandbox.Mount{Source: runsc, Target: runscPath, ReadOnly: true})
	bp.Tmpfs = []sandbox.Tmpfs{{Path: stateDir, Size: 4 << 20, Inodes: 256}}
	bp.Bounds = map[int][2]uint64{unix.RLIMIT_CORE: {0, 0}}
	// runsc leaves once the box runs, and the small program stays for it.
	bp.Run = namespace.Program{Path: rootDir + supervisor.Path, Argv: append([]string{supervisor.Path, supervisor.Keep}, arguments()...),
		Env: append(supervisor.KeepEnv(), "PATH=/")}
	return bp, namespace.Self(uid, gid), nil
}

// arguments start runsc without privilege, network, host sockets or logs.
func arguments() []string {
	return []string{runscPath, "--root=" + stateDir, "--platform=systrap", "--network=none", "--ignore-cgroups",
		"--oci-seccomp", "--overlay2=none", "--host-uds=none", "--host-fifo=none",
		"--file-access=exclusive", "--host-settings=ignore", "--log=/dev/null", "run", "--detach", "--bundle=" + bundleDir, "box"}
}

// Adopt finds nothing: a box of this backend does not outlive its gateway.
func (b *Backend) Adopt(context.Context, sandbox.Request) (sandbox.Box, error) {
	return nil, sandbox.ErrGone
}

// Sweep closes boxes and removes the control groups that a killed gateway left.
func (b *Backend) Sweep(ctx context.Context, keep func(id string) bool) (int, error) {
	tree, _ := b.tree()
	return b.live.Sweep(ctx, tree, keep)
}
