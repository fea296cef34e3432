//go:build linux && (amd64 || arm64)

package seccomp

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// newNamespaces are the clone flags that make a namespace.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// sockTypeMask strips SOCK_NONBLOCK and SOCK_CLOEXEC from a socket type.
const sockTypeMask = 0xf

// families are the socket families a sandbox may use. Netlink is there for
// getifaddrs only, so only its routing protocol.
func families() []uint32 { return []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6} }

// protocols are the transport protocols of the two IP families.
func protocols() []uint32 {
	return []uint32{0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6}
}

// terminalInjection are ioctls that put input into a terminal or change its
// line discipline.
func terminalInjection() []uint32 { return []uint32{unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCSETD} }

// personalities are the execution domains that change no address layout rule.
func personalities() []uint32 { return []uint32{0, 0x8, 0x20000, 0x20008, 0xffffffff} }

// schedulers are the policies that take nothing from anybody else.
func schedulers() []uint32 {
	return []uint32{unix.SCHED_NORMAL, unix.SCHED_BATCH, unix.SCHED_IDLE}
}

// signBit marks a negative number, which is a priority above the usual.
const signBit = 1 << 31

// guarded is a call that is allowed only for some arguments.
type guarded struct {
	name  string
	nr    uint32
	block []bpf.Instruction // ends with a verdict on every path
}

// conditional lists the guarded calls. Arguments are compared by their low
// 32 bits, which is what the kernel looks at in each of them.
func conditional() []guarded {
	return []guarded{
		{"clone", unix.SYS_CLONE, []bpf.Instruction{
			arg(0),
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: newNamespaces, SkipFalse: 1},
			errno(unix.EPERM),
			bpf.RetConstant{Val: actAllow},
		}},
		// The flags of clone3 are behind a pointer, so callers must use clone.
		{"clone3", unix.SYS_CLONE3, []bpf.Instruction{errno(unix.ENOSYS)}},
		{"socket", unix.SYS_SOCKET, socketRule()},
		{"socketpair", unix.SYS_SOCKETPAIR, oneOf(0, []uint32{unix.AF_UNIX}, unix.EPERM)},
		{"ioctl", unix.SYS_IOCTL, noneOf(1, terminalInjection(), unix.EPERM)},
		{"personality", unix.SYS_PERSONALITY, oneOf(0, personalities(), unix.EPERM)},
		// Only one's own limits: the supervisor runs as the same user.
		{"prlimit64", unix.SYS_PRLIMIT64, oneOf(0, []uint32{0}, unix.EPERM)},
		// The kernel refuses both without a capability; gVisor's, which these
		// rules serve too, lets anybody.
		{"sched_setscheduler", unix.SYS_SCHED_SETSCHEDULER, oneOf(1, schedulers(), unix.EPERM)},
		{"setpriority", unix.SYS_SETPRIORITY, []bpf.Instruction{
			arg(2),
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: signBit, SkipFalse: 1},
			errno(unix.EACCES),
			bpf.RetConstant{Val: actAllow},
		}},
	}
}

// arg loads the low half of argument n (both architectures are little-endian).
func arg(n uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offArgs + 8*n, Size: 4} }

// oneOf allows the call when argument n is one of vals.
func oneOf(n uint32, vals []uint32, e unix.Errno) []bpf.Instruction {
	return verdict(n, vals, bpf.RetConstant{Val: actAllow}, errno(e))
}

// noneOf refuses the call when argument n is one of vals.
func noneOf(n uint32, vals []uint32, e unix.Errno) []bpf.Instruction {
	return verdict(n, vals, errno(e), bpf.RetConstant{Val: actAllow})
}

func verdict(n uint32, vals []uint32, hit, miss bpf.Instruction) []bpf.Instruction {
	out := []bpf.Instruction{arg(n)}
	for i, v := range vals {
		out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(vals) - i)})
	}
	return append(out, miss, hit)
}

// socketRule allows local, IPv4 and IPv6 sockets that are not raw, with an
// ordinary protocol, and the routing socket.
func socketRule() []bpf.Instruction {
	proto := oneOf(2, protocols(), unix.EPROTONOSUPPORT)
	inet := append([]bpf.Instruction{
		arg(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: sockTypeMask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_RAW, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_PACKET, SkipFalse: 1},
		errno(unix.EPERM),
	}, proto...)
	netlink := oneOf(2, []uint32{unix.NETLINK_ROUTE}, unix.EPERM)
	out := []bpf.Instruction{
		arg(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipFalse: 1},
		bpf.RetConstant{Val: actAllow},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipFalse: uint8(len(netlink))},
	}
	out = append(out, netlink...)
	out = append(out,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 1},
		errno(unix.EPERM))
	return append(out, inet...)
}
