package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopDrains asks a gateway to end during a call: the call is answered,
// nothing new is taken, the journal holds.
func TestStopDrains(t *testing.T) {
	needDocker(t)
	g := gatewayOn(t, "agents: {}\n")
	if s, out := g.tool(g.token, "exec", "", map[string]any{"command": "true"}); s != 200 {
		t.Fatalf("warm: %d %s", s, out)
	}
	answered := make(chan string, 1)
	go func() {
		s, out := g.tool(g.token, "exec", "", map[string]any{"command": "touch began; sleep 2; echo drained"})
		answered <- fmt.Sprint(s, " ", out)
	}()
	if !eventually(20*time.Second, func() bool {
		_, out := g.tool(g.token, "exec", "", map[string]any{"command": "ls"})
		return strings.Contains(out, "began")
	}) {
		t.Fatal("the call never began")
	}
	if out, err := g.chitin("serve"); err == nil || !strings.Contains(out, fmt.Sprintf("pid %d holds", g.cmd.Process.Pid)) {
		t.Errorf("a second gateway: %v: %s", err, out)
	}
	g.end(syscall.SIGTERM)
	if out := <-answered; !strings.HasPrefix(out, "200 ") || !strings.Contains(out, "drained") {
		t.Errorf("the call in flight: %s", out)
	}
	if s, out := g.do("GET", "/health", "", ""); s != 0 {
		t.Errorf("after the end: %d %s", s, out)
	}
	if out, err := g.chitin("journal", "verify"); err != nil {
		t.Errorf("journal: %v: %s", err, out)
	}
	if out, _ := g.chitin("journal", "tail", "--event", "call.done", "--json"); strings.Contains(out, `"unknown"`) || !strings.Contains(out, `"ok"`) {
		t.Errorf("journal: %s", out)
	}
}

// TestWithoutEngine shows what is left when no sandbox can be had: an answer
// that names what to install, and everything that needs none.
func TestWithoutEngine(t *testing.T) {
	dead := filepath.Join(t.TempDir(), "dead.sock")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := gatewayOn(t, "agents: {defaults: {sandbox: {backend: docker}}}\n", "DOCKER_HOST=unix://"+dead)
	s, out := g.tool(g.token, "exec", "", map[string]any{"command": "id"})
	if s != 503 || !strings.Contains(out, "docker.io") {
		t.Errorf("exec without an engine: %d %s", s, out)
	}
	if strings.Contains(out, dead) {
		t.Errorf("the answer names a path of the host: %s", out)
	}
	for name, tool := range map[string]string{"session_status": "", "sessions_list": "", "agents_list": ""} {
		if s, out := g.tool(g.token, name, tool, map[string]any{}); s != 200 {
			t.Errorf("%s without an engine: %d %s", name, s, out)
		}
	}
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		if s, out := g.do("GET", path, g.token, ""); s != 200 {
			t.Errorf("%s without an engine: %d %s", path, s, out)
		}
	}
	if out := g.socket(g.token).call("health", map[string]any{}); !strings.Contains(out, `"ok":true`) {
		t.Errorf("websocket without an engine: %s", out)
	}
	if out := g.mcp(g.token, "", "session_status", map[string]any{}); !strings.Contains(out, "Session") {
		t.Errorf("mcp without an engine: %s", out)
	}
	g.end(syscall.SIGTERM)
}
