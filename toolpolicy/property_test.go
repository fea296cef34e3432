package toolpolicy_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// drawGen makes a generator that rapid can shrink by its seed.
func drawGen(t *rapid.T) gen {
	return gen{rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))}
}

// freedom orders verdicts by how much they let happen.
func freedom(e *toolpolicy.Engine, who toolpolicy.Subject, q *toolpolicy.Query) int {
	return slices.Index([]string{"deny", "ask", "allow"}, e.ExplainAs(who, q).Verdict)
}

// Adding one deny entry anywhere never lets more happen.
func TestDenyNeverAllowsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGen(t)
		src, who, q := g.source(), g.subject(), g.query()
		before, _ := toolpolicy.Compile(src)
		had := freedom(before, who, q)
		entry := pick(g, refEntries)
		switch rapid.IntRange(0, 5).Draw(t, "where") {
		case 0:
			src.Config.Deny = append(slices.Clone(src.Config.Deny), entry)
		case 1:
			p := toolpolicy.Policy{}
			if src.Config.Policy != nil {
				p = *src.Config.Policy
			}
			p.Deny = append(slices.Clone(p.Deny), entry)
			src.Config.Policy = &p
		case 2:
			src.Gateway.Deny = append(slices.Clone(src.Gateway.Deny), entry)
		case 3:
			a := src.Agents["ops"]
			a.Deny = append(slices.Clone(a.Deny), entry)
			src.Agents = map[string]toolpolicy.AgentConfig{"ops": a}
		case 4:
			p := toolpolicy.Policy{Deny: []string{entry}}
			if old := src.Config.Subagents.Tools; old != nil {
				p.Allow, p.Deny = old.Allow, append(slices.Clone(old.Deny), entry)
			}
			src.Config.Subagents.Tools = &p
		case 5:
			src.Config.Rules.Inline = "forbid(principal, action, resource == Tool::\"" + pick(g, refTools) + "\");"
		}
		after, problems := toolpolicy.Compile(src)
		if got := freedom(after, who, q); got > had {
			t.Fatalf("%s over %s: %d before, %d with one more deny %q (%v)", q.Tool, q.Surface, had, got, entry, problems)
		}
	})
}

// The order of the entries of one list does not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGen(t)
		src, who, q := g.source(), g.subject(), g.query()
		one, _ := toolpolicy.Compile(src)
		turned := src
		shuffle := func(l []string) []string {
			l = slices.Clone(l)
			g.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
			return l
		}
		turned.Config.Allow, turned.Config.Deny = shuffle(src.Config.Allow), shuffle(src.Config.Deny)
		turned.Gateway.Allow, turned.Gateway.Deny = shuffle(src.Gateway.Allow), shuffle(src.Gateway.Deny)
		if p := src.Config.Policy; p != nil {
			turned.Config.Policy = &toolpolicy.Policy{Allow: shuffle(p.Allow), Deny: shuffle(p.Deny)}
		}
		two, _ := toolpolicy.Compile(turned)
		if a, b := freedom(one, who, q), freedom(two, who, q); a != b {
			t.Fatalf("%s over %s: %d and %d", q.Tool, q.Surface, a, b)
		}
	})
}

// A sub-agent never has more than its parent, whatever agent it is, whatever
// is asked for it, and however deep it is.
func TestSubagentNeverHasMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGen(t)
		e, _ := toolpolicy.Compile(g.source())
		caller := gatewaytest.Caller(gatewaytest.Owner(g.chance(60)),
			gatewaytest.Scopes(pick(g, []gateway.Scope{gateway.AllScopes, gateway.ScopeWrite, gateway.ScopeRead})))
		parent := g.session()
		parent.Tenant = "default"
		for range 3 {
			want := *g.session()
			child := e.Child(caller, toolpolicy.SurfaceAgent, parent, want)
			if child.Tenant != parent.Tenant || parent.Sandboxed && !child.Sandboxed || parent.ReadOnly && !child.ReadOnly ||
				parent.Label != "" && child.Label == "" || child.Depth <= parent.Depth {
				t.Fatalf("child %+v of %+v", child, *parent)
			}
			for _, tool := range refTools {
				up := toolpolicy.Query{Tool: tool, Surface: toolpolicy.SurfaceAgent, Session: parent, Args: []byte("{}")}
				down := toolpolicy.Query{Tool: tool, Surface: toolpolicy.SurfaceSubagent, Session: &child, Args: []byte("{}")}
				_, u := e.Decide(caller, &up)
				_, d := e.Decide(caller, &down)
				boxedOnly := child.Sandboxed && !parent.Sandboxed // what asks on the host need not ask in a box
				if u.Verdict == toolpolicy.Deny && d.Verdict != toolpolicy.Deny ||
					u.Verdict == toolpolicy.Ask && d.Verdict == toolpolicy.Allow && !boxedOnly {
					t.Fatalf("%s: parent %s (%s), child %s", tool, u.Verdict, u.Layer, d.Verdict)
				}
			}
			parent = &child
		}
	})
}

// What is listed and what can be called agree: a tool that some call could use
// is shown, and a hidden one never runs.
func TestHiddenNeverRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGen(t)
		e, _ := toolpolicy.Compile(g.source())
		who, q := g.subject(), g.query()
		if x := e.ExplainAs(who, q); x.Verdict != "deny" && !x.Visible {
			t.Fatalf("%s over %s is hidden and answers %s", q.Tool, q.Surface, x.Verdict)
		}
	})
}

// An anonymous caller, the zero Caller and the zero Session get nothing.
func TestNothingGrantsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGen(t)
		e, _ := toolpolicy.Compile(g.source())
		q := g.query()
		if gr, d := e.Decide(gateway.Caller{}, q); gr.Valid() || d.Verdict != toolpolicy.Deny {
			t.Fatalf("nobody may %s over %s", q.Tool, q.Surface)
		}
		q.Session = &toolpolicy.Session{}
		if gr, d := e.Decide(gatewaytest.Caller(), q); gr.Valid() || d.Verdict != toolpolicy.Deny {
			t.Fatalf("a session without tenant may %s over %s", q.Tool, q.Surface)
		}
	})
}
