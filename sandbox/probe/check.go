package probe

import (
	"slices"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/sandbox"
)

const noCaps = "0000000000000000"

func (c *checker) identity() {
	c.is("uid", c.e.UID)
	c.is("euid", c.e.UID)
	c.is("gid", c.e.GID)
	if c.f.First("uid") == "0" && strings.HasPrefix(c.f.First("uid_map"), "0:0:") {
		c.fail("uid", "root of the host")
	}
	for _, g := range strings.Split(c.f.First("groups"), ",") {
		if g == "0" {
			c.fail("groups", "the host's group 0")
		}
	}
	for _, n := range []string{"cap.inh", "cap.prm", "cap.eff", "cap.bnd", "cap.amb"} {
		c.is(n, noCaps)
	}
	if c.e.NoNewPrivs {
		c.is("nnp", "1")
	}
	if c.e.Filter {
		c.is("seccomp", "2")
	}
}

// calls that must be answered with a refusal.
func refusedCalls() []string {
	return []string{"bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
		"request_key", "userfaultfd", "init_module", "finit_module", "kexec_load", "reboot", "swapon", "mount", "umount2",
		"pivot_root", "fsopen", "open_tree", "move_mount", "mount_setattr", "unshare", "unshare_mnt", "setns", "clone_newuser",
		"clone3", "open_by_handle_at", "acct", "syslog", "clock_settime", "chroot", "ptrace_1", "process_vm_readv_1",
		"tiocsti", "tiocsti_high", "tioclinux"}
}

func (c *checker) kernel() {
	for _, n := range refusedCalls() {
		c.is("sys."+n, c.e.Refused...)
	}
	for _, n := range []string{"iopl", "ioperm"} { // on one architecture only
		if _, ok := c.f["sys."+n]; ok {
			c.is("sys."+n, c.e.Refused...)
		}
	}
	c.is("oom.lower", append([]string{"ENOENT", "EROFS"}, c.e.Refused...)...)
	c.is("kthreads", "false")
	for _, n := range []string{"pid1.environ", "pid1.mem", "pid1.root"} {
		c.is(n, append([]string{"ENOENT"}, c.e.Refused...)...)
	}
	c.empty("fds")
	c.empty("env.secret")
}

func (c *checker) files() {
	c.empty("devices")
	c.empty("sockets")
	got := map[string]string{}
	for _, w := range c.f["write"] {
		p, r, _ := strings.Cut(w, " ")
		got[p] = r
	}
	for _, d := range c.e.ReadOnly {
		if r, ok := got[d]; !ok || r == "OK" {
			c.fail("write", "%s takes files (%q)", d, r)
		}
	}
	for _, d := range c.e.Writable {
		if r := got[d]; r != "OK" {
			c.fail("write", "%s refuses files (%q); its owner on the host must be the sandbox's user %s", d, r, c.e.UID)
		}
	}
	at := map[string]string{}
	for _, a := range c.f["at"] {
		p, r, _ := strings.Cut(a, " ")
		at[p] = r
	}
	for d, want := range c.e.At {
		if at[d] != want {
			c.fail("at", "%s is %q, not the directory that was checked (%s)", d, at[d], want)
		}
	}
	for _, o := range c.f["openw"] {
		if p, r, _ := strings.Cut(o, " "); r == "OK" {
			c.fail("openw", "%s opens for writing", p)
		}
	}
	for _, m := range c.f["masked"] {
		if p, r, _ := strings.Cut(m, " "); r != "true" {
			c.fail("masked", "%s can be read", p)
		}
	}
	c.mounts()
}

