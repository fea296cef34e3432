package cron_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/agent/cron"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/tool"
	crontool "github.com/chitin-sh/chitin/tool/cron"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

// world is the tool over real schedules that nothing starts.
func world(t *testing.T) *tooltest.World {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := cron.New(t.Context(), cron.Deps{
		DB:    db,
		Alive: func(context.Context, cron.Authority) (bool, error) { return true, nil },
		Run: func(context.Context, cron.Job) (cron.Outcome, error) {
			return cron.Outcome{Text: "found a mail", Label: "untrusted:email"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(context.Background()), db.Close()); err != nil {
			t.Error(err)
		}
	})
	w := tooltest.New(t, crontool.New(crontool.Deps{
		Jobs: func() crontool.Jobs { return s },
		Authority: func(_ context.Context, c *tool.Call) (cron.Authority, error) {
			return cron.Authority{Creator: c.Caller().Stored(), Inherited: "{}", Session: c.Session.Key, Label: c.Session.Label}, nil
		},
	}))
	w.Caller = gatewaytest.Caller()
	return w
}

func call(t *testing.T, w *tooltest.World, args string) map[string]any {
	t.Helper()
	res, err := w.Call(t.Context(), "cron", args)
	if err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(res.Content[0].Text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const daily = `{"action":"add","job":{"name":"report","schedule":{"kind":"cron","expr":"0 9 * * *","tz":"Europe/Berlin","staggerMs":60000},"payload":{"kind":"agentTurn","message":"write the report","timeoutSeconds":60}}}`

func TestLifeOfAJob(t *testing.T) {
	w := world(t)
	job := call(t, w, daily)
	id, _ := job["id"].(string)
	if id == "" || job["creator"] != "token:test" || job["session"] != "agent:main:cron:"+id || job["enabled"] != true {
		t.Fatalf("added %v", job)
	}
	if next := job["state"].(map[string]any)["nextRunAtMs"].(float64); next < float64(time.Now().UnixMilli()) {
		t.Errorf("next = %v", next)
	}
	if st := call(t, w, `{"action":"status"}`); st["jobs"] != 1.0 || st["nextWakeAtMs"] == nil {
		t.Errorf("status = %v", st)
	}
	got := call(t, w, `{"action":"update","id":"`+id+`","job":{"enabled":false,"missed":"skip"}}`)
	if got["enabled"] != false || got["missed"] != "skip" || got["name"] != "report" {
		t.Errorf("updated %v", got)
	}
	if l := call(t, w, `{"action":"list"}`); l["total"] != 0.0 {
		t.Errorf("list = %v, want nothing that runs", l)
	}
	if l := call(t, w, `{"action":"list","includeDisabled":true}`); l["total"] != 1.0 {
		t.Errorf("list with disabled = %v", l)
	}
	if r := call(t, w, `{"action":"run","jobId":"`+id+`"}`); r["runId"] == "" || r["status"] != "accepted" {
		t.Errorf("run = %v", r)
	}
	var res tool.Result
	for range 2000 {
		var err error
		if res, err = w.Call(t.Context(), "cron", `{"action":"runs","id":"`+id+`"}`); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(res.Content[0].Text, "found a mail") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if res.Source != "email" || res.Details != nil || !strings.Contains(res.Content[0].Text, `"status": "done"`) {
		t.Errorf("runs = %+v; want the outcome labelled", res)
	}
	call(t, w, `{"action":"remove","id":"`+id+`"}`)
	var te *tool.Error
	if _, err := w.Call(t.Context(), "cron", `{"action":"get","id":"`+id+`"}`); !errors.As(err, &te) || te.Kind != tool.KindNotFound {
		t.Errorf("get after remove = %v", err)
	}
}

func TestArguments(t *testing.T) {
	for name, tc := range map[string]struct{ args, want string }{
		"nothing":           {`{}`, "action"},
		"another action":    {`{"action":"wake"}`, "action must be one of"},
		"no id":             {`{"action":"get"}`, "id"},
		"no job":            {`{"action":"add"}`, "job"},
		"no schedule":       {`{"action":"add","job":{"payload":{"message":"x"}}}`, "job.schedule"},
		"no message":        {`{"action":"add","job":{"schedule":{"kind":"every","everyMs":60000}}}`, "job.payload.message"},
		"blank message":     {`{"action":"add","job":{"schedule":{"kind":"every","everyMs":60000},"payload":{"message":"  "}}}`, "message"},
		"too often":         {`{"action":"add","job":{"schedule":{"kind":"every","everyMs":5},"payload":{"message":"x"}}}`, "everyMs"},
		"bad expression":    {`{"action":"add","job":{"schedule":{"kind":"cron","expr":"every day"},"payload":{"message":"x"}}}`, "schedule.expr"},
		"bad zone":          {`{"action":"add","job":{"schedule":{"kind":"cron","expr":"0 9 * * *","tz":"Nowhere"},"payload":{"message":"x"}}}`, "time zone"},
		"in the past":       {`{"action":"add","job":{"schedule":{"kind":"at","at":"2001-01-01T00:00:00Z"},"payload":{"message":"x"}}}`, "has passed"},
		"a script":          {`{"action":"add","job":{"schedule":{"kind":"every","everyMs":60000},"payload":{"kind":"script","script":"rm"}}}`, "payload"},
		"into the main one": {`{"action":"add","job":{"sessionTarget":"main","schedule":{"kind":"every","everyMs":60000},"payload":{"message":"x"}}}`, "sessionTarget"},
		"tools of its own":  {`{"action":"add","job":{"schedule":{"kind":"every","everyMs":60000},"payload":{"message":"x","toolsAllow":["exec"]}}}`, "toolsAllow"},
		"another case":      {`{"action":"add","job":{"schedule":{"kind":"every","everyMs":60000},"payload":{"Message":"x"}}}`, "Message"},
		"another agent":     {`{"action":"add","job":{"agentId":"other","schedule":{"kind":"every","everyMs":60000},"payload":{"message":"x"}}}`, "only its own agent"},
		"unknown job":       {`{"action":"run","id":"nope"}`, "No such job"},
		"update of nothing": {`{"action":"update","id":"nope","job":{}}`, "No such job"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := world(t).Call(t.Context(), "cron", tc.args)
			var te *tool.Error
			if !errors.As(err, &te) || te.Kind == tool.KindFailed || !strings.Contains(te.Public, tc.want) {
				t.Errorf("err = %v, want one about %q", err, tc.want)
			}
		})
	}
}

func TestOnlyOwners(t *testing.T) {
	for name, c := range map[string]gateway.Caller{
		"nobody":         {},
		"no owner":       gatewaytest.Caller(gatewaytest.Owner(false)),
		"a narrowed one": gatewaytest.Caller().Narrow(gateway.AllScopes, false),
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t)
			w.Caller = c
			for _, a := range []string{`{"action":"status"}`, `{"action":"list"}`, daily} {
				var te *tool.Error
				if _, err := w.Call(t.Context(), "cron", a); !errors.As(err, &te) || te.Kind != tool.KindForbidden {
					t.Errorf("%s = %v, want forbidden", a, err)
				}
			}
		})
	}
}

