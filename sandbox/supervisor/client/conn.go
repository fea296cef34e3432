// Package client is the gateway's side of a supervisor connection. Everything
// that comes from inside a box is hostile: lengths, stream numbers, states and
// flow control are checked, and a violation ends the connection.
package client

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

// ErrProtocol says that the inside broke the protocol and was cut off.
var ErrProtocol = fmt.Errorf("%w: its supervisor broke the protocol", sandbox.ErrGone)

// Conn is one connection to a supervisor. Its methods may be called
// concurrently.
type Conn struct {
	rw  io.ReadWriteCloser
	ux  *net.UnixConn // non-nil where descriptors can be passed
	dir string

	wmu  sync.Mutex
	wbuf []byte

	mu    sync.Mutex
	procs map[uint32]*proc
	pings map[uint32]chan struct{}
	next  uint32
	err   error
	done  chan struct{}
	bg    map[*os.File]struct{} // pipes whose process ended but whose children live
}

// Options say what is expected of the other side.
type Options struct {
	Nonce   string        // that Hello must carry
	Timeout time.Duration // for Hello; 0 means 10 s
	NoFDs   bool          // never pass descriptors, as over an attached stream
	Dir     string        // where commands start unless they say; "" is the workspace
}

// New takes over rw and waits for the supervisor's greeting.
func New(ctx context.Context, rw io.ReadWriteCloser, o Options) (*Conn, error) {
	c := &Conn{rw: rw, dir: o.Dir, procs: map[uint32]*proc{}, pings: map[uint32]chan struct{}{}, done: make(chan struct{}), bg: map[*os.File]struct{}{}}
	if c.dir == "" {
		c.dir = sandbox.Workdir
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = rw.Close() })
	r := proto.NewReader(8 << 10)
	hello, err := readHello(rw, r)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err == nil && (hello.Version != proto.Version || subtle.ConstantTimeCompare([]byte(hello.Nonce), []byte(o.Nonce)) != 1) {
		err = ErrProtocol
	}
	if err != nil {
		_ = rw.Close()
		return nil, fmt.Errorf("supervisor did not greet: %w", err)
	}
	if ux, ok := rw.(*net.UnixConn); ok && !o.NoFDs && hello.Features&proto.FeatureFDs != 0 {
		c.ux = ux
	}
	go c.read(r)
	return c, nil
}

func readHello(rw io.Reader, r *proto.Reader) (proto.HelloInfo, error) {
	for {
		h, p, ok, err := r.Next()
		if err != nil {
			return proto.HelloInfo{}, err
		}
		if ok {
			if h.Type != proto.Hello || h.Stream != 0 {
				return proto.HelloInfo{}, ErrProtocol
			}
			return proto.ParseHello(p)
		}
		n, err := rw.Read(r.Space())
		if err != nil {
			return proto.HelloInfo{}, err
		}
		r.Advance(n)
	}
}

// Done is closed when the connection is.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Active is how many started processes have not been reported as ended.
func (c *Conn) Active() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.procs)
}

// Close ends the connection; the supervisor then kills what runs and waits
// for another gateway.
func (c *Conn) Close() error {
	c.fail(sandbox.ErrGone)
	return nil
}

// Quit asks the supervisor to exit, which ends the box, and closes.
func (c *Conn) Quit() {
	_ = c.write(proto.Quit, 0, nil)
	_ = c.Close()
}

// Reset kills everything that runs inside.
func (c *Conn) Reset() error { return c.write(proto.Reset, 0, nil) }

// Ping measures whether the supervisor answers.
func (c *Conn) Ping(ctx context.Context) error {
	ch := make(chan struct{})
	c.mu.Lock()
	c.next++
	id := c.next
	c.pings[id] = ch
	c.mu.Unlock()
	if err := c.write(proto.Ping, id, nil); err != nil {
		return err
	}
	select {
	case <-ch:
		return nil
	case <-c.done:
		return c.reason()
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.pings, id)
		c.mu.Unlock()
		return ctx.Err()
	}
}

func (c *Conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the connection and every process on it, once.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	procs := c.procs
	c.procs = map[uint32]*proc{}
	bg := c.bg
	c.bg = map[*os.File]struct{}{}
	close(c.done)
	c.mu.Unlock()
	_ = c.rw.Close()
	for _, p := range procs {
		p.lost(err)
	}
	for f := range bg {
		_ = f.Close()
	}
}

func (c *Conn) write(t proto.Type, stream uint32, payload []byte, fds ...int) error {
	if len(payload) > proto.MaxPayload {
		return fmt.Errorf("sandbox: the command is %d bytes, more than %d", len(payload), proto.MaxPayload)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.wbuf = proto.Append(c.wbuf[:0], t, stream, payload)
	b := c.wbuf
	if cap(c.wbuf) > 64<<10 {
		c.wbuf = nil
	}
	if len(fds) > 0 {
		n, _, err := c.ux.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
		if err != nil {
			c.fail(fmt.Errorf("%w: %w", sandbox.ErrGone, err))
			return c.reason()
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := c.rw.Write(b); err != nil {
		c.fail(fmt.Errorf("%w: %w", sandbox.ErrGone, err))
		return c.reason()
	}
	return nil
}

// read is the one goroutine that hears the supervisor. It never waits for a
// consumer of output.
func (c *Conn) read(r *proto.Reader) {
	for {
		h, p, ok, err := r.Next()
		if err != nil {
			c.fail(ErrProtocol)
			return
		}
		if ok {
			if err := c.handle(h, p); err != nil {
				c.fail(err)
				return
			}
			continue
		}
		n, err := c.rw.Read(r.Space())
		if err != nil {
			c.fail(fmt.Errorf("%w: %w", sandbox.ErrGone, err))
			return
		}
		r.Advance(n)
	}
}

func (c *Conn) handle(h proto.Header, p []byte) error {
	c.mu.Lock()
	if h.Type == proto.Pong {
		ch := c.pings[h.Stream]
		delete(c.pings, h.Stream)
		c.mu.Unlock()
		if ch != nil {
			close(ch)
		}
		return nil
	}
	pr := c.procs[h.Stream]
	known := h.Stream != 0 && h.Stream <= c.next
	if pr != nil && (h.Type == proto.Exit || h.Type == proto.Failed) {
		delete(c.procs, h.Stream)
	}
	c.mu.Unlock()
	if pr == nil {
		if known && (h.Type == proto.Consumed || h.Type == proto.Started) {
			return nil // late news of a process that has ended
		}
		return ErrProtocol
	}
	err := pr.frame(h.Type, p)
	if err != nil {
		pr.lost(err) // it may be in the table no longer
	}
	return err
}
