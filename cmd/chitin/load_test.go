package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// size is a number of the load tests, which the environment may change for slow
// machines or long runs.
func size(name string, small int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return small
}

const loadConfig = `tools: {sandbox: {tools: {alsoAllow: [content_wrap]}}}
agents:
  defaults:
    sandbox:
      workspaceAccess: rw
      docker: {pidsLimit: 1024, memory: 512m}
`

// call is one call as its client saw it.
type call struct {
	mark, tenant, session, tool, via string
	once                             bool   // it has an idempotency key and is sent until it is answered
	text                             string // the answer; "" when none came
	ok                               bool
	tries                            int
}

// load is many clients of two tenants at one gateway.
type load struct {
	t        *testing.T
	g        *running
	token    map[string]string
	client   *http.Client
	sessions int
	calls    int
	retry    bool // the gateway gets killed: clients go on when it is back
	done     atomic.Int64
	mu       sync.Mutex
	all      []*call
}

func newLoad(t *testing.T) *load {
	t.Helper()
	needDocker(t)
	l := &load{t: t, g: gatewayOn(t, loadConfig), sessions: size("CHITIN_LOAD_SESSIONS", 200), calls: size("CHITIN_LOAD_CALLS", 2000)}
	l.token = map[string]string{}
	for _, tenant := range []string{"acme", "evil"} {
		l.token[tenant] = l.g.mint(tenant, tenant, "read", "write")
		if s, out := l.g.tool(l.token[tenant], "exec", "agent:main:warm", map[string]any{"command": "true"}); s != 200 {
			t.Fatalf("warming %s: %d %s", tenant, s, out)
		}
	}
	l.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: l.sessions}}
	t.Cleanup(l.client.CloseIdleConnections)
	return l
}

// run lets every session make its share of the calls, all at once.
func (l *load) run() {
	var wg sync.WaitGroup
	for i := range l.sessions {
		n := l.calls / l.sessions
		if i < l.calls%l.sessions {
			n++
		}
		wg.Go(func() { l.session(i, n) })
	}
	wg.Wait()
}

// session makes n calls, one after the other: odd ones over HTTP, even ones
// over MCP; a tenth of them runs a command, the rest is cheap.
func (l *load) session(i, n int) {
	tenant := []string{"acme", "evil"}[i/2%2]
	key := fmt.Sprintf("agent:main:load-%s-%d", tenant, i)
	m := &mcpClient{load: l, tenant: tenant, session: key}
	for j := range n {
		c := &call{mark: fmt.Sprintf("mark-%s-%d-%d-", tenant, i, j), tenant: tenant, session: key, via: "http"}
		var args map[string]any
		switch (i + j) % 5 {
		case 0:
			c.tool, c.once = "exec", i%2 == 1
			args = map[string]any{"command": "echo " + c.mark + " >> effects; echo did " + c.mark}
		case 1, 2, 3:
			c.tool, args = "content_wrap", map[string]any{"text": c.mark, "source": "test"}
		default:
			c.tool, args = "session_status", map[string]any{}
		}
		if i%2 == 0 {
			c.via = "mcp"
			m.send(c, args)
		} else {
			l.post(c, args)
		}
		l.mu.Lock()
		l.all = append(l.all, c)
		l.mu.Unlock()
		l.done.Add(1)
	}
}

