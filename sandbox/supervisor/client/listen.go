package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// SocketName is the control socket's name in its directory.
const SocketName = "s"

// Listener waits for one supervisor on a socket in a directory that only the
// gateway and one box can see.
type Listener struct {
	l   *net.UnixListener
	dir *os.File
}

// Listen makes the socket in dir. Its name is resolved through a descriptor,
// so the directory's path may be of any length.
func Listen(dir string) (*Listener, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("control directory: %w", err)
	}
	_ = unix.Unlinkat(int(d.Fd()), SocketName, 0) // left by a gateway that was killed
	name := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), SocketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	// The box's user must reach it; the directories above keep others out.
	if err := unix.Fchmodat(int(d.Fd()), SocketName, 0o666, 0); err != nil {
		_ = l.Close()
		_ = d.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &Listener{l: l, dir: d}, nil
}

// Accept takes the first connection and removes the socket, so that nothing
// inside can ever be a second.
func (l *Listener) Accept(ctx context.Context) (*net.UnixConn, error) {
	stop := context.AfterFunc(ctx, func() { _ = l.l.Close() })
	defer stop()
	c, err := l.l.AcceptUnix()
	l.Close()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("the supervisor did not connect: %w", err)
	}
	return c, nil
}

// Close removes the socket.
func (l *Listener) Close() {
	_ = unix.Unlinkat(int(l.dir.Fd()), SocketName, 0)
	_ = l.l.Close()
	_ = l.dir.Close()
}
