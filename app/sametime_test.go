package app

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// sameTime takes turns between a tool that is denied and one that does not
// exist, so that whatever else the machine does meets both, and returns the
// median times of a call.
func sameTime(t testing.TB, a *App, rounds int) (denied, unknown time.Duration) {
	t.Helper()
	tools := [2]string{"sessions_spawn", "sessions_spoon"}
	var took [2][]time.Duration
	for range rounds {
		for i, tool := range tools {
			req := invoke.Request{Caller: gateway.Process(), Surface: toolpolicy.SurfaceHTTP, Tool: tool, Args: json.RawMessage(`{}`)}
			start := time.Now()
			res := a.runner.Run(context.Background(), req)
			took[i] = append(took[i], time.Since(start))
			if res.Err == nil || res.Err.Kind != "not_found" {
				t.Fatalf("%s: %+v", tool, res.Err)
			}
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	return took[0][rounds/2], took[1][rounds/2]
}

// Nobody learns from a clock whether a tool exists: what a call of a name that
// is near to a real one costs, a search for what was meant for instance, would
// tell.
func TestDeniedAndUnknownTakeTheSameTime(t *testing.T) {
	a := benchApp(t)
	best := 10.0
	for range 20 {
		denied, unknown := sameTime(t, a, 1000)
		ratio := float64(denied) / float64(unknown)
		if best = min(best, max(ratio, 1/ratio)); best < 1.25 { // what one learns from is far more; a busy machine moves less
			return
		}
	}
	t.Errorf("one takes %.2f times as long as the other", best)
}

// BenchmarkSameTime reports what a denied call takes, as a multiple of what
// one of an unknown tool does.
func BenchmarkSameTime(b *testing.B) {
	a := benchApp(b)
	sameTime(b, a, 1000)
	b.ResetTimer()
	denied, unknown := sameTime(b, a, max(b.N, 1000))
	b.ReportMetric(float64(denied)/float64(unknown), "of-unknown")
	b.ReportMetric(float64(denied.Nanoseconds()), "p50-denied-ns")
	b.ReportMetric(float64(unknown.Nanoseconds()), "p50-unknown-ns")
}
