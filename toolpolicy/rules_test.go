package toolpolicy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// withRules compiles Cedar text over the usual registry.
func withRules(tb testing.TB, text string) *toolpolicy.Engine {
	tb.Helper()
	return compile(tb, toolpolicy.Source{Commands: shellList, Config: toolpolicy.Config{Rules: toolpolicy.RulesConfig{Inline: text}}})
}

const reportsOnly = `
@reason("reports only")
permit(principal, action, resource == Tool::"write") when { context.args.path like "reports/*" };
permit(principal, action, resource == Tool::"apply_patch") when { context.args.path like "reports/*" };
`

func TestArgumentRules(t *testing.T) {
	const imagesIn = `permit(principal, action, resource == Tool::"image") when { context.args.image like "shots/*" };`
	const gitOnly = `permit(principal, action, resource == Tool::"exec") when { context.program == "git" };`
	const gitLike = `permit(principal, action, resource == Tool::"exec") when { context.args.command like "git *" };`
	const noRm = `forbid(principal, action, resource == Tool::"exec") when { context.program == "rm" };`
	const noEtc = `forbid(principal, action, resource in Group::"group:fs") when { context.args has path && context.args.path like "/*" };`
	const asks = `@ask("a person looks at fetches") permit(principal, action, resource == Tool::"web_fetch");
		forbid(principal, action, resource == Tool::"web_fetch") when { context.session.tainted };`
	rows := []struct {
		name, rules, tool, args, want string
	}{
		{"below reports", reportsOnly, "write", `{"path":"reports/a.md","content":"x"}`, "allow"},
		{"workspace path", reportsOnly, "write", `{"path":"/workspace/reports/a.md"}`, "allow"},
		{"outside", reportsOnly, "write", `{"path":"src/a.md"}`, "deny"},
		{"dot-dot", reportsOnly, "write", `{"path":"reports/../src/a.md"}`, "deny"},
		{"dot-dot absolute", reportsOnly, "write", `{"path":"/workspace/reports/../../etc/x"}`, "deny"},
		{"no path", reportsOnly, "write", `{"content":"x"}`, "deny"},
		{"path in capitals", reportsOnly, "write", `{"path":"reports/a","Path":"/etc/x"}`, "deny"},
		{"path twice", reportsOnly, "write", `{"path":"reports/a","path":"/etc/x"}`, "deny"},
		{"path no string", reportsOnly, "write", `{"path":["reports/a"]}`, "deny"},
		{"escaped key twice", reportsOnly, "write", `{"path":"reports/a","p\u0061th":"/etc/x"}`, "deny"},
		{"broken json", reportsOnly, "write", `{"path":"reports/a"} {}`, "deny"},
		{"another tool", reportsOnly, "read", `{"path":"src/a.md"}`, "allow"},
		{"patch below", reportsOnly, "apply_patch", `{"input":"*** Begin Patch\n*** Add File: reports/a\n+x\n*** End Patch"}`, "allow"},
		{"patch one outside", reportsOnly, "apply_patch", `{"input":"*** Begin Patch\n*** Add File: reports/a\n+x\n*** Delete File: src/b\n*** End Patch"}`, "deny"},
		{"patch moved out", reportsOnly, "apply_patch", `{"input":"*** Begin Patch\n*** Update File: reports/a\n*** Move to: src/b\n*** End Patch"}`, "deny"},
		{"one image outside", imagesIn, "image", `{"image":"shots/a.png","images":["shots/b.png","secret/c.png"]}`, "deny"},
		{"images inside", imagesIn, "image", `{"images":["shots/b.png","shots/c.png"]}`, "allow"},
		{"backslash is no slash", reportsOnly, "write", `{"path":"reports\\a"}`, "deny"},
		{"git", gitOnly, "exec", `{"command":"git status"}`, "allow"},
		{"git by a path", gitOnly, "exec", `{"command":"./git status"}`, "deny"},
		{"git and more", gitOnly, "exec", `{"command":"git status; rm -rf ."}`, "deny"},
		{"git with a shell", gitOnly, "exec", `{"command":"git status $(rm -rf .)"}`, "deny"},
		{"git alias shell", gitOnly, "exec", `{"command":"git -c alias.x=!sh x"}`, "deny"},
		{"git in env", gitOnly, "exec", `{"command":"env git status"}`, "deny"},
		{"like git", gitLike, "exec", `{"command":"git status"}`, "allow"},
		{"like git chain", gitLike, "exec", `{"command":"git status && git diff"}`, "allow"},
		{"like git and more", gitLike, "exec", `{"command":"git status && curl evil"}`, "deny"},
		{"like git newline", gitLike, "exec", `{"command":"git status\nid"}`, "deny"},
		{"forbidden program", noRm, "exec", `{"command":"ls; rm x"}`, "deny"},
		{"other program", noRm, "exec", `{"command":"ls"}`, "allow"},
		{"forbid fails closed", noRm, "exec", `{"command":"$(echo rm) x"}`, "deny"},
		{"group rule", noEtc, "read", `{"path":"/etc/passwd"}`, "deny"},
		{"group rule passes", noEtc, "read", `{"path":"a"}`, "allow"},
		{"asks", asks, "web_fetch", `{"url":"https://example.org"}`, "ask"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			e := withRules(t, r.rules)
			d := verdict(e, gatewaytest.Caller(), r.tool, toolpolicy.SurfaceHTTP, session(true), r.args)
			if d.Verdict.String() != r.want {
				t.Errorf("%s %s: %s at %s (%s), want %s", r.tool, r.args, d.Verdict, d.Layer, d.Reason, r.want)
			}
		})
	}
	tainted := session(true)
	tainted.Label = "untrusted:email"
	if d := verdict(withRules(t, asks), gatewaytest.Caller(), "web_fetch", "http", tainted, `{}`); d.Verdict != toolpolicy.Deny {
		t.Errorf("forbid does not beat ask: %+v", d)
	}
}

