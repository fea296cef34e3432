package gateway

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func parked(t *testing.T) (net.Listener, func() net.Conn) {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := park(raw)
	t.Cleanup(func() { _ = l.Close() })
	return l, func() net.Conn {
		c, err := net.Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
}

func TestOnlyConnectionsThatSpeakAreAccepted(t *testing.T) {
	l, dial := parked(t)
	for range 20 {
		dial() // silent
	}
	gone := dial()
	_ = gone.Close() // closed without a word
	speaker := dial()
	if _, err := speaker.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if c.RemoteAddr().String() != speaker.LocalAddr().String() {
		t.Fatal("somebody else was accepted")
	}
	buf := make([]byte, 2)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hi" {
		t.Errorf("the first bytes are %q, %v", buf, err)
	}
}

func TestClosingEndsSilentConnections(t *testing.T) {
	l, dial := parked(t)
	c := dial()
	time.Sleep(50 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout(err)) {
		t.Errorf("the silent connection lives on: %v", err)
	}
}

// errTimeout returns err itself when it is a timeout, else nil.
func errTimeout(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return err
	}
	return nil
}
