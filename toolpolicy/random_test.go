package toolpolicy_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// gen makes random configurations, sessions and calls.
type gen struct{ *rand.Rand }

func pick[T any](g gen, from []T) T { return from[g.IntN(len(from))] }

func (g gen) chance(percent int) bool { return g.IntN(100) < percent }

// refTools is the registry of random configurations.
var refTools = []string{
	"exec", "process", "read", "ls", "write", "edit", "apply_patch", "image", "sessions_list",
	"sessions_send", "sessions_spawn", "subagents", "session_status", "agents_list", "cron",
	"gateway", "web_fetch", "whatsapp_login", "browser", "telegram", "message", "nodes",
	"memory_get", "docs__search", "docs__fetch", "mail__send",
}

var refEntries = append([]string{
	"*", "s*", "*_*", "sessions_*", "auto*", "view*", "docs__*", "*e*", "group:fs", "group:runtime", "group:web",
	"group:sessions", "group:automation", "group:messaging", "group:plugins", "bundle-mcp", "docs", "mail",
	"bash", "apply-patch", "automations", "view_image", " EXEC ", "Group:FS", "nothing", "group:none", "a*b*c",
}, refTools...)

// list is absent, empty or a few entries.
func (g gen) list(absent int) []string {
	if g.chance(absent) {
		return nil
	}
	out := make([]string, 0, 5)
	for range g.IntN(6) {
		out = append(out, pick(g, refEntries))
	}
	return out
}

func (g gen) policy(absent int) *toolpolicy.Policy {
	if g.chance(absent) {
		return nil
	}
	return &toolpolicy.Policy{Allow: g.wide(), Deny: g.list(75)}
}

// wide is an allow list that often lets something through.
func (g gen) wide() []string {
	l := g.list(75)
	if len(l) > 0 && g.chance(70) {
		l = append(l, "*")
	}
	return l
}

func (g gen) layer() toolpolicy.Layer {
	l := toolpolicy.Layer{Profile: pick(g, []string{"", "", "", "", "minimal", "full"}), Deny: g.list(75)}
	if l.Profile != "" && g.chance(50) {
		l.AlsoAllow = g.list(0)
	} else {
		l.Allow = g.wide()
	}
	return l
}

func (g gen) layers(keys ...string) map[string]toolpolicy.Layer {
	if g.chance(75) {
		return nil
	}
	m := map[string]toolpolicy.Layer{}
	for range 1 + g.IntN(3) {
		m[pick(g, keys)] = g.layer()
	}
	return m
}

func (g gen) sandbox() toolpolicy.SandboxConfig {
	if g.chance(70) {
		return toolpolicy.SandboxConfig{}
	}
	t := &toolpolicy.SandboxTools{Deny: g.list(70)}
	if g.chance(50) {
		t.AlsoAllow = g.list(30)
	} else {
		t.Allow = g.wide()
	}
	return toolpolicy.SandboxConfig{Tools: t}
}

var modes = []string{"", "", "", "full", "full", "ask", "allowlist", "deny"}

func (g gen) source() toolpolicy.Source {
	src := toolpolicy.Source{
		KnownTools: refTools,
		Gateway:    toolpolicy.Policy{Allow: g.list(60), Deny: g.list(80)},
		Config: toolpolicy.Config{
			Policy: g.policy(60), Profile: pick(g, []string{"", "", "", "", "minimal", "full"}), Deny: g.list(80),
			ByProvider: g.layers("anthropic", "anthropic/opus", "openai"), ByGroup: g.layers("ops", "dev", "*"),
			ToolsBySender: g.layers("channel:telegram:1", "id:1", "name:eve", "*"), Sandbox: g.sandbox(),
			Subagents: toolpolicy.SubagentConfig{Tools: g.policy(60)}, Exec: toolpolicy.ExecConfig{Mode: pick(g, modes)},
		},
	}
	if src.Config.Profile != "" && g.chance(50) {
		src.Config.AlsoAllow = g.list(20)
	} else {
		src.Config.Allow = g.wide()
	}
	if g.chance(50) {
		a := toolpolicy.AgentConfig{
			Policy: g.policy(70), Profile: pick(g, []string{"", "", "minimal", "full"}), Allow: g.wide(), Deny: g.list(80),
			ByProvider: g.layers("anthropic", "openai"), ByGroup: g.layers("ops", "*"),
			ToolsBySender: g.layers("id:1", "*"), Sandbox: g.sandbox(),
		}
		if g.chance(30) {
			a.Exec = &toolpolicy.AgentExec{Mode: pick(g, modes[3:])}
		}
		src.Agents = map[string]toolpolicy.AgentConfig{"ops": a}
	}
	return src
}

