package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// evil is a supervisor that says what a test wants.
type evil struct {
	t    testing.TB
	conn net.Conn
}

// pair connects a client to an evil supervisor over a stream without
// descriptors.
func pair(t testing.TB) (*Conn, *evil) {
	a, b := net.Pipe()
	e := &evil{t, b}
	go e.say(proto.Hello, 0, proto.HelloInfo{Version: proto.Version, Nonce: "n"}.Append(nil))
	c, err := New(context.Background(), a, Options{Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = b.Close() })
	return c, e
}

func (e *evil) say(t proto.Type, stream uint32, p []byte) {
	_, _ = e.conn.Write(proto.Append(nil, t, stream, p))
}

// listen swallows what the client sends.
func (e *evil) listen() { go func() { _, _ = io.Copy(io.Discard, e.conn) }() }

func start(t testing.TB, c *Conn, out io.Writer) sandbox.Proc {
	t.Helper()
	p, err := c.Start(context.Background(), sandbox.Cmd{Argv: []string{"x"}, Stdin: sandbox.NoStdin, Stdout: out, Stderr: out})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func waitErr(t testing.TB, p sandbox.Proc) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := p.Wait(ctx)
	return err
}

func TestViolationsEndTheConnection(t *testing.T) {
	exit := proto.ExitInfo{}.Append(nil)
	big := make([]byte, proto.Window/2+1)
	for name, attack := range map[string]func(e *evil){
		"a stream that never was":        func(e *evil) { e.say(proto.Exit, 99, exit) },
		"output on it":                   func(e *evil) { e.say(proto.Stdout, 99, []byte("x")) },
		"stream 0":                       func(e *evil) { e.say(proto.Exit, 0, exit) },
		"a second greeting":              func(e *evil) { e.say(proto.Hello, 0, nil) },
		"a frame only the gateway sends": func(e *evil) { e.say(proto.Start, 1, nil) },
		"an unknown frame":               func(e *evil) { e.say(200, 1, nil) },
		"a short exit":                   func(e *evil) { e.say(proto.Exit, 1, exit[:3]) },
		"a signal that is none":          func(e *evil) { e.say(proto.Exit, 1, proto.ExitInfo{Signal: 200}.Append(nil)) },
		"a failure without an error":     func(e *evil) { e.say(proto.Failed, 1, []byte{0, 0, 0, 0}) },
		"credit for input nobody sent":   func(e *evil) { e.say(proto.Consumed, 1, []byte{0xff, 0xff, 0, 0}) },
		"errors of a merged stream":      func(e *evil) { e.say(proto.Stderr, 1, []byte("x")) },
		"two exits":                      func(e *evil) { e.say(proto.Exit, 1, exit); e.say(proto.Exit, 1, exit) },
		"output after the exit":          func(e *evil) { e.say(proto.Exit, 1, exit); e.say(proto.Stdout, 1, []byte("x")) },
		"a length beyond the limit": func(e *evil) {
			b := proto.Append(nil, proto.Stdout, 1, nil)
			binary.LittleEndian.PutUint32(b, proto.MaxPayload+1)
			_, _ = e.conn.Write(b)
		},
		"more output than the window": func(e *evil) {
			for range 3 {
				e.say(proto.Stdout, 1, big)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, e := pair(t)
			e.listen()
			block := make(chan struct{})
			p := start(t, c, blockingWriter{block})
			go attack(e)
			select {
			case <-c.Done():
			case <-time.After(5 * time.Second):
				t.Fatal("the connection lives")
			}
			close(block)
			if name != "two exits" && name != "output after the exit" {
				if err := waitErr(t, p); !errors.Is(err, sandbox.ErrGone) {
					t.Fatalf("the process ended with %v", err)
				}
			}
			if _, err := c.Start(context.Background(), sandbox.Cmd{Argv: []string{"x"}}); !errors.Is(err, sandbox.ErrGone) {
				t.Fatalf("a command started afterwards: %v", err)
			}
		})
	}
}

type blockingWriter struct{ free chan struct{} }

func (w blockingWriter) Write(p []byte) (int, error) { <-w.free; return len(p), nil }

