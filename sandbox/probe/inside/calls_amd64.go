package inside

import "golang.org/x/sys/unix"

// archCalls tries what exists on this architecture alone.
func archCalls(p *printer) {
	_, _, e := unix.RawSyscall(unix.SYS_IOPL, 4, 0, 0) // 4 is out of range
	p.fact("sys.iopl", errName(e))
	_, _, e = unix.RawSyscall(unix.SYS_IOPERM, 0, 1<<40, 1)
	p.fact("sys.ioperm", errName(e))
}