func TestLabelsStick(t *testing.T) {
	w := world(t)
	w.Session.Label = "untrusted:webhook"
	res, err := w.Call(t.Context(), "cron", daily)
	if err != nil || res.Source != "webhook" || res.Details != nil {
		t.Fatalf("added from a labelled session: %+v, %v", res, err)
	}
	w.Session.Label = ""
	l := call(t, w, `{"action":"list"}`)
	job := l["jobs"].([]any)[0].(map[string]any)
	got := call(t, w, `{"action":"update","id":"`+job["id"].(string)+`","job":{"payload":{"message":"something else"}}}`)
	if got["label"] != "untrusted:webhook" {
		t.Errorf("a trusted session washed the label off: %v", got)
	}
}

func TestANewMessageTakesOver(t *testing.T) {
	w := world(t)
	w.Caller = gatewaytest.Caller(gatewaytest.ID("first"))
	id := call(t, w, daily)["id"].(string)
	w.Caller = gatewaytest.Caller(gatewaytest.ID("second"))
	if got := call(t, w, `{"action":"update","id":"`+id+`","job":{"name":"x"}}`); got["creator"] != "token:first" {
		t.Errorf("a new name made it %v's", got["creator"])
	}
	if got := call(t, w, `{"action":"update","id":"`+id+`","job":{"payload":{"message":"y"}}}`); got["creator"] != "token:second" {
		t.Errorf("a new message left it %v's", got["creator"])
	}
	w.Caller = gatewaytest.Caller(gatewaytest.Tenant("elsewhere"))
	w.Session.Tenant = "elsewhere"
	if l := call(t, w, `{"action":"list","includeDisabled":true}`); l["total"] != 0.0 {
		t.Errorf("another tenant sees %v", l)
	}
}
