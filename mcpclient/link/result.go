package link

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/tool"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Outcome is the result of a call: content from outside, bounded.
type Outcome struct {
	Blocks  []tool.Block
	IsError bool // the tool itself says that it failed
	Cut     bool // something did not fit
}

// Text joins the text of the outcome.
func (o Outcome) Text() string {
	var parts []string
	for _, b := range o.Blocks {
		if b.Type == "text" {
			parts = append(parts, b.Text)
		}
	}
	return strings.Join(parts, "\n")
}

// images are the kinds that models take; whatever else is named, not passed on.
var images = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

const maxBlocks = 128

// convert turns a server's result into blocks of at most limit bytes. Structured
// content becomes text like everything else, so that it is wrapped like
// everything else.
func convert(res *mcp.CallToolResult, limit int) Outcome {
	o := Outcome{IsError: res.IsError}
	left := limit
	text := func(s string) {
		if len(s) > left {
			for left > 0 && left < len(s) && !utf8.RuneStart(s[left]) {
				left--
			}
			s, o.Cut = s[:left], true
		}
		left -= len(s)
		if n := len(o.Blocks); n > 0 && o.Blocks[n-1].Type == "text" {
			o.Blocks[n-1].Text += "\n" + s // one wrap, not many
		} else if s != "" {
			o.Blocks = append(o.Blocks, tool.Block{Type: "text", Text: s})
		}
	}
	var plain strings.Builder
	for i, c := range res.Content {
		if i >= maxBlocks || left <= 0 {
			o.Cut = true
			break
		}
		if img, ok := c.(*mcp.ImageContent); ok && slices.Contains(images, img.MIMEType) {
			if len(img.Data) > left {
				o.Cut = true
				continue
			}
			left -= len(img.Data)
			o.Blocks = append(o.Blocks, tool.Block{Type: "image", Data: img.Data, MimeType: img.MIMEType})
			continue
		}
		s := words(c)
		if plain.Len() <= limit {
			plain.WriteString(s)
		}
		text(s)
	}
	if s := structured(res.StructuredContent); s != "" && !sameJSON(s, plain.String()) {
		text(s)
	}
	if o.Cut {
		o.Blocks = append(o.Blocks, tool.Block{Type: "text", Text: fmt.Sprintf("[the result was larger than the server's maxResultBytes, %d, and was cut]", limit)})
	}
	if !slices.ContainsFunc(o.Blocks, func(b tool.Block) bool { return b.Type == "text" }) {
		// There is always a text, because the label comes with it.
		o.Blocks = append(o.Blocks, tool.Block{Type: "text", Text: fmt.Sprintf("[%d images, no text]", len(o.Blocks))})
	}
	return o
}

func words(c mcp.Content) string {
	switch x := c.(type) {
	case *mcp.TextContent:
		return x.Text
	case *mcp.ImageContent:
		return fmt.Sprintf("[an image of type %s, %d bytes, left out]", external.Inline(x.MIMEType), len(x.Data))
	case *mcp.AudioContent:
		return fmt.Sprintf("[audio of type %s, %d bytes, left out]", external.Inline(x.MIMEType), len(x.Data))
	case *mcp.ResourceLink:
		return fmt.Sprintf("[a link to %s: %s]", external.Inline(x.Name), external.Inline(x.URI))
	case *mcp.EmbeddedResource:
		if r := x.Resource; r != nil {
			if r.Text != "" {
				return "[" + external.Inline(r.URI) + "]\n" + r.Text
			}
			return fmt.Sprintf("[%s, %d bytes of type %s, left out]", external.Inline(r.URI), len(r.Blob), external.Inline(r.MIMEType))
		}
	}
	return "[content of an unknown kind, left out]"
}

func structured(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return ""
	}
	return string(b)
}

// sameJSON reports whether a text already says what the structure does.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, err1 := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && string(p) == string(q)
}

// refusal is the server's error answer: its words are from outside as well.
func refusal(e *jsonrpc.Error) Outcome {
	msg := fmt.Sprintf("The server refused the call (%d): %s", e.Code, e.Message)
	if len(msg) > 4096 {
		msg = strings.ToValidUTF8(msg[:4096], "") + "…"
	}
	return Outcome{IsError: true, Blocks: []tool.Block{{Type: "text", Text: msg}}}
}
