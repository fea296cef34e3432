package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const mark = "acme-only-7f3d"

// absent is compared with a foreign thing: the same request about something
// that nobody has.
type attempt struct {
	name    string
	foreign string // answer about what the other tenant has
	absent  string // answer about what nobody has; "" when there is no such thing
}

// TestTenantsAreApart has one tenant try whatever the other has: it neither sees
// nor changes it, and cannot tell it from what is not there.
func TestTenantsAreApart(t *testing.T) {
	needDocker(t)
	g := gatewayOn(t, "agents:\n  entries:\n    main: {default: true}\n    asking: {tools: {exec: {mode: ask}}}\n")
	acme := g.mint("acme", "acme", "read", "write", "approvals", "admin")
	evil := g.mint("evil", "evil", "read", "write", "approvals", "admin")
	const key, ghost = "agent:main:shared-name", "agent:main:ghost-name0"
	a, e := g.socket(acme), g.socket(evil)

	// What acme has: files, a session with history, a process, a box, an
	// idempotency key, records.
	if s, out := g.tool(acme, "write", key, map[string]any{"path": "plan.txt", "content": mark}); s != 200 {
		t.Fatalf("write: %d %s", s, out)
	}
	out := a.invoke("exec", key, map[string]any{"command": "echo " + mark + "; sleep 60", "background": true})
	proc := first(out, `"sessionId":"([^"]+)"`)
	box := first(a.call("sandboxes.list", map[string]any{}), `"id":"([^"]+)"`)
	if proc == "" || box == "" {
		t.Fatalf("no process or box: %s; %s", out, a.call("sandboxes.list", map[string]any{}))
	}
	once := `{"tool":"exec","sessionKey":"` + key + `","idempotencyKey":"k-1","args":{"command":"echo ` + mark + `-once"}}`
	if s, out := g.do("POST", "/tools/invoke", acme, once); s != 200 {
		t.Fatalf("once: %d %s", s, out)
	}

	g.socket(acme).send("tools.invoke", map[string]any{"name": "exec", "sessionKey": "agent:asking:x", "args": map[string]any{"command": "echo " + mark}})
	asked := ""
	if !eventually(20*time.Second, func() bool {
		asked = first(a.call("approvals.list", map[string]any{}), `"id":"([^"]+)"`)
		return asked != ""
	}) {
		t.Fatal("no call waits for acme")
	}

	var tries []attempt
	add := func(name, foreign, absent string) { tries = append(tries, attempt{name, foreign, absent}) }
	http := func(method, path string) string {
		s, out := g.do(method, path, evil, "{}")
		return strconv.Itoa(s) + out
	}
	add("http history", http("GET", "/sessions/"+key+"/history"), http("GET", "/sessions/"+ghost+"/history"))
	add("http kill", http("POST", "/sessions/"+key+"/kill"), http("POST", "/sessions/"+ghost+"/kill"))
	add("ws history", e.call("sessions.history", map[string]any{"sessionKey": key}), e.call("sessions.history", map[string]any{"sessionKey": ghost}))
	add("ws kill", e.call("sessions.kill", map[string]any{"sessionKey": key}), e.call("sessions.kill", map[string]any{"sessionKey": ghost}))
	add("ws recreate", e.call("sandboxes.recreate", map[string]any{"id": box}), e.call("sandboxes.recreate", map[string]any{"id": other(box)}))
	for _, d := range []string{"approve", "deny"} {
		add("ws "+d, e.call("approvals.resolve", map[string]any{"id": asked, "decision": d}), e.call("approvals.resolve", map[string]any{"id": other(asked), "decision": d}))
	}
	for _, m := range []string{"sessions.list", "sandboxes.list", "approvals.list", "journal.tail", "status"} {
		add("ws "+m, e.call(m, map[string]any{}), "")
	}
	ghostProc := "zz" + proc
	for _, action := range []string{"poll", "log", "write", "send-keys", "submit", "paste", "kill", "clear", "remove"} {
		args := func(id string) map[string]any {
			return map[string]any{"action": action, "sessionId": id, "data": "x", "text": "x", "keys": []string{"Enter"}}
		}
		add("ws process "+action, e.invoke("process", key, args(proc)), e.invoke("process", key, args(ghostProc)))
		_, f := g.tool(evil, "process", key, args(proc))
		_, n := g.tool(evil, "process", key, args(ghostProc))
		add("http process "+action, f, n)
		add("mcp process "+action, g.mcp(evil, key, "process", args(proc)), g.mcp(evil, key, "process", args(ghostProc)))
	}
	add("ws process list", e.invoke("process", key, map[string]any{"action": "list"}), "")
	// The session key stays acme's even when evil has one of the same name;
	// the tools speak about evil's own, which has nothing of acme's in it.
	from := "agent:main:elsewhere"
	for name, args := range map[string][2]map[string]any{
		"sessions_history": {{"sessionKey": key}, nil},
		"sessions_search":  {{"query": mark}, nil},
		"sessions_list":    {{}, nil},
		"sessions_send":    {{"sessionKey": "agent:main:only-acme", "message": "x", "timeoutSeconds": 0}, {"sessionKey": "agent:main:only-ghos", "message": "x", "timeoutSeconds": 0}},
		"session_status":   {{"sessionKey": "agent:main:only-acme"}, {"sessionKey": "agent:main:only-ghos"}},
		"subagents":        {{"action": "list"}, nil},
	} {
		_ = g.mcp(acme, "agent:main:only-acme", "read", map[string]any{"path": "plan.txt"})
		absent := [3]string{}
		if args[1] != nil {
			_, absent[0] = g.tool(evil, name, from, args[1])
			absent[1], absent[2] = e.invoke(name, from, args[1]), g.mcp(evil, from, name, args[1])
		}
		_, out := g.tool(evil, name, from, args[0])
		add("http "+name, out, absent[0])
		add("ws "+name, e.invoke(name, from, args[0]), absent[1])
		add("mcp "+name, g.mcp(evil, from, name, args[0]), absent[2])
	}
	edits := []any{map[string]any{"oldText": mark, "newText": "x"}}
	for _, call := range []struct {
		tool string
		args map[string]any
		none map[string]any
	}{
		{"read", map[string]any{"path": "plan.txt"}, map[string]any{"path": "nope.txt"}},
		{"edit", map[string]any{"path": "plan.txt", "edits": edits}, map[string]any{"path": "nope.txt", "edits": edits}},
		{"ls", map[string]any{"path": "."}, nil},
		{"exec", map[string]any{"command": "cat plan.txt; ls -la / /workspace; ps aux 2>/dev/null"}, nil},
	} {
		_, out := g.tool(evil, call.tool, key, call.args)
		mcp, ws, none := g.mcp(evil, key, call.tool, call.args), e.invoke(call.tool, key, call.args), ""
		if call.none != nil {
			_, none = g.tool(evil, call.tool, key, call.none)
		}
		add("http "+call.tool, out, none)
		add("mcp "+call.tool, mcp, "")
		add("ws "+call.tool, ws, "")
	}
	add("mcp journal", g.mcp(evil, key, "", map[string]any{"uri": "chitin://journal/recent"}), "")
	// The same idempotency key is another call: it runs, in evil's own box.
	_, replay := g.do("POST", "/tools/invoke", evil, strings.Replace(once, mark+"-once", "mine", 1))
	add("http idempotency", replay, "")
	if !strings.Contains(replay, "mine") {
		t.Errorf("the other tenant's idempotency key stands in the way: %s", replay)
	}

	judge(t, tries, proc, box, asked)

	// Nothing of acme's changed.
	if s, out := g.tool(acme, "read", key, map[string]any{"path": "plan.txt"}); s != 200 || !strings.Contains(out, mark) {
		t.Errorf("acme's file after the attempts: %d %s", s, out)
	}
	if out := a.invoke("process", key, map[string]any{"action": "poll", "sessionId": proc}); !strings.Contains(out, "running") {
		t.Errorf("acme's process after the attempts: %s", out)
	}
	if out := a.call("approvals.list", map[string]any{}); !strings.Contains(out, asked) {
		t.Errorf("acme's question after the attempts: %s", out)
	}
	if out := a.call("sandboxes.list", map[string]any{}); !strings.Contains(out, box) {
		t.Errorf("acme's box after the attempts: %s", out)
	}
}

