package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/agent/agenttest"
	"github.com/chitin-sh/chitin/agent/cron"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/toolpolicy"
)

const everyHour = `{"action":"add","job":{"schedule":{"kind":"every","everyMs":3600000},"payload":{"message":"tidy up"}}}`

// schedule adds a job through the corridor and returns its id.
func (a *App) schedule(t *testing.T, caller gateway.Caller, sessionKey string) string {
	t.Helper()
	resp := a.runner.Run(t.Context(), invoke.Request{Caller: caller, Surface: toolpolicy.SurfaceCLI, Tool: "automations", SessionKey: sessionKey, Args: json.RawMessage(everyHour)})
	if resp.Err != nil {
		t.Fatalf("cron: %v (%s: %s)", resp.Err, resp.Decision.Layer, resp.Decision.Reason)
	}
	jobs, err := a.cron.List(t.Context(), caller.Tenant())
	if err != nil || len(jobs) == 0 {
		t.Fatalf("jobs = %v, %v", jobs, err)
	}
	return jobs[len(jobs)-1].ID
}

// runJob runs a job now and waits for its end.
func (a *App) runJob(t *testing.T, tenant, id string) cron.Run {
	t.Helper()
	if _, err := a.cron.RunNow(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		runs, err := a.cron.Runs(t.Context(), tenant, id, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) == 1 && runs[0].State != cron.RunRunning {
			return runs[0]
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the run did not end")
	return cron.Run{}
}

func TestScheduledRunHasNoMoreThanItsCreator(t *testing.T) {
	model := agenttest.New(t,
		agenttest.Reply{Calls: []agenttest.Call{
			{ID: "c1", Name: "gateway", Args: `{"action":"config.get"}`},
			{ID: "c2", Name: "cron", Args: everyHour},
			{ID: "c3", Name: "session_status", Args: `{}`},
			{ID: "c4", Name: "agents_list", Args: `{}`},
		}},
		agenttest.Reply{Text: "tidy, canary-model-key-0123456789abcdef"},
	)
	a := testApp(t, "anthropic", model, "tools: {policy: {deny: [session_status]}}\n")
	id := a.schedule(t, gateway.Process(), "")

	// What its creator could not use stays closed when the operator opens it.
	conf, err := os.ReadFile(a.opts.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	open := strings.Replace(string(conf), "deny: [session_status]", "deny: []", 1)
	if err := os.WriteFile(a.opts.ConfigPath, []byte(open), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := a.runJob(t, gateway.DefaultTenant, id)
	if r.State != cron.RunDone || !strings.HasPrefix(r.Outcome, "tidy") || strings.Contains(r.Outcome, "canary") {
		t.Fatalf("run = %+v", r)
	}
	ended := func(rec journal.Record) bool { return rec.Event == "cron.run" }
	for range 400 { // the run's own record follows its end
		if slices.ContainsFunc(a.records(t), ended) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	verdicts, told := map[string]string{}, 0
	for _, rec := range a.records(t) {
		switch {
		case rec.Event == journal.EventDecided && rec.Surface == "cron":
			verdicts[rec.Tool] = rec.Verdict
			if rec.Principal != gateway.Process().Principal() || rec.Session != "agent:main:cron:"+id {
				t.Errorf("%s ran as %s in %s", rec.Tool, rec.Principal, rec.Session)
			}
		case rec.Event == "cron.run":
			told++
		}
	}
	for tool, want := range map[string]string{"gateway": "deny", "cron": "deny", "session_status": "deny", "agents_list": "allow"} {
		if verdicts[tool] != want {
			t.Errorf("%s: %q, want %s", tool, verdicts[tool], want)
		}
	}
	if told != 1 {
		t.Errorf("the journal tells of %d runs", told)
	}
	if first := model.Request(0); strings.Contains(first, `"name":"gateway"`) || strings.Contains(first, `"name":"session_status"`) {
		t.Error("the model was shown what it may not use")
	}
}

func TestScheduleCarriesItsSessionsLabel(t *testing.T) {
	model := agenttest.New(t, agenttest.Reply{Text: "hm"})
	a := testApp(t, "anthropic", model, "")
	ctx, mail := t.Context(), session.Key{Agent: "main", Name: "mail"}
	if _, err := a.sessions.Open(ctx, gateway.DefaultTenant, mail, gateway.Process().Principal()); err != nil {
		t.Fatal(err)
	}
	if err := a.sessions.Taint(ctx, gateway.DefaultTenant, mail.String(), "untrusted:email"); err != nil {
		t.Fatal(err)
	}
	id := a.schedule(t, gateway.Process(), mail.String())
	key := session.Key{Agent: "main", Name: "cron:" + id}
	if _, err := a.sessions.Open(ctx, gateway.DefaultTenant, key, "token:somebody"); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("somebody opened the schedule's session before it: %v", err)
	}
	if r := a.runJob(t, gateway.DefaultTenant, id); r.State != cron.RunDone || r.Label != "untrusted:email" {
		t.Errorf("run = %+v", r)
	}
	s, err := a.sessions.Get(ctx, gateway.DefaultTenant, key.String())
	if err != nil || s.Label != "untrusted:email" || s.Inherited == "" || s.Creator != gateway.Process().Principal() {
		t.Errorf("session = %+v, %v", s, err)
	}
	if first := model.Request(0); !strings.Contains(first, "EXTERNAL_UNTRUSTED_CONTENT") {
		t.Errorf("the message reached the model bare: %s", first)
	}
}

func TestScheduleEndsWithItsCreatorsToken(t *testing.T) {
	a := testApp(t, "anthropic", agenttest.New(t), "")
	tokens := token.NewStore(a.db)
	rec, _, err := tokens.Create(t.Context(), token.New{Name: "ops", Scopes: gateway.AllScopes, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	caller := gatewaytest.Caller(gatewaytest.ID("ops"), gatewaytest.Credential(rec.Credential()))
	id := a.schedule(t, caller, "")
	if r := a.runJob(t, gateway.DefaultTenant, id); r.State != cron.RunDone {
		t.Fatalf("run = %+v", r)
	}
	if err := tokens.Revoke(context.Background(), "ops"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.cron.RunNow(t.Context(), gateway.DefaultTenant, id); err == nil {
		t.Error("a revoked creator's job runs")
	}
	// The same name with another token is somebody else.
	if _, _, err := tokens.Create(t.Context(), token.New{Name: "ops", Scopes: gateway.AllScopes, Owner: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.cron.RunNow(t.Context(), gateway.DefaultTenant, id); err == nil {
		t.Error("a namesake brought the job back")
	}
}

func TestOnlyOwnersSchedule(t *testing.T) {
	a := testApp(t, "anthropic", agenttest.New(t), "")
	guest := gateway.Process().Narrow(gateway.AllScopes, false)
	for _, surface := range []toolpolicy.Surface{toolpolicy.SurfaceHTTP, toolpolicy.SurfaceWebSocket, toolpolicy.SurfaceAgent, toolpolicy.SurfaceCron, toolpolicy.SurfaceHook, toolpolicy.SurfaceCLI} {
		resp := a.runner.Run(t.Context(), invoke.Request{Caller: guest, Surface: surface, Tool: "cron", Args: json.RawMessage(everyHour)})
		if resp.Err == nil || resp.Decision.Verdict != toolpolicy.Deny {
			t.Errorf("%s: a caller without ownership got %+v", surface, resp)
		}
	}
	if jobs, err := a.cron.List(t.Context(), gateway.DefaultTenant); err != nil || len(jobs) != 0 {
		t.Errorf("jobs = %v, %v", jobs, err)
	}
}
