// Package openai speaks the Chat Completions protocol, which many servers do.
package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// Provider is one configured endpoint.
type Provider struct{ client openai.Client }

var _ agent.Provider = (*Provider)(nil)

// New makes a provider; an empty base is the vendor's own.
func New(base string, key secrets.Value) *Provider {
	opts := []option.RequestOption{option.WithAPIKey(key.Reveal()), option.WithOrganization(""), option.WithProject(""), option.WithMaxRetries(2)}
	if base == "" {
		base = "https://api.openai.com/v1/"
	}
	return &Provider{openai.NewClient(append(opts, option.WithBaseURL(base))...)}
}

// Complete streams one answer.
func (p *Provider) Complete(ctx context.Context, r agent.Request) (agent.Reply, error) {
	stream := p.client.Chat.Completions.NewStreaming(ctx, params(r))
	defer func() { _ = stream.Close() }()
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			return agent.Reply{}, errors.New("the model's answer is malformed")
		}
		if r.Delta != nil && len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			r.Delta(chunk.Choices[0].Delta.Content)
		}
	}
	if err := stream.Err(); err != nil {
		return agent.Reply{}, fmt.Errorf("model: %w", err)
	}
	if len(acc.Choices) == 0 {
		return agent.Reply{}, errors.New("the model answered nothing")
	}
	return reply(acc.ChatCompletion), nil
}

func reply(c openai.ChatCompletion) agent.Reply {
	first := c.Choices[0]
	out := agent.Reply{
		Text: first.Message.Content, Truncated: first.FinishReason == "length",
		Usage: agent.Usage{Input: c.Usage.PromptTokens, Output: c.Usage.CompletionTokens},
	}
	for _, t := range first.Message.ToolCalls {
		args := json.RawMessage(t.Function.Arguments)
		if len(args) == 0 {
			args = json.RawMessage("{}")
		}
		out.Calls = append(out.Calls, agent.Call{ID: t.ID, Name: t.Function.Name, Args: args})
	}
	return out
}

func params(r agent.Request) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model: r.Model, MaxCompletionTokens: openai.Int(int64(r.MaxTokens)),
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	}
	if r.System != "" {
		p.Messages = append(p.Messages, openai.SystemMessage(r.System))
	}
	for _, m := range r.Messages {
		p.Messages = append(p.Messages, messages(m)...)
	}
	for _, t := range r.Tools {
		var schema map[string]any
		_ = json.Unmarshal(t.Schema, &schema) // specs are checked when they are registered
		p.Tools = append(p.Tools, openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: t.Name, Description: openai.String(t.Description), Parameters: schema,
		}))
	}
	return p
}

// images are the images of an answer with a word about where they come from.
func images(a agent.Answer) []openai.ChatCompletionContentPartUnionParam {
	if len(a.Images) == 0 {
		return nil
	}
	out := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("[shown by the call " + a.ID + " of " + a.Name + "]")}
	for _, i := range a.Images {
		out = append(out, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{
			URL: "data:" + i.MimeType + ";base64," + base64.StdEncoding.EncodeToString(i.Data),
		}))
	}
	return out
}

func messages(m agent.Msg) []openai.ChatCompletionMessageParamUnion {
	var out []openai.ChatCompletionMessageParamUnion
	var shown []openai.ChatCompletionContentPartUnionParam
	for _, a := range m.Answers {
		out = append(out, openai.ToolMessage(a.Text, a.ID))
		shown = append(shown, images(a)...)
	}
	if len(shown) > 0 { // a tool's message holds text alone
		out = append(out, openai.UserMessage(shown))
	}
	switch {
	case m.Role != "assistant" && m.Text != "":
		out = append(out, openai.UserMessage(m.Text))
	case m.Role == "assistant" && (m.Text != "" || len(m.Calls) > 0):
		a := openai.ChatCompletionAssistantMessageParam{}
		if m.Text != "" {
			a.Content.OfString = openai.String(m.Text)
		}
		for _, c := range m.Calls {
			a.ToolCalls = append(a.ToolCalls, openai.ChatCompletionMessageToolCallUnionParam{OfFunction: &openai.ChatCompletionMessageFunctionToolCallParam{
				ID: c.ID, Function: openai.ChatCompletionMessageFunctionToolCallFunctionParam{Name: c.Name, Arguments: string(c.Args)},
			}})
		}
		out = append(out, openai.ChatCompletionMessageParamUnion{OfAssistant: &a})
	}
	return out
}
