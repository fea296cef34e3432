//go:build linux && (amd64 || arm64)

package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// OCI is the same policy as a runtime takes it in a bundle.
func OCI() *specs.LinuxSeccomp {
	eperm, enosys := uint(unix.EPERM), uint(unix.ENOSYS)
	allow := func(name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: args}
	}
	low := func(i uint, mask, v uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: i, Op: specs.OpMaskedEqual, Value: mask, ValueTwo: v}
	}
	const word = 0xffffffff
	out := &specs.LinuxSeccomp{
		DefaultAction:   specs.ActErrno,
		DefaultErrnoRet: &eperm,
		Architectures:   []specs.Arch{ociArch},
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: &enosys},
			allow("clone", low(0, newNamespaces, 0)),
			allow("prlimit64", low(0, word, 0)),
			allow("socketpair", low(0, word, unix.AF_UNIX)),
			allow("socket", low(0, word, unix.AF_UNIX)),
			allow("socket", low(0, word, unix.AF_NETLINK), low(2, word, unix.NETLINK_ROUTE)),
		},
	}
	for _, f := range families()[1:] {
		for _, typ := range []uint64{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			for _, p := range protocols() {
				out.Syscalls = append(out.Syscalls,
					allow("socket", low(0, word, uint64(f)), low(1, sockTypeMask, typ), low(2, word, uint64(p))))
			}
		}
	}
	for _, p := range personalities() {
		out.Syscalls = append(out.Syscalls, allow("personality", low(0, word, uint64(p))))
	}
	for _, p := range schedulers() {
		out.Syscalls = append(out.Syscalls, allow("sched_setscheduler", low(1, word, uint64(p))))
	}
	eacces := uint(unix.EACCES)
	out.Syscalls = append(out.Syscalls, allow("setpriority", low(2, signBit, 0)),
		specs.LinuxSyscall{Names: []string{"setpriority"}, Action: specs.ActErrno, ErrnoRet: &eacces})
	for _, c := range terminalInjection() {
		out.Syscalls = append(out.Syscalls, specs.LinuxSyscall{
			Names: []string{"ioctl"}, Action: specs.ActErrno, ErrnoRet: &eperm,
			Args: []specs.LinuxSeccompArg{low(1, word, uint64(c))},
		})
	}
	out.Syscalls = append(out.Syscalls, allow("ioctl"),
		specs.LinuxSyscall{Names: Names(), Action: specs.ActAllow})
	return out
}
