package sessions

import (
	"context"
	"encoding/json"

	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
)

type search struct{ d Deps }

// Spec describes sessions_search.
func (search) Spec() tool.Spec {
	return tool.Spec{
		Name: "sessions_search", Title: "Search sessions",
		Description: "Find messages that contain a text, in one session or in all that this one may reach.",
		Schema: json.RawMessage(`{"type":"object","required":["query"],"properties":{
"query":{"type":"string","minLength":1,"maxLength":4096},
"sessionKey":{"type":"string"},
"limit":{"type":"integer","minimum":1,"maximum":25}}}`),
		Traits: tool.Traits{Looks: true},
	}
}

type searchArgs struct {
	Query      string `json:"query"`
	SessionKey string `json:"sessionKey"`
	Limit      int    `json:"limit"`
}

// Run searches.
func (t search) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[searchArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	key := ""
	if a.SessionKey != "" {
		s, err := t.d.find(ctx, c, a.SessionKey)
		if err != nil {
			return soft("No session found: " + a.SessionKey)
		}
		key = s.Key.String()
	}
	if a.Limit <= 0 {
		a.Limit = 10
	}
	hits, err := t.d.Store.Search(ctx, c.Session.Tenant, key, a.Query, session.MaxHits)
	if err != nil {
		return tool.Result{}, err
	}
	out, source := []session.Hit{}, ""
	for _, h := range hits {
		s, err := t.d.Store.Get(ctx, c.Session.Tenant, h.Session)
		if err != nil || !t.d.Reach(ctx, c, s) {
			continue
		}
		if source == "" && h.Session != c.Session.Key {
			source = from(s.Label)
		}
		if out = append(out, h); len(out) == a.Limit {
			break
		}
	}
	res, err := tool.JSON(map[string]any{"status": "ok", "count": len(out), "hits": out})
	if res.Source = source; source != "" {
		res.Details = nil
	}
	return res, err
}
