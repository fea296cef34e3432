package gateway

import (
	"container/list"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	parkFor   = 10 * time.Second // how long a connection may stay silent at first
	maxParked = 16_384
)

// parking holds back connections until their first byte arrives. A connection
// that says nothing costs neither the server's buffers nor its goroutine, so
// thousands of half-open ones do not crowd out the others.
type parking struct {
	net.Listener
	ready chan net.Conn
	done  chan struct{} // closed when the listener ended
	err   error         // why; read after done

	mu     sync.Mutex
	silent list.List // of net.Conn, oldest first
	closed bool
}

func park(l net.Listener) net.Listener {
	p := &parking{Listener: l, ready: make(chan net.Conn), done: make(chan struct{})}
	go p.loop()
	return p
}

// Accept returns the next connection that has something to say.
func (p *parking) Accept() (net.Conn, error) {
	select {
	case c := <-p.ready:
		return c, nil
	case <-p.done:
		return nil, p.err
	}
}

// Close ends the listener and the connections that were never heard.
func (p *parking) Close() error {
	err := p.Listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for e := p.silent.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
	return err
}

func (p *parking) loop() {
	wait := 5 * time.Millisecond
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ECONNABORTED) {
				time.Sleep(wait)
				wait = min(2*wait, time.Second)
				continue
			}
			p.err = err
			close(p.done)
			return
		}
		wait = 5 * time.Millisecond
		if e := p.enter(c); e != nil {
			go p.watch(c, e)
		}
	}
}

// enter notes a silent connection; when there are too many, the oldest goes.
func (p *parking) enter(c net.Conn) *list.Element {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return nil
	}
	if p.silent.Len() >= maxParked {
		_ = p.silent.Front().Value.(net.Conn).Close()
	}
	return p.silent.PushBack(c)
}

// watch waits for the first byte without reading it and passes the connection
// on.
func (p *parking) watch(c net.Conn, e *list.Element) {
	heard := firstByte(c)
	p.mu.Lock()
	p.silent.Remove(e)
	p.mu.Unlock()
	if !heard || c.SetReadDeadline(time.Time{}) != nil {
		_ = c.Close()
		return
	}
	select {
	case p.ready <- c:
	case <-p.done:
		_ = c.Close()
	}
}

// firstByte waits until there is something to read, or the other end closed;
// false means that it stayed silent for too long.
func firstByte(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil || c.SetReadDeadline(time.Now().Add(parkFor)) != nil {
		return false
	}
	heard := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return false
		}
		heard = err == nil && n > 0
		return true
	})
	return err == nil && heard
}
