package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// running is a real gateway with a state directory of its own.
type running struct {
	t     *testing.T
	state string
	port  string
	token string
	env   []string
	cmd   *exec.Cmd
	done  chan struct{}
	out   lockedBuffer
}

const gatewayToken = "e2e-gateway-token-5d1b8c3f7a9e2046"

// gatewayOn writes a configuration and starts a gateway on it. Variables are the
// gateway's alone.
func gatewayOn(t *testing.T, conf string, env ...string) *running {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	g := &running{t: t, state: filepath.Join(t.TempDir(), "state"), port: port, token: gatewayToken}
	g.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(g.state), "CHITIN_STATE_DIR=" + g.state, "CHITIN_GATEWAY_PORT=" + port, "TMPDIR=" + filepath.Dir(g.state)}, env...)
	if !strings.Contains(conf, "token:") {
		g.env = append(g.env, "CHITIN_GATEWAY_TOKEN="+gatewayToken)
	}
	if err := os.Mkdir(g.state, 0o700); err != nil {
		t.Fatal(err)
	}
	g.configure(conf)
	t.Cleanup(func() {
		if g.cmd != nil {
			_ = g.cmd.Process.Kill()
			<-g.done
		}
		sweep(g.state)
	})
	g.start()
	return g
}

func (g *running) configure(conf string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.state, "chitin.yml"), []byte(conf), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *running) start() {
	g.t.Helper()
	before := strings.Count(g.out.String(), "ready ")
	g.cmd, g.done = exec.Command(filepath.Join(bin, "chitin"), "serve"), make(chan struct{})
	g.cmd.Env, g.cmd.Stdout, g.cmd.Stderr = g.env, &g.out, &g.out
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	cmd, done := g.cmd, g.done
	go func() { _ = cmd.Wait(); close(done) }()
	if !eventually(20*time.Second, func() bool { return strings.Count(g.out.String(), "ready ") > before }) {
		g.t.Fatalf("the gateway never got ready: %s", g.out.String())
	}
}

// end sends a signal and waits for the gateway's end.
func (g *running) end(sig syscall.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(sig); err != nil {
		g.t.Fatal(err)
	}
	select {
	case <-g.done:
	case <-time.After(30 * time.Second):
		g.t.Fatal("the gateway did not end")
	}
	g.cmd = nil
}

func eventually(within time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// chitin runs the program on the gateway's state directory.
func (g *running) chitin(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(bin, "chitin"), args...)
	cmd.Env = g.env
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// mint makes a named token and returns it.
func (g *running) mint(name, tenant string, scopes ...string) string {
	g.t.Helper()
	args := []string{"token", "create", name, "--tenant", tenant, "--json"}
	if len(scopes) > 0 {
		args = append(args, "--scope", strings.Join(scopes, ","))
	}
	cmd := exec.Command(filepath.Join(bin, "chitin"), args...)
	cmd.Env = g.env
	b, err := cmd.Output()
	var made struct{ Token string }
	if err != nil || json.Unmarshal(b, &made) != nil || made.Token == "" {
		g.t.Fatalf("token create: %v: %s", err, b)
	}
	if !eventually(10*time.Second, func() bool { s, _ := g.do("GET", "/metrics", made.Token, ""); return s == 200 }) {
		g.t.Fatalf("the token %s was never taken", name)
	}
	return made.Token
}

// do sends one request; the status is 0 when no answer came.
func (g *running) do(method, path, token, body string, header ...string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+g.port+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// tool calls a tool over HTTP in a session.
func (g *running) tool(token, name, session string, args any) (int, string) {
	b, err := json.Marshal(map[string]any{"tool": name, "args": args, "sessionKey": session})
	if err != nil {
		g.t.Fatal(err)
	}
	return g.do("POST", "/tools/invoke", token, string(b))
}

// eventID is the line by which a client finds a stream again; it is drawn anew
// for each.
var eventID = regexp.MustCompile(`(?m)^id: .*\n`)

// mcp calls a tool over MCP and returns what the server said.
func (g *running) mcp(token, session, name string, args any) string {
	g.t.Helper()
	header := []string{"Content-Type", "application/json", "Accept", "application/json, text/event-stream", "Chitin-Session", session, "Mcp-Protocol-Version", "2025-06-18"}
	ask := func(method string, params any, more ...string) (string, http.Header) {
		b, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
		req, err := http.NewRequest("POST", "http://127.0.0.1:"+g.port+"/mcp", bytes.NewReader(b))
		if err != nil {
			g.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		h := append(append([]string{}, header...), more...)
		for i := 0; i+1 < len(h); i += 2 {
			req.Header.Set(h[i], h[i+1])
		}
		resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
		if err != nil {
			g.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			g.t.Fatal(err)
		}
		return eventID.ReplaceAllString(string(out), ""), resp.Header
	}
	_, h := ask("initialize", map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "e2e", "version": "1"}})
	id := h.Get("Mcp-Session-Id")
	if name == "" { // the journal resource
		out, _ := ask("resources/read", args, "Mcp-Session-Id", id)
		return out
	}
	out, _ := ask("tools/call", map[string]any{"name": name, "arguments": args}, "Mcp-Session-Id", id)
	return out
}

// socket is a connected WebSocket client.
type socket struct {
	t  *testing.T
	ws *websocket.Conn
	n  int
}

func (g *running) socket(token string) *socket {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "ws://127.0.0.1:"+g.port+"/", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	ws.SetReadLimit(8 << 20)
	g.t.Cleanup(func() { _ = ws.CloseNow() })
	s := &socket{t: g.t, ws: ws}
	hello := s.call("connect", map[string]any{
		"minProtocol": 4, "maxProtocol": 4, "role": "operator", "auth": map[string]any{"token": token},
		"client": map[string]any{"id": "test", "version": "1", "platform": "linux", "mode": "test"},
	})
	if !strings.Contains(hello, `"hello-ok"`) {
		g.t.Fatalf("connect: %s", hello)
	}
	return s
}

// send sends a request and returns its id.
func (s *socket) send(method string, params any) string {
	s.t.Helper()
	s.n++
	id := fmt.Sprint("r", s.n)
	b, err := json.Marshal(map[string]any{"type": "req", "id": id, "method": method, "params": params})
	if err == nil {
		err = s.ws.Write(context.Background(), websocket.MessageText, b)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// call returns the answer to one request, its id taken out so that two
// answers can be compared.
func (s *socket) call(method string, params any) string {
	s.t.Helper()
	id := s.send(method, params)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, b, err := s.ws.Read(ctx)
		if err != nil {
			s.t.Fatalf("%s: %v", method, err)
		}
		var f struct{ Type, ID string }
		if json.Unmarshal(b, &f) == nil && f.Type == "res" && f.ID == id {
			return strings.Replace(string(b), `"id":"`+id+`"`, `"id":"x"`, 1)
		}
	}
}

// invoke calls a tool over the socket.
func (s *socket) invoke(name, session string, args any) string {
	s.t.Helper()
	return s.call("tools.invoke", map[string]any{"name": name, "sessionKey": session, "args": args})
}

// needDocker skips, or fails where an engine is required.
func needDocker(t *testing.T) {
	t.Helper()
	ok, err := condition("docker")
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Skip("needs a Docker Engine")
	}
}
