package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/link"
	"github.com/chitin-sh/chitin/tool"
)

// maxCalls bounds what one server of one tenant does at a time.
const maxCalls = 32

// Visible names the tools that an agent's sessions of a tenant may see:
// approved ones only. A server that this tenant never met is asked in the
// background.
func (h *Hub) Visible(tenant, agent string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for name, t := range h.index[tenant] {
		if h.cfg.Servers[t.key.server].ServesAgent(agent) && t.pin.Usable() {
			out = append(out, name)
		}
	}
	for name, s := range h.cfg.Servers {
		if k := (key{tenant, name}); !h.off && s.On() && s.Serves(tenant) && h.book[k] == nil && h.units[k] == nil {
			h.bg.Go(func() { h.meet(h.ctx, k) })
		}
	}
	slices.Sort(out)
	return out
}

// Prepare makes sure that a server which this tenant never met was asked for
// its tools before one of them is looked up by name.
func (h *Hub) Prepare(ctx context.Context, tenant, name string) {
	server, ok := mcpclient.ServerOf(name)
	if !ok {
		return
	}
	k := key{tenant, server}
	h.mu.Lock()
	met := h.book[k] != nil
	h.mu.Unlock()
	if !met {
		h.meet(ctx, k)
	}
}

// meet starts a server, which lists its tools.
func (h *Hub) meet(ctx context.Context, k key) {
	if u := h.unit(k); u != nil {
		if _, err := u.acquire(ctx); err != nil {
			u.log.Debug("mcp server cannot be asked for its tools", "err", err)
		}
	}
}

// Tool finds a mounted tool, also one in quarantine: calling that says what to
// do. The agent and tenant must be among those of the server.
func (h *Hub) Tool(tenant, agent, name string) (tool.Tool, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.index[tenant][name]
	if !ok || !h.cfg.Servers[t.key.server].ServesAgent(agent) {
		return nil, false
	}
	return t, true
}

// mountedTool is one tool of a server as the corridor runs it.
type mountedTool struct {
	hub   *Hub
	key   key
	pin   mcpclient.Pin
	spec  func() tool.Spec
	check func() func(json.RawMessage) error
}

func newMounted(h *Hub, k key, p mcpclient.Pin) *mountedTool {
	t := &mountedTool{hub: h, key: k, pin: p}
	t.spec = sync.OnceValue(func() tool.Spec {
		s := tool.Spec{Name: p.Mounted, Description: "[MCP server " + k.server + "] waits for approval", Schema: json.RawMessage(`{"type":"object"}`), Traits: tool.Traits{External: true, Writes: true}}
		if p.Pinned != nil {
			s.Description, s.Schema = p.Pinned.Definition.Shown(k.server)
			s.Traits.Writes = !p.Pinned.Definition.ReadOnly()
		}
		return s
	})
	t.check = sync.OnceValue(func() func(json.RawMessage) error { return tool.SchemaChecker(t.spec().Schema) })
	return t
}

// Spec describes the tool as approved.
func (t *mountedTool) Spec() tool.Spec { return t.spec() }

// CheckArgs answers for a tool in quarantine before anything else does, and
// checks the arguments of others against the approved schema.
func (t *mountedTool) CheckArgs(args json.RawMessage) error {
	if err := t.quarantine(t.pin); err != nil {
		return err
	}
	return t.check()(args)
}

// quarantine is the error of a tool that must not be called.
func (t *mountedTool) quarantine(p mcpclient.Pin) error {
	what := ""
	switch p.State() {
	case mcpclient.StateApproved:
		return nil
	case mcpclient.StateNew:
		what = "waits for its first approval"
	case mcpclient.StateChanged:
		what = "is quarantined: its description, schema or annotations are not those that were approved"
	default:
		return &tool.Error{Kind: tool.KindNotFound, Code: "mcp_gone", Public: "The MCP server " + t.key.server + " does not offer " + t.pin.Mounted + " any more."}
	}
	return &tool.Error{Kind: tool.KindForbidden, Code: "mcp_quarantined", Public: fmt.Sprintf("%s %s. The operator can look with: chitin mcp diff %s %s, and approve with: chitin mcp approve %[3]s %[4]s",
		t.pin.Mounted, what, t.key.server, shellWord(t.pin.Tool))}
}

