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

// program is what becomes process 1.
type program struct {
	path string // inside
	argv []string
	env  []string
}

// blueprint is everything that a plan is made from.
type blueprint struct {
	spec   sandbox.Spec
	view   oci.View
	mounts []sandbox.Mount   // workspace first, then binds and the supervisor
	ids    []string          // launch.Identity of each mount
	group  map[string]string // controller → host directory, shown read-only
	bounds map[int][2]uint64 // resource limits
	run    program
	byFD   bool // mounts arrive as descriptors instead of paths
}

// steps lists what the launcher is to do, in order.
func (b *blueprint) steps() ([]launch.Step, error) {
	p := &plan{}
	b.root(p)
	b.devices(p)
	b.kernel(p)
	b.scratch(p)
	for i, m := range b.mounts {
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
	for _, r := range sortedKeys(b.bounds) {
		v := b.bounds[r]
		p.add(launch.OpRlimit, strconv.Itoa(r), strconv.FormatUint(v[0], 10), strconv.FormatUint(v[1], 10))
	}
	p.add(launch.OpCaps)
	p.add(launch.OpLandlock, b.rules()...)
	filter, err := seccomp.Filter()
	if err != nil {
		return nil, err
	}
	p.add(launch.OpSeccomp, string(filter))
	args := append([]string{b.run.path, strconv.Itoa(len(b.run.argv))}, b.run.argv...)
	p.add(launch.OpExec, append(args, b.run.env...)...)
	return p.steps, nil
}

type plan struct{ steps []launch.Step }

func (p *plan) add(op launch.Op, args ...string) {
	p.steps = append(p.steps, launch.Step{Op: op, Args: args})
}

// root builds the read-only view.
func (b *blueprint) root(p *plan) {
	for _, d := range b.view.Dirs {
		p.add(launch.OpMkdir, d, "0755")
	}
	for _, l := range b.view.Links {
		p.add(launch.OpSymlink, l.Target, l.Path)
	}
	for _, f := range b.view.Files {
		p.add(launch.OpFile, f.Path, strconv.FormatUint(uint64(f.Mode), 10), f.Content)
	}
	for _, m := range b.view.Binds {
		p.add(launch.OpBind, m.Source, m.Target, strconv.Itoa(launch.AttrReadOnly), launch.Optional)
	}
}

// devices makes a /dev with a handful of nodes and a terminal file system of
// its own, read-only but for that.
func (b *blueprint) devices(p *plan) {
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
func (b *blueprint) kernel(p *plan) {
	p.add(launch.OpMount, "proc", "/proc", strconv.Itoa(noAll), "")
	for _, m := range oci.Masked() {
		p.add(launch.OpMask, m)
	}
	for _, m := range oci.ReadOnly() {
		p.add(launch.OpReadOnly, m)
	}
	ro := strconv.Itoa(launch.AttrReadOnly | launch.AttrNoExec)
	for _, c := range sortedKeys(b.group) {
		p.add(launch.OpBind, b.group[c], filepath.Join("/sys/fs/cgroup", c), ro, "")
	}
}

// scratch mounts memory with a limit of bytes and of inodes.
func (b *blueprint) scratch(p *plan) {
	for _, t := range b.spec.Tmpfs {
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
func (b *blueprint) rules() []string {
	out := []string{"/", "ro", "/dev", "dev", "/proc", "dev"}
	for _, t := range b.spec.Tmpfs {
		out = append(out, t.Path, "rw")
	}
	for _, m := range b.mounts {
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

// bounds turns the spec's limits into resource limits. What no control group
// bounds for the whole box is bounded here for each process.
func bounds(l sandbox.Limits, tree *cgroup.Tree) (map[int][2]uint64, error) {
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
