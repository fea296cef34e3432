package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// maxKey bounds identifiers that clients choose.
const maxKey = 256

// toolsInvoke is POST /tools/invoke.
func toolsInvoke(c *call) {
	body, ok := c.readBody()
	if !ok {
		return
	}
	b, err := parseCall(body)
	if err != nil && !errors.Is(err, errShape) {
		writeError(c.w, http.StatusBadRequest, "invalid_request_error", err.Error())
		return
	}
	req, problem := c.request(&b)
	if problem != "" {
		writeToolError(c.w, http.StatusBadRequest, "invalid_request", problem)
		return
	}
	res := c.s.deps.Invoke.Run(c.ctx, req)
	if c.ctx.Err() != nil && !c.s.deps.Guard.Alive(c.adm.Caller) {
		writeUnauthorized(c.w) // revoked while it ran
		return
	}
	c.answer(&req, &res)
}

// request builds the corridor's request, or says what is wrong with the body.
func (c *call) request(b *callBody) (invoke.Request, string) {
	name := strings.TrimSpace(b.name)
	if name == "" {
		name = strings.TrimSpace(b.tool)
	}
	if name == "" {
		return invoke.Request{}, "tools.invoke requires name"
	}
	if len(name) > maxKey || len(b.sessionKey) > maxKey || len(b.agentID) > maxKey || len(b.idempotencyKey) > maxKey {
		return invoke.Request{}, "names and keys are at most 256 bytes long"
	}
	if b.idempotencyKey == "" {
		if v := c.r.Header.Get("Idempotency-Key"); len(v) <= maxKey {
			b.idempotencyKey = v
		}
	}
	args := b.args
	if args == nil {
		args = raw("{}")
	}
	if b.action != "" && c.s.deps.HasAction(name) {
		args = withAction(args, b.action)
	}
	return invoke.Request{
		Caller: c.adm.Caller, Surface: toolpolicy.SurfaceHTTP, Tool: name, Args: args,
		SessionKey: strings.TrimSpace(b.sessionKey), AgentID: strings.TrimSpace(b.agentID),
		IdempotencyKey: b.idempotencyKey, DryRun: b.dryRun, Remote: c.adm.Client.String(),
	}, ""
}

// withAction sets args.action unless the arguments have one.
func withAction(args raw, action string) raw {
	var m map[string]json.RawMessage
	if json.Unmarshal(args, &m) != nil || m["action"] != nil {
		return args
	}
	v, err := json.Marshal(action)
	if err != nil {
		return args
	}
	m["action"] = v
	out, err := json.Marshal(m)
	if err != nil {
		return args
	}
	return out
}

type okAnswer struct {
	OK     bool         `json:"ok"`
	Result *tool.Result `json:"result"`
}

type dryAnswer struct {
	OK       bool              `json:"ok"`
	DryRun   bool              `json:"dryRun"`
	Decision dryDecision       `json:"decision"`
	Trace    []toolpolicy.Step `json:"trace,omitempty"`
}

type dryDecision struct {
	Verdict string `json:"verdict"`
	Layer   string `json:"layer,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Key     string `json:"key,omitempty"`
	Line    int    `json:"line,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (c *call) answer(req *invoke.Request, res *invoke.Response) {
	switch {
	case res.Err != nil:
		c.answerError(req, res)
	case req.DryRun:
		writeJSON(c.w, http.StatusOK, c.dry(res))
	case res.Result == nil:
		writeToolError(c.w, http.StatusInternalServerError, "tool_error", "tool execution failed")
	default:
		if res.Result.Content == nil {
			res.Result.Content = []tool.Block{}
		}
		if res.Replayed {
			c.w.Header()["Idempotency-Replayed"] = []string{"true"}
		}
		writeResult(c.w, res.Result)
	}
}

// dry tells the decision; only an administrator learns which rule made it,
// because a refusal's reason would tell others which tools exist.
func (c *call) dry(res *invoke.Response) *dryAnswer {
	d := &dryAnswer{OK: true, DryRun: true, Decision: dryDecision{Verdict: res.Decision.Verdict.String()}}
	if c.adm.Caller.Has(gateway.ScopeAdmin) {
		x := res.Decision
		d.Decision = dryDecision{Verdict: x.Verdict.String(), Layer: x.Layer, Rule: x.Rule, Key: x.Key, Line: x.Line, Reason: x.Reason}
		d.Trace = res.Trace
	}
	return d
}

func (c *call) answerError(req *invoke.Request, res *invoke.Response) {
	e := res.Err
	switch e.Kind {
	case tool.KindInput:
		writeToolError(c.w, http.StatusBadRequest, string(tool.KindInput), e.Public)
	case tool.KindForbidden:
		ask := res.ApprovalID != "" || res.Decision.Verdict == toolpolicy.Ask
		writeJSON(c.w, http.StatusForbidden, &toolError{Error: toolErrorBody{
			Type: string(tool.KindForbidden), Message: e.Public, RequiresApproval: &ask, ApprovalID: res.ApprovalID,
		}})
	case tool.KindNotFound:
		msg := e.Public
		if msg == "" {
			msg = "Tool not available: " + req.Tool
		}
		writeToolError(c.w, http.StatusNotFound, string(tool.KindNotFound), msg)
	case tool.KindUnavail:
		writeJSON(c.w, http.StatusServiceUnavailable, &toolError{Error: toolErrorBody{Type: string(tool.KindUnavail), Message: e.Public}})
	default:
		writeToolError(c.w, http.StatusInternalServerError, "tool_error", "tool execution failed")
	}
}
