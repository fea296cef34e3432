// Package sessionstatus is the tool that tells how a session stands.
package sessionstatus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
)

// Status is what the application knows of a session.
type Status struct {
	Key          string
	Agent        string
	Model        string
	Execution    string // sandboxed, direct
	Backend      string
	Label        string // integrity label, empty when trusted
	Updated      time.Time
	StateVersion int64
	Version      string // of the gateway
	Uptime       time.Duration
	Surface      string
}

// Source looks sessions up. It answers tool.KindNotFound for a session that
// does not exist or that the caller may not see.
type Source interface {
	Status(ctx context.Context, caller gateway.Caller, from tool.Session, key string) (Status, error)
}

// Tool is session_status.
type Tool struct{ source Source }

var _ tool.Tool = (*Tool)(nil)

// New makes the tool; without a source it knows only the call's own session.
func New(s Source) *Tool { return &Tool{source: s} }

// Spec describes session_status.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "session_status",
		Title:       "Session status",
		Description: "How the current session, or another one in reach, stands: model, sandbox, trust, last use.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Looks: true},
	}
}

const schema = `{"type":"object","properties":{
"sessionKey":{"type":"string","description":"Session; the current one by default."},
"model":{"type":"string","description":"Not supported: models are set in the configuration."},
"changesSince":{"type":"integer","minimum":0,"description":"State version known so far."}}}`

type args struct {
	SessionKey   string `json:"sessionKey"`
	Model        string `json:"model"`
	ChangesSince *int64 `json:"changesSince"`
}

// Details is the status for programs.
type Details struct {
	OK           bool   `json:"ok"`
	SessionKey   string `json:"sessionKey"`
	AgentID      string `json:"agentId"`
	ChangedModel bool   `json:"changedModel"`
	StateVersion int64  `json:"stateVersion"`
	StatusText   string `json:"statusText"`
	Active       Active `json:"active"`
}

// Active is the route that the call came by.
type Active struct {
	Channel string `json:"channel"`
}

// Run answers with a short card.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if a.Model != "" {
		return tool.Result{}, tool.Input("The model of a session is set in the configuration, not by session_status.")
	}
	key := a.SessionKey
	if key == "" {
		key = c.Session.Key
	}
	s := own(c)
	switch {
	case t.source != nil:
		if s, err = t.source.Status(ctx, c.Caller(), c.Session, key); err != nil {
			return tool.Result{}, err
		}
	case key != c.Session.Key:
		return tool.Result{}, &tool.Error{Kind: tool.KindNotFound, Public: "No session found: " + key}
	}
	if s.Surface == "" {
		s.Surface = string(c.Grant.Surface())
	}
	text := card(s, time.Now())
	return tool.Text(text, Details{
		OK: true, SessionKey: s.Key, AgentID: s.Agent, StateVersion: s.StateVersion,
		StatusText: text, Active: Active{Channel: s.Surface},
	}), nil
}

// own is what the call itself says of its session.
func own(c *tool.Call) Status {
	s := Status{Key: c.Session.Key, Agent: c.Session.Agent, Label: c.Session.Label, Execution: "direct"}
	if c.Session.Sandboxed {
		s.Execution = "sandboxed"
	}
	return s
}

func card(s Status, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "chitin %s\n", s.Version)
	fmt.Fprintf(&b, "Current time: %s\n", now.UTC().Format("Monday, January 2, 2006 - 15:04 (UTC)"))
	if s.Uptime > 0 {
		fmt.Fprintf(&b, "Uptime: %s\n", s.Uptime.Round(time.Second))
	}
	if s.Model != "" {
		fmt.Fprintf(&b, "Model: %s\n", s.Model)
	}
	fmt.Fprintf(&b, "Session: %s", s.Key)
	if !s.Updated.IsZero() {
		fmt.Fprintf(&b, " (updated %s ago)", now.Sub(s.Updated).Round(time.Second))
	}
	fmt.Fprintf(&b, "\nExecution: %s", s.Execution)
	if s.Backend != "" {
		fmt.Fprintf(&b, " (%s)", s.Backend)
	}
	trust := "trusted content only"
	if s.Label != "" {
		trust = s.Label
	}
	fmt.Fprintf(&b, "\nContent: %s", trust)
	return b.String()
}
