package mcpapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/tool"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// receive stands before the library's own methods. Tools are ours alone: what
// a caller sees and may do is decided for each message, not for each session.
func (d *Door) receive(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		switch method {
		case "tools/call":
			if r, ok := req.(*mcp.CallToolRequest); ok {
				return d.call(ctx, r)
			}
			return nil, errors.New("not a call")
		case "tools/list":
			return d.list(ctx, req.GetExtra())
		case "resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
			"prompts/list", "prompts/get", "completion/complete":
			if _, _, err := d.caller(req.GetExtra(), gateway.ScopeRead); err != nil {
				return nil, err
			}
		}
		return next(ctx, method, req)
	}
}

func (d *Door) list(ctx context.Context, extra *mcp.RequestExtra) (mcp.Result, error) {
	c, session, err := d.caller(extra, gateway.ScopeRead)
	if err != nil {
		return nil, err
	}
	l, err := d.lists.get(ctx, d, c, session)
	if err != nil {
		return nil, err
	}
	out := &mcp.ListToolsResult{Tools: l.tools}
	out.CacheScope = "private"
	return out, nil
}

// call sends one tools/call through the corridor.
func (d *Door) call(ctx context.Context, req *mcp.CallToolRequest) (mcp.Result, error) {
	c, session, err := d.caller(req.Extra, gateway.ScopeWrite)
	if err != nil {
		return nil, err
	}
	ctx, release, err := d.hold(ctx, c)
	if err != nil {
		return nil, err
	}
	defer release()
	r := d.request(c, session)
	r.Tool, r.Args = req.Params.Name, arguments(req.Params.Arguments)
	p := &peer{door: d, req: req}
	r.Emit = p.emit(ctx)
	ctx = d.Approvals.over(tool.WithClient(ctx, p), req.Session, c, session)
	resp := d.Corridor.Run(ctx, r)
	if refused(resp) {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: resp.Err.Public}
	}
	return result(resp), nil
}

// refused reports whether a tool does not exist for this caller, which the
// protocol has an error of its own for.
func refused(r invoke.Response) bool {
	return r.Err != nil && r.Err.Kind == tool.KindNotFound && r.Result == nil && denied(r)
}

// quiet is how long at least lies between two messages about output.
const quiet = 100 * time.Millisecond

// emit passes on how much output there is, when the client asked for progress;
// the text is not part of it.
func (p *peer) emit(ctx context.Context) func(string, []byte) {
	token := p.req.Params.GetProgressToken()
	if token == nil {
		return nil
	}
	var mu sync.Mutex
	var total float64
	var last time.Time
	return func(_ string, b []byte) {
		mu.Lock()
		defer mu.Unlock()
		total += float64(len(b))
		if now := time.Now(); now.Sub(last) >= quiet {
			last = now
			_ = p.req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: total, Message: "bytes of output"})
		}
	}
}