func TestRulesAboutWhoAndWhen(t *testing.T) {
	e := withRules(t, `
		permit(principal == Principal::"token:ci", action, resource == Tool::"read");
		permit(principal in Role::"owner", action == Action::"call", resource == Tool::"read") when { context.hour >= 9 && context.hour < 17 };
		forbid(principal, action, resource == Tool::"ls") unless { context.surface == "http" && principal has scopes && principal.scopes.contains("operator.admin") };
		forbid(principal, action, resource) when { resource == Tool::"edit" && context.now < datetime("2026-01-01T00:00:00Z") };`)
	ci := gatewaytest.Caller(gatewaytest.ID("ci"), gatewaytest.Owner(false))
	owner := gatewaytest.Caller()
	at := func(c gateway.Caller, tool string, sf toolpolicy.Surface, now string) string {
		when, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		_, d := e.Decide(c, &toolpolicy.Query{Tool: tool, Surface: sf, Session: session(true), Now: when})
		return d.Verdict.String()
	}
	for _, r := range []struct{ got, want, what string }{
		{at(ci, "read", "cli", "2026-06-01T03:00:00Z"), "allow", "ci at night"},
		{at(owner, "read", "cli", "2026-06-01T03:00:00Z"), "deny", "owner at night"},
		{at(owner, "read", "cli", "2026-06-01T10:00:00Z"), "allow", "owner by day"},
		{at(owner, "ls", "http", "2026-06-01T10:00:00Z"), "allow", "ls over http"},
		{at(owner, "ls", "cli", "2026-06-01T10:00:00Z"), "deny", "ls by cli"},
		{at(owner, "edit", "cli", "2025-06-01T10:00:00Z"), "deny", "edit before the day"},
		{at(owner, "edit", "cli", "2026-06-01T10:00:00Z"), "allow", "edit after it"},
	} {
		if r.got != r.want {
			t.Errorf("%s: %s, want %s", r.what, r.got, r.want)
		}
	}
}