// post makes a call over HTTP. With an idempotency key it is sent again until
// an answer comes, as a client would.
func (l *load) post(c *call, args any) {
	body := map[string]any{"tool": c.tool, "args": args, "sessionKey": c.session}
	if c.once {
		body["idempotencyKey"] = c.mark
	}
	for c.tries = 1; ; c.tries++ {
		status, out := l.send("/tools/invoke", c.tenant, body, nil)
		busy := status == 503 && !strings.Contains(out, "unknown")
		if c.text, c.ok = out, status == 200; status != 0 && !(c.once && busy) || !l.retry || !c.once || c.tries > 200 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// send posts JSON; the status is 0 when no answer came. Where nobody listens
// nothing was sent: a client waits until the gateway is back.
func (l *load) send(path, tenant string, body any, head http.Header) (status int, out string) {
	b, _ := json.Marshal(body)
	for range 400 {
		var err error
		if status, out, err = l.once(path, tenant, b, head); !l.retry || !errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return status, out
}

func (l *load) once(path, tenant string, b []byte, head http.Header) (int, string, error) {
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+l.g.port+path, bytes.NewReader(b))
	if err != nil {
		l.t.Error(err)
		return 0, "", err
	}
	for k, v := range head {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", "Bearer "+l.token[tenant])
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", err
	}
	if head != nil && resp.Header.Get("Mcp-Session-Id") != "" {
		head.Set("Mcp-Session-Id", resp.Header.Get("Mcp-Session-Id"))
	}
	return resp.StatusCode, string(out), nil
}

// mcpClient is one client of the Model Context Protocol, in a session.
type mcpClient struct {
	*load
	tenant, session string
	head            http.Header // nil: not connected
	id              int
}

func (m *mcpClient) ask(method string, params any) (int, string) {
	m.id++
	msg := map[string]any{"jsonrpc": "2.0", "method": method, "params": params}
	if !strings.HasPrefix(method, "notifications/") {
		msg["id"] = m.id
	}
	return m.load.send("/mcp", m.tenant, msg, m.head)
}

// connect begins a protocol session, again and again while the gateway is gone.
func (m *mcpClient) connect() bool {
	for range 300 {
		m.head = http.Header{"Accept": {"application/json, text/event-stream"}, "Chitin-Session": {m.session}, "Mcp-Protocol-Version": {"2025-06-18"}}
		s, _ := m.ask("initialize", map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "load", "version": "1"}})
		if s == 200 {
			if s, _ = m.ask("notifications/initialized", map[string]any{}); s == 202 {
				return true
			}
		}
		if !m.retry {
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// send makes one call, once: whether a lost one ran, only the journal knows.
func (m *mcpClient) send(c *call, args any) {
	for range 3 {
		if m.head == nil && !m.connect() {
			return
		}
		c.tries++
		status, out := m.ask("tools/call", map[string]any{"name": c.tool, "arguments": args})
		if status == 404 { // a gateway that was started again knows no session; nothing ran
			m.head = nil
			continue
		}
		c.text, c.ok = out, status == 200 && strings.Contains(out, `"result"`) && !strings.Contains(out, `"isError":true`)
		if status == 0 {
			m.head = nil
		}
		return
	}
}

// peak is the most memory that the gateway has held, in MiB.
func (l *load) peak() float64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(l.g.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// TestLoad has many sessions of two tenants call cheap tools and commands over
// HTTP and MCP at once: everything is answered, nobody gets what is another's,
// the journal has each call with its outcome.
func TestLoad(t *testing.T) {
	l := newLoad(t)
	began := time.Now()
	l.run()
	took, peak := time.Since(began), l.peak()
	for _, c := range l.all {
		if !c.ok {
			t.Errorf("%s over %s was answered %.300q", c.mark, c.via, c.text)
		}
	}
	l.settle(true)
	t.Logf("%d sessions, %d calls in %v, peak of memory %.0f MiB", l.sessions, len(l.all), took.Round(time.Millisecond), peak)
	if peak > 250 {
		t.Errorf("the gateway held %.0f MiB", peak)
	}
}

// TestLoadKilled kills the gateway again and again under the same load.
func TestLoadKilled(t *testing.T) {
	l := newLoad(t)
	l.retry = true
	kills, peak := size("CHITIN_LOAD_KILLS", 10), 0.0
	over := make(chan struct{})
	go func() { l.run(); close(over) }()
	for k := range kills {
		at := int64(l.calls * (k + 1) / (kills + 1))
		if !eventually(2*time.Minute, func() bool { return l.done.Load() >= at }) {
			t.Fatalf("the load stands still at %d calls: %s", l.done.Load(), l.g.out.String())
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		peak = max(peak, l.peak())
		_ = l.g.cmd.Process.Kill()
		<-l.g.done
		l.g.start()
	}
	select {
	case <-over:
	case <-time.After(3 * time.Minute):
		t.Fatal("the load does not end")
	}
	peak = max(peak, l.peak())
	answered := 0
	for _, c := range l.all {
		if c.ok {
			answered++
		}
	}
	counts := l.settle(false)
	t.Logf("%d kills, %d sessions, %d calls: %d answered; journal %v; peak of memory %.0f MiB", kills, l.sessions, len(l.all), answered, counts, peak)
	// A kill takes at most the one call that each session has under way.
	if lost := len(l.all) - answered; answered == 0 || lost > kills*l.sessions || peak > 250 {
		t.Errorf("%d of %d calls answered after %d kills, %.0f MiB", answered, len(l.all), kills, peak)
	}
}
