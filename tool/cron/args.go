package cron

import (
	"encoding/json"
	"time"

	"github.com/chitin-sh/chitin/agent/cron"
	"github.com/chitin-sh/chitin/tool"
)

const schema = `{"type":"object","required":["action"],"properties":{
"action":{"type":"string","enum":["status","list","get","add","update","remove","run","runs"]},
"id":{"type":"string","maxLength":64,"description":"Of the job, for get, update, remove, run and runs."},
"jobId":{"type":"string","maxLength":64,"description":"The same as id."},
"includeDisabled":{"type":"boolean","description":"list: also jobs that do not run."},
"limit":{"type":"integer","minimum":1,"maximum":200},
"offset":{"type":"integer","minimum":0},
"job":{"type":"object","additionalProperties":false,"description":"For add; for update only what changes. A new message takes the job over.","properties":{
 "name":{"type":"string","maxLength":200},
 "agentId":{"type":"string","maxLength":64,"description":"This session's agent."},
 "enabled":{"type":"boolean"},
 "missed":{"type":"string","enum":["run","skip"],"description":"What happens to due times that passed while nothing could run: run once, or skip. Default run."},
 "sessionTarget":{"type":"string","enum":["isolated"]},
 "wakeMode":{"type":"string","enum":["now"]},
 "schedule":{"type":"object","required":["kind"],"additionalProperties":false,"properties":{
  "kind":{"type":"string","enum":["at","every","cron"]},
  "at":{"type":"string","maxLength":64,"description":"RFC 3339 time, once."},
  "everyMs":{"type":"integer","minimum":10000},
  "anchorMs":{"type":"integer","minimum":0,"description":"Unix milliseconds that intervals count from."},
  "expr":{"type":"string","maxLength":256,"description":"Five fields, such as 0 9 * * 1-5, or @daily."},
  "tz":{"type":"string","maxLength":64,"description":"Time zone of expr, such as Europe/Berlin; UTC without."},
  "staggerMs":{"type":"integer","minimum":0,"maximum":86400000,"description":"Begin at random up to this much later."}}},
 "payload":{"type":"object","additionalProperties":false,"properties":{
  "kind":{"type":"string","enum":["agentTurn"]},
  "message":{"type":"string","minLength":1,"maxLength":65536},
  "timeoutSeconds":{"type":"integer","minimum":1,"maximum":3600}}}}}}}`

type args struct {
	Action          string          `json:"action"`
	ID              string          `json:"id"`
	JobID           string          `json:"jobId"`
	IncludeDisabled bool            `json:"includeDisabled"`
	Limit           int             `json:"limit"`
	Offset          int             `json:"offset"`
	Job             json.RawMessage `json:"job"`
}

type jobArgs struct {
	Name          *string         `json:"name"`
	AgentID       string          `json:"agentId"`
	Enabled       *bool           `json:"enabled"`
	Missed        *string         `json:"missed"`
	SessionTarget string          `json:"sessionTarget"`
	WakeMode      string          `json:"wakeMode"`
	RawSchedule   json.RawMessage `json:"schedule"`
	RawPayload    json.RawMessage `json:"payload"`

	Schedule *scheduleArgs `json:"-"`
	Payload  *payloadArgs  `json:"-"`
}

type scheduleArgs struct {
	Kind      string `json:"kind"`
	At        string `json:"at"`
	EveryMs   int64  `json:"everyMs"`
	AnchorMs  int64  `json:"anchorMs"`
	Expr      string `json:"expr"`
	TZ        string `json:"tz"`
	StaggerMs *int64 `json:"staggerMs"`
}

type payloadArgs struct {
	Kind    string  `json:"kind"`
	Message *string `json:"message"`
	Timeout int     `json:"timeoutSeconds"`
}

