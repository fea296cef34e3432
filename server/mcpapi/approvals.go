package mcpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Question is a call that waits for a yes, as its client's user is shown it.
type Question struct {
	ID      string
	Tool    string
	Session string
	Plan    string // exactly what would run, everything in it visible
	Why     string
	Digest  string
	Host    bool
}

// maxShown is the longest plan that is shown in a dialogue; nobody reads more,
// so a longer one waits for another approver.
const maxShown = 4000

// Approvals is how a client's user is asked.
type Approvals struct {
	// On reports whether users of clients may decide at all.
	On func() bool
	// Over makes the calls of ctx ask with ask. Via names the connection for the
	// journal. Whether this human may decide about a call is decided there.
	Over func(ctx context.Context, human gateway.Caller, session, via string, ask func(context.Context, Question) (bool, error)) context.Context
}

// on reports whether calls of this client may lead to a question to its user.
func (a *Approvals) on(c gateway.Caller) bool {
	return a != nil && a.On() && c.Has(gateway.ScopeApprovals)
}

// over lets the client's user decide about calls of ctx, when the
// configuration wants it, the credential may approve and the client can ask.
func (a *Approvals) over(ctx context.Context, s *mcp.ServerSession, c gateway.Caller, session string) context.Context {
	if !a.on(c) || !asks(s.InitializeParams()) {
		return ctx
	}
	p := s.InitializeParams()
	via := "mcp " + s.ID()[:min(8, len(s.ID()))]
	if p.ClientInfo != nil {
		via += " " + clean(p.ClientInfo.Name, 40)
	}
	return a.Over(ctx, c, session, via, func(ctx context.Context, q Question) (bool, error) { return ask(ctx, s, q) })
}

// asks reports whether a client declared that it can show a form.
func asks(p *mcp.InitializeParams) bool {
	if p == nil || p.Capabilities == nil || p.Capabilities.Elicitation == nil {
		return false
	}
	e := p.Capabilities.Elicitation
	return e.Form != nil || e.URL == nil
}

// ask shows a question. Only accept is a yes.
func ask(ctx context.Context, s *mcp.ServerSession, q Question) (bool, error) {
	if len(q.Plan) > maxShown {
		return false, errors.New("the plan is too long to be shown")
	}
	res, err := s.Elicit(ctx, &mcp.ElicitParams{Message: dialogue(q), RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}})
	if err != nil {
		return false, err
	}
	return res.Action == "accept", nil
}

func dialogue(q Question) string {
	where := "in the sandbox"
	if q.Host {
		where = "on the host"
	}
	return strings.Join([]string{
		"Allow this one call of " + q.Tool + " " + where + "?", "",
		"  " + q.Plan, "",
		"Session: " + q.Session, "Why it asks: " + clean(q.Why, 300), "Approval: " + q.ID, "Plan: " + q.Digest,
	}, "\n")
}

// clean keeps printable ASCII of a text that others chose.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	return s[:min(limit, len(s))]
}
