package mcpapi

import (
	"bytes"
	"encoding/json"

	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func denied(r invoke.Response) bool { return r.Decision.Verdict == toolpolicy.Deny }

// arguments are never absent on their way through the corridor.
func arguments(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}")
	}
	return raw
}

// result is a response as the library writes it.
func result(resp invoke.Response) *mcp.CallToolResult {
	if resp.Err != nil {
		return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: failure(resp)}}}
	}
	out := &mcp.CallToolResult{}
	if s := structured(resp.Result); s != nil {
		out.StructuredContent = s
	}
	for i := range resp.Result.Content {
		out.Content = append(out.Content, content(&resp.Result.Content[i]))
	}
	return out
}

func failure(resp invoke.Response) string {
	if resp.ApprovalID != "" {
		return resp.Err.Public + " [" + resp.ApprovalID + "]"
	}
	return resp.Err.Public
}

func content(b *tool.Block) mcp.Content {
	switch {
	case b.Resource != nil:
		r := b.Resource
		return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: r.URI, MIMEType: r.MimeType, Text: r.Text, Blob: r.Blob}}
	case b.Type == "image":
		return &mcp.ImageContent{Data: b.Data, MIMEType: b.MimeType}
	case b.Type == "audio":
		return &mcp.AudioContent{Data: b.Data, MIMEType: b.MimeType}
	}
	return &mcp.TextContent{Text: b.Text}
}

// structured is the part of a result that programs read. The protocol has it
// as an object; clients refuse a result where it is anything else.
func structured(r *tool.Result) json.RawMessage {
	if r.Details == nil {
		return nil
	}
	raw, ok := r.Details.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(r.Details); err != nil {
			return nil
		}
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return raw
}

// wireResult is a result as it is written without the library.
type wireResult struct {
	Content    []wireBlock     `json:"content"`
	Structured json.RawMessage `json:"structuredContent,omitempty"`
	IsError    bool            `json:"isError,omitempty"`
}

type wireBlock struct {
	Type     string         `json:"type"`
	Text     *string        `json:"text,omitempty"`
	Data     []byte         `json:"data,omitempty"`
	MimeType string         `json:"mimeType,omitempty"`
	Resource *tool.Resource `json:"resource,omitempty"`
}

// wire is the same response as result, for the short way.
func wire(resp invoke.Response) wireResult {
	if resp.Err != nil {
		text := failure(resp)
		return wireResult{Content: []wireBlock{{Type: "text", Text: &text}}, IsError: true}
	}
	out := wireResult{Content: make([]wireBlock, len(resp.Result.Content)), Structured: structured(resp.Result)}
	for i := range resp.Result.Content {
		b := &resp.Result.Content[i]
		w := &out.Content[i]
		switch {
		case b.Resource != nil:
			*w = wireBlock{Type: "resource", Resource: b.Resource}
		case b.Type == "image", b.Type == "audio":
			*w = wireBlock{Type: b.Type, Data: b.Data, MimeType: b.MimeType}
		default:
			*w = wireBlock{Type: "text", Text: &b.Text}
		}
	}
	return out
}