// job reads the nested objects as strictly as the outer one: what a rule looks
// at under one name must be what is used.
func (a args) job() (in jobArgs, err error) {
	if len(a.Job) == 0 || string(a.Job) == "null" {
		return in, tool.Missing("job")
	}
	if in, err = tool.Decode[jobArgs](a.Job); err != nil {
		return in, err
	}
	if len(in.RawSchedule) > 0 {
		s, err := tool.Decode[scheduleArgs](in.RawSchedule)
		if err != nil {
			return in, err
		}
		in.Schedule = &s
	}
	if len(in.RawPayload) > 0 {
		p, err := tool.Decode[payloadArgs](in.RawPayload)
		if err != nil {
			return in, err
		}
		in.Payload = &p
	}
	return in, nil
}

// apply puts what is given into a job.
func (in jobArgs) apply(j *cron.Job) {
	if in.Name != nil {
		j.Name = *in.Name
	}
	if in.Enabled != nil {
		j.Enabled = *in.Enabled
	}
	if in.Missed != nil {
		j.Missed = *in.Missed
	}
	if s := in.Schedule; s != nil {
		j.Schedule = cron.Schedule{Kind: s.Kind, At: s.At, EveryMs: s.EveryMs, AnchorMs: s.AnchorMs, Expr: s.Expr, TZ: s.TZ}
		if s.StaggerMs != nil {
			j.Jitter = time.Duration(*s.StaggerMs) * time.Millisecond
		}
	}
	if p := in.Payload; p != nil {
		if p.Message != nil {
			j.Message = *p.Message
		}
		if p.Timeout > 0 {
			j.Timeout = time.Duration(p.Timeout) * time.Second
		}
	}
}

// jobView is a job as callers see it.
type jobView struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	AgentID       string       `json:"agentId"`
	Enabled       bool         `json:"enabled"`
	Stopped       string       `json:"stopped,omitempty"`
	Creator       string       `json:"creator"`
	Label         string       `json:"label,omitempty"`
	SessionTarget string       `json:"sessionTarget"`
	SessionKey    string       `json:"session"`
	Schedule      scheduleView `json:"schedule"`
	Payload       payloadView  `json:"payload"`
	Missed        string       `json:"missed"`
	Created       int64        `json:"createdAtMs"`
	Updated       int64        `json:"updatedAtMs"`
	State         stateView    `json:"state"`
}

type scheduleView struct {
	cron.Schedule
	StaggerMs int64 `json:"staggerMs,omitempty"`
}

type payloadView struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Timeout int64  `json:"timeoutSeconds"`
}

type stateView struct {
	Next int64 `json:"nextRunAtMs,omitempty"`
}

func view(j cron.Job) jobView {
	v := jobView{
		ID: j.ID, Name: j.Name, AgentID: j.Agent, Enabled: j.Enabled, Stopped: j.Stopped, Label: j.Label,
		Creator: string(j.Creator.Kind) + ":" + j.Creator.ID, SessionTarget: "isolated",
		SessionKey: "agent:" + j.Agent + ":" + j.SessionName(), Schedule: scheduleView{j.Schedule, j.Jitter.Milliseconds()},
		Payload: payloadView{"agentTurn", j.Message, int64(j.Timeout / time.Second)}, Missed: j.Missed,
		Created: j.Created.UnixMilli(), Updated: j.Updated.UnixMilli(),
	}
	if !j.Fire.IsZero() {
		v.State.Next = j.Fire.UnixMilli()
	}
	return v
}

// runView is a run as callers see it.
type runView struct {
	JobID    string `json:"jobId"`
	RunID    string `json:"runId"`
	Cause    string `json:"cause"`
	Status   string `json:"status"`
	Summary  string `json:"summary,omitempty"`
	Label    string `json:"label,omitempty"`
	Due      int64  `json:"dueAtMs"`
	Started  int64  `json:"runAtMs"`
	Duration int64  `json:"durationMs,omitempty"`
}

func viewRun(job string, r cron.Run) runView {
	v := runView{
		JobID: job, RunID: r.ID, Cause: r.Cause, Status: r.State, Summary: r.Outcome, Label: r.Label,
		Due: r.Due.UnixMilli(), Started: r.Started.UnixMilli(),
	}
	if !r.Ended.IsZero() {
		v.Duration = r.Ended.Sub(r.Started).Milliseconds()
	}
	return v
}
