package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBadRequests sends what no client should.
func TestBadRequests(t *testing.T) {
	g := gatewayOn(t, "agents: {}\n")
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"malformed":    {`{"tool":`, 400},
		"nothing":      {``, 400},
		"an array":     {`[1]`, 400},
		"wrong types":  {`{"tool":7,"args":[]}`, 400},
		"NUL in name":  {`{"tool":"ex\u0000ec"}`, 404},
		"deep":         {strings.Repeat("[", 100000), 400},
		"3 MB":         {`{"tool":"session_status","args":{"x":"` + strings.Repeat("x", 3<<20) + `"}}`, 413},
		"unknown tool": {`{"tool":"nope"}`, 404},
	} {
		if s, out := g.do("POST", "/tools/invoke", g.token, c.body); s != c.want || !strings.Contains(out, `"error"`) {
			t.Errorf("%s: %d %.200s, want %d", name, s, out, c.want)
		}
	}
	if s, _ := g.do("GET", "/tools/invoke", g.token, ""); s != 405 {
		t.Errorf("GET: %d", s)
	}
}

// TestManyIdleConnections holds connections that say nothing or drip a body,
// while others are served.
func TestManyIdleConnections(t *testing.T) {
	want := 2000
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur >= 24000 {
		want = 10000
	}
	g := gatewayOn(t, "agents: {}\n")
	slow, err := net.Dial("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	_, _ = fmt.Fprintf(slow, "POST /tools/invoke HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{", g.port, g.token)
	held := 0
	for range want {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+g.port, 5*time.Second)
		if err != nil {
			break
		}
		held++
		defer func() { _ = c.Close() }()
	}
	// A bound on open connections is a clear refusal as well.
	if held < want/10 {
		t.Errorf("only %d connections were taken", held)
	}
	client := &http.Client{Timeout: 5 * time.Second}
	var took []time.Duration
	for range 50 {
		began := time.Now()
		resp, err := client.Get("http://127.0.0.1:" + g.port + "/health")
		if err != nil {
			t.Fatalf("health with %d idle connections: %v", held, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	if took[25] > 200*time.Millisecond {
		t.Errorf("health takes %v with %d idle connections", took[25], held)
	}
	t.Logf("%d idle connections, health in %v", held, took[25])
}

// TestPathEscapes tries to leave the workspace with the file tools.
func TestPathEscapes(t *testing.T) {
	needDocker(t)
	g := gatewayOn(t, "agents: {defaults: {sandbox: {workspaceAccess: rw}}}\n")
	outside := filepath.Join(filepath.Dir(g.state), "outside.txt")
	if err := os.WriteFile(outside, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	setup := "ln -s " + outside + " abs; ln -s ../../../../../.. up; ln -s /proc/self/fd fd; mkdir d e; echo mine > d/outside.txt; ln -s " + filepath.Dir(outside) + " swap1; ln -s d swap; ln /etc/passwd hard 2>/dev/null; test -L swap1 && test -f d/outside.txt && echo all-there"
	if s, out := g.tool(g.token, "exec", "", map[string]any{"command": setup}); s != 200 || !strings.Contains(out, "all-there") {
		t.Fatalf("setup: %d %s %s", s, out, g.out.String())
	}
	for _, path := range []string{"../outside.txt", "../../../../outside.txt", outside, "abs", "up" + outside, "fd/0", "/proc/self/fd/0", "/proc/1/environ", "a\x00b", "swap1/outside.txt", "hard/.."} {
		for tool, args := range map[string]map[string]any{
			"read": {"path": path}, "write": {"path": path, "content": "taken"},
			"edit": {"path": path, "edits": []any{map[string]any{"oldText": "precious", "newText": "taken"}}},
			"ls":   {"path": path},
		} {
			s, out := g.tool(g.token, tool, "", args)
			if s < 400 || s >= 500 || strings.Contains(out, "precious") {
				t.Errorf("%s %.60q: %d %.200s", tool, path, s, out)
			}
		}
	}
	// A link that changes its mind while the tools look.
	done := make(chan string, 1)
	go func() {
		_, out := g.tool(g.token, "exec", "", map[string]any{"command": "i=0; while [ $i -lt 1500 ]; do ln -sfn d swap; ln -sfn " + filepath.Dir(outside) + " swap; i=$((i+1)); done"})
		done <- out
	}()
	tries := 0
	for racing := true; racing; tries++ {
		select {
		case <-done:
			racing = false
		default:
		}
		if _, out := g.tool(g.token, "read", "", map[string]any{"path": "swap/outside.txt"}); strings.Contains(out, "precious") {
			t.Fatal("a swapped link was followed out by read")
		}
		_, _ = g.tool(g.token, "write", "", map[string]any{"path": "swap/outside.txt", "content": "taken"})
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "precious" {
		t.Errorf("outside: %q, %v after %d tries", b, err, tries)
	}
	t.Logf("%d tries against a link that changes", tries)
}
