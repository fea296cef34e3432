package sessions

import (
	"context"
	"encoding/json"
	"time"

	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
)

type spawn struct{ d Deps }

// Spec describes sessions_spawn.
func (spawn) Spec() tool.Spec {
	return tool.Spec{
		Name: "sessions_spawn", Title: "Start a sub-agent",
		Description: "Hand a task to a session of its own. It has at most this session's tools and comes back as a message; wait with subagents.",
		Schema: json.RawMessage(`{"type":"object","required":["task"],"properties":{
"task":{"type":"string","minLength":1},
"label":{"type":"string","maxLength":512},
"agentId":{"type":"string","maxLength":64},
"model":{"type":"string"},
"runtime":{"type":"string","enum":["subagent"]},
"mode":{"type":"string","enum":["run"]},
"runTimeoutSeconds":{"type":"integer","minimum":0},
"sandbox":{"type":"string","enum":["inherit","require"]}}}`),
		Traits: tool.Traits{Control: true},
	}
}

type spawnArgs struct {
	Task    string `json:"task"`
	Label   string `json:"label"`
	AgentID string `json:"agentId"`
	Model   string `json:"model"`
	Runtime string `json:"runtime"`
	Mode    string `json:"mode"`
	Timeout int    `json:"runTimeoutSeconds"`
	Sandbox string `json:"sandbox"`
}

// Run spawns.
func (t spawn) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[spawnArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if t.d.Agents == nil {
		return tool.Result{}, noAgents
	}
	run, err := t.d.Agents.Spawn(ctx, c.Caller(), c.Grant.Surface(), c.Session.Key, Task{
		Text: a.Task, Label: a.Label, Agent: a.AgentID, Model: a.Model, Require: a.Sandbox == "require",
		Timeout: time.Duration(a.Timeout) * time.Second,
	})
	if err != nil {
		return tool.Result{}, err
	}
	return tool.JSON(map[string]any{"status": "accepted", "runId": run.ID, "taskId": run.ID, "childSessionKey": run.Session})
}

type subagents struct{ d Deps }

// Spec describes subagents.
func (subagents) Spec() tool.Spec {
	return tool.Spec{
		Name: "subagents", Title: "Sub-agents",
		Description: "List the sub-agents of this session, wait for them or cancel one.",
		Schema: json.RawMessage(`{"type":"object","properties":{
"action":{"type":"string","enum":["list","wait","cancel"]},
"recentMinutes":{"type":"integer","minimum":1},
"taskId":{"type":"string"},
"taskIds":{"type":"array","items":{"type":"string","minLength":1},"minItems":1,"maxItems":32},
"timeoutSeconds":{"type":"integer","minimum":0,"maximum":60}}}`),
		Traits: tool.Traits{Control: true},
	}
}

type subagentsArgs struct {
	Action  string   `json:"action"`
	Recent  int      `json:"recentMinutes"`
	TaskID  string   `json:"taskId"`
	TaskIDs []string `json:"taskIds"`
	Timeout *int     `json:"timeoutSeconds"`
}

// Run does what action says; list is the default.
func (t subagents) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[subagentsArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	ids := a.TaskIDs
	if a.TaskID != "" {
		ids = append(ids, a.TaskID)
	}
	switch {
	case a.Action == "" || a.Action == "list":
		return t.list(ctx, c, a)
	case len(ids) == 0:
		return tool.Result{}, tool.Input("taskId required")
	case t.d.Agents == nil:
		return tool.Result{}, noAgents
	}
	out := map[string]any{"status": "ok", "action": a.Action, "callerSessionKey": c.Session.Key}
	if a.Action == "wait" {
		seconds := 30
		if a.Timeout != nil {
			seconds = *a.Timeout
		}
		wait, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
		tasks, err := t.d.Agents.Wait(wait, c.Session.Tenant, c.Session.Key, ids)
		if err != nil {
			return soft("No such task")
		}
		out["tasks"] = tasks
		return t.result(ctx, out, tasks)
	}
	task, err := t.d.Agents.Cancel(ctx, c.Session.Tenant, c.Session.Key, ids[0])
	if err != nil {
		return soft("No such task")
	}
	out["tasks"] = []session.Run{task}
	return t.result(ctx, out, []session.Run{task})
}

func (t subagents) list(ctx context.Context, c *tool.Call, a subagentsArgs) (tool.Result, error) {
	if a.Recent <= 0 {
		a.Recent = 30
	}
	runs, err := t.d.Store.Runs(ctx, c.Session.Tenant, c.Session.Key, time.Now().Add(-time.Duration(a.Recent)*time.Minute), maxRows)
	if err != nil {
		return tool.Result{}, err
	}
	active, recent := []session.Run{}, []session.Run{}
	for _, r := range runs {
		if r.State == "running" {
			active = append(active, r)
		} else {
			recent = append(recent, r)
		}
	}
	return t.result(ctx, map[string]any{
		"status": "ok", "action": "list", "requesterSessionKey": c.Session.Key, "callerSessionKey": c.Session.Key,
		"callerIsSubagent": c.Session.Depth > 0, "total": len(active), "taskTotal": len(runs), "tasks": runs, "active": active, "recent": recent,
	}, runs)
}

// result carries the label of a child that read something from outside: what
// it came back with is from outside, too.
func (t subagents) result(ctx context.Context, out any, runs []session.Run) (tool.Result, error) {
	res, err := tool.JSON(out)
	for _, r := range runs {
		if s, gerr := t.d.Store.Get(ctx, r.Tenant, r.Session); gerr == nil && s.Label != "" {
			res.Source, res.Details = from(s.Label), nil
			break
		}
	}
	return res, err
}
