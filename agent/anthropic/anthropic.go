// Package anthropic speaks the Messages protocol.
package anthropic

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/tool"
)

// Provider is one configured endpoint.
type Provider struct{ client anthropic.Client }

var _ agent.Provider = (*Provider)(nil)

// New makes a provider; an empty base is the vendor's own. Nothing is taken
// from the environment.
func New(base string, key secrets.Value) *Provider {
	opts := []option.RequestOption{option.WithoutEnvironmentDefaults(), option.WithAPIKey(key.Reveal()), option.WithMaxRetries(2)}
	if base != "" {
		opts = append(opts, option.WithBaseURL(base))
	}
	return &Provider{anthropic.NewClient(opts...)}
}

// Complete streams one answer.
func (p *Provider) Complete(ctx context.Context, r agent.Request) (agent.Reply, error) {
	stream := p.client.Messages.NewStreaming(ctx, params(r))
	defer func() { _ = stream.Close() }()
	var msg anthropic.Message
	for stream.Next() {
		event := stream.Current()
		if err := msg.Accumulate(event); err != nil {
			return agent.Reply{}, fmt.Errorf("the model's answer is malformed: %w", err)
		}
		if d, ok := event.AsAny().(anthropic.ContentBlockDeltaEvent); ok {
			tell(r.Delta, d.Delta.Text)
			tell(r.Thought, d.Delta.Thinking)
		}
	}
	if err := stream.Err(); err != nil {
		return agent.Reply{}, fmt.Errorf("model: %w", err)
	}
	return reply(msg), nil
}

func tell(f func(string), text string) {
	if f != nil && text != "" {
		f(text)
	}
}

func reply(msg anthropic.Message) agent.Reply {
	out := agent.Reply{
		Truncated: msg.StopReason == anthropic.StopReasonMaxTokens,
		Usage:     agent.Usage{Input: msg.Usage.InputTokens, Output: msg.Usage.OutputTokens},
	}
	for _, b := range msg.Content {
		switch b.Type {
		case "text":
			out.Text += b.Text
		case "tool_use":
			out.Calls = append(out.Calls, agent.Call{ID: b.ID, Name: b.Name, Args: b.Input})
		}
	}
	return out
}

func params(r agent.Request) anthropic.MessageNewParams {
	p := anthropic.MessageNewParams{Model: r.Model, MaxTokens: int64(r.MaxTokens)}
	if r.System != "" {
		p.System = []anthropic.TextBlockParam{{Text: r.System}}
	}
	for _, m := range r.Messages {
		if blocks := content(m); len(blocks) > 0 {
			if m.Role == "assistant" {
				p.Messages = append(p.Messages, anthropic.NewAssistantMessage(blocks...))
			} else {
				p.Messages = append(p.Messages, anthropic.NewUserMessage(blocks...))
			}
		}
	}
	for _, t := range r.Tools {
		p.Tools = append(p.Tools, anthropic.ToolUnionParam{OfTool: describe(t)})
	}
	return p
}

func content(m agent.Msg) []anthropic.ContentBlockParamUnion {
	var out []anthropic.ContentBlockParamUnion
	for _, a := range m.Answers {
		block := anthropic.NewToolResultBlock(a.ID, a.Text, a.Error)
		for _, i := range a.Images {
			img := anthropic.NewImageBlockBase64(i.MimeType, base64.StdEncoding.EncodeToString(i.Data))
			block.OfToolResult.Content = append(block.OfToolResult.Content, anthropic.ToolResultBlockParamContentUnion{OfImage: img.OfImage})
		}
		out = append(out, block)
	}
	if m.Text != "" {
		out = append(out, anthropic.NewTextBlock(m.Text))
	}
	for _, c := range m.Calls {
		out = append(out, anthropic.NewToolUseBlock(c.ID, c.Args, c.Name))
	}
	return out
}

func describe(t tool.Spec) *anthropic.ToolParam {
	var schema struct {
		Properties any      `json:"properties"`
		Required   []string `json:"required"`
	}
	_ = json.Unmarshal(t.Schema, &schema) // specs are checked when they are registered
	return &anthropic.ToolParam{
		Name: t.Name, Description: anthropic.String(t.Description),
		InputSchema: anthropic.ToolInputSchemaParam{Properties: schema.Properties, Required: schema.Required},
	}
}
