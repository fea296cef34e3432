package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/agent/anthropic"
	"github.com/chitin-sh/chitin/agent/openai"
	"github.com/chitin-sh/chitin/agent/subagents"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/sessions"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// openAgents makes the model loop and what looks after sub-agents.
func (a *App) openAgents(ctx context.Context) error {
	if err := a.sessions.AbandonRuns(ctx); err != nil {
		return err
	}
	a.loop = &agent.Loop{Corridor: a.runner, Sessions: a.sessions, Provider: a.provider, Configured: a.configured, Seal: a.sealLabelled, Redact: a.redactor.String}
	a.subagents = subagents.New(subagents.Deps{
		Loop: a.loop, Sessions: a.sessions, Facts: a.runner.Facts,
		Policy:    func() *toolpolicy.Engine { return a.live.Load().engine },
		Model:     a.model,
		Sandboxed: func(id string) bool { return a.boxes.Sandboxed(id, false) },
		Carry:     approval.ExtendLine,
	})
	a.undo.add("sub-agents", a.subagents.Close)
	a.runs = newRuns(a)
	a.openACP()
	return a.openCron(ctx)
}

// endTurns ends the turns that no door waits for, before the doors close.
func (a *App) endTurns(ctx context.Context) error {
	return errors.Join(a.acp.Close(ctx), a.runs.Close(ctx))
}

// configured fills in what an agent's configuration says of a turn of its own.
func (a *App) configured(t agent.Turn) agent.Turn {
	c, _ := a.live.Load().loaded.Agent(t.Session.Key.Agent)
	if t.Model == "" {
		t.Model = c.Model
	}
	if t.System == "" {
		t.System = system
	}
	t.Limits.Context = c.Context.Tokens
	t.Summarize, t.NoImages = c.Context.Summarize == "on", c.Context.Images == "off"
	return t
}

// model is the model of an agent's turns.
func (a *App) model(id string) string {
	c, _ := a.live.Load().loaded.Agent(id)
	return c.Model
}

// provider finds who serves "provider/model" for an agent.
func (a *App) provider(id, model string) (agent.Provider, string, error) {
	name, rest, ok := strings.Cut(model, "/")
	if !ok {
		return nil, "", agent.ErrNoModel
	}
	l := a.live.Load().loaded
	p, ok := l.Models.Providers[name]
	if !ok {
		return nil, "", fmt.Errorf("models.providers has no %q", name)
	}
	if c, known := l.Agent(id); !known || c.Secrets != nil && !slices.Contains(c.Secrets, name) {
		return nil, "", &subagents.Refusal{Message: fmt.Sprintf("agent %q may not use the model provider %q", id, name)}
	}
	key := a.secret(keyModel(name))
	if key.IsZero() && !p.APIKey.IsZero() {
		return nil, "", fmt.Errorf("models.providers.%s.apiKey does not resolve", name)
	}
	if p.API == "openai" {
		return openai.New(p.BaseURL, key), rest, nil
	}
	return anthropic.New(p.BaseURL, key), rest, nil
}

func keyModel(name string) string { return "models.providers." + name + ".apiKey" }

// sealLabelled wraps a labelled message for a model.
func (a *App) sealLabelled(label, text string) string {
	wrapped, _, _ := sealer{a.live.Load().loaded.External}.Seal(strings.TrimPrefix(label, "untrusted:"), text)
	return wrapped
}

// sessionTools are the tools over sessions.
func (a *App) sessionTools() []tool.Tool {
	return append(sessions.Tools(sessions.Deps{Store: a.sessions, Reach: a.reach, Agents: sessionAgents{a}}), a.cronTool())
}

// reach asks the policy whether a call may touch a session.
func (a *App) reach(ctx context.Context, c *tool.Call, to session.Session) bool {
	from, err := a.sessions.Get(ctx, c.Session.Tenant, c.Session.Key)
	if err != nil {
		return false
	}
	f, ferr := a.party(ctx, from)
	t, terr := a.party(ctx, to)
	if ferr != nil || terr != nil {
		return false
	}
	ok, _ := a.live.Load().engine.MayReach(c.Caller(), f, t)
	return ok
}

func (a *App) party(ctx context.Context, s session.Session) (toolpolicy.Party, error) {
	up, err := a.sessions.Ancestors(ctx, s)
	return toolpolicy.Party{
		Key: s.Key.String(), Tenant: s.Tenant, Principal: s.Creator, Agent: s.Key.Agent,
		Sandboxed: a.boxes.Sandboxed(s.Key.Agent, s.Key.Main()), Ancestors: up,
	}, err
}

// sessionAgents starts work for the session tools.
type sessionAgents struct{ app *App }

// Send leaves a message in a session; with a time to wait its agent answers
// with no more than the sender's authority.
func (s sessionAgents) Send(ctx context.Context, c *tool.Call, to session.Session, text string, wait time.Duration) (string, error) {
	a := s.app
	if wait <= 0 {
		_, err := a.sessions.Append(ctx, to.Tenant, to.Key.String(), session.Message{Role: session.RoleEvent, Author: c.Session.Key, Text: a.redactor.String(text), Label: c.Session.Label})
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	out, err := a.loop.Run(ctx, agent.Turn{
		Caller: c.Caller().Narrow(gateway.ScopeRead|gateway.ScopeWrite, false), Surface: toolpolicy.SurfaceAgent,
		Session: to, Input: text, Label: c.Session.Label, Model: a.model(to.Key.Agent),
	})
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = context.DeadlineExceeded
	}
	return out.Text, toolError(err)
}

// Spawn starts a sub-agent.
func (s sessionAgents) Spawn(ctx context.Context, caller gateway.Caller, surface toolpolicy.Surface, parent string, t sessions.Task) (session.Run, error) {
	if _, _, err := s.app.provider(agentOf(parent), orModel(t.Model, s.app.model(agentOf(parent)))); err != nil {
		return session.Run{}, toolError(err)
	}
	run, err := s.app.subagents.Spawn(ctx, caller, surface, parent, subagents.Task{
		Text: t.Text, Label: t.Label, Agent: t.Agent, Model: t.Model, Require: t.Require, Timeout: t.Timeout,
	})
	return run, toolError(err)
}

func orModel(m, def string) string {
	if m == "" {
		return def
	}
	return m
}

func agentOf(key string) string {
	k, err := session.ParseKey(key, "")
	if err != nil {
		return ""
	}
	return k.Agent
}

// Wait waits for sub-agents.
func (s sessionAgents) Wait(ctx context.Context, tenant, parent string, ids []string) ([]session.Run, error) {
	return s.app.subagents.Wait(ctx, tenant, parent, ids)
}

// Cancel ends a sub-agent.
func (s sessionAgents) Cancel(ctx context.Context, tenant, parent, id string) (session.Run, error) {
	return s.app.subagents.Cancel(ctx, tenant, parent, id)
}

// toolError gives a refusal its words and a missing model its remedy.
func toolError(err error) error {
	var r *subagents.Refusal
	switch {
	case errors.As(err, &r):
		return &tool.Error{Kind: tool.KindForbidden, Public: r.Message}
	case errors.Is(err, agent.ErrNoModel):
		return tool.Unavailable(err.Error(), err)
	}
	return err
}
