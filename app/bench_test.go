package app

import (
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/toolpolicy"
)

func benchApp(b *testing.B) *App {
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