func (g gen) session() *toolpolicy.Session {
	s := &toolpolicy.Session{
		Key: "agent:main:main", Agent: pick(g, []string{"main", "ops", "ops", ""}), Tenant: "default",
		Sandboxed: g.chance(60), ReadOnly: g.chance(15), Depth: g.IntN(6) / 4, Leaf: g.chance(30),
		Label: pick(g, []string{"", "", "untrusted:email"}), Group: pick(g, []string{"", "", "ops", "dev", "new"}),
		Sender:   pick(g, []string{"", "", "id:1", "channel:telegram:1", "channel:slack:1", "name:eve"}),
		Provider: pick(g, []string{"", "anthropic/opus", "anthropic/haiku", "openai/gpt", "other"}),
	}
	if g.chance(5) {
		s.Tenant = "other"
	}
	if g.chance(15) {
		s.Inherited = map[string]toolpolicy.Policy{"parent": {Allow: g.wide(), Deny: g.list(70)}, "cron": {Deny: g.list(50)}}
	}
	return s
}

func (g gen) subject() toolpolicy.Subject {
	if g.chance(3) {
		return toolpolicy.Subject{}
	}
	return toolpolicy.Subject{
		Kind: gateway.KindToken, ID: "t", Tenant: "default", Owner: g.chance(60),
		Scopes: pick(g, []gateway.Scope{gateway.AllScopes, gateway.AllScopes, gateway.ScopeWrite.Closure(), gateway.ScopeRead, 0}),
	}
}

var refSurfaces = []toolpolicy.Surface{"http", "websocket", "mcp", "acp", "agent", "hook", "cron", "subagent", "cli"}

func (g gen) query() *toolpolicy.Query {
	tool := pick(g, refTools)
	if g.chance(12) {
		tool = pick(g, []string{"bash", "apply-patch", "automations", "view_image", "Exec", "exec ", "shell", "ехес", "group:fs", "*", ""})
	}
	return &toolpolicy.Query{Tool: tool, Surface: pick(g, refSurfaces), Session: g.session(), Args: []byte(`{"command":"id"}`)}
}

// configs is how many random configurations are compared in all.
const configs = 100_000

// TestAgainstReference compares the compiled engine with the slow interpreter
// on random configurations, several calls each.
func TestAgainstReference(t *testing.T) {
	n := configs
	if testing.Short() || raceFactor > 1 {
		n /= 50
	}
	workers := runtime.GOMAXPROCS(0)
	counts := make([][3]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			g := gen{rand.New(rand.NewPCG(uint64(w), 2026))}
			memo := map[string][]string{}
			for i := w; i < n && !t.Failed(); i += workers {
				compareOne(t, g, memo, &counts[w])
			}
		})
	}
	wg.Wait()
	var sum [3]int
	for _, c := range counts {
		for v := range sum {
			sum[v] += c[v]
		}
	}
	total := sum[0] + sum[1] + sum[2]
	t.Logf("%d configurations, %d decisions: %d denied, %d allowed, %d asked", n, total, sum[0], sum[1], sum[2])
	for v, c := range sum {
		if c < total/60 {
			t.Errorf("only %d of %d decisions are %s: the generator is one-sided", c, total, toolpolicy.Verdict(v))
		}
	}
}

func compareOne(t *testing.T, g gen, memo map[string][]string, counts *[3]int) {
	src := g.source()
	e, problems := toolpolicy.Compile(src)
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("generator made an invalid configuration: %s: %s", p.Path, p.Message)
			return
		}
	}
	ref := reference{src: src, memo: memo}
	for range 6 {
		who, q := g.subject(), g.query()
		want, got := ref.decide(who, q), e.ExplainAs(who, q)
		counts[want]++
		if got.Verdict != want.String() {
			t.Errorf("%s over %s: engine says %s (%s: %s), reference %s\nconfig %+v\nsession %+v\nsubject %+v",
				q.Tool, q.Surface, got.Verdict, got.Layer, got.Reason, want, src, *q.Session, who)
			return
		}
	}
}
