//lint:file-ignore SA1019 clients of today still log and sample

package mcpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chitin-sh/chitin/tool"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxFromClient bounds what a client may answer to a question of a tool.
const maxFromClient = 1 << 20

// peer is the way back of a call: the client that made it.
type peer struct {
	door *Door
	req  *mcp.CallToolRequest
}

var _ tool.Client = (*peer)(nil)

// Progress is sent when the client asked for it.
func (p *peer) Progress(ctx context.Context, done, total float64, message string) {
	token := p.req.Params.GetProgressToken()
	if token == nil {
		return
	}
	_ = p.req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
		ProgressToken: token, Progress: done, Total: total, Message: p.door.Redact(message),
	})
}

// Log is sent when the client set a level that covers it.
func (p *peer) Log(ctx context.Context, level string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		return
	}
	_ = p.req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: mcp.LoggingLevel(level), Logger: p.req.Params.Name, Data: json.RawMessage(p.door.Redact(string(raw)))})
}

// Elicit asks the client's user.
func (p *peer) Elicit(ctx context.Context, message string, schema json.RawMessage) (string, json.RawMessage, error) {
	res, err := p.req.Session.Elicit(ctx, &mcp.ElicitParams{Message: p.door.Redact(message), RequestedSchema: schema})
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", tool.ErrNoClient, err)
	}
	content, err := bounded(res.Content)
	return res.Action, content, err
}

// Sample asks the client's model.
func (p *peer) Sample(ctx context.Context, request json.RawMessage) (json.RawMessage, error) {
	caps := p.req.Session.InitializeParams()
	if caps == nil || caps.Capabilities == nil || caps.Capabilities.Sampling == nil {
		return nil, fmt.Errorf("%w: it has no model to ask", tool.ErrNoClient)
	}
	params := &mcp.CreateMessageParams{}
	if err := json.Unmarshal([]byte(p.door.Redact(string(request))), params); err != nil {
		return nil, fmt.Errorf("sampling: %w", err)
	}
	res, err := p.req.Session.CreateMessage(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", tool.ErrNoClient, err)
	}
	return bounded(res)
}

// LetGo closes the stream that the answer would come on; the client reads it
// from the kept events when it comes back.
func (p *peer) LetGo(after time.Duration) {
	if x := p.req.Extra; x != nil && x.CloseSSEStream != nil {
		x.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: after})
	}
}

func bounded(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err == nil && len(raw) > maxFromClient {
		err = fmt.Errorf("the client answered with more than %d bytes", maxFromClient)
	}
	return raw, err
}
