package app

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/agent/agenttest"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/server/agentapi"
)

// shown reports which tools a model was shown in its n-th request.
func shown(model *agenttest.Server, n int, tool string) bool {
	return strings.Contains(model.Request(n), `"name":"`+tool+`"`)
}

func TestProviderLimitsATurn(t *testing.T) {
	for conf, want := range map[string]bool{
		"": true,
		"tools: {byProvider: {fake: {deny: [session_status]}}}\n":   false,
		"tools: {byProvider: {fake/m: {deny: [session_status]}}}\n": false,
		"tools: {byProvider: {fake/n: {deny: [session_status]}}}\n": true,
		"tools: {byProvider: {other: {deny: [session_status]}}}\n":  true,
	} {
		model := agenttest.New(t, agenttest.Reply{Calls: []agenttest.Call{{ID: "c1", Name: "session_status", Args: `{}`}}})
		a := testApp(t, "anthropic", model, conf)
		if _, err := a.turn(t.Context(), agentapi.Turn{Caller: gateway.Process(), Input: "x"}); err != nil {
			t.Fatal(err)
		}
		if shown(model, 0, "session_status") != want || strings.Contains(model.Request(1), "Tool not available") == want {
			t.Errorf("%q: shown %v, want %v; then %s", conf, shown(model, 0, "session_status"), want, model.Request(1))
		}
	}
}

func TestSenderAndGroupLimitAHook(t *testing.T) {
	const list = "sessions_list"
	for _, tc := range []struct {
		conf, body string
		want       bool
	}{
		{"", `{"message":"x","name":"eve","channel":"telegram"}`, true},
		{"tools: {byGroup: {telegram: {deny: [" + list + "]}}}\n", `{"message":"x","channel":"telegram"}`, false},
		{"tools: {byGroup: {telegram: {deny: [" + list + "]}}}\n", `{"message":"x","channel":"unlisted"}`, false},
		{"tools: {byGroup: {telegram: {deny: [" + list + "]}}}\n", `{"message":"x"}`, true},
		{"tools: {toolsBySender: {\"id:webhook\": {deny: [" + list + "]}}}\n", `{"message":"x"}`, false},
		{"tools: {toolsBySender: {\"*\": {deny: [" + list + "]}}}\n", `{"message":"x"}`, false},
		{"tools: {toolsBySender: {\"name:eve\": {deny: [" + list + "]}}}\n", `{"message":"x","name":"eve"}`, false},
		{"tools: {toolsBySender: {\"name:eve\": {deny: [" + list + "]}}}\n", `{"message":"x","name":"bob"}`, true},
		{"tools: {toolsBySender: {\"id:webhook\": {deny: [" + list + "]}, \"name:bob\": {}}}\n", `{"message":"x","name":"bob"}`, false},
	} {
		model := agenttest.New(t)
		a := testApp(t, "anthropic", model, hookConf+tc.conf)
		if code, _ := a.hook(t, tc.body); code != 200 {
			t.Fatalf("%s: %d", tc.body, code)
		}
		if err := a.runs.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if model.Request(0) == "" || shown(model, 0, list) != tc.want {
			t.Errorf("%s with %s: shown %v; want %v", tc.conf, tc.body, shown(model, 0, list), tc.want)
		}
	}
}

// What a turn starts has the limits of the turn's origin too.
func TestOriginReachesSubagents(t *testing.T) {
	model := agenttest.New(t,
		agenttest.Reply{Calls: []agenttest.Call{{ID: "c1", Name: "sessions_spawn", Args: `{"task":"look around"}`}}},
		agenttest.Reply{Text: "started"},
	)
	a := testApp(t, "anthropic", model, "tools: {byProvider: {fake: {deny: [sessions_list]}}}\n")
	if _, err := a.turn(t.Context(), agentapi.Turn{Caller: gateway.Process(), Input: "delegate"}); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		for n := range 4 {
			if r := model.Request(n); strings.Contains(r, "look around") && !strings.Contains(r, "delegate") {
				if shown(model, n, "sessions_list") {
					t.Error("the sub-agent is shown what its parent could not use")
				}
				return
			}
		}
		pause()
	}
	t.Fatal("the sub-agent never asked its model")
}
