package sessions

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
)

// Limits of what a history answers with.
const (
	maxHistoryBytes = 80 << 10
	maxMessageBytes = 4000
)

type history struct{ d Deps }

// Spec describes sessions_history.
func (history) Spec() tool.Spec {
	return tool.Spec{
		Name: "sessions_history", Title: "Read a session",
		Description: "Read the newest messages of a session, oldest first.",
		Schema: json.RawMessage(`{"type":"object","required":["sessionKey"],"properties":{
"sessionKey":{"type":"string","minLength":1},
"limit":{"type":"integer","minimum":1,"maximum":1000},
"pendingBefore":{"type":"integer","minimum":1,"description":"Only messages before this sequence number."},
"includeTools":{"type":"boolean","description":"Tool calls and their answers too."}}}`),
		Traits: tool.Traits{Looks: true},
	}
}

type historyArgs struct {
	SessionKey    string `json:"sessionKey"`
	Limit         int    `json:"limit"`
	PendingBefore int64  `json:"pendingBefore"`
	IncludeTools  bool   `json:"includeTools"`
}

// Run reads.
func (h history) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[historyArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	s, err := h.d.find(ctx, c, a.SessionKey)
	if errors.Is(err, errNoSession) {
		return soft("No session found: " + a.SessionKey)
	}
	if err != nil {
		return tool.Result{}, err
	}
	if a.Limit <= 0 {
		a.Limit = 50
	}
	msgs, more, err := h.d.Store.History(ctx, s.Tenant, s.Key.String(), a.Limit, a.PendingBefore)
	if err != nil {
		return tool.Result{}, err
	}
	out, dropped, cut := shorten(msgs, a.IncludeTools)
	res, err := tool.JSON(map[string]any{
		"sessionKey": s.Key.String(), "messages": out, "truncated": more || dropped > 0, "droppedMessages": dropped, "contentTruncated": cut,
	})
	if s.Label != "" && s.Key.String() != c.Session.Key {
		res.Source, res.Details = from(s.Label), nil // another session's outside text is outside text here
	}
	return res, err
}

// shorten keeps the newest messages that fit.
func shorten(msgs []session.Message, tools bool) (out []session.Message, dropped int, cut bool) {
	out = []session.Message{}
	size := 0
	for i := len(msgs) - 1; i >= 0; i-- {
		m := msgs[i]
		if !tools {
			if m.Role == session.RoleTool {
				continue
			}
			m.Calls = nil
		}
		if len(m.Text) > maxMessageBytes {
			m.Text, cut = m.Text[:maxMessageBytes]+"…", true
		}
		if size += len(m.Text) + len(m.Calls) + 100; size > maxHistoryBytes {
			dropped = i + 1
			break
		}
		out = append([]session.Message{m}, out...)
	}
	return out, dropped, cut
}
