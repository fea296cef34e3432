package link

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// safeBuffer is a buffer for several writers.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestConvert(t *testing.T) {
	words := func(s string) *mcp.TextContent { return &mcp.TextContent{Text: s} }
	for name, c := range map[string]struct {
		res  mcp.CallToolResult
		want string // text
		cut  bool
	}{
		"text":           {mcp.CallToolResult{Content: []mcp.Content{words("a"), words("b")}}, "a\nb", false},
		"nothing":        {mcp.CallToolResult{}, "[0 images, no text]", false},
		"structure":      {mcp.CallToolResult{StructuredContent: map[string]any{"b": 1, "a": 2}}, `{"a":2,"b":1}`, false},
		"structure said": {mcp.CallToolResult{Content: []mcp.Content{words(`{"b": 1, "a": 2}`)}, StructuredContent: map[string]any{"b": 1, "a": 2}}, `{"b": 1, "a": 2}`, false},
		"image":          {mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: []byte("x"), MIMEType: "image/png"}}}, "[1 images, no text]", false},
		"strange image":  {mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: []byte("x"), MIMEType: "text/html\u202e"}}}, "[an image of type text/html, 1 bytes, left out]", false},
		"audio":          {mcp.CallToolResult{Content: []mcp.Content{&mcp.AudioContent{Data: []byte("xy"), MIMEType: "audio/wav"}}}, "[audio of type audio/wav, 2 bytes, left out]", false},
		"link":           {mcp.CallToolResult{Content: []mcp.Content{&mcp.ResourceLink{URI: "file:///x\u200b", Name: "n"}}}, "[a link to n: file:///x]", false},
		"document":       {mcp.CallToolResult{Content: []mcp.Content{&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "u", Text: "t"}}}}, "[u]\nt", false},
		"bytes":          {mcp.CallToolResult{Content: []mcp.Content{&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "u", Blob: []byte("xyz"), MIMEType: "m"}}}}, "[u, 3 bytes of type m, left out]", false},
		"long":           {mcp.CallToolResult{Content: []mcp.Content{words(strings.Repeat("ü", 80))}}, strings.Repeat("ü", 50) + "\n[the result was larger than the server's maxResultBytes, 100, and was cut]", true},
		"large image":    {mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: make([]byte, 200), MIMEType: "image/png"}}}, "[the result was larger than the server's maxResultBytes, 100, and was cut]", true},
	} {
		o := convert(&c.res, 100)
		if o.Text() != c.want || o.Cut != c.cut {
			t.Errorf("%s: %q, cut %v; want %q", name, o.Text(), o.Cut, c.want)
		}
	}
	many := mcp.CallToolResult{}
	for range 1000 {
		many.Content = append(many.Content, words("x"))
	}
	if o := convert(&many, 1<<20); !o.Cut {
		t.Error("a thousand parts were not cut")
	}
	if o := refusal(&jsonrpc.Error{Code: -1, Message: strings.Repeat("ü", 9999)}); !o.IsError || len(o.Text()) > 5000 || !utf8.ValidString(o.Text()) {
		t.Errorf("%d bytes", len(o.Text()))
	}
}

func FuzzConvert(f *testing.F) {
	f.Add("text", `{"a":1}`, 10)
	f.Fuzz(func(t *testing.T, text, structure string, limit int) {
		limit = max(1, limit%1000)
		o := convert(&mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}, StructuredContent: structure}, limit)
		if n := len(o.Text()); n > limit+150 || n == 0 || len(o.Blocks) == 0 {
			t.Errorf("%d bytes of %d", n, limit)
		}
	})
}
