package toolpolicy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// listRules is a policy of n list rules over every layer.
func listRules(n int) toolpolicy.Source {
	names := make([]string, n/2)
	for i := range names {
		names[i] = fmt.Sprintf("tool_%d", i)
	}
	var globs []string
	for i := range n / 4 {
		globs = append(globs, fmt.Sprintf("never_%d_*", i))
	}
	return toolpolicy.Source{
		KnownTools: append(slices.Clone(tools), names...),
		Config: toolpolicy.Config{
			Policy:    &toolpolicy.Policy{Deny: globs},
			Deny:      names[:len(names)/2],
			Subagents: toolpolicy.SubagentConfig{Tools: &toolpolicy.Policy{Deny: names[len(names)/2:]}},
		},
		Agents: map[string]toolpolicy.AgentConfig{"main": {Deny: append(slices.Clone(globs), "group:messaging")}},
	}
}

// cedarRules is n policies that pin a tool or a principal, as large policies
// do, of which a few are about exec.
func cedarRules(n int) toolpolicy.Source {
	var b strings.Builder
	b.WriteString("permit(principal, action, resource == Tool::\"exec\") when { context.args has command && context.args.command like \"git *\" };\n")
	for i := 1; i < n; i++ {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "forbid(principal == Principal::\"token:u%d\", action, resource) when { context.surface == \"http\" };\n", i)
		case 1:
			fmt.Fprintf(&b, "forbid(principal, action, resource == Tool::\"write\") when { context.args.path like \"secret%d/*\" };\n", i)
		case 2:
			fmt.Fprintf(&b, "permit(principal == Principal::\"token:u%d\", action, resource == Tool::\"read\") when { context.args.path like \"u%d/*\" };\n", i, i)
		default:
			fmt.Fprintf(&b, "forbid(principal, action, resource == Tool::\"tool_%d\");\n", i)
		}
	}
	known := slices.Clone(tools)
	for i := range n {
		known = append(known, fmt.Sprintf("tool_%d", i))
	}
	return toolpolicy.Source{
		KnownTools: known, Commands: shellList,
		Config: toolpolicy.Config{Rules: toolpolicy.RulesConfig{Inline: b.String()}},
	}
}

func execQuery() *toolpolicy.Query {
	return &toolpolicy.Query{Tool: "exec", Surface: toolpolicy.SurfaceHTTP, Session: session(true), Args: []byte(`{"command":"git status --short","timeoutSeconds":30}`)}
}

func BenchmarkDecide(b *testing.B) {
	caller := gatewaytest.Caller()
	for _, c := range []struct {
		name string
		src  toolpolicy.Source
	}{
		{"lists=50", listRules(50)}, {"lists=200", listRules(200)}, {"lists=10000", listRules(10000)},
		{"cedar=10", cedarRules(10)}, {"cedar=1000", cedarRules(1000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			e, q := compile(b, c.src), execQuery()
			if g, d := e.Decide(caller, q); !g.Valid() {
				b.Fatalf("%+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(caller, q)
			}
			b.ReportMetric(float64(median(e, q)), "p50-ns")
		})
	}
}

// median is the middle of many single decisions: the best of a few rounds, so
// that a neighbour's work does not count.
func median(e *toolpolicy.Engine, q *toolpolicy.Query) time.Duration {
	best := time.Hour
	for range 9 {
		best = min(best, medianOf(e, q, 501))
	}
	return best
}

func medianOf(e *toolpolicy.Engine, q *toolpolicy.Query, n int) time.Duration {
	caller := gatewaytest.Caller()
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		e.Decide(caller, q)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{50, 10000} {
		src := listRules(n)
		b.Run(fmt.Sprintf("lists=%d", n), func(b *testing.B) {
			for b.Loop() {
				toolpolicy.Compile(src)
			}
		})
	}
	src := cedarRules(1000)
	b.Run("cedar=1000", func(b *testing.B) {
		for b.Loop() {
			toolpolicy.Compile(src)
		}
	})
}

func TestDecisionCost(t *testing.T) {
	for _, c := range []struct {
		name  string
		src   toolpolicy.Source
		limit time.Duration
	}{
		{"50 list rules", listRules(50), time.Microsecond},
		{"10,000 list rules", listRules(10000), 5 * time.Microsecond},
		{"10 Cedar policies", cedarRules(10), 5 * time.Microsecond},
		{"1,000 Cedar policies", cedarRules(1000), 20 * time.Microsecond},
	} {
		e, q := compile(t, c.src), execQuery()
		p50 := median(e, q)
		t.Logf("%s: p50 %v", c.name, p50)
		if p50 > c.limit*raceFactor {
			t.Errorf("%s: p50 is %v, want at most %v", c.name, p50, c.limit)
		}
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	e, q, caller := compile(t, listRules(1000)), execQuery(), gatewaytest.Caller()
	if n := testing.AllocsPerRun(200, func() {
		if g, _ := e.Decide(caller, q); !g.Valid() {
			t.Fatal("denied")
		}
	}); n != 0 {
		t.Errorf("an allowed decision allocates %v times", n)
	}
}
