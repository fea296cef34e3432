package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/bench/lean"
)

// paced is one thread with plain sockets. It shares the machine with what it
// measures, so it must not wait for threads, timers or collections of its own.
type paced struct {
	req, code []byte
	polls     []unix.PollFd
	due       []time.Duration // of the request that is open on each
	got       [][]byte        // of its answer so far
	idle      []int
	took      []time.Duration
}

// pace asks at fixed times, rate a second for a while, each time on a
// connection that is free. An answer's time counts from when its request was
// due: a server that falls behind cannot hide it by being asked less.
func pace(addr string, req []byte, code, conns int, rate float64, span time.Duration) ([]time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // 0 is the usual
	p := &paced{req: req, code: []byte(strconv.Itoa(code))}
	defer p.close()
	for range conns {
		if err := p.open(addr); err != nil {
			return nil, err
		}
	}
	n := int(rate * span.Seconds())
	p.took = make([]time.Duration, 0, n)
	begin, asked := time.Now(), 0
	for len(p.took) < n {
		now := time.Since(begin)
		due := func() time.Duration { return time.Duration(float64(asked) / rate * float64(time.Second)) }
		for asked < n && len(p.idle) > 0 && due() <= now {
			if err := p.ask(due()); err != nil {
				return nil, err
			}
			asked++
		}
		wait := lean.Patience
		if asked < n && len(p.idle) > 0 {
			wait = max(due()-time.Since(begin), 0)
		}
		if err := p.hear(begin, wait); err != nil {
			return nil, err
		}
		if time.Since(begin) > span+lean.Patience {
			return nil, errors.New("no answers in time")
		}
	}
	return p.took, nil
}

func (p *paced) open(addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	p.idle = append(p.idle, len(p.polls))
	p.polls = append(p.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	p.due, p.got = append(p.due, 0), append(p.got, make([]byte, 0, 4<<10))
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

func (p *paced) close() {
	for _, f := range p.polls {
		_ = unix.Close(int(f.Fd))
	}
}

func (p *paced) ask(due time.Duration) error {
	i := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	p.due[i] = due
	n, err := unix.Write(int(p.polls[i].Fd), p.req)
	if err == nil && n < len(p.req) {
		err = errors.New("the request was cut")
	}
	return err
}

// hear waits for answers.
func (p *paced) hear(begin time.Time, wait time.Duration) error {
	ts := unix.NsecToTimespec(int64(wait))
	n, err := unix.Ppoll(p.polls, &ts, nil)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range p.polls {
		if n == 0 {
			return nil
		}
		if p.polls[i].Revents == 0 {
			continue
		}
		n--
		b := p.got[i]
		k, err := unix.Read(int(p.polls[i].Fd), b[len(b):cap(b)])
		if err != nil || k == 0 {
			return fmt.Errorf("a connection ended: %w", err)
		}
		b = b[:len(b)+k]
		done, err := p.whole(b)
		if err != nil {
			return err
		}
		if done {
			p.took = append(p.took, time.Since(begin)-p.due[i])
			p.idle = append(p.idle, i)
			b = b[:0]
		}
		p.got[i] = b
	}
	return nil
}

// whole reports whether b is a complete answer with the right code.
func (p *paced) whole(b []byte) (bool, error) {
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return false, nil
	}
	if len(head) < 12 || !bytes.Equal(head[9:12], p.code) {
		return false, fmt.Errorf("answered %.80q, want %s", head, p.code)
	}
	_, rest, ok := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !ok {
		return false, errors.New("an answer without a length")
	}
	length, _, _ := bytes.Cut(rest, []byte("\r\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil || n > cap(b)-len(head)-4 {
		return false, fmt.Errorf("an answer of %q bytes", length)
	}
	return len(body) >= n, nil
}
