package app

import (
	"context"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/agentslist"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// agentLister answers agents_list: a session may address its own agent, and
// those whose sessions the policy lets it reach.
type agentLister struct{ app *App }

// Agents lists the agents that a session may address; any is true when these
// are all that there are.
func (l agentLister) Agents(_ context.Context, caller gateway.Caller, from tool.Session) ([]agentslist.Agent, bool, error) {
	r := l.app.live.Load()
	me := toolpolicy.Party{Key: from.Key, Tenant: from.Tenant, Principal: caller.Principal(), Agent: from.Agent}
	if from.Depth > 0 {
		me.Ancestors = []string{"parent"} // held to its own tree, whichever that is
	}
	every := true
	var out []agentslist.Agent
	for _, id := range r.loaded.AgentIDs() {
		to := toolpolicy.Party{Key: session.Key{Agent: id, Name: session.DefaultName}.String(), Tenant: from.Tenant, Principal: caller.Principal(), Agent: id}
		if ok, _ := r.engine.MayReach(caller, me, to); id != from.Agent && !ok {
			every = false
			continue
		}
		agent, _ := r.loaded.Agent(id)
		out = append(out, agentslist.Agent{ID: id, Configured: true, Model: agent.Model, Runtime: agentslist.Runtime{ID: "chitin", Source: "default"}})
	}
	return out, every && len(out) > 1, nil
}
