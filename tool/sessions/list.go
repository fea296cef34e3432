package sessions

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
)

// Limits of lists.
const (
	maxRows     = 200
	defaultRows = 50
	maxScan     = 2000
)

type list struct{ d Deps }

// Spec describes sessions_list.
func (list) Spec() tool.Spec {
	return tool.Spec{
		Name: "sessions_list", Title: "List sessions",
		Description: "List the sessions that this one may reach, the most recently used first.",
		Schema: json.RawMessage(`{"type":"object","properties":{
"kinds":{"type":"array","items":{"type":"string","enum":["main","group","cron","hook","node","other"]},"description":"Only sessions of these kinds."},
"limit":{"type":"integer","minimum":1,"description":"At most so many, 200 being the most."},
"offset":{"type":"integer","minimum":0},
"activeMinutes":{"type":"integer","minimum":1,"description":"Only sessions used within so many minutes."},
"excludeSubagents":{"type":"boolean"},
"agentId":{"type":"string","minLength":1,"maxLength":64},
"search":{"type":"string","minLength":1,"description":"Only sessions whose key contains this."},
"messageLimit":{"type":"integer","minimum":0,"description":"So many of the newest messages with each, 20 being the most."}}}`),
		Traits: tool.Traits{Looks: true},
	}
}

type listArgs struct {
	Kinds            []string `json:"kinds"`
	Limit            int      `json:"limit"`
	Offset           int      `json:"offset"`
	ActiveMinutes    int      `json:"activeMinutes"`
	ExcludeSubagents bool     `json:"excludeSubagents"`
	AgentID          string   `json:"agentId"`
	Search           string   `json:"search"`
	MessageLimit     int      `json:"messageLimit"`
}

type row struct {
	Key       string            `json:"key"`
	Kind      string            `json:"kind"`
	AgentID   string            `json:"agentId"`
	Parent    string            `json:"parentSessionKey,omitempty"`
	Depth     int               `json:"depth"`
	Label     string            `json:"label,omitempty"`
	UpdatedAt int64             `json:"updatedAt"`
	Messages  []session.Message `json:"messages,omitempty"`
}

// Run lists.
func (l list) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[listArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	all, err := l.d.Store.List(ctx, c.Session.Tenant, maxScan)
	if err != nil {
		return tool.Result{}, err
	}
	limit := a.Limit
	if limit <= 0 {
		limit = defaultRows
	}
	limit = min(limit, maxRows)
	rows, more, source := []row{}, false, ""
	skip := a.Offset
	for _, s := range all {
		if !a.match(s) || !l.d.Reach(ctx, c, s) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(rows) == limit {
			more = true
			break
		}
		r := row{Key: s.Key.String(), Kind: kind(s.Key), AgentID: s.Key.Agent, Parent: s.Parent, Depth: s.Depth, Label: s.Label, UpdatedAt: s.Updated.UnixMilli()}
		if n := min(a.MessageLimit, 20); n > 0 {
			if r.Messages, _, err = l.d.Store.History(ctx, s.Tenant, r.Key, n, 0); err != nil {
				return tool.Result{}, err
			}
			if source == "" && s.Key.String() != c.Session.Key {
				source = from(s.Label)
			}
		}
		rows = append(rows, r)
	}
	out := map[string]any{"count": len(rows), "sessions": rows, "hasMore": more, "limitApplied": limit}
	if more {
		out["nextOffset"] = a.Offset + len(rows)
	}
	res, err := tool.JSON(out)
	if res.Source = source; source != "" {
		res.Details = nil // the text is wrapped; details would carry it unwrapped
	}
	return res, err
}

func (a listArgs) match(s session.Session) bool {
	key := s.Key.String()
	return (len(a.Kinds) == 0 || slices.Contains(a.Kinds, kind(s.Key))) &&
		(a.ActiveMinutes == 0 || time.Since(s.Updated) <= time.Duration(a.ActiveMinutes)*time.Minute) &&
		(!a.ExcludeSubagents || s.Depth == 0) &&
		(a.AgentID == "" || s.Key.Agent == a.AgentID) &&
		(a.Search == "" || strings.Contains(key, a.Search))
}
