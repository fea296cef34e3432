package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
)

// proxies are real reverse proxies in front of a gateway at target. nginx is
// used where it is installed.
func proxies() map[string]func(t *testing.T, target string) string {
	out := map[string]func(t *testing.T, target string) string{"httputil": goProxy}
	if _, err := exec.LookPath("nginx"); err == nil {
		out["nginx"] = nginxProxy
	}
	return out
}

// goProxy is the reverse proxy of the standard library.
func goProxy(t *testing.T, target string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: target})
		r.Out.Host = r.In.Host
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		r.SetXForwarded()
		r.Out.Header.Set("X-User", "bob@example.org")
	}}
	s := &http.Server{Handler: p, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

const nginxConf = `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen 127.0.0.1:%[2]d;
    location / {
      proxy_pass http://%[3]s; proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-User bob@example.org;
    }
  }
}`

func nginxProxy(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, port, target), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", conf, "-e", filepath.Join(dir, "error.log"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
	t.Fatalf("nginx does not answer: %s", log)
	return ""
}

func TestBehindRealProxies(t *testing.T) {
	for name, start := range proxies() {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, guardtest.Options{Config: gateway.Config{
				TrustedProxies: []string{"127.0.0.1"},
				Auth:           gateway.AuthConfig{Mode: gateway.ModeProxy, TrustedProxy: gateway.TrustedProxyConfig{UserHeader: "X-User", AllowLoopback: true}},
			}})
			direct := d.listen()
			behind := start(t, direct)
			outer := []string{"X-Forwarded-For", "203.0.113.7"} // an outer hop; the proxy appends itself
			for what, tc := range map[string]struct {
				addr   string
				path   string
				header []string
				code   int
			}{
				"through the proxy":             {behind, "/tools/invoke", outer, 200},
				"with a user of one's own":      {behind, "/tools/invoke", append([]string{"X-User", "root"}, outer...), 200},
				"only loopback hops":            {behind, "/tools/invoke", nil, 403},
				"unreadable hop":                {behind, "/tools/invoke", []string{"X-Forwarded-For", "nonsense"}, 403},
				"foreign origin":                {behind, "/tools/invoke", append([]string{"Origin", "https://evil.example"}, outer...), 403},
				"rebinding":                     {behind, "/tools/invoke", append([]string{"Host", "evil.example"}, outer...), 421},
				"encoded path":                  {behind, "/tools%2finvoke", outer, 404},
				"dot segments":                  {behind, "/x/%2e%2e/tools/invoke", outer, 404},
				"past the proxy":                {direct, "/tools/invoke", nil, 401},
				"past the proxy, with user":     {direct, "/tools/invoke", []string{"X-User", "bob@example.org"}, 401},
				"past the proxy, only loopback": {direct, "/tools/invoke", []string{"X-User", "bob@example.org", "X-Forwarded-For", "127.0.0.1"}, 403},
			} {
				code, body := post(t, tc.addr, tc.path, tc.header)
				if code != tc.code && !(strings.Contains(what, "path") || strings.Contains(what, "dot")) || code == 200 && !strings.Contains(body, "trusted-proxy:bob@example.org") {
					t.Errorf("%s: %d %s, want %d", what, code, body, tc.code)
				}
			}
			ws, _, err := d.socket(behind, http.Header{"X-Forwarded-For": {"203.0.113.7"}})
			if err != nil {
				t.Fatal(err)
			}
			if m, err := rpc(ws, "connect", connectParams(nil)); err != nil || m["ok"] != true {
				t.Errorf("WebSocket through the proxy: %v %v", m, err)
			}
		})
	}
}

func post(t *testing.T, addr, path string, header []string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, strings.NewReader(`{"tool":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
