package inside

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func identity(p *printer) {
	p.fact("uid", strconv.Itoa(os.Getuid()))
	p.fact("euid", strconv.Itoa(os.Geteuid()))
	p.fact("gid", strconv.Itoa(os.Getgid()))
	groups, err := unix.Getgroups()
	if err == nil {
		s := make([]string, len(groups))
		for i, g := range groups {
			s[i] = strconv.Itoa(g)
		}
		p.fact("groups", strings.Join(s, ","))
	}
	p.fact("uid_map", strings.Join(strings.Fields(strings.SplitN(read("/proc/self/uid_map"), "\n", 2)[0]), ":"))
}

// status reports what the kernel says of this process.
func status(p *printer) {
	want := map[string]string{"NoNewPrivs": "nnp", "Seccomp": "seccomp", "CapInh": "cap.inh", "CapPrm": "cap.prm", "CapEff": "cap.eff", "CapBnd": "cap.bnd", "CapAmb": "cap.amb"}
	for l := range strings.SplitSeq(read("/proc/self/status"), "\n") {
		k, v, ok := strings.Cut(l, ":")
		if name := want[k]; ok && name != "" {
			p.fact(name, strings.TrimSpace(v))
		}
	}
	// The supervisor must not be readable by what it starts.
	p.fact("pid1.environ", opened("/proc/1/environ", unix.O_RDONLY))
	p.fact("pid1.mem", opened("/proc/1/mem", unix.O_RDWR))
	_, err := os.Readlink("/proc/1/root")
	p.fact("pid1.root", errName(err))
	p.fact("kthreads", strconv.FormatBool(kernelThreads()))
	p.fact("init", strings.TrimSpace(read("/proc/1/comm")))
}

// kernelThreads says whether the host's processes can be seen.
func kernelThreads() bool {
	return strings.TrimSpace(read("/proc/2/comm")) == "kthreadd"
}

func mounts(p *printer, targets []string) {
	for l := range strings.SplitSeq(read("/proc/self/mountinfo"), "\n") {
		f := strings.Fields(l)
		if len(f) < 10 {
			continue
		}
		dash := 0
		for i, x := range f {
			if x == "-" {
				dash = i
			}
		}
		if dash == 0 || dash+3 >= len(f) {
			continue
		}
		p.fact("mount", f[4]+" "+f[dash+1]+" "+f[5]+" "+f[dash+3])
	}
	for _, t := range targets {
		var st unix.Stat_t
		if err := unix.Stat(t, &st); err != nil {
			p.fact("at", t+" "+errName(err))
			continue
		}
		p.fact("at", t+" "+strconv.FormatUint(st.Dev, 10)+":"+strconv.FormatUint(st.Ino, 10))
		p.fact("write", t+" "+writable(t))
	}
	for _, t := range []string{"/", "/usr", "/usr/bin", "/etc", "/proc/sys/kernel", "/sys/fs/cgroup", "/.chitin"} {
		p.fact("write", t+" "+writable(t))
	}
}

// writable tries to make a nameless or short-lived file.
func writable(dir string) string {
	name := dir + "/.chitin-probe"
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err == nil {
		_ = unix.Close(fd)
		_ = unix.Unlink(name)
	}
	return errName(err)
}

func devices(p *printer) {
	allowed := map[string]bool{"null": true, "zero": true, "full": true, "random": true, "urandom": true, "tty": true, "ptmx": true, "console": true}
	var extra []string
	d, err := os.Open("/dev")
	if err != nil {
		p.fact("devices", errName(err))
		return
	}
	defer d.Close()
	names, err := d.Readdirnames(1000)
	if err != nil {
		p.fact("devices", errName(err))
		return
	}
	for _, n := range names {
		var st unix.Stat_t
		if unix.Lstat("/dev/"+n, &st) != nil || allowed[n] {
			continue
		}
		if m := st.Mode & unix.S_IFMT; m == unix.S_IFBLK || m == unix.S_IFCHR {
			extra = append(extra, n)
		}
	}
	p.fact("devices", strings.Join(extra, ","))
}

func limits(p *printer) {
	for name, r := range map[string]int{"nofile": unix.RLIMIT_NOFILE, "fsize": unix.RLIMIT_FSIZE, "core": unix.RLIMIT_CORE, "memlock": unix.RLIMIT_MEMLOCK} {
		var l unix.Rlimit
		if unix.Getrlimit(r, &l) == nil {
			p.fact("rlimit."+name, strconv.FormatUint(l.Max, 10))
		}
	}
	first := func(paths ...string) string {
		for _, f := range paths {
			if s := strings.TrimSpace(read(f)); s != "" {
				return s
			}
		}
		return ""
	}
	p.fact("cg.memory", first("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"))
	p.fact("cg.pids", first("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"))
	p.fact("cg.cpu", first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu.max"))
	p.fact("oom.lower", wrote("/proc/self/oom_score_adj", "-900"))
	for _, t := range []string{"/tmp", "/var/tmp", "/run", "/dev/shm"} {
		var st unix.Statfs_t
		if unix.Statfs(t, &st) == nil {
			p.fact("fs", t+" "+strconv.FormatUint(uint64(st.Bsize)*st.Blocks, 10)+" "+strconv.FormatUint(st.Files, 10))
		}
	}
}

func leaks(p *printer) {
	var extra []string
	for fd := 3; fd < 256; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			continue
		}
		// What this program opened itself closes on exec; what it inherited
		// does not say so.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			extra = append(extra, strconv.Itoa(fd))
		}
	}
	p.fact("fds", strings.Join(extra, ","))
	var secret []string
	for _, e := range os.Environ() {
		k, _, _ := strings.Cut(e, "=")
		u := strings.ToUpper(k)
		for _, w := range []string{"TOKEN", "SECRET", "PASSWORD", "API_KEY", "APIKEY", "CREDENTIAL", "CHITIN_"} {
			if strings.Contains(u, w) {
				secret = append(secret, k)
				break
			}
		}
	}
	p.fact("env.secret", strings.Join(secret, ","))
	var found []string
	for _, s := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock"} {
		var st unix.Stat_t
		if unix.Stat(s, &st) == nil {
			found = append(found, s)
		}
	}
	p.fact("sockets", strings.Join(found, ","))
	for _, f := range []string{"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper"} {
		p.fact("openw", f+" "+opened(f, unix.O_WRONLY))
	}
	for _, f := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"} {
		p.fact("masked", f+" "+strconv.FormatBool(len(readSome(f)) == 0))
	}
}

func readSome(path string) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	b := make([]byte, 64)
	n, err := unix.Read(fd, b)
	if err != nil || n < 0 {
		return nil
	}
	return b[:n]
}

func opened(path string, mode int) string {
	fd, err := unix.Open(path, mode|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return errName(err)
}

func wrote(path, text string) string {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return errName(err)
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return errName(err)
}

// errName is the errno's name, or OK.
func errName(err error) string {
	if err == nil {
		return "OK"
	}
	if pe, ok := err.(*os.PathError); ok {
		err = pe.Err
	}
	if e, ok := err.(unix.Errno); ok {
		if e == 0 {
			return "OK"
		}
		if n := unix.ErrnoName(e); n != "" {
			return n
		}
		return "E" + strconv.Itoa(int(e))
	}
	return "ERR"
}
