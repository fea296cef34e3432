// Package egress is the one way out of a box whose network is egress: an
// HTTP proxy on the gateway's side, which opens connections to public hosts
// that the configuration allows and to nothing else. The box has no route and
// no name service of its own.
package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"code.dny.dev/ssrf"
)

const (
	headerTime = 10 * time.Second
	dialTime   = 15 * time.Second
	idleTime   = 5 * time.Minute
	maxConns   = 64 // of one box at a time
)

// Policy says where a box may connect to.
type Policy struct {
	// Allow lists hosts, with * for any part of a name. Nil allows every
	// public host, an empty list none. Addresses of private, local and special
	// networks are refused whatever it says.
	Allow []string
	// Log hears every decision; may be nil.
	Log func(host string, allowed bool)
	// dial replaces the guarded dialer in tests.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Allowed reports whether a host name may be connected to at all.
func (p Policy) Allowed(host string) bool {
	if p.Allow == nil {
		return true
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, a := range p.Allow {
		if ok, err := path.Match(strings.ToLower(a), host); err == nil && ok {
			return true
		}
	}
	return false
}

// Serve answers one box's connections until the listener is closed.
func Serve(l net.Listener, p Policy) {
	if p.dial == nil {
		// The check runs on the address that is dialled, after every name was
		// looked up.
		d := &net.Dialer{Timeout: dialTime, Control: ssrf.New(ssrf.WithPorts(80, 443)).Safe}
		p.dial = d.DialContext
	}
	s := &proxy{p: p, transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute}}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: 64 << 10}
	_ = srv.Serve(&limited{Listener: l, free: make(chan struct{}, maxConns)})
	_ = srv.Close()
}

type proxy struct {
	p         Policy
	transport *http.Transport
}

// ServeHTTP opens a tunnel for CONNECT and passes plain requests on.
func (s *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Host
	if r.Method != http.MethodConnect {
		if r.URL.Scheme != "http" || r.URL.Host == "" {
			http.Error(w, "this is a proxy", http.StatusBadRequest)
			return
		}
		target = r.URL.Host
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		host, port = target, "80"
	}
	ok := s.p.Allowed(host)
	if s.p.Log != nil {
		s.p.Log(host, ok)
	}
	if !ok {
		http.Error(w, "the sandbox may not connect to this host", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodConnect {
		s.tunnel(w, r, net.JoinHostPort(host, port))
		return
	}
	s.forward(w, r)
}

func (s *proxy) tunnel(w http.ResponseWriter, r *http.Request, addr string) {
	ctx, cancel := context.WithTimeout(r.Context(), dialTime)
	defer cancel()
	up, err := s.p.dial(ctx, "tcp", addr)
	if err != nil {
		refuse(w, err)
		return
	}
	defer up.Close()
	down, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { splice(up, buf.Reader, up, down); closeWrite(up) })
	wg.Go(func() { splice(down, up, up, down); closeWrite(down) })
	wg.Wait()
}

// splice copies one direction; either side that stands still for long ends
// the tunnel.
func splice(dst io.Writer, src io.Reader, up, down net.Conn) {
	b := make([]byte, 32<<10)
	for {
		end := time.Now().Add(idleTime)
		if up.SetDeadline(end) != nil || down.SetDeadline(end) != nil {
			return
		}
		n, err := src.Read(b)
		if n > 0 {
			if _, werr := dst.Write(b[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func closeWrite(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
		return
	}
	_ = c.Close()
}

func (s *proxy) forward(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	for _, h := range []string{"Proxy-Connection", "Proxy-Authorization", "Connection", "Te", "Trailer", "Upgrade", "Keep-Alive"} {
		out.Header.Del(h)
	}
	res, err := s.transport.RoundTrip(out)
	if err != nil {
		refuse(w, err)
		return
	}
	defer res.Body.Close()
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

// refuse tells the inside no more than that it did not work.
func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedPort) || errors.Is(err, ssrf.ErrProhibitedNetwork) {
		http.Error(w, "the sandbox may not connect to this address", http.StatusForbidden)
		return
	}
	http.Error(w, "the host cannot be reached", http.StatusBadGateway)
}

// limited lets a box have only so many connections at a time.
type limited struct {
	net.Listener
	free chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, free: l.free}, nil
}

type counted struct {
	net.Conn
	once sync.Once
	free chan struct{}
}

func (c *counted) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}

// CloseWrite ends one direction where the connection can.
func (c *counted) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return c.Conn.Close()
}
