package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/tool"
)

// bare is the limit to compare with: a handler that decodes the same body and
// answers the same JSON, with nothing in between.
func bare(code int, v any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Tool string          `json:"tool"`
			Args json.RawMessage `json:"args"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	})
}

// quiet is a corridor without a record of what it saw.
type quiet struct{}

func (quiet) Run(_ context.Context, r invoke.Request) invoke.Response { return standard(r) }

func serveBench(b testing.TB, h http.Handler, srv *http.Server) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if srv == nil {
		srv = &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close() })
	return l.Addr().String()
}

// load sends n requests over conns connections, one at a time on each, and
// returns how long each took. With rate, requests are due at fixed times, and
// an answer's time counts from when its request was due: a server that falls
// behind cannot hide it by being asked less.
func load(b testing.TB, addr string, request []byte, code, conns, n int, rate float64) []time.Duration {
	var next atomic.Int64
	begin := time.Now()
	all := make([][]time.Duration, conns)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			r := bufio.NewReaderSize(c, 8<<10)
			for {
				k := next.Add(1)
				if k > int64(n) {
					return
				}
				start := time.Now()
				if rate > 0 {
					due := begin.Add(time.Duration(float64(k) / rate * float64(time.Second)))
					time.Sleep(time.Until(due))
					start = due
				}
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				if got := readAnswer(r); got != code {
					b.Errorf("status %d, want %d", got, code)
					return
				}
				all[i] = append(all[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	var out []time.Duration
	for _, s := range all {
		out = append(out, s...)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// readAnswer reads one response with as little work as possible: the client
// shares the processors with the server.
func readAnswer(r *bufio.Reader) int {
	line, err := r.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		return 0
	}
	code, _ := strconv.Atoi(string(line[9:12]))
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0
		}
		if len(line) <= 2 {
			break
		}
		if bytes.HasPrefix(line, []byte("Content-Length: ")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(line[16:])))
		}
	}
	if _, err := r.Discard(length); err != nil {
		return 0
	}
	return code
}

func invokeRequest(body, extra string) []byte {
	return []byte("POST /tools/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + extra + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

type benchCase struct {
	name    string
	request []byte
	code    int
	answer  any
	want    float64
}

func benchCases() []benchCase {
	body := `{"tool":"ok","args":{"command":"true"},"sessionKey":"agent:main:main"}`
	denied := `{"tool":"sessions_spawn","args":{"command":"true"},"sessionKey":"agent:main:main"}`
	bearer := "Authorization: Bearer " + guardtest.Token + "\r\n"
	res := tool.Text("done", map[string]any{"n": 1})
	return []benchCase{
		{"401", invokeRequest(body, ""), 401, json.RawMessage(unauthorized), 0.8},
		{"401wrong", invokeRequest(body, "Authorization: Bearer wrong\r\n"), 429, json.RawMessage(unauthorized), 0.8},
		{"denied", invokeRequest(denied, bearer), 404, json.RawMessage(`{"ok":false,"error":{"type":"not_found","message":"Tool not available: sessions_spawn"}}`), 0.7},
		{"allowed", invokeRequest(body, bearer), 200, map[string]any{"ok": true, "result": res}, 0.5},
	}
}

func benchSite(b testing.TB) string {
	g := guardtest.New(b, guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{RateLimit: gateway.RateLimitConfig{MaxAttempts: 1, ExemptLoopback: new(bool)}}}, Refused: func(gateway.RefusalEvent) {}})
	s := httpapi.New(httpapi.Deps{Guard: g, Invoke: quiet{}})
	return serveBench(b, nil, s.Server())
}

// rounds alternate between the two sides; their median keeps out what else the
// machine does meanwhile.
const rounds = 15

// compare reports the median ratio of requests per second, and returns the
// measured side's rate.
func compare(b *testing.B, limit, mine string, request []byte, code, conns int) float64 {
	b.Helper()
	n := max(b.N/3, 200)
	var ratios, rates []float64
	for range rounds {
		start := time.Now()
		load(b, limit, request, code, conns, n, 0)
		tl := time.Since(start)
		start = time.Now()
		load(b, mine, request, code, conns, n, 0)
		tm := time.Since(start)
		ratios, rates = append(ratios, float64(tl)/float64(tm)), append(rates, float64(n)/tm.Seconds())
	}
	sort.Float64s(ratios)
	sort.Float64s(rates)
	b.ReportMetric(ratios[rounds/2], "of-bare")
	b.ReportMetric(rates[rounds/2], "req/s")
	return rates[rounds/2]
}

// BenchmarkRatio compares the surface with a bare handler in one run.
func BenchmarkRatio(b *testing.B) {
	for _, c := range benchCases() {
		b.Run(c.name, func(b *testing.B) {
			limit := serveBench(b, bare(c.code, c.answer), nil)
			mine := benchSite(b)
			if c.name == "401wrong" { // from here on the client is locked out
				load(b, mine, c.request, 401, 1, 1, 0)
			}
			compare(b, limit, mine, c.request, c.code, 16)
		})
	}
}

// BenchmarkHalfRate is the latency at half of the highest rate.
func BenchmarkHalfRate(b *testing.B) {
	c := benchCases()[3]
	mine := benchSite(b)
	n := max(b.N, 2000)
	start := time.Now()
	load(b, mine, c.request, c.code, 16, n, 0)
	rate := float64(n) / time.Since(start).Seconds() / 2
	all := load(b, mine, c.request, c.code, 16, n, rate)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(rate, "req/s")
}

// TestRatios is a loose floor under BenchmarkRatio, so that a regression shows
// without running benchmarks.
func TestRatios(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Log("ratios are measured without -short and -race")
		return
	}
	for _, c := range benchCases() {
		limit, mine := serveBench(t, bare(c.code, c.answer), nil), benchSite(t)
		if c.name == "401wrong" {
			load(t, mine, c.request, 401, 1, 1, 0)
		}
		best := 0.0
		for range 6 {
			start := time.Now()
			load(t, limit, c.request, c.code, 8, 1500, 0)
			tl := time.Since(start)
			start = time.Now()
			load(t, mine, c.request, c.code, 8, 1500, 0)
			best = max(best, float64(tl)/float64(time.Since(start)))
		}
		if best < c.want*0.8 {
			t.Errorf("%s reaches %.2f of a bare handler, want %.2f", c.name, best, c.want)
		}
	}
}