// mounts refuses mount points nobody declared and options that are missing.
func (c *checker) mounts() {
	kernel := []string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "devtmpfs"}
	seen := 0
	for _, m := range c.f["mount"] {
		f := strings.Fields(m)
		if len(f) < 3 {
			c.fail("mount", "malformed %q", m)
			continue
		}
		point, kind, opts := f[0], f[1], strings.Split(f[2], ",")
		seen++
		switch {
		case slices.Contains(kernel, kind), strings.HasPrefix(point, "/proc/"), strings.HasPrefix(point, "/sys/"), strings.HasPrefix(point, "/dev"):
			if kind == "sysfs" && !slices.Contains(opts, "ro") {
				c.fail("mount", "%s is writable", point)
			}
		case point == "/":
			if !slices.Contains(opts, "ro") {
				c.fail("mount", "the root is writable")
			}
		case c.declared(point):
			// A directory of the host may lie on a tmpfs of the host's.
			if kind == "tmpfs" && c.scratch(point) && (!slices.Contains(opts, "nosuid") || !c.e.NoDevUnseen && !slices.Contains(opts, "nodev")) {
				c.fail("mount", "%s permits set-uid files or devices", point)
			}
		case slices.Contains(c.e.Shown, point):
			if !slices.Contains(opts, "ro") || !slices.Contains(opts, "nosuid") || !slices.Contains(opts, "nodev") {
				c.fail("mount", "%s (%s) must be read-only, without set-uid files and devices", point, kind)
			}
		default:
			c.fail("mount", "%s (%s) was not declared", point, kind)
		}
	}
	if seen == 0 {
		c.fail("mount", "no mount is visible")
	}
}

func (c *checker) declared(point string) bool {
	if _, ok := c.e.At[point]; ok || strings.HasPrefix(point, "/.chitin") {
		return true
	}
	if c.scratch(point) {
		return true
	}
	// An engine adds its own, read-only unless the root is writable.
	return point == "/etc/hosts" || point == "/etc/hostname" || point == "/etc/resolv.conf" || point == "/run/.containerenv"
}

func (c *checker) scratch(point string) bool {
	return slices.ContainsFunc(c.e.Tmpfs, func(t sandbox.Tmpfs) bool { return t.Path == point })
}

func (c *checker) network() {
	for _, n := range []string{"raw", "packet", "vsock", "alg", "bluetooth", "can", "xdp", "key", "nfc", "tipc", "rds"} {
		c.is("socket."+n, append([]string{"EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT"}, c.e.Refused...)...)
	}
	if c.e.Network {
		return
	}
	for _, n := range []string{"route.public", "route.metadata", "route.private", "route.public6"} {
		if r := c.f.First(n); r == "" || r == "OK" {
			c.fail(n, "there is a way out (%q)", r)
		}
	}
}

func (c *checker) limits() {
	if n, err := strconv.ParseInt(c.f.First("rlimit.nofile"), 10, 64); err != nil || c.e.MaxFiles > 0 && n > c.e.MaxFiles {
		c.fail("rlimit.nofile", "%q, more than %d", c.f.First("rlimit.nofile"), c.e.MaxFiles)
	}
	if c.e.Memory > 0 {
		if n, err := strconv.ParseInt(c.f.First("cg.memory"), 10, 64); err != nil || n <= 0 || n > c.e.Memory {
			c.fail("cg.memory", "%q, not %d", c.f.First("cg.memory"), c.e.Memory)
		}
	}
	if c.e.Pids > 0 {
		if n, err := strconv.ParseInt(c.f.First("cg.pids"), 10, 64); err != nil || n <= 0 || n > c.e.Pids {
			c.fail("cg.pids", "%q, not %d", c.f.First("cg.pids"), c.e.Pids)
		}
	}
	if c.e.CPU {
		q, _, _ := strings.Cut(c.f.First("cg.cpu"), " ")
		if n, err := strconv.ParseInt(q, 10, 64); err != nil || n <= 0 {
			c.fail("cg.cpu", "%q, no quota", q)
		}
	}
	got := map[string][2]uint64{}
	for _, f := range c.f["fs"] {
		p := strings.Fields(f)
		if len(p) != 3 {
			continue
		}
		size, err1 := strconv.ParseUint(p[1], 10, 64)
		inodes, err2 := strconv.ParseUint(p[2], 10, 64)
		if err1 == nil && err2 == nil {
			got[p[0]] = [2]uint64{size, inodes}
		}
	}
	for _, t := range c.e.Tmpfs {
		g, ok := got[t.Path]
		if !ok {
			continue // not one of the usual scratch directories
		}
		if g[0] > uint64(t.Size)+(1<<16) || g[1] == 0 || g[1] > uint64(t.Inodes) {
			c.fail("fs", "%s holds %d bytes and %d files, more than %d and %d", t.Path, g[0], g[1], t.Size, t.Inodes)
		}
	}
}
