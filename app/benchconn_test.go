package app

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// replay is a connection whose other end sends one request again and again and
// does not read the answers: what is left is the server's own work.
type replay struct {
	request []byte
	at      int
	left    int
	done    chan struct{}
	once    sync.Once
}

func (c *replay) Read(p []byte) (int, error) {
	if c.left == 0 {
		<-c.done
		return 0, io.EOF
	}
	n := copy(p, c.request[c.at:])
	if c.at += n; c.at == len(c.request) {
		c.at = 0
		c.left--
	}
	return n, nil
}

func (c *replay) Write(p []byte) (int, error) {
	if c.left == 0 { // the answer to the last request
		c.once.Do(func() { close(c.done) })
	}
	return len(p), nil
}

func (c *replay) Close() error                     { return nil }
func (c *replay) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (c *replay) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (c *replay) SetDeadline(time.Time) error      { return nil }
func (c *replay) SetReadDeadline(time.Time) error  { return nil }
func (c *replay) SetWriteDeadline(time.Time) error { return nil }

// oneListener accepts what is sent to it.
type oneListener chan net.Conn

func (l oneListener) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l oneListener) Close() error   { return nil }
func (l oneListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// BenchmarkServer is the processor's part of a request without the kernel's
// network: each case next to the bare handler of BenchmarkHTTP.
func BenchmarkServer(b *testing.B) {
	a := benchApp(b)
	mine := a.handler(a.live.Load().loaded).Server()
	token := a.secret(keyToken).Reveal()
	for _, tc := range []struct {
		name, token, tool string
		srv               *http.Server
	}{
		{"bare", token, "agents_list", &http.Server{Handler: bareHandler()}},
		{"refused", "", "agents_list", mine},
		{"denied", token, "sessions_spawn", mine},
		{"unknown", token, "sessions_spoon", mine},
		{"allowed", token, "agents_list", mine},
	} {
		b.Run(tc.name, func(b *testing.B) {
			body := `{"tool":"` + tc.tool + `"}`
			head := "POST /tools/invoke HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
			if tc.token != "" {
				head += "Authorization: Bearer " + tc.token + "\r\n"
			}
			b.ReportAllocs()
			l := make(oneListener, 1)
			go func() { _ = tc.srv.Serve(l) }()
			c := &replay{request: []byte(head + "\r\n" + body), left: b.N, done: make(chan struct{})}
			b.ResetTimer()
			l <- c
			<-c.done
			b.StopTimer()
			close(l)
		})
	}
}
