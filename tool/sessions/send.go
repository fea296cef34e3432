package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/chitin-sh/chitin/tool"
)

// maxWait is the longest that a call waits for another session.
const maxWait = 10 * time.Minute

var noAgents = tool.Unavailable("no agent runs here: set agents.defaults.model and models.providers", nil)

type send struct{ d Deps }

// Spec describes sessions_send.
func (send) Spec() tool.Spec {
	return tool.Spec{
		Name: "sessions_send", Title: "Send to a session",
		Description: "Put a message into another session. With timeoutSeconds its agent answers and the answer comes back.",
		Schema: json.RawMessage(`{"type":"object","required":["message","sessionKey"],"properties":{
"sessionKey":{"type":"string","minLength":1},
"message":{"type":"string","minLength":1},
"timeoutSeconds":{"type":"integer","minimum":0,"description":"0 leaves the message and does not wait."}}}`),
		Traits: tool.Traits{Control: true},
	}
}

type sendArgs struct {
	SessionKey string `json:"sessionKey"`
	Message    string `json:"message"`
	Timeout    int    `json:"timeoutSeconds"`
}

// Run sends.
func (t send) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[sendArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if t.d.Agents == nil {
		return tool.Result{}, noAgents
	}
	to, err := t.d.find(ctx, c, a.SessionKey)
	if errors.Is(err, errNoSession) {
		return soft("No session found: " + a.SessionKey)
	}
	if err != nil {
		return tool.Result{}, err
	}
	if to.Key.String() == c.Session.Key {
		return tool.Result{}, tool.Input("sessionKey is this very session.")
	}
	wait := min(time.Duration(a.Timeout)*time.Second, maxWait)
	reply, err := t.d.Agents.Send(ctx, c, to, a.Message, wait)
	out := map[string]any{"status": "accepted", "sessionKey": to.Key.String(), "delivery": map[string]string{"status": "delivered"}}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		out["status"] = "timeout"
	case err != nil:
		return tool.Result{}, err
	case wait > 0:
		out["status"], out["reply"] = "ok", reply
	}
	res, err := tool.JSON(out)
	if now, gerr := t.d.Store.Get(ctx, to.Tenant, to.Key.String()); gerr == nil && now.Label != "" && reply != "" {
		res.Source, res.Details = from(now.Label), nil
	}
	return res, err
}
