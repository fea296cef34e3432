//go:build linux && (amd64 || arm64)

package seccomp

import (
	"encoding/binary"
	"slices"
	"testing"

	moby "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

const (
	denied  = actErrno | uint32(unix.EPERM)
	unknown = actErrno | uint32(unix.ENOSYS)
	noProto = actErrno | uint32(unix.EPROTONOSUPPORT)
)

// run asks the filter about one call. The test machine reads its input as
// network bytes, so each word is written that way round.
func run(t testing.TB, arch, nr uint32, args ...uint64) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(program())
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[offNr:], nr)
	binary.BigEndian.PutUint32(data[offArch:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[offArgs+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[offArgs+8*i+4:], uint32(a>>32))
	}
	v, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v)
}

func TestFilterTable(t *testing.T) {
	const high = 1 << 32 // the kernel ignores it; so must the filter
	for _, c := range []struct {
		name string
		nr   uint32
		args []uint64
		want uint32
	}{
		{"read", unix.SYS_READ, nil, actAllow},
		{"execve", unix.SYS_EXECVE, nil, actAllow},
		{"openat2", unix.SYS_OPENAT2, nil, actAllow},
		{"mount", unix.SYS_MOUNT, nil, denied},
		{"fsopen", unix.SYS_FSOPEN, nil, denied},
		{"open_tree", unix.SYS_OPEN_TREE, nil, denied},
		{"move_mount", unix.SYS_MOVE_MOUNT, nil, denied},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, nil, denied},
		{"pivot_root", unix.SYS_PIVOT_ROOT, nil, denied},
		{"umount2", unix.SYS_UMOUNT2, nil, denied},
		{"chroot", unix.SYS_CHROOT, nil, denied},
		{"unshare", unix.SYS_UNSHARE, nil, denied},
		{"setns", unix.SYS_SETNS, nil, denied},
		{"bpf", unix.SYS_BPF, nil, denied},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, nil, denied},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, nil, denied},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER, nil, denied},
		{"io_uring_register", unix.SYS_IO_URING_REGISTER, nil, denied},
		{"keyctl", unix.SYS_KEYCTL, nil, denied},
		{"add_key", unix.SYS_ADD_KEY, nil, denied},
		{"request_key", unix.SYS_REQUEST_KEY, nil, denied},
		{"userfaultfd", unix.SYS_USERFAULTFD, nil, denied},
		{"kexec_load", unix.SYS_KEXEC_LOAD, nil, denied},
		{"init_module", unix.SYS_INIT_MODULE, nil, denied},
		{"finit_module", unix.SYS_FINIT_MODULE, nil, denied},
		{"reboot", unix.SYS_REBOOT, nil, denied},
		{"syslog", unix.SYS_SYSLOG, nil, denied},
		{"swapon", unix.SYS_SWAPON, nil, denied},
		{"clock_settime", unix.SYS_CLOCK_SETTIME, nil, denied},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, nil, denied},
		{"a call of the future", 2000, nil, unknown},
		{"clone3", unix.SYS_CLONE3, nil, unknown},
		{"fork", unix.SYS_CLONE, []uint64{17}, actAllow},
		{"thread", unix.SYS_CLONE, []uint64{0x3d0f00}, actAllow},
		{"clone user", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER | 17}, denied},
		{"clone cgroup high", unix.SYS_CLONE, []uint64{unix.CLONE_NEWCGROUP | high}, denied},
		{"unix", unix.SYS_SOCKET, []uint64{unix.AF_UNIX, 1, 0}, actAllow},
		{"tcp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, 6}, actAllow},
		{"udp6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_DGRAM, 0}, actAllow},
		{"mptcp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, 262}, noProto},
		{"sctp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, 132}, noProto},
		{"raw", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_RAW | unix.SOCK_NONBLOCK, 1}, denied},
		{"raw6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_RAW, 58}, denied},
		{"sock_packet", unix.SYS_SOCKET, []uint64{unix.AF_INET, 10, 0}, denied},
		{"packet", unix.SYS_SOCKET, []uint64{unix.AF_PACKET, 3, 0}, denied},
		{"vsock", unix.SYS_SOCKET, []uint64{unix.AF_VSOCK, 1, 0}, denied},
		{"vsock high", unix.SYS_SOCKET, []uint64{unix.AF_VSOCK | high, 1, 0}, denied},
		{"alg", unix.SYS_SOCKET, []uint64{unix.AF_ALG, 5, 0}, denied},
		{"route netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, 0}, actAllow},
		{"netfilter netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, 12}, denied},
		{"pair", unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX}, actAllow},
		{"tipc pair", unix.SYS_SOCKETPAIR, []uint64{30}, denied},
		{"tcgets", unix.SYS_IOCTL, []uint64{0, unix.TCGETS}, actAllow},
		{"tiocsti", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, denied},
		{"tiocsti high", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI | high}, denied},
		{"tioclinux", unix.SYS_IOCTL, []uint64{0, unix.TIOCLINUX}, denied},
		{"personality linux", unix.SYS_PERSONALITY, []uint64{0}, actAllow},
		{"fifo scheduler", unix.SYS_SCHED_SETSCHEDULER, []uint64{0, 1}, denied},
		{"batch scheduler", unix.SYS_SCHED_SETSCHEDULER, []uint64{0, 3}, actAllow},
		{"nicer", unix.SYS_SETPRIORITY, []uint64{0, 0, 5}, actAllow},
		{"greedier", unix.SYS_SETPRIORITY, []uint64{0, 0, 0xffffffec}, actErrno | uint32(unix.EACCES)},
		{"no randomisation", unix.SYS_PERSONALITY, []uint64{0x40000}, denied},
	} {
		if got := run(t, auditArch, c.nr, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

func TestForeignABIsAreKilled(t *testing.T) {
	if got := run(t, unix.AUDIT_ARCH_I386, 3); got != actKill {
		t.Errorf("i386: %#x", got)
	}
	if got := run(t, auditArch, x32Bit|unix.SYS_READ); got != actKill {
		t.Errorf("x32: %#x", got)
	}
}

// The search tree must agree with the plain list for every number.
func TestTreeAgreesWithTheList(t *testing.T) {
	free := map[uint32]bool{}
	last := uint32(0)
	for _, c := range allowed {
		free[c.nr] = true
		last = max(last, c.nr)
	}
	guardedNr := map[uint32]bool{}
	for _, g := range conditional() {
		guardedNr[g.nr] = true
	}
	rapid.Check(t, func(rt *rapid.T) {
		nr := rapid.Uint32Range(0, last+50).Draw(rt, "nr")
		want := denied
		switch {
		case guardedNr[nr]:
			return
		case free[nr]:
			want = actAllow
		case nr > last:
			want = unknown
		}
		if got := run(t, auditArch, nr); got != want {
			t.Fatalf("call %d: %#x, want %#x", nr, got, want)
		}
	})
}

// Nothing may be allowed here that Docker's default profile refuses to a
// process without capabilities.
func TestNoWeakerThanDocker(t *testing.T) {
	var docker []string
	for _, s := range moby.DefaultProfile().Syscalls {
		if s.Action == specs.ActAllow && (s.Includes == nil || len(s.Includes.Caps) == 0) {
			docker = append(docker, s.Names...)
		}
	}
	for _, n := range Names() {
		if !slices.Contains(docker, n) {
			t.Errorf("%s is allowed here and not by Docker", n)
		}
	}
	if len(allowed) < 200 {
		t.Errorf("only %d calls: the table is cut short", len(allowed))
	}
}

func TestOCIHoldsTheSameCalls(t *testing.T) {
	p := OCI()
	if p.DefaultAction != specs.ActErrno {
		t.Fatalf("default action %s", p.DefaultAction)
	}
	got := map[string]bool{}
	for _, s := range p.Syscalls {
		if s.Action == specs.ActAllow {
			for _, n := range s.Names {
				got[n] = true
			}
		}
	}
	for _, n := range Names() {
		if !got[n] {
			t.Errorf("%s is missing", n)
		}
	}
	for _, n := range []string{"mount", "io_uring_setup", "keyctl", "clone3", "unshare", "setns", "bpf"} {
		if got[n] {
			t.Errorf("%s is allowed", n)
		}
	}
}

func TestFilterFitsTheKernel(t *testing.T) {
	f, err := Filter()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f) / 8; len(f)%8 != 0 || n > 4096 {
		t.Fatalf("%d instructions", n)
	}
}
