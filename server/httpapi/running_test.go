package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// BenchmarkRunning compares a gateway that runs somewhere else, with policy,
// labels and journal, with a bare handler that answers the same JSON:
//
//	CHITIN_BENCH_ADDR=127.0.0.1:18790 CHITIN_BENCH_TOKEN=… go test -bench Running ./server/httpapi
func BenchmarkRunning(b *testing.B) {
	addr, secret := os.Getenv("CHITIN_BENCH_ADDR"), os.Getenv("CHITIN_BENCH_TOKEN")
	if addr == "" || secret == "" {
		b.Log("CHITIN_BENCH_ADDR and CHITIN_BENCH_TOKEN name no running gateway")
		return
	}
	bearer := "Authorization: Bearer " + secret + "\r\n"
	for _, c := range []struct{ name, body, header string }{
		{"401", `{"tool":"session_status","args":{}}`, ""},
		{"denied", `{"tool":"sessions_spawn","args":{}}`, bearer},
		{"unknown", `{"tool":"sessions_spoon","args":{}}`, bearer},
		{"allowed", `{"tool":"session_status","args":{}}`, bearer},
	} {
		b.Run(c.name, func(b *testing.B) {
			code, answer := once(b, addr, c.body, strings.TrimSuffix(strings.TrimPrefix(c.header, "Authorization: "), "\r\n"))
			limit := serveBench(b, bare(code, json.RawMessage(answer)), nil)
			request := invokeRequest(c.body, c.header)
			rate := compare(b, limit, addr, request, code, 64)
			half := load(b, addr, request, code, 64, max(int(rate), 500), rate/2) // two seconds of it
			b.ReportMetric(float64(half[len(half)*99/100].Microseconds()), "p99-at-half-µs")
			b.ReportMetric(float64(half[len(half)/2].Microseconds()), "p50-at-half-µs")
		})
	}
}

func once(b *testing.B, addr, body, auth string) (int, []byte) {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+addr+"/tools/invoke", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, raw
}
