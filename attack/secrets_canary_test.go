//go:build linux

package attack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/secrets/secretstest"
)

// canaryGateway is a real gateway in a process of its own, whose secrets are
// canaries in the store.
type canaryGateway struct {
	t       *testing.T
	bin     string
	state   string
	tmp     string
	url     string
	cmd     *exec.Cmd
	output  bytes.Buffer
	seen    bytes.Buffer // everything that clients were shown
	planted []secretstest.Canary
}

func (g *canaryGateway) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.state, "TMPDIR=" + g.tmp, "GOTRACEBACK=crash"}
}

// chitin runs one command and keeps what it prints.
func (g *canaryGateway) chitin(stdin string, args ...string) {
	g.t.Helper()
	cmd := exec.Command(g.bin, append(args, "--state", g.state)...)
	cmd.Env, cmd.Stdin = g.environ(), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	g.seen.Write(out)
	if err != nil {
		g.t.Fatalf("chitin %v: %v\n%s", args, err, out)
	}
}

func (g *canaryGateway) start() {
	g.t.Helper()
	g.cmd = exec.Command(g.bin, "serve", "--state", g.state, "--port", "0")
	g.cmd.Env, g.cmd.Dir, g.cmd.Stderr = g.environ(), g.tmp, &g.output
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		g.t.Fatalf("no ready line: %v\n%s", err, g.output.String())
	}
	g.url = strings.TrimSpace(strings.TrimPrefix(line, "ready "))
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
}

// do sends one request and keeps the whole answer.
func (g *canaryGateway) do(method, path, body string, header ...string) int {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	_ = resp.Header.Write(&g.seen)
	_, _ = io.Copy(&g.seen, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode
}

// exercise uses every door rightly and wrongly, with canaries in every place
// where a client can put one.
func (g *canaryGateway) exercise() {
	token, hook, guess := g.planted[0].Value.Reveal(), g.planted[1].Value.Reveal(), g.planted[2].Value.Reveal()
	right := []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}
	for _, path := range []string{"/health", "/ready", "/metrics", "/", "/nothing"} {
		g.do(http.MethodGet, path, "", right...)
	}
	if code := g.do(http.MethodPost, "/tools/invoke", `{"tool":"session_status","args":{}}`, right...); code == http.StatusUnauthorized {
		g.t.Fatalf("the token of the store is not accepted: %d\n%s", code, g.output.String())
	}
	args, _ := json.Marshal(map[string]any{"tool": "read", "args": map[string]string{"path": "/" + token, "note": base64.StdEncoding.EncodeToString([]byte("u:" + hook))}})
	g.do(http.MethodPost, "/tools/invoke", string(args), right...)
	g.do(http.MethodPost, "/tools/invoke", `{"tool":`+token, right...)
	g.do(http.MethodPost, "/hooks/agent", `{"message":"hello"}`, "Authorization", "Bearer "+hook, "Content-Type", "application/json")
	g.do(http.MethodPost, "/hooks/agent?token="+hook, `{}`)
	g.do(http.MethodGet, "/"+hook+"?access_token="+token, "", right...)
	for _, h := range []string{"Bearer " + guess, "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+guess)), guess} {
		g.do(http.MethodPost, "/tools/invoke", `{"tool":"exec"}`, "Authorization", h, "X-Api-Key", guess, "Cookie", "session="+guess, "User-Agent", guess)
	}
	g.socket(token)
	g.socket(guess)
	if code := g.do(http.MethodGet, "/metrics", "", right...); code >= 500 {
		g.t.Errorf("metrics: %d", code)
	}
}

func (g *canaryGateway) socket(token string) {
	ctx, cancel := context.WithTimeout(g.t.Context(), 5*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(g.url, "http")+"/", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		fmt.Fprintln(&g.seen, err)
		return
	}
	defer func() { _ = conn.CloseNow() }()
	msg, _ := json.Marshal(map[string]any{"type": "req", "id": "1", "method": "connect", "params": map[string]any{"minProtocol": 1, "maxProtocol": 4, "auth": map[string]string{"token": token}, "client": map[string]string{"id": "cli"}}})
	_ = conn.Write(ctx, websocket.MessageText, msg)
	for range 3 {
		readCtx, done := context.WithTimeout(ctx, 500*time.Millisecond)
		_, data, err := conn.Read(readCtx)
		done()
		if err != nil {
			fmt.Fprintln(&g.seen, err)
			return
		}
		g.seen.Write(data)
	}
}

// TestCanarySweep plants 25 secrets, uses the gateway in every way, kills it
// in the middle and looks everywhere.
func TestCanarySweep(t *testing.T) {
	dir := t.TempDir()
	g := &canaryGateway{t: t, bin: filepath.Join(dir, "chitin"), state: filepath.Join(dir, "state"), tmp: filepath.Join(dir, "tmp"), planted: secretstest.Canaries(25)}
	if out, err := exec.Command("go", "build", "-o", g.bin, "../cmd/chitin").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, d := range []string{g.state, g.tmp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := "gateway:\n  auth:\n    token: {source: store, provider: default, id: canary-00}\nhooks:\n  enabled: true\n  token: {source: store, provider: default, id: canary-01}\nlogging:\n  level: debug\n"
	if err := os.WriteFile(filepath.Join(g.state, "chitin.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.planted {
		g.chitin(c.Value.Reveal(), "secrets", "set", c.Name)
	}
	g.chitin("", "secrets", "rotate")
	g.chitin("", "secrets", "list", "--json")
	g.start()
	g.exercise()
	if found := secretstest.InProc(g.planted); len(found) > 0 {
		t.Errorf("in the process table: %v", found)
	}
	_ = g.cmd.Process.Signal(syscall.SIGKILL)
	_ = g.cmd.Wait()
	g.chitin("", "secrets", "audit", "--json")
	g.chitin("", "config", "show")
	for name, text := range map[string][]byte{"what clients saw": g.seen.Bytes(), "the log": g.output.Bytes()} {
		if len(text) == 0 {
			t.Errorf("%s is empty: nothing was exercised", name)
		}
		if found := secretstest.In(text, g.planted); len(found) > 0 {
			t.Errorf("in %s: %v", name, found)
		}
	}
	found, err := secretstest.InTree(dir, g.planted, nil)
	if err != nil || len(found) > 0 {
		t.Errorf("on disk: %v %v", err, found)
	}
}
