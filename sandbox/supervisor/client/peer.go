package client

import (
	"net"

	"golang.org/x/sys/unix"
)

// IsPeer reports whether the process at the other end is pid, as this process
// sees it. Where the kernel cannot say, because the box lives in a process
// tree that we cannot see, the nonce has to do.
func IsPeer(c *net.UnixConn, pid int) bool {
	rc, err := c.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	if err := rc.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		ok = err == nil && (cred.Pid == 0 || pid == 0 || int(cred.Pid) == pid)
	}); err != nil {
		return false
	}
	return ok
}
