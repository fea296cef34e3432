// Package sessions is the tools over sessions: list, history, search, send,
// spawn and the looking after sub-agents. They reach what the policy lets a
// session reach; anything else answers as if it were not there.
package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Store is the sessions of every tenant; each method takes the tenant.
type Store interface {
	Get(ctx context.Context, tenant, key string) (session.Session, error)
	List(ctx context.Context, tenant string, limit int) ([]session.Session, error)
	History(ctx context.Context, tenant, key string, limit int, before int64) ([]session.Message, bool, error)
	Search(ctx context.Context, tenant, key, text string, limit int) ([]session.Hit, error)
	Runs(ctx context.Context, tenant, parent string, since time.Time, limit int) ([]session.Run, error)
}

// Reach reports whether a call may touch a session.
type Reach func(ctx context.Context, c *tool.Call, to session.Session) bool

// Agents starts work in sessions.
type Agents interface {
	// Send puts a message into a session and, with a time to wait, lets its
	// agent answer.
	Send(ctx context.Context, from *tool.Call, to session.Session, text string, wait time.Duration) (reply string, err error)
	Spawn(ctx context.Context, caller gateway.Caller, surface toolpolicy.Surface, parent string, t Task) (session.Run, error)
	Wait(ctx context.Context, tenant, parent string, ids []string) ([]session.Run, error)
	Cancel(ctx context.Context, tenant, parent, id string) (session.Run, error)
}

// Task is what sessions_spawn hands over.
type Task struct {
	Text, Label, Agent, Model string
	Require                   bool
	Timeout                   time.Duration
}

// Deps of the tools. Agents may be nil: then send, spawn, wait and cancel say
// that no agent runs here.
type Deps struct {
	Store  Store
	Reach  Reach
	Agents Agents
}

// Tools lists the tools, one line each.
func Tools(d Deps) []tool.Tool {
	return []tool.Tool{
		list{d},
		history{d},
		search{d},
		send{d},
		spawn{d},
		subagents{d},
	}
}

// find returns a session that the call may reach.
func (d Deps) find(ctx context.Context, c *tool.Call, key string) (session.Session, error) {
	k, err := session.ParseKey(key, c.Session.Agent)
	if err != nil {
		return session.Session{}, tool.Input(err.Error())
	}
	s, err := d.Store.Get(ctx, c.Session.Tenant, k.String())
	if err != nil || !d.Reach(ctx, c, s) {
		if err == nil || errors.Is(err, session.ErrNotFound) {
			return session.Session{}, errNoSession
		}
		return session.Session{}, err
	}
	return s, nil
}

var errNoSession = errors.New("no session")

// soft is an error that the peer's clients expect inside a result.
func soft(msg string) (tool.Result, error) {
	return tool.JSON(map[string]any{"status": "error", "error": msg})
}

// from names the source of a label, for results that carry labelled text.
func from(label string) string {
	const prefix = "untrusted:"
	if len(label) > len(prefix) {
		return label[len(prefix):]
	}
	return ""
}

// kind is the class of a session by its key.
func kind(k session.Key) string {
	if k.Main() {
		return "main"
	}
	for i, c := range k.Name {
		if c == ':' {
			switch k.Name[:i] {
			case "cron", "hook", "node":
				return k.Name[:i]
			}
		}
	}
	return "other"
}
