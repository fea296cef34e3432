// Package agentslist is the tool that lists the agents a session may address.
package agentslist

import (
	"context"
	"encoding/json"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
)

// Agent is one configured agent.
type Agent struct {
	ID         string  `json:"id"`
	Configured bool    `json:"configured"`
	Model      string  `json:"model,omitempty"`
	Runtime    Runtime `json:"agentRuntime"`
}

// Runtime is what runs an agent and where that was said.
type Runtime struct {
	ID     string `json:"id"`
	Source string `json:"source"`
}

// Lister knows the agents.
type Lister interface {
	// Agents lists what the caller's session may spawn or send to; any is
	// true when there is no restriction.
	Agents(ctx context.Context, caller gateway.Caller, from tool.Session) (list []Agent, any bool, err error)
}

// Tool is agents_list.
type Tool struct{ lister Lister }

var _ tool.Tool = (*Tool)(nil)

// New makes the tool; without a lister there is only the session's own agent.
func New(l Lister) *Tool { return &Tool{lister: l} }

// Spec describes agents_list.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "agents_list",
		Title:       "List agents",
		Description: "List the agents that this session may address.",
		Schema:      json.RawMessage(`{"type":"object","properties":{}}`),
		Traits:      tool.Traits{Looks: true},
	}
}

// Details is the list.
type Details struct {
	Requester string  `json:"requester"`
	AllowAny  bool    `json:"allowAny"`
	Agents    []Agent `json:"agents"`
}

// Run lists the agents.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	if _, err := tool.Decode[struct{}](c.Args); err != nil {
		return tool.Result{}, err
	}
	d := Details{Requester: c.Session.Agent, Agents: []Agent{}}
	if t.lister == nil {
		d.Agents = append(d.Agents, Agent{ID: c.Session.Agent, Configured: true, Runtime: Runtime{ID: "chitin", Source: "implicit"}})
	} else {
		list, anyAgent, err := t.lister.Agents(ctx, c.Caller(), c.Session)
		if err != nil {
			return tool.Result{}, err
		}
		d.AllowAny, d.Agents = anyAgent, append(d.Agents, list...)
	}
	return tool.JSON(d)
}
