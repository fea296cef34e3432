package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// corridor stands in for invoke.Runner.
type corridor struct {
	mu   sync.Mutex
	seen []invoke.Request
	run  func(ctx context.Context, r invoke.Request) invoke.Response
}

func (c *corridor) Run(ctx context.Context, r invoke.Request) invoke.Response {
	c.mu.Lock()
	c.seen = append(c.seen, r)
	c.mu.Unlock()
	if c.run != nil {
		return c.run(ctx, r)
	}
	return standard(r)
}

func (c *corridor) last(t *testing.T) invoke.Request {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) == 0 {
		t.Fatal("the corridor saw no call")
	}
	return c.seen[len(c.seen)-1]
}

// standard answers by the tool's name.
func standard(r invoke.Request) invoke.Response {
	if r.DryRun {
		return invoke.Response{Decision: toolpolicy.Decision{Verdict: toolpolicy.Allow, Layer: "tools.policy"}, Trace: []toolpolicy.Step{{Layer: "floor", Effect: "pass"}}}
	}
	switch r.Tool {
	case "ok":
		res := tool.Text("<done>", map[string]any{"n": 1})
		return invoke.Response{Result: &res}
	case "input":
		return invoke.Response{Err: &tool.Error{Kind: tool.KindInput, Public: "task required"}}
	case "ask":
		return invoke.Response{Err: &tool.Error{Kind: tool.KindForbidden, Public: "needs a yes"}, ApprovalID: "a1", Decision: toolpolicy.Decision{Verdict: toolpolicy.Ask}}
	case "blocked":
		return invoke.Response{Err: &tool.Error{Kind: tool.KindForbidden, Public: "no"}}
	case "broken":
		return invoke.Response{Err: &tool.Error{Kind: tool.KindFailed, Public: "secret path /etc/x"}}
	case "away":
		return invoke.Response{Err: &tool.Error{Kind: tool.KindUnavail, Public: "no engine"}}
	}
	return invoke.Response{Err: &tool.Error{Kind: tool.KindNotFound, Public: "Tool not available: " + r.Tool}}
}

type site struct {
	*httptest.Server
	guard    *gateway.Guard
	corridor *corridor
	t        *testing.T
}

func newSite(t *testing.T, o guardtest.Options, change func(*httpapi.Deps)) *site {
	t.Helper()
	g := guardtest.New(t, o)
	c := &corridor{}
	d := httpapi.Deps{Guard: g, Invoke: c, Version: "1.2.3"}
	if change != nil {
		change(&d)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = httpapi.New(d).Server()
	s.Start()
	t.Cleanup(s.Close)
	return &site{Server: s, guard: g, corridor: c, t: t}
}

type answer struct {
	code   int
	body   string
	header http.Header
}

func (s *site) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, string(raw), res.Header}
}

// call invokes a tool with the gateway's own token.
func (s *site) call(body string, header ...string) answer {
	s.t.Helper()
	return s.do(http.MethodPost, "/tools/invoke", body, append([]string{"Authorization", "Bearer " + guardtest.Token}, header...)...)
}

func (a answer) want(t *testing.T, code int, body string) {
	t.Helper()
	if a.code != code || body != "" && a.body != body {
		t.Errorf("got %d %s\nwant %d %s", a.code, a.body, code, body)
	}
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}
