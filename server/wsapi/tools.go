package wsapi

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// invokeParams are the parameters of tools.invoke.
type invokeParams struct {
	Name           string `json:"name"`
	Tool           string `json:"tool"`
	Args           raw    `json:"args"`
	Action         string `json:"action"`
	SessionKey     string `json:"sessionKey"`
	AgentID        string `json:"agentId"`
	IdempotencyKey string `json:"idempotencyKey"`
	Confirm        bool   `json:"confirm"` // accepted; only a human's approval counts
	DryRun         bool   `json:"dryRun"`
	Stream         bool   `json:"stream"` // send tools.output events while it runs
}

type invokeAnswer struct {
	OK               bool               `json:"ok"`
	ToolName         string             `json:"toolName"`
	Output           any                `json:"output,omitempty"`
	Source           string             `json:"source,omitempty"`
	RequiresApproval *bool              `json:"requiresApproval,omitempty"`
	ApprovalID       string             `json:"approvalId,omitempty"`
	Replayed         bool               `json:"replayed,omitempty"`
	Decision         *invokeDecision    `json:"decision,omitempty"`
	Trace            []toolpolicy.Step  `json:"trace,omitempty"`
	Error            *invokeAnswerError `json:"error,omitempty"`
}

type invokeDecision struct {
	Verdict string `json:"verdict"`
	Layer   string `json:"layer,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

type invokeAnswerError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// toolsInvoke runs one tool. That a tool is denied is an answer, not a failure
// of the transport.
func toolsInvoke(ctx context.Context, c *conn, params raw) (any, error) {
	p, err := read[invokeParams](params)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSpace(p.Name)
	if name == "" {
		name = strings.TrimSpace(p.Tool)
	}
	if name == "" {
		return &invokeAnswer{Error: &invokeAnswerError{"validation_error", "tools.invoke requires name"}}, nil
	}
	if len(name) > maxID || len(p.SessionKey) > maxID || len(p.AgentID) > maxID || len(p.IdempotencyKey) > maxID {
		return nil, invalid("invalid params: names and keys are at most %d bytes long", maxID)
	}
	req := invoke.Request{
		Caller: c.caller, Surface: toolpolicy.SurfaceWebSocket, Tool: name, Args: arguments(p, c.s.deps.HasAction(name)),
		SessionKey: strings.TrimSpace(p.SessionKey), AgentID: strings.TrimSpace(p.AgentID),
		IdempotencyKey: p.IdempotencyKey, DryRun: p.DryRun, Remote: c.client.String(),
	}
	if p.Stream {
		req.Emit = func(stream string, b []byte) {
			c.emit("tools.output", map[string]any{"toolName": name, "stream": stream, "data": string(b)})
		}
	}
	res := c.s.deps.Invoke.Run(ctx, req)
	if !c.s.deps.Guard.Alive(c.caller) {
		return nil, &wireError{Code: codeForbidden, Message: "the credential was revoked"}
	}
	return c.invoked(name, p.DryRun, &res), nil
}

// arguments is the object that the tool gets; anything else counts as empty.
func arguments(p invokeParams, hasAction bool) raw {
	if len(p.Args) == 0 || p.Args[0] != '{' {
		p.Args = raw("{}")
	}
	if p.Action == "" || !hasAction {
		return p.Args
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(p.Args, &m) != nil || m["action"] != nil {
		return p.Args
	}
	m["action"], _ = json.Marshal(p.Action)
	out, err := json.Marshal(m)
	if err != nil {
		return p.Args
	}
	return out
}

func (c *conn) invoked(name string, dry bool, res *invoke.Response) *invokeAnswer {
	a := &invokeAnswer{ToolName: name, Replayed: res.Replayed, ApprovalID: res.ApprovalID}
	switch {
	case res.Err != nil:
		a.Error = answerError(res.Err, name)
		if res.Err.Kind == tool.KindForbidden {
			ask := res.ApprovalID != "" || res.Decision.Verdict == toolpolicy.Ask
			a.RequiresApproval = &ask
			if ask {
				a.Error.Code = "requires_approval"
			}
		}
	case dry:
		a.OK = true
		a.Decision = &invokeDecision{Verdict: res.Decision.Verdict.String()}
		if c.caller.Has(gateway.ScopeAdmin) {
			a.Decision.Layer, a.Decision.Rule, a.Decision.Reason = res.Decision.Layer, res.Decision.Rule, res.Decision.Reason
			a.Trace = res.Trace
		}
	case res.Result == nil:
		a.Error = &invokeAnswerError{"internal_error", "tool execution failed"}
	default:
		a.OK, a.Output, a.Source = true, res.Result, "core"
	}
	return a
}

func answerError(e *tool.Error, name string) *invokeAnswerError {
	switch e.Kind {
	case tool.KindInput:
		return &invokeAnswerError{"validation_error", e.Public}
	case tool.KindForbidden:
		return &invokeAnswerError{"forbidden", e.Public}
	case tool.KindNotFound:
		if e.Public != "" { // redacted by the corridor
			return &invokeAnswerError{"not_found", e.Public}
		}
		return &invokeAnswerError{"not_found", "Tool not available: " + name}
	case tool.KindUnavail:
		return &invokeAnswerError{"internal_error", e.Public}
	}
	return &invokeAnswerError{"internal_error", "tool execution failed"}
}

func toolsList(ctx context.Context, c *conn, params raw) (any, error) {
	type scope struct {
		SessionKey string `json:"sessionKey"`
	}
	p, err := read[scope](params)
	if err != nil {
		return nil, err
	}
	if c.s.deps.Tools == nil {
		return nil, unavailable("tools.list")
	}
	list, err := c.s.deps.Tools.List(ctx, c.caller, p.SessionKey)
	if err != nil {
		return nil, err
	}
	return map[string]any{"tools": list}, nil
}
