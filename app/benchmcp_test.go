package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// bareMCP is the library alone, with a tool that answers what agents_list does.
func bareMCP(b *testing.B) *httptest.Server {
	b.Helper()
	s := mcp.NewServer(&mcp.Implementation{Name: "bare", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "agents_list", Description: "The same answer.", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			details := map[string]any{"requester": "main", "allowAny": true, "agents": []any{map[string]any{"id": "main", "configured": true}}}
			text, err := json.MarshalIndent(details, "", "  ")
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(text)}}, StructuredContent: details}, err
		})
	srv := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil))
	b.Cleanup(srv.Close)
	return srv
}

// mcpConn is one initialised client that costs as little as a client can.
type mcpConn struct {
	url, auth, session string
	client             *http.Client
	ids                atomic.Int64
}

func (c *mcpConn) post(body string) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, nil, err
	}
	req.Header = http.Header{
		"Authorization": {c.auth}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"},
	}
	if c.session != "" {
		req.Header["Mcp-Session-Id"] = []string{c.session}
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	out, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp, out, err
}

func mcpClient(b *testing.B, url, auth string) *mcpConn {
	b.Helper()
	c := &mcpConn{url: url, auth: auth, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	b.Cleanup(c.client.CloseIdleConnections)
	resp, _, err := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp, err)
	}
	c.session = resp.Header.Get("Mcp-Session-Id")
	if _, _, err := c.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *mcpConn) call(b *testing.B) {
	id := strconv.FormatInt(c.ids.Add(1), 10)
	_, out, err := c.post(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"agents_list","arguments":{}}}`)
	if err != nil || !bytes.Contains(out, []byte("requester")) {
		b.Errorf("%v %.300s", err, out)
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2]) / 1e6
}

// BenchmarkMCP is a tools/call of a cheap tool through the whole gateway over
// loopback, in turn with the library alone: how much a call takes longer at
// the median, one at a time.
func BenchmarkMCP(b *testing.B) {
	a := benchApp(b)
	srv := httptest.NewServer(a.handler(a.live.Load().loaded))
	defer srv.Close()
	auth := "Bearer " + a.secret(keyToken).Reveal()
	ours, bare := mcpClient(b, srv.URL+"/mcp", auth), mcpClient(b, bareMCP(b).URL, auth)
	b.Run("latency", func(b *testing.B) {
		var took [2][]time.Duration
		for b.Loop() {
			for i, c := range []*mcpConn{ours, bare} {
				began := time.Now()
				c.call(b)
				took[i] = append(took[i], time.Since(began))
			}
		}
		o, r := median(took[0]), median(took[1])
		b.ReportMetric(o, "ours-p50-ms")
		b.ReportMetric(r, "bare-p50-ms")
		b.ReportMetric(o-r, "added-p50-ms")
	})
	for _, tc := range []struct {
		name string
		c    *mcpConn
	}{{"throughput/ours", ours}, {"throughput/bare", bare}} {
		b.Run(tc.name, func(b *testing.B) {
			var n atomic.Int64
			b.SetParallelism(16)
			cpu, began := processorTime(), time.Now()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					tc.c.call(b)
					n.Add(1)
				}
			})
			calls := float64(n.Load())
			b.ReportMetric(calls/time.Since(began).Seconds(), "calls/s")
			b.ReportMetric(float64(processorTime()-cpu)/calls/1e3, "cpu-µs/call") // client and server
		})
	}
}
