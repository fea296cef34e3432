package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/server/acpapi"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// attachedLabel marks texts that an editor attaches to a prompt.
const attachedLabel = "untrusted:attachment"

// standsFor is how long "allow this very call" at an editor counts.
const standsFor = 8 * time.Hour

// openACP makes the door for editors.
func (a *App) openACP() {
	a.acp = acpapi.New(acpapi.Deps{Backend: acpBackend{a}, Redact: a.redactor.String, Version: a.version(), Log: a.log})
}

// acpRoutes is the door in the route table.
func (a *App) acpRoutes() []httpapi.Extra {
	return []httpapi.Extra{{
		Route:   gateway.Route{Path: "/acp", Methods: []string{http.MethodGet}, Scope: gateway.ScopeWrite, About: "Agent Client Protocol over a WebSocket; chitin acp bridges editors to it."},
		Handler: a.acp,
	}}
}

// acpBackend does turns for editors, in sessions of their own kind and in the
// main sessions of the same principal.
type acpBackend struct{ app *App }

// NewSession makes a session.
func (b acpBackend) NewSession(ctx context.Context, c gateway.Caller, id string) (string, error) {
	l := b.app.live.Load().loaded
	if id == "" {
		id = l.DefaultAgent()
	}
	if _, ok := l.Agent(id); !ok {
		return "", &acpapi.Refusal{Message: "there is no such agent; see chitin acp --help"}
	}
	key := session.Key{Agent: id, Name: "acp:" + strings.ToLower(rand.Text())}
	s, err := b.app.sessions.Open(ctx, c.Tenant(), key, c.Principal())
	return s.Key.String(), err
}

// mine is a session that the caller may load. Whatever else exists is not
// there.
func (b acpBackend) mine(ctx context.Context, c gateway.Caller, id string) (session.Session, error) {
	key, err := session.ParseKey(id, "")
	if err != nil || key.String() != id || !key.Main() && !strings.HasPrefix(key.Name, "acp:") {
		return session.Session{}, acpapi.ErrNotFound
	}
	s, err := b.app.sessions.Get(ctx, c.Tenant(), id)
	if errors.Is(err, session.ErrNotFound) || err == nil && (s.Creator != c.Principal() || s.Depth > 0) {
		return session.Session{}, acpapi.ErrNotFound
	}
	if _, ok := b.app.live.Load().loaded.Agent(key.Agent); err == nil && !ok {
		return session.Session{}, acpapi.ErrNotFound
	}
	return s, err
}

// shownHistory is how many messages an editor gets when it loads a session.
const shownHistory = 200

// History is the newest messages of a session.
func (b acpBackend) History(ctx context.Context, c gateway.Caller, id string) ([]acpapi.Entry, error) {
	s, err := b.mine(ctx, c, id)
	if err != nil {
		return nil, err
	}
	msgs, _, err := b.app.sessions.History(ctx, s.Tenant, id, shownHistory, 0)
	var out []acpapi.Entry
	for _, m := range msgs {
		e := acpapi.Entry{Role: m.Role, Text: b.app.redactor.String(m.Text)}
		switch m.Role {
		case session.RoleAssistant:
			_ = json.Unmarshal(m.Calls, &e.Calls) // we wrote it
		case session.RoleTool:
			var a agent.Answer
			_ = json.Unmarshal(m.Calls, &a)
			e.ID, e.Error = a.ID, a.Error
		}
		out = append(out, e)
	}
	return out, err
}

// Prompt does one turn. Whoever prompts is the one who is asked.
func (b acpBackend) Prompt(ctx context.Context, c gateway.Caller, p acpapi.Prompt) (agent.Outcome, error) {
	a := b.app
	s, err := b.mine(ctx, c, p.Session)
	if err != nil {
		return agent.Outcome{}, err
	}
	for _, t := range p.Attached {
		_, err := a.sessions.Append(ctx, s.Tenant, p.Session, session.Message{
			Role: session.RoleEvent, Author: "attachment", Text: a.redactor.String(t.Name + "\n\n" + t.Text), Label: attachedLabel,
		})
		if err != nil {
			return agent.Outcome{}, err
		}
	}
	caller := c
	if p.ReadOnly {
		caller = c.Narrow(gateway.ScopeRead, false)
	}
	say, flush := a.streamed(p.Delta)
	think, flushThought := a.streamed(p.Thought)
	out, err := a.loop.Run(ctx, agent.Turn{
		Caller: caller, Surface: toolpolicy.SurfaceACP, Session: s, Input: p.Text, Model: a.model(s.Key.Agent), System: system, Delta: say,
		Watch: agent.Watch{
			Thought: think,
			Calls:   func(calls []agent.Call) { flushThought(); flush(); p.Calls(calls) },
			Begin: func(ctx context.Context, call agent.Call) (context.Context, func(agent.Answer)) {
				ask, end := p.Begin(call)
				return approval.WithLine(ctx, approval.NewLine(c, p.Session, p.Via, asked(ask))), end
			},
		},
	})
	flushThought()
	flush()
	if err != nil && ctx.Err() == nil {
		a.log.Warn("turn failed", "session", p.Session, "err", err)
		err = &acpapi.Refusal{Message: "the model could not be asked"}
		if _, _, why := a.provider(s.Key.Agent, a.model(s.Key.Agent)); errors.Is(why, agent.ErrNoModel) {
			err = &acpapi.Refusal{Message: agent.ErrNoModel.Error()}
		}
	}
	return out, err
}

// asked puts an approval's request before the human at the editor.
func asked(ask func(context.Context, acpapi.Question) (acpapi.Verdict, error)) func(context.Context, approval.Request) (approval.Answer, error) {
	return func(ctx context.Context, r approval.Request) (approval.Answer, error) {
		q := acpapi.Question{Title: r.Plan.Summary(), Tool: r.Tool, Args: r.Plan.Args, Always: toolpolicy.MayStand(r.Tool) && !r.Host && r.Surface == string(toolpolicy.SurfaceACP)}
		if r.Plan.Why != "" {
			q.Notes = append(q.Notes, "Why: "+r.Plan.Why)
		}
		if r.Host {
			q.Notes = append(q.Notes, "It would run on the host, outside a sandbox.")
		}
		for _, d := range r.Plan.Doubts {
			q.Notes = append(q.Notes, "Not settled: "+d)
		}
		v, err := ask(ctx, q)
		ans := approval.Answer{Allow: v.Allow, Note: v.Note}
		if v.Allow && v.Always {
			ans.For, ans.Uses = standsFor, approval.MaxUses
		}
		return ans, err
	}
}
