// Package ucred asks the kernel who is at the other end of a Unix socket.
package ucred

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Of returns the uid and pid of the process that connected. The kernel took
// them when it connected, so the process cannot choose them.
func Of(c *net.UnixConn) (uid uint32, pid int32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var inner error
	if err := raw.Control(func(fd uintptr) {
		cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, 0, fmt.Errorf("peer credentials: %w", err)
	}
	if inner != nil {
		return 0, 0, fmt.Errorf("peer credentials: %w", inner)
	}
	return cred.Uid, cred.Pid, nil
}