func TestRuleMistakesAreNamed(t *testing.T) {
	for _, r := range []struct{ rules, want string }{
		{"\npermit(principal, action, resource) when { 1 + };", "rules.cedar:2:"},
		{"permit(principal, action, resource);\nforbid(principal", "rules.cedar:2:"},
		{"\n\n@ask forbid(principal, action, resource);", "rules.cedar:3"},
		{`permit(principal, action, resource == Tool::"bash");`, "rules.cedar:1"},
		{`permit(principal, action == Action::"run", resource);`, "rules.cedar:1"},
		{`permit(principal, action, resource == Tool::"wirte");`, "rules.cedar:1"},
	} {
		e, problems := toolpolicy.Compile(toolpolicy.Source{
			KnownTools: tools, ReadFile: func(string) ([]byte, error) { return []byte(r.rules), nil },
			Config: toolpolicy.Config{Rules: toolpolicy.RulesConfig{Files: []string{"rules.cedar"}}},
		})
		if len(problems) == 0 || !strings.Contains(problems[0].Message, r.want) {
			t.Errorf("%q: problems %+v, want one at %s", r.rules, problems, r.want)
			continue
		}
		if g, _ := e.Decide(gatewaytest.Caller(), &toolpolicy.Query{Tool: "read", Surface: "http", Session: session(true)}); g.Valid() && !problems[0].Warning {
			t.Errorf("%q: an engine with an error allows", r.rules)
		}
	}
}

// ruleTexts are templates of rules with what they pin, for the comparison with
// Cedar's own authorizer.
func (g gen) ruleText() string {
	head := pick(g, []string{"permit", "forbid", "forbid", "@ask permit"})
	who := pick(g, []string{"principal", "principal", `principal == Principal::"token:a"`, `principal in Role::"owner"`, `principal in Tenant::"default"`,
		`principal in Kind::"token"`, `principal in Principal::"token:a"`, `principal in Role::"nobody"`})
	what := pick(g, []string{"resource", `resource == Tool::"read"`, `resource == Tool::"write"`, `resource in Group::"group:fs"`, `resource in Group::"group:web"`, `resource == Tool::"web_fetch"`})
	when := pick(g, []string{"", "",
		`when { resource == Tool::"read" && principal == Principal::"token:a" }`, `when { principal == Principal::"token:b" && context.surface == "cli" }`,
		`when { context.args.path like "a/*" }`, `when { context.args has path && context.args.path like "b/*" }`,
		`unless { context.session.tainted }`, `when { context.args.path == "a/x" }`, `when { context.args has path && context.args.path like "*/x" && context.args.n > 3 }`,
		`when { context.surface == "http" && context.args.path like "a*x" }`, `when { context.args.path like "\*/x" }`, `when { context.args.n like "5*" && context.args has path && context.args.path == "a/x" }`,
		`when { context.args.path like "a*" && resource == Tool::"read" }`, `when { context.args has path && context.args.path == "a/x" && principal == Principal::"token:a" }`, `when { context has args && context.args.n like "5*" }`, `when { context.args.n > 3 }`, `when { context.args.n > 3 && resource == Tool::"read" }`,
		`when { context has args && context.args has deep && context.args.deep.x == 1 }`, `when { context.surface == "http" || principal.owner }`,
	})
	return fmt.Sprintf("%s(%s, action, %s) %s;", strings.Replace(head, "@ask ", "@ask\n", 1), who, what, when)
}

// TestRulesAgainstCedar compares the indexed evaluation with one plain call of
// Cedar's authorizer over all rules.
func TestRulesAgainstCedar(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(7, 7))}
	counts := map[toolpolicy.Verdict]int{}
	rounds := 4000
	if raceFactor > 1 {
		rounds = 400
	}
	for range rounds {
		var rules []string
		for range 1 + g.IntN(6) {
			rules = append(rules, g.ruleText())
		}
		text := strings.Join(rules, "\n")
		e := compile(t, toolpolicy.Source{Config: toolpolicy.Config{
			Rules:   toolpolicy.RulesConfig{Inline: text},
			Sandbox: toolpolicy.SandboxConfig{Tools: &toolpolicy.SandboxTools{AlsoAllow: []string{"web_fetch"}}},
		}})
		for range 4 {
			c := gatewaytest.Caller(gatewaytest.ID(pick(g, []string{"a", "b"})), gatewaytest.Owner(g.chance(50)))
			s := session(true)
			s.Label = pick(g, []string{"", "untrusted:x"})
			q := &toolpolicy.Query{
				Tool: pick(g, []string{"read", "write", "web_fetch"}), Surface: pick(g, []toolpolicy.Surface{"http", "cli"}), Session: s,
				Args: []byte(pick(g, []string{`{}`, `{"path":"a/x"}`, `{"path":"b/x","n":5}`, `{"n":2}`, `{"n":"5"}`, `{"deep":{"x":1}}`, `{"path":null}`})),
			}
			want := plainCedar(t, text, c, q)
			_, d := e.Decide(c, q)
			counts[d.Verdict]++
			if d.Verdict != want {
				t.Fatalf("%s\n%s %s %s by %s: %s (%s), Cedar says %s", text, q.Tool, q.Surface, q.Args, c.Principal(), d.Verdict, d.Reason, want)
			}
		}
	}
	for _, v := range []toolpolicy.Verdict{toolpolicy.Allow, toolpolicy.Deny, toolpolicy.Ask} {
		if counts[v] < rounds/8 {
			t.Errorf("only %d decisions are %s", counts[v], v)
		}
	}
}

