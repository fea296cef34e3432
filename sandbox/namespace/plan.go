//go:build linux

package namespace

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/oci"
	"github.com/chitin-sh/chitin/sandbox/seccomp"
)

// Flags of the file systems that a box gets of its own.
const (
	noSuidDev = unix.MS_NOSUID | unix.MS_NODEV
	noAll     = noSuidDev | unix.MS_NOEXEC
)

// Program is what becomes process 1.
type Program struct {
	Path string // inside
	Argv []string
	Env  []string
}

// Blueprint is everything that a box is built from.
type Blueprint struct {
	View   oci.View
	Mounts []sandbox.Mount // host paths; links in a source are followed once
	Tmpfs  []sandbox.Tmpfs
	Groups map[string]string // controller → host directory, shown read-only
	Bounds map[int][2]uint64 // resource → soft and hard limit
	Run    Program
	// Nested leaves out what a sandbox of another kind, started as the
	// program, needs for itself: the masks of /proc, Landlock and the system
	// call filter. Commands of a caller must never run in such a box directly.
	Nested bool

	edit func([]launch.Step) []launch.Step
	ids  []string // launch.Identity of each mount
	byFD bool     // mounts arrive as descriptors instead of paths
}

// steps lists what the launcher is to do, in order.
func (b *Blueprint) steps() ([]launch.Step, error) {
	p := &plan{}
	b.root(p)
	b.devices(p)
	b.kernel(p)
	b.scratch(p)
	for i, m := range b.Mounts {
		attrs := 0
		if m.ReadOnly {
			attrs = launch.AttrReadOnly
		}
		if b.byFD {
			p.add(launch.OpPlace, strconv.Itoa(launch.FirstFD+i), m.Target, strconv.Itoa(attrs))
		} else {
			p.add(launch.OpBind, m.Source, m.Target, strconv.Itoa(attrs), b.ids[i])
		}
	}
	p.add(launch.OpSeal)
	p.add(launch.OpHostname, oci.Hostname)
	p.add(launch.OpLoopback)
	p.add(launch.OpGate) // from here on the process is in its control group
	p.add(launch.OpCgroup)
	for _, r := range sortedKeys(b.Bounds) {
		v := b.Bounds[r]
		p.add(launch.OpRlimit, strconv.Itoa(r), strconv.FormatUint(v[0], 10), strconv.FormatUint(v[1], 10))
	}
	p.add(launch.OpCaps)
	if !b.Nested {
		filter, err := seccomp.Filter()
		if err != nil {
			return nil, err
		}
		p.add(launch.OpLandlock, b.rules()...)
		p.add(launch.OpSeccomp, string(filter))
	}
	args := append([]string{b.Run.Path, strconv.Itoa(len(b.Run.Argv))}, b.Run.Argv...)
	p.add(launch.OpExec, append(args, b.Run.Env...)...)
	return p.steps, nil
}

type plan struct{ steps []launch.Step }

func (p *plan) add(op launch.Op, args ...string) {
	p.steps = append(p.steps, launch.Step{Op: op, Args: args})
}

// root builds the read-only view.
func (b *Blueprint) root(p *plan) {
	for _, d := range b.View.Dirs {
		p.add(launch.OpMkdir, d, "0755")
	}
	for _, l := range b.View.Links {
		p.add(launch.OpSymlink, l.Target, l.Path)
	}
	for _, f := range b.View.Files {
		p.add(launch.OpFile, f.Path, strconv.FormatUint(uint64(f.Mode), 10), f.Content)
	}
	for _, m := range b.View.Binds {
		p.add(launch.OpBind, m.Source, m.Target, strconv.Itoa(launch.AttrReadOnly), launch.Optional)
	}
}

// devices makes a /dev with a handful of nodes and a terminal file system of
// its own, read-only but for that.
func (b *Blueprint) devices(p *plan) {
	p.add(launch.OpMount, "tmpfs", "/dev", strconv.Itoa(unix.MS_NOSUID|unix.MS_NOEXEC), "mode=755,size=64k,nr_inodes=64")
	for _, d := range oci.Devices() {
		p.add(launch.OpBind, d, d, strconv.Itoa(launch.AttrDevices|launch.AttrNoExec), launch.Optional)
	}
	p.add(launch.OpMount, "devpts", "/dev/pts", strconv.Itoa(unix.MS_NOSUID|unix.MS_NOEXEC), "newinstance,ptmxmode=0666,mode=0620")
	for _, l := range [][2]string{{"pts/ptmx", "/dev/ptmx"}, {"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"}} {
		p.add(launch.OpSymlink, l[0], l[1])
	}
	p.add(launch.OpMkdir, "/dev/shm", "0755")
	p.add(launch.OpMkdir, "/dev/mqueue", "0755")
	p.add(launch.OpRestrict, "/dev", strconv.Itoa(launch.AttrReadOnly|launch.AttrNoExec))
}

