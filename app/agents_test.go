package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/agent/agenttest"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/server/agentapi"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// twoAgents are beside the default one: a clerk with little, and one whose
// models are kept from it.
const twoAgents = `  entries:
    main: {}
    clerk:
      model: fake/small
      tools: {allow: [read, session_status, agents_list]}
      sandbox: {workspaceAccess: ro, scope: session}
      context: {tokens: 5000, summarize: "on"}
    locked: {secrets: []}
`

func TestAgentsHaveTheirOwn(t *testing.T) {
	model := agenttest.New(t)
	a := testApp(t, "anthropic", model, twoAgents)
	for _, id := range []string{"main", "clerk"} {
		if _, err := a.turn(t.Context(), agentapi.Turn{Caller: gateway.Process(), AgentID: id, Input: "hello " + id}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(model.Request(0), `"model":"m"`) || !strings.Contains(model.Request(1), `"model":"small"`) {
		t.Error("an agent's model is not its own")
	}
	for _, tc := range []struct {
		n    int
		tool string
		want bool
	}{{0, "exec", true}, {0, "session_status", true}, {1, "exec", false}, {1, "write", false}, {1, "session_status", true}} {
		if shown(model, tc.n, tc.tool) != tc.want {
			t.Errorf("request %d shows %s: %v; want %v", tc.n, tc.tool, !tc.want, tc.want)
		}
	}
	if c := a.live.Load().sandbox("clerk"); c.WorkspaceAccess != "ro" || c.Scope != "session" || c.Mode != "all" {
		t.Errorf("clerk's sandbox = %+v", c)
	}
	if c := a.live.Load().sandbox("main"); c.WorkspaceAccess != "none" || c.Scope != "agent" {
		t.Errorf("main's sandbox = %+v", c)
	}
	if strings.Contains(model.Request(1), "hello main") {
		t.Error("one agent's session reached another's model")
	}
}

func TestAnAgentsKeysAreItsOwn(t *testing.T) {
	model := agenttest.New(t)
	a := testApp(t, "anthropic", model, twoAgents)
	if _, err := a.turn(t.Context(), agentapi.Turn{Caller: gateway.Process(), AgentID: "locked", Input: "x"}); err == nil || model.Request(0) != "" {
		t.Errorf("an agent used a key that is not its own: %v", err)
	}
	if _, _, err := a.provider("locked", "fake/m"); err == nil || !strings.Contains(err.Error(), "may not use") {
		t.Errorf("err = %v", err)
	}
	if _, _, err := a.provider("nobody", "fake/m"); err == nil {
		t.Error("an agent that is not configured has keys")
	}
}

func TestAgentsListShowsWhatMayBeUsed(t *testing.T) {
	for conf, want := range map[string][]string{
		"": {"clerk"},
		"tools: {sessions: {visibility: self}}\n":  {"clerk"},
		"tools: {sessions: {visibility: agent}}\n": {"clerk"},
		"tools: {sessions: {visibility: all}}\n":   {"clerk", "locked", "main"},
	} {
		a := testApp(t, "anthropic", agenttest.New(t), twoAgents+conf)
		resp := a.runner.Run(context.Background(), invoke.Request{Caller: gateway.Process(), Surface: toolpolicy.SurfaceHTTP, Tool: "agents_list", AgentID: "clerk", Args: json.RawMessage(`{}`)})
		if resp.Err != nil {
			t.Fatal(resp.Err)
		}
		var out struct {
			AllowAny bool
			Agents   []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(resp.Result.Content[0].Text), &out); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range out.Agents {
			got = append(got, x.ID)
		}
		if !slices.Equal(got, want) || out.AllowAny != (len(want) == 3) {
			t.Errorf("%q: %v, any %v; want %v", conf, got, out.AllowAny, want)
		}
	}
}

// A session that grew beyond the agent's tokens is compacted on the way to the
// model, over the wire, and its summary is wrapped under the session's label.
func TestCompactionOnTheWire(t *testing.T) {
	long := strings.Repeat("a long story ", 200)
	model := agenttest.New(t, agenttest.Reply{Text: "one " + long}, agenttest.Reply{Text: "two " + long}, agenttest.Reply{Text: "three " + long},
		agenttest.Reply{Text: "four " + long}, agenttest.Reply{Text: "they told stories"}, agenttest.Reply{Text: "five"})
	a := testApp(t, "anthropic", model, twoAgents)
	if _, err := a.sessions.Open(t.Context(), gateway.DefaultTenant, keyOf("clerk"), gateway.Process().Principal()); err != nil {
		t.Fatal(err)
	}
	if err := a.sessions.Taint(t.Context(), gateway.DefaultTenant, keyOf("clerk").String(), hookLabel); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := a.turn(t.Context(), agentapi.Turn{Caller: gateway.Process(), AgentID: "clerk", Input: "go on " + long}); err != nil {
			t.Fatal(err)
		}
	}
	var summary, last string
	for n := range 7 {
		r := model.Request(n)
		if strings.Contains(r, "Summarize the conversation below") && summary == "" {
			summary = r
		}
		if strings.Contains(r, "they told stories") {
			last = r
		}
		if len(r) > 8*5000 {
			t.Errorf("request %d has %d bytes", n, len(r))
		}
	}
	if summary == "" || strings.Contains(summary, `"tools"`) {
		t.Errorf("no summary was asked for without tools: %.200s", summary)
	}
	if !strings.Contains(last, "EXTERNAL_UNTRUSTED_CONTENT id") || !strings.Contains(last, "[summary of the earlier conversation]") {
		t.Errorf("the summary of an untrusted session is not wrapped: %.300s", last)
	}
}