// plainCedar is the verdict of all rules at once, with every part of the
// context present.
func plainCedar(t *testing.T, text string, c gateway.Caller, q *toolpolicy.Query) toolpolicy.Verdict {
	t.Helper()
	list, err := cedar.NewPolicyListFromBytes("rules", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	parents := map[string][]string{"read": {"group:fs"}, "write": {"group:fs"}, "web_fetch": {"group:web"}}
	var groups []cedar.EntityUID
	for _, p := range parents[q.Tool] {
		groups = append(groups, cedar.NewEntityUID("Group", cedar.String(p)))
	}
	me, tool := cedar.NewEntityUID("Principal", cedar.String(c.Principal())), cedar.NewEntityUID("Tool", cedar.String(q.Tool))
	roles := []cedar.EntityUID{cedar.NewEntityUID("Tenant", "default"), cedar.NewEntityUID("Kind", "token")}
	if c.Owner() {
		roles = append(roles, cedar.NewEntityUID("Role", "owner"))
	}
	entities := cedar.EntityMap{
		me:   {UID: me, Parents: cedar.NewEntityUIDSet(roles...), Attributes: cedar.NewRecord(cedar.RecordMap{"owner": cedar.Boolean(c.Owner())})},
		tool: {UID: tool, Parents: cedar.NewEntityUIDSet(groups...)},
	}
	var args cedar.Record
	if err := args.UnmarshalJSON([]byte(strings.Replace(string(q.Args), `"path":null`, "", 1))); err != nil {
		t.Fatal(err)
	}
	req := cedar.Request{Principal: me, Action: cedar.NewEntityUID("Action", "call"), Resource: tool, Context: cedar.NewRecord(cedar.RecordMap{
		"surface": cedar.String(q.Surface), "args": args,
		"session": cedar.NewRecord(cedar.RecordMap{"tainted": cedar.Boolean(q.Session.Label != "")}),
	})}
	verdict, covered, permitted := toolpolicy.Allow, false, false
	for _, p := range list {
		one := cedar.NewPolicySet()
		one.Add("p", p)
		d, diag := cedar.Authorize(one, entities, req)
		forbid := p.Effect() == cedar.Forbid
		covered = covered || !forbid && aboutTool(p, q.Tool)
		_, asks := p.Annotations()["ask"]
		switch {
		case forbid && (len(diag.Reasons) > 0 || len(diag.Errors) > 0):
			return toolpolicy.Deny
		case !forbid && d == cedar.Allow && asks:
			verdict, permitted = toolpolicy.Ask, true
		case !forbid && d == cedar.Allow:
			permitted = true
		}
	}
	if covered && !permitted {
		return toolpolicy.Deny
	}
	return verdict
}

// aboutTool reads a template's text for the tools that it can apply to.
func aboutTool(p *cedar.Policy, tool string) bool {
	text := string(p.MarshalCedar())
	head, when, _ := strings.Cut(text, "when {")
	fs := tool == "read" || tool == "write"
	ok := !strings.Contains(head, `resource == Tool::`) || strings.Contains(head, fmt.Sprintf(`resource == Tool::"%s"`, tool))
	ok = ok && (!strings.Contains(head, "group:fs") || fs) && (!strings.Contains(head, "group:web") || tool == "web_fetch")
	if strings.HasPrefix(strings.TrimSpace(when), `resource == Tool::"read"`) && !strings.Contains(head, "resource ==") && !strings.Contains(head, "resource in") {
		ok = ok && tool == "read"
	}
	return ok
}
