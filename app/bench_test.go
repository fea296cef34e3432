package app

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/toolpolicy"
)

func benchApp(b testing.TB) *App {
	b.Helper()
	dir := b.TempDir() + "/state"
	a, err := New(context.Background(), Options{
		StateDir: dir, ConfigPath: dir + "/" + ConfigFile, Log: io.Discard, Getenv: func(string) string { return "" },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = a.Stop(context.Background()) })
	return a
}

// BenchmarkCorridor is one call through every room, journal included, as many
// callers at once as a busy gateway has.
func BenchmarkCorridor(b *testing.B) {
	for _, tool := range []string{"agents_list", "cron"} {
		b.Run(tool, func(b *testing.B) {
			a := benchApp(b)
			req := invoke.Request{Caller: gateway.Process(), Surface: toolpolicy.SurfaceHTTP, Tool: tool, Args: json.RawMessage(`{}`)}
			b.SetParallelism(16)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					a.runner.Run(context.Background(), req)
				}
			})
		})
	}
}

// BenchmarkHTTP is the whole way of a call over loopback, next to a bare
// handler that decodes and answers the same: read the ratios.
func BenchmarkHTTP(b *testing.B) {
	a := benchApp(b)
	srv := httptest.NewServer(a.handler(a.live.Load().loaded))
	defer srv.Close()
	bare := httptest.NewServer(bareHandler())
	defer bare.Close()
	token := "Bearer " + a.secret(keyToken).Reveal()
	for _, tc := range []struct{ name, url, auth, tool string }{
		{"bare", bare.URL, token, "agents_list"},
		{"refused", srv.URL, "", "agents_list"},
		{"denied", srv.URL, token, "sessions_spawn"},
		{"allowed", srv.URL, token, "agents_list"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.SetParallelism(16)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, _ := http.NewRequest(http.MethodPost, tc.url+"/tools/invoke", strings.NewReader(`{"tool":"`+tc.tool+`"}`))
					if tc.auth != "" {
						req.Header.Set("Authorization", tc.auth)
					}
					resp, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}

// bareHandler decodes a call and answers the same JSON as a cheap tool.
func bareHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req map[string]any
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": map[string]any{"content": []any{map[string]any{"type": "text", "text": "x"}}}})
	})
}
