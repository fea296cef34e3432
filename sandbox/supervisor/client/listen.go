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

// Listen makes the socket in dir.
func Listen(dir string) (*Listener, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("control directory: %w", err)
	}
	l, err := ListenIn(d, SocketName)
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return &Listener{l: l, dir: d}, nil
}

// ListenIn makes a socket that the box's user may connect to; the directories
// above keep others out. The name is resolved through the directory's
// descriptor, so its path may be of any length.
func ListenIn(d *os.File, name string) (*net.UnixListener, error) {
	_ = unix.Unlinkat(int(d.Fd()), name, 0) // left by a gateway that was killed
	path := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), name)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := unix.Fchmodat(int(d.Fd()), name, 0o666, 0); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
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
