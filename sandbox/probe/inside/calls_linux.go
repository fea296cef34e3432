package inside

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls tries system calls that must be refused. Each has arguments that the
// kernel itself would refuse, with another error, if the filter let it pass;
// nothing can happen either way.
func calls(p *printer) {
	var zero [256]byte
	var buf [8]byte
	// Eight bytes at the start of this very program, which PID 1 also maps.
	local := [2]uintptr{uintptr(unsafe.Pointer(&buf[0])), 8}
	remote := [2]uintptr{0x400000, 8}
	lp, rp := uintptr(unsafe.Pointer(&local[0])), uintptr(unsafe.Pointer(&remote[0]))
	z := uintptr(unsafe.Pointer(&zero[0]))
	dot := uintptr(unsafe.Pointer(&[]byte(".\x00")[0]))
	tmpfs := uintptr(unsafe.Pointer(&[]byte("tmpfs\x00")[0]))
	none := ^uintptr(0)
	for _, c := range []struct {
		name       string
		nr         uintptr
		a, b, c, d uintptr
	}{
		{"bpf", unix.SYS_BPF, 999, z, 1, 0},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, z, 0, none, none},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, 0, z, 0, 0},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER, none, 0, 0, 0},
		{"io_uring_register", unix.SYS_IO_URING_REGISTER, none, 0, 0, 0},
		{"keyctl", unix.SYS_KEYCTL, 999, 0, 0, 0},
		{"add_key", unix.SYS_ADD_KEY, 0, 0, 0, 0},
		{"request_key", unix.SYS_REQUEST_KEY, 0, 0, 0, 0},
		{"userfaultfd", unix.SYS_USERFAULTFD, 0xffff, 0, 0, 0},
		{"init_module", unix.SYS_INIT_MODULE, z, 4, z, 0},
		{"finit_module", unix.SYS_FINIT_MODULE, none, z, 0, 0},
		{"kexec_load", unix.SYS_KEXEC_LOAD, 0, 0, 0, 4095},
		{"reboot", unix.SYS_REBOOT, 1, 2, 3, 0},
		{"swapon", unix.SYS_SWAPON, z, 0, 0, 0},
		{"mount", unix.SYS_MOUNT, z, z, tmpfs, 0},
		{"umount2", unix.SYS_UMOUNT2, z, 0xffff, 0, 0},
		{"pivot_root", unix.SYS_PIVOT_ROOT, dot, dot, 0, 0},
		{"fsopen", unix.SYS_FSOPEN, z, 0xffff, 0, 0},
		{"open_tree", unix.SYS_OPEN_TREE, none, z, 0xffff, 0},
		{"move_mount", unix.SYS_MOVE_MOUNT, none, z, none, z},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, none, z, 0xffff, z},
		{"unshare", unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0, 0},
		{"unshare_mnt", unix.SYS_UNSHARE, unix.CLONE_NEWNS, 0, 0, 0},
		{"setns", unix.SYS_SETNS, none, 0, 0, 0},
		{"clone_newuser", unix.SYS_CLONE, unix.CLONE_NEWUSER | unix.CLONE_FS, 0, 0, 0},
		{"clone3", unix.SYS_CLONE3, 0, 0, 0, 0},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, none, z, 0, 0},
		{"acct", unix.SYS_ACCT, z, 0, 0, 0},
		{"syslog", unix.SYS_SYSLOG, 3, z, 16, 0},
		{"clock_settime", unix.SYS_CLOCK_SETTIME, 0, 1, 0, 0},
		{"chroot", unix.SYS_CHROOT, dot, 0, 0, 0},
		{"ptrace_1", unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1, 0, 0},
		{"process_vm_readv_1", unix.SYS_PROCESS_VM_READV, 1, lp, 1, rp},
		{"tiocsti", unix.SYS_IOCTL, none, unix.TIOCSTI, z, 0},
		{"tiocsti_high", unix.SYS_IOCTL, none, unix.TIOCSTI | 1<<32, z, 0},
		{"tioclinux", unix.SYS_IOCTL, none, 0x541c, z, 0},
	} {
		r, _, e := unix.RawSyscall6(c.nr, c.a, c.b, c.c, c.d, tail(c.name), 0)
		if e == 0 {
			if c.name == "perf_event_open" || c.name == "userfaultfd" || c.name == "fsopen" || c.name == "io_uring_setup" {
				_ = unix.Close(int(r))
			}
			p.fact("sys."+c.name, "OK")
			continue
		}
		p.fact("sys."+c.name, errName(e))
	}
	archCalls(p)
	runtime.KeepAlive(&local)
	runtime.KeepAlive(&remote)
	runtime.KeepAlive(&buf)
}

func network(p *printer) {
	for _, f := range []struct {
		name            string
		fam, typ, proto int
	}{
		{"raw", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, {"packet", unix.AF_PACKET, unix.SOCK_RAW, 0x300},
		{"vsock", unix.AF_VSOCK, unix.SOCK_STREAM, 0}, {"alg", unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		{"bluetooth", unix.AF_BLUETOOTH, unix.SOCK_RAW, 1}, {"can", unix.AF_CAN, unix.SOCK_RAW, 1},
		{"xdp", unix.AF_XDP, unix.SOCK_RAW, 0}, {"key", unix.AF_KEY, unix.SOCK_RAW, 2},
		{"nfc", unix.AF_NFC, unix.SOCK_RAW, 0}, {"tipc", unix.AF_TIPC, unix.SOCK_STREAM, 0}, {"rds", unix.AF_RDS, unix.SOCK_SEQPACKET, 0},
	} {
		fd, err := unix.Socket(f.fam, f.typ|unix.SOCK_CLOEXEC, f.proto)
		if err == nil {
			_ = unix.Close(fd)
		}
		p.fact("socket."+f.name, errName(err))
	}
	// Connecting a datagram socket looks up a route and sends nothing.
	p.fact("route.public", route4([4]byte{203, 0, 113, 1}))
	p.fact("route.metadata", route4([4]byte{169, 254, 169, 254}))
	p.fact("route.private", route4([4]byte{10, 255, 255, 1}))
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet6{Port: 53, Addr: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}})
		_ = unix.Close(fd)
	}
	p.fact("route.public6", errName(err))
}

func route4(addr [4]byte) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return errName(err)
	}
	defer unix.Close(fd)
	return errName(unix.Connect(fd, &unix.SockaddrInet4{Port: 53, Addr: addr}))
}

// tail is the fifth argument: how many remote pieces process_vm_readv reads.
func tail(name string) uintptr {
	if name == "process_vm_readv_1" {
		return 1
	}
	return 0
}