// kernel mounts a /proc of the box's own processes, masks what it tells of the
// machine, and shows the box its own limits.
func (b *Blueprint) kernel(p *plan) {
	p.add(launch.OpMount, "proc", "/proc", strconv.Itoa(noAll), "")
	if !b.Nested {
		for _, m := range oci.Masked() {
			p.add(launch.OpMask, m)
		}
		for _, m := range oci.ReadOnly() {
			p.add(launch.OpReadOnly, m)
		}
	}
	ro := strconv.Itoa(launch.AttrReadOnly | launch.AttrNoExec)
	for _, c := range sortedKeys(b.Groups) {
		p.add(launch.OpBind, b.Groups[c], filepath.Join("/sys/fs/cgroup", c), ro, "")
	}
}

// scratch mounts memory with a limit of bytes and of inodes.
func (b *Blueprint) scratch(p *plan) {
	for _, t := range b.Tmpfs {
		flags, mode := noSuidDev, "1777"
		if t.NoExec {
			flags = noAll
		}
		if t.Path == "/run" {
			mode = "755"
		}
		p.add(launch.OpMount, "tmpfs", t.Path, strconv.Itoa(flags),
			fmt.Sprintf("mode=%s,size=%d,nr_inodes=%d", mode, t.Size, t.Inodes))
	}
}

// rules are the Landlock rules: read everywhere, write in the scratch and in
// writable mounts, and to devices and the box's own /proc.
func (b *Blueprint) rules() []string {
	out := []string{"/", "ro", "/dev", "dev", "/proc", "dev"}
	for _, t := range b.Tmpfs {
		out = append(out, t.Path, "rw")
	}
	for _, m := range b.Mounts {
		if !m.ReadOnly {
			out = append(out, m.Target, "rw")
		}
	}
	return out
}

// resources are the limits that the kernel keeps per process.
func resources() map[string]int {
	return map[string]int{"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "core": unix.RLIMIT_CORE,
		"fsize": unix.RLIMIT_FSIZE, "memlock": unix.RLIMIT_MEMLOCK, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
		"stack": unix.RLIMIT_STACK, "msgqueue": unix.RLIMIT_MSGQUEUE, "sigpending": unix.RLIMIT_SIGPENDING, "as": unix.RLIMIT_AS}
}

// Bounds turns the spec's limits into resource limits. What no control group
// bounds for the whole box is bounded here for each process.
func Bounds(l sandbox.Limits, tree *cgroup.Tree) (map[int][2]uint64, error) {
	out := map[int][2]uint64{
		unix.RLIMIT_CORE: {0, 0}, unix.RLIMIT_NICE: {0, 0}, unix.RLIMIT_RTPRIO: {0, 0}, unix.RLIMIT_RTTIME: {0, 0},
		unix.RLIMIT_MSGQUEUE: {1 << 16, 1 << 16}, unix.RLIMIT_SIGPENDING: {1024, 1024},
	}
	if l.Pids > 0 && !tree.Has(cgroup.Pids) {
		out[unix.RLIMIT_NPROC] = same(l.Pids)
	}
	if l.Memory > 0 && !tree.Has(cgroup.Memory) {
		out[unix.RLIMIT_DATA] = same(l.Memory)
	}
	table := resources()
	for name, v := range l.Ulimits {
		r, ok := table[name]
		if !ok || v[0] < 0 || v[1] < v[0] {
			return nil, fmt.Errorf("%w: limit %s", sandbox.ErrRefused, name)
		}
		out[r] = [2]uint64{uint64(v[0]), uint64(v[1])}
	}
	for r, v := range out {
		// A limit can be lowered without privilege, never raised.
		var own unix.Rlimit
		if err := unix.Getrlimit(r, &own); err == nil {
			out[r] = [2]uint64{min(v[0], own.Max), min(v[1], own.Max)}
		}
	}
	return out, nil
}

func same(n int64) [2]uint64 { return [2]uint64{uint64(n), uint64(n)} }

func sortedKeys[K int | string, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
