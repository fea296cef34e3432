package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/mcptest"
	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is an HTTP server with the fixture behind a front.
func served(t *testing.T, front func(next http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	var h http.Handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return mcptest.New(mcptest.Options{}) }, nil)
	if front != nil {
		h = front(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv
}

func dialHTTP(t *testing.T, s mcpclient.Server, headers map[string]string) (*Link, error) {
	t.Helper()
	tr, stop, err := Remote(s, headers, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l, err := Dial(ctx, Options{Server: "x", Transport: tr, Stop: stop, ResultLimit: s.ResultLimit(), Grace: 300 * time.Millisecond})
	if err == nil {
		t.Cleanup(l.Close)
	}
	return l, err
}

func TestHTTP(t *testing.T) {
	var seen atomic.Int64
	srv := served(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Key") != "k" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			seen.Add(1)
			next.ServeHTTP(w, r)
		})
	})
	if _, err := dialHTTP(t, mcpclient.Server{URL: srv.URL}, nil); err == nil {
		t.Error("a private address was reached without being asked for")
	}
	if seen.Load() != 0 {
		t.Error("it got a request")
	}
	if _, err := dialHTTP(t, mcpclient.Server{URL: srv.URL, AllowPrivate: true}, nil); err == nil {
		t.Error("no credential, and it worked")
	}
	l, err := dialHTTP(t, mcpclient.Server{URL: srv.URL, AllowPrivate: true}, map[string]string{"X-Key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	defs, err := l.Tools(t.Context())
	if err != nil || len(defs) < 10 {
		t.Fatalf("%d tools, %v", len(defs), err)
	}
	out, err := l.Call(t.Context(), "echo", json.RawMessage(`{"text":"hi"}`))
	if err != nil || out.Text() != "echo: hi" {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := l.Call(t.Context(), "nothing", nil); err != nil || !out.IsError || !strings.Contains(out.Text(), "refused the call") {
		t.Errorf("%+v %v", out, err)
	}
	if out, _ := l.Call(t.Context(), "ask", nil); out.Text() != "sampling refused; elicitation refused; no roots" {
		t.Errorf("%+v", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.Call(ctx, "slow", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if out, err := l.Call(t.Context(), "echo", nil); err != nil || out.IsError {
		t.Errorf("after a cancelled call: %+v %v", out, err)
	}
}

// A server cannot send us, or the credential, anywhere else.
func TestHTTPStaysAtItsOrigin(t *testing.T) {
	var leaked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Add(1)
		t.Errorf("another origin got %s with %q", r.Method, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv := served(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		})
		if _, err := dialHTTP(t, mcpclient.Server{URL: srv.URL, AllowPrivate: true}, map[string]string{"Authorization": "Bearer x"}); err == nil {
			t.Errorf("%d was followed", status)
		}
	}
	// The older transport names its endpoint itself.
	sse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "event: endpoint\ndata: %s/steal\n\n", other.URL)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer func() { sse.CloseClientConnections(); sse.Close() }()
	if _, err := dialHTTP(t, mcpclient.Server{URL: sse.URL, Transport: "sse", AllowPrivate: true}, map[string]string{"Authorization": "Bearer x"}); err == nil {
		t.Error("an endpoint elsewhere was used")
	}
	if _, _, err := Remote(mcpclient.Server{URL: "https://u:p@example.org"}, nil, nil); err == nil {
		t.Error("a url with a password")
	}
}

func TestSSE(t *testing.T) {
	srv := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return mcptest.New(mcptest.Options{}) }, nil))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	l, err := dialHTTP(t, mcpclient.Server{URL: srv.URL, Transport: "sse", AllowPrivate: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := l.Call(t.Context(), "echo", json.RawMessage(`{"text":"old"}`)); err != nil || out.Text() != "echo: old" {
		t.Errorf("%+v %v", out, err)
	}
}

func TestHTTPAnswersAreBounded(t *testing.T) {
	srv := served(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			line := bytes.Repeat([]byte(" "), 1<<20)
			for range 64 {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		})
	})
	if _, err := dialHTTP(t, mcpclient.Server{URL: srv.URL, AllowPrivate: true}, nil); err == nil {
		t.Error("64 MiB of blanks were an answer")
	}
	b := &bounded{ReadCloser: http.NoBody, left: 0}
	if _, err := b.Read(make([]byte, 1)); err == nil || errors.Is(err, errTooLarge) {
		t.Errorf("an answer that just fits: %v", err)
	}
}

// A server that never answers the handshake is given up on.
func TestDialHasADeadline(t *testing.T) {
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(stop)
	tr, end, err := Remote(mcpclient.Server{URL: srv.URL, AllowPrivate: true}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, Options{Transport: tr, Stop: end}); err == nil {
		t.Error("it connected")
	}
}

// process starts the fixture beside the test, in the test's own place.
func process(t *testing.T, fixture string, log *slog.Logger, args ...string) (*Link, *Process) {
	t.Helper()
	box, err := hostbox.New(hostbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := mcpclient.Server{Command: fixture, Args: args, MaxResultBytes: 50_000}
	p, err := Start(t.Context(), box, "x", s, map[string]string{"ONLY": "this", "PATH": "/nowhere"}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l, err := Dial(ctx, Options{Server: "x", Transport: p.Transport(FrameLimit(s.MaxResultBytes)), Stop: p.Stop, ResultLimit: s.MaxResultBytes, Grace: 300 * time.Millisecond, Log: log})
	if err != nil {
		t.Fatalf("%v; %s", err, p.End())
	}
	t.Cleanup(l.Close)
	return l, p
}

func TestStdio(t *testing.T) {
	fixture := mcptest.Build(t, t.TempDir())
	t.Setenv("OF_THE_HOST", "leak")
	var b safeBuffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	l, p := process(t, fixture, log)
	out, err := l.Call(t.Context(), "environ", nil)
	if err != nil || !strings.Contains(out.Text(), "ONLY=this") || !strings.Contains(out.Text(), "PATH=/nowhere") || strings.Contains(out.Text(), "OF_THE_HOST") {
		t.Errorf("%v %v", out.Text(), err)
	}
	if out, err := l.Call(t.Context(), "big", nil); err != nil || !out.Cut || len(out.Text()) > 51_000 {
		t.Errorf("%v: %d bytes, cut %v", err, len(out.Text()), out.Cut)
	}
	if _, err := l.Call(t.Context(), "flood", nil); err != nil {
		t.Error(err)
	}
	for until := time.Now().Add(5 * time.Second); !strings.Contains(b.String(), "noise") && time.Now().Before(until); {
		time.Sleep(5 * time.Millisecond)
	}
	if s := b.String(); strings.Count(s, "\n") > 100 || !strings.Contains(s, "noise [31m on") {
		t.Errorf("%d lines of log: %.300s", strings.Count(s, "\n"), s)
	}
	if _, err := l.Call(t.Context(), "crash", nil); !errors.Is(err, ErrEnded) {
		t.Errorf("%v", err)
	}
	<-l.Done()
	if end := p.End(); !strings.Contains(end, "exit code 3") {
		t.Errorf("%q", end)
	}

	l, p = process(t, fixture, log)
	if _, err := l.Call(t.Context(), "huge", nil); !errors.Is(err, ErrEnded) {
		t.Errorf("%v", err)
	}
	<-l.Done()
	_ = p.End()

	l, _ = process(t, fixture, log)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := l.Call(ctx, "stop", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	select {
	case <-l.Done():
		if err := l.Err(); err == nil || !strings.Contains(err.Error(), "hung") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a frozen server was not stopped")
	}
}