func TestGreeting(t *testing.T) {
	for name, say := range map[string]func(e *evil){
		"nothing":         func(e *evil) {},
		"another nonce":   func(e *evil) { e.say(proto.Hello, 0, proto.HelloInfo{Version: proto.Version, Nonce: "m"}.Append(nil)) },
		"no nonce":        func(e *evil) { e.say(proto.Hello, 0, proto.HelloInfo{Version: proto.Version}.Append(nil)) },
		"another version": func(e *evil) { e.say(proto.Hello, 0, proto.HelloInfo{Version: 9, Nonce: "n"}.Append(nil)) },
		"another frame":   func(e *evil) { e.say(proto.Pong, 0, nil) },
		"rubbish":         func(e *evil) { _, _ = e.conn.Write(bytes.Repeat([]byte{0xff}, 64)) },
		"the end":         func(e *evil) { _ = e.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			e := &evil{t, b}
			go say(e)
			if c, err := New(context.Background(), a, Options{Nonce: "n", Timeout: 200 * time.Millisecond}); err == nil {
				_ = c.Close()
				t.Fatal("accepted")
			}
		})
	}
}

func TestOutputArrivesWithinTheWindow(t *testing.T) {
	c, e := pair(t)
	credit := make(chan uint32, 100)
	go func() {
		r := proto.NewReader(1 << 10)
		for {
			h, p, ok, err := r.Next()
			if err != nil {
				return
			}
			if ok {
				if n, err := proto.U32(p); err == nil && h.Type == proto.Credit {
					credit <- n
				}
				continue
			}
			n, err := e.conn.Read(r.Space())
			if err != nil {
				return
			}
			r.Advance(n)
		}
	}()
	var out bytes.Buffer
	p := start(t, c, &out)
	for range 30 {
		e.say(proto.Stdout, 1, []byte(strings.Repeat("y", 32<<10)))
		for got := uint32(0); got < 32<<10; {
			got += <-credit
		}
	}
	e.say(proto.Exit, 1, proto.ExitInfo{Code: 4}.Append(nil))
	x, err := p.Wait(context.Background())
	if err != nil || x.Code != 4 || out.Len() != 30*32<<10 {
		t.Fatalf("%+v %v %d", x, err, out.Len())
	}
}

func TestASilentSupervisorCannotHoldACancelledCall(t *testing.T) {
	c, e := pair(t)
	e.listen()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := c.Start(ctx, sandbox.Cmd{Argv: []string{"x"}, Stdin: sandbox.NoStdin, Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wctx, wcancel := context.WithTimeout(context.Background(), patience+3*time.Second)
	defer wcancel()
	if _, err := p.Wait(wctx); !errors.Is(err, sandbox.ErrGone) {
		t.Fatal(err)
	}
	if c.Active() != 0 {
		t.Fatal("it still counts as running")
	}
}

// FuzzHostileSupervisor sends whatever bytes the fuzzer likes from inside a
// box while commands run: nothing may panic, hang or grow.
func FuzzHostileSupervisor(f *testing.F) {
	exit := proto.ExitInfo{Code: 1}.Append(nil)
	f.Add(proto.Append(proto.Append(nil, proto.Stdout, 1, []byte("hi")), proto.Exit, 1, exit))
	f.Add(proto.Append(proto.Append(nil, proto.Started, 2, []byte{1, 0, 0, 0}), proto.Failed, 2, []byte{2, 0, 0, 0}))
	f.Add(proto.Append(nil, proto.Pong, 3, nil))
	f.Add(proto.Append(nil, proto.Consumed, 2, []byte{1, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, wire []byte) {
		a, b := net.Pipe()
		go func() {
			_, _ = b.Write(proto.Append(nil, proto.Hello, 0, proto.HelloInfo{Version: proto.Version, Nonce: "n"}.Append(nil)))
		}()
		c, err := New(context.Background(), a, Options{Nonce: "n"})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, b) })
		var out limitedBuffer
		p1 := start(t, c, &out)
		p2, err := c.Start(context.Background(), sandbox.Cmd{Argv: []string{"y"}, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		_ = b.SetWriteDeadline(time.Now().Add(2 * time.Second))
		_, _ = b.Write(wire)
		_ = c.Close()
		for _, p := range []sandbox.Proc{p1, p2} {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			if _, err := p.Wait(ctx); errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("a wait hangs")
			}
			cancel()
		}
		_ = b.Close()
		wg.Wait()
		if out.n > len(wire) {
			t.Fatalf("%d bytes of output from %d", out.n, len(wire))
		}
	})
}

type limitedBuffer struct {
	mu sync.Mutex
	n  int
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += len(p)
	return len(p), nil
}