// judge fails what shows something of the other tenant, or answers about a
// foreign thing in another way than about none.
func judge(t *testing.T, tries []attempt, ids ...string) {
	t.Helper()
	if len(tries) < 40 {
		t.Errorf("only %d attempts", len(tries))
	}
	for _, a := range tries {
		asked := strings.Contains(a.name, "sessions_search") || strings.Contains(a.name, "edit") || strings.Contains(a.name, "journal")
		if strings.Contains(a.foreign, mark) && !asked {
			t.Errorf("%s shows the other tenant's text: %.600s", a.name, a.foreign)
		}
		if strings.Contains(a.foreign, `"tenant":"acme"`) || strings.Contains(a.foreign, "token:acme") {
			t.Errorf("%s names the other tenant: %.600s", a.name, a.foreign)
		}
		if a.absent == "" {
			continue
		}
		if f, n := plain(a.foreign, ids), plain(a.absent, ids); f != n {
			t.Errorf("%s: a foreign thing answers\n%.400s\nan absent one\n%.400s", a.name, f, n)
		}
	}
	t.Logf("%d attempts", len(tries))
}

// other is an id of the same form that nobody has.
func other(id string) string {
	swap := "0"
	if strings.HasSuffix(id, swap) {
		swap = "1"
	}
	return id[:len(id)-1] + swap
}

// plain takes out what an answer repeats of the question, and the call's own id.
func plain(s string, ids []string) string {
	for _, id := range ids {
		s = strings.NewReplacer("zz"+id, "ID", other(id), "ID", id, "ID").Replace(s)
	}
	s = strings.NewReplacer("shared-name", "NAME", "ghost-name0", "NAME", "only-acme", "NAME", "only-ghos", "NAME", "plan.txt", "FILE", "nope.txt", "FILE").Replace(s)
	return regexp.MustCompile(`"(callId|runId|id|boundary)":"[^"]*"|id=\\?"[0-9a-f]+\\?"|[a-z]+-[0-9a-z]{8,}-[0-9a-z]+`).ReplaceAllString(s, "")
}

// first is the first group of a pattern in an answer, its escapes taken out.
func first(s, pattern string) string {
	var f struct{ Payload json.RawMessage }
	if json.Unmarshal([]byte(s), &f) == nil && f.Payload != nil {
		s = string(f.Payload)
	}
	m := regexp.MustCompile(pattern).FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	return m[1]
}