// shellWord is a tool's name where it is fit for a command line.
func shellWord(s string) string {
	if _, err := mcpclient.Mount("x", s); err != nil {
		return ""
	}
	return s
}

// Run sends one call. It looks at the approval again after the server was
// started or changed its list, and never repeats a call.
func (t *mountedTool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	u := t.hub.unit(t.key)
	if u == nil || c.Session.Tenant != t.key.tenant {
		return tool.Result{}, &tool.Error{Kind: tool.KindNotFound, Public: "Tool not available: " + t.pin.Mounted}
	}
	ctx, cancel := context.WithTimeout(ctx, u.cfg.Timeout()+u.cfg.StartTimeout())
	defer cancel()
	conn, err := u.begin(ctx)
	if err != nil {
		return tool.Result{}, err
	}
	defer u.finish()
	t.hub.mu.Lock()
	var now mcpclient.Pin // refused when it is not there any more
	if cur := t.hub.index[t.key.tenant][t.pin.Mounted]; cur != nil && cur.pin.Tool == t.pin.Tool {
		now = cur.pin
	}
	t.hub.mu.Unlock()
	if err := t.quarantine(now); err != nil {
		return tool.Result{}, err
	}
	if now.Pinned.Digest != t.pin.Pinned.Digest {
		return tool.Result{}, tool.Unavailable(t.pin.Mounted+" was approved anew meanwhile; call again.", nil)
	}
	ctx, cancelCall := context.WithTimeout(ctx, u.cfg.Timeout())
	defer cancelCall()
	out, err := conn.Call(ctx, t.pin.Tool, c.Args)
	return t.answer(u, out, err)
}

// answer is what the caller gets of an outcome.
func (t *mountedTool) answer(u *unit, out link.Outcome, err error) (tool.Result, error) {
	source := mcpclient.Source(t.key.server)
	switch {
	case errors.Is(err, link.ErrEnded):
		return tool.Result{}, tool.Unavailable("The MCP server "+t.key.server+" ended during the call. Whether the call took effect is unknown; it is not repeated.", err)
	case errors.Is(err, context.DeadlineExceeded):
		return tool.Result{}, &tool.Error{Kind: tool.KindUnavail, Code: "mcp_timeout", Err: err,
			Public: fmt.Sprintf("The MCP server %s did not answer within %s and was told to stop the call.", t.key.server, u.cfg.Timeout())}
	case errors.Is(err, context.Canceled):
		return tool.Result{}, &tool.Error{Kind: tool.KindUnavail, Code: "mcp_cancelled", Public: "The call was cancelled, and the MCP server " + t.key.server + " was told so.", Err: err}
	case err != nil:
		return tool.Result{}, tool.Unavailable("The MCP server "+t.key.server+" could not be asked.", err)
	case out.IsError:
		return tool.Result{}, &tool.Error{Kind: tool.KindInput, Code: "mcp_error", Public: out.Text(), Source: source}
	}
	return tool.Result{Content: out.Blocks, Source: source, Details: map[string]any{"server": t.key.server, "tool": t.pin.Tool, "cut": out.Cut}}, nil
}

// begin takes one of the unit's places for calls and its connection.
func (u *unit) begin(ctx context.Context) (connection, error) {
	u.mu.Lock()
	if u.inFlight >= maxCalls {
		u.mu.Unlock()
		return nil, tool.Unavailable("The MCP server "+u.key.server+" has too many calls at once; try again shortly.", nil)
	}
	u.inFlight++
	u.mu.Unlock()
	conn, err := u.acquire(ctx)
	if err != nil {
		u.finish()
	}
	return conn, err
}

func (u *unit) finish() {
	u.mu.Lock()
	u.inFlight--
	u.mu.Unlock()
}
