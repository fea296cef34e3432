package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/external/mailtext"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/server/hooks"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// hookLabel marks everything that webhooks bring.
const hookLabel = "untrusted:webhook"

// hooks is the webhook door, or nil when it is closed.
func (a *App) hooks() http.Handler {
	if !a.live.Load().loaded.Hooks.Enabled {
		return nil
	}
	return hooks.New(hooks.Deps{
		Guard: a.guard, Target: hookTarget{a}, Log: a.log,
		Config:       func() hooks.Config { return a.live.Load().loaded.Hooks },
		Token:        func() secrets.Value { return a.secret(keyHooks) },
		DefaultAgent: func() string { return a.live.Load().loaded.DefaultAgent() },
	})
}

// hookTarget takes what webhooks bring into sessions of their own, as labelled
// text. Nothing in a webhook chooses authority.
type hookTarget struct{ app *App }

// Wake leaves a text for the agent to notice.
func (t hookTarget) Wake(ctx context.Context, c gateway.Caller, w hooks.Wake) (string, error) {
	s, err := t.open(ctx, c, w.AgentID, w.SessionKey)
	if err != nil {
		return "", err
	}
	_, err = t.app.sessions.Append(ctx, s.Tenant, s.Key.String(), session.Message{Role: session.RoleEvent, Author: "hook", Text: t.app.redactor.String(w.Text), Label: hookLabel})
	return "queued", err
}

// Agent starts a turn about a message. Without a model the message waits.
func (t hookTarget) Agent(ctx context.Context, c gateway.Caller, m hooks.Agent) (map[string]any, error) {
	a := t.app
	s, err := t.open(ctx, c, m.AgentID, m.SessionKey)
	if err != nil {
		return nil, err
	}
	turn := agent.Turn{Caller: c.Narrow(gateway.ScopeRead|gateway.ScopeWrite, false), Surface: toolpolicy.SurfaceHook, Session: s, Input: a.redactor.String(m.Message), Label: hookLabel, Model: a.model(s.Key.Agent), System: system, Origin: origin(c, m)}
	out := map[string]any{"sessionKey": s.Key.String()}
	if !m.Wait {
		out["runId"], err = a.runs.start(ctx, "hook", turn)
		return out, err
	}
	res, err := a.loop.Run(ctx, turn)
	if err != nil {
		return nil, err
	}
	out["reply"] = a.redactor.String(res.Text)
	return out, nil
}

// origin is what the policy may know of a webhook: the credential that sent it,
// and what its body claims, which can only add limits.
func origin(c gateway.Caller, m hooks.Agent) invoke.Origin {
	o := invoke.Origin{Sender: "id:" + c.ID(), Group: m.Channel}
	if m.Name != "" {
		o.SenderNames = []string{"name:" + m.Name}
	}
	return o
}

// mailLabel marks what came by mail.
const mailLabel = "untrusted:email"

// Mail leaves a mail for the agent to notice, as text with its sender and
// subject; attachments are named, never opened.
func (t hookTarget) Mail(ctx context.Context, c gateway.Caller, m hooks.Mail) (map[string]any, error) {
	msg, err := mailtext.Parse(bytes.NewReader(m.Raw))
	if err != nil {
		return nil, errors.Join(hooks.ErrNotMail, err)
	}
	s, err := t.open(ctx, c, m.AgentID, m.SessionKey)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "From: %s\nSubject: %s\n\n%s", external.Inline(msg.From), external.Inline(msg.Subject), msg.Text)
	for _, a := range msg.Attachments {
		_, _ = fmt.Fprintf(&b, "\n[attachment %s, %s]", external.Inline(a.Name), external.Inline(a.Type))
	}
	report := external.ServeScan(external.ScanRequest{Text: msg.Subject + "\n" + msg.Text})
	if body := external.ServeScan(external.ScanRequest{Text: msg.Text}); body.Score > report.Score {
		report = body // a harmless subject does not make a body harmless
	}
	detail, err := json.Marshal(map[string]any{"flagged": report.Flagged, "score": report.Score, "families": report.Families, "spans": report.Spans})
	if err != nil {
		return nil, err
	}
	t.app.note(&journal.Entry{Event: "content.received", Principal: c.Principal(), Tenant: s.Tenant, Surface: "hook", Session: s.Key.String(), Label: mailLabel, Detail: detail})
	_, err = t.app.sessions.Append(ctx, s.Tenant, s.Key.String(), session.Message{Role: session.RoleEvent, Author: "mail", Text: t.app.redactor.String(b.String()), Label: mailLabel})
	return map[string]any{"sessionKey": s.Key.String(), "flagged": report.Flagged}, err
}

// open finds the session of a webhook: one of its own kind, never a person's.
func (t hookTarget) open(ctx context.Context, c gateway.Caller, id, key string) (session.Session, error) {
	l := t.app.live.Load().loaded
	if id == "" {
		id = l.DefaultAgent()
	}
	if _, ok := l.Agent(id); !ok {
		return session.Session{}, hooks.ErrUnknownAgent
	}
	if key == "" {
		key = "hook:default"
	}
	k, err := session.ParseKey(key, id)
	if err != nil {
		return session.Session{}, err
	}
	if k.Agent != id {
		return session.Session{}, errors.New("sessionKey belongs to another agent")
	}
	return t.app.sessions.Open(ctx, c.Tenant(), k, c.Principal())
}
