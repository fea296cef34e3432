package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"

	"github.com/moby/moby/client"
)

// attached speaks over a container's standard streams, where a socket cannot
// be mounted. The engine wraps output in frames of its own.
type attached struct {
	conn net.Conn
	r    *bufio.Reader
	left uint32
}

func attach(ctx context.Context, api *client.Client, id string) (io.ReadWriteCloser, error) {
	res, err := api.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
	if err != nil {
		return nil, err
	}
	return &attached{conn: res.Conn, r: res.Reader}, nil
}

// Read returns bytes of the container's standard output alone.
func (a *attached) Read(p []byte) (int, error) {
	for a.left == 0 {
		var h [8]byte
		if _, err := io.ReadFull(a.r, h[:]); err != nil {
			return 0, err
		}
		n := binary.BigEndian.Uint32(h[4:])
		if h[0] != 1 { // what the supervisor's runtime says on standard error
			if _, err := io.CopyN(io.Discard, a.r, int64(n)); err != nil {
				return 0, err
			}
			continue
		}
		a.left = n
	}
	if uint32(len(p)) > a.left {
		p = p[:a.left]
	}
	n, err := a.r.Read(p)
	a.left -= uint32(n)
	return n, err
}

func (a *attached) Write(p []byte) (int, error) { return a.conn.Write(p) }

func (a *attached) Close() error { return a.conn.Close() }
