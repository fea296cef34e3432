package egress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// client is an HTTP client inside, behind a proxy with a policy.
func client(t *testing.T, p Policy) (*http.Client, string) {
	t.Helper()
	sock := filepath.Join(t.TempDir(), "e")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { Serve(l, p); close(done) }()
	t.Cleanup(func() { _ = l.Close(); <-done })
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy"}),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", sock)
		}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, sock
}

func connect(t *testing.T, sock, target string) string {
	t.Helper()
	c, err := net.Dial("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line
}

func TestInnerNetworksAreNeverReached(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	for _, allow := range [][]string{nil, {"*"}} {
		c, sock := client(t, Policy{Allow: allow})
		for _, target := range []string{srv.Listener.Addr().String(), "127.0.0.1:80", "localhost:443", "169.254.169.254:80", "10.0.0.1:443", "192.168.1.1:80", "172.17.0.1:443",
			"[::1]:80", "[fe80::1]:80", "[::ffff:127.0.0.1]:443", "0.0.0.0:80", "100.64.0.1:80"} {
			if got := connect(t, sock, target); strings.Contains(got, "200") {
				t.Errorf("%s: %s", target, got)
			}
		}
		res, err := c.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("a request to the loopback got %s", res.Status)
		}
		_ = res.Body.Close()
	}
}

func TestAllowList(t *testing.T) {
	for _, c := range []struct {
		allow []string
		host  string
		want  bool
	}{
		{nil, "example.org", true}, {[]string{}, "example.org", false}, {[]string{"example.org"}, "EXAMPLE.org.", true},
		{[]string{"example.org"}, "evil-example.org", false}, {[]string{"*.example.org"}, "a.example.org", true},
		{[]string{"*.example.org"}, "example.org", false}, {[]string{"*.example.org"}, "example.org.evil.com", false}, {[]string{"["}, "x", false},
	} {
		if got := (Policy{Allow: c.allow}).Allowed(c.host); got != c.want {
			t.Errorf("%v, %s: %v", c.allow, c.host, got)
		}
	}
	_, sock := client(t, Policy{Allow: []string{}})
	if got := connect(t, sock, "example.org:443"); !strings.Contains(got, "403") {
		t.Errorf("an empty list let %q", got)
	}
}

func TestWhatIsAllowedPasses(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("proxy headers were passed on")
		}
		_, _ = io.WriteString(w, "public")
	}))
	defer srv.Close()
	var seen []string
	c, sock := client(t, Policy{Allow: []string{"example.org"}, Log: func(h string, ok bool) { seen = append(seen, fmt.Sprint(h, ok)) },
		dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", srv.Listener.Addr().String())
		}})
	res, err := c.Get("http://example.org/")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil || string(b) != "public" {
		t.Errorf("%q %v", b, err)
	}
	_ = res.Body.Close()
	if got := connect(t, sock, "example.org:443"); !strings.Contains(got, "200") {
		t.Error(got)
	}
	if len(seen) != 2 {
		t.Errorf("%v", seen)
	}
}
