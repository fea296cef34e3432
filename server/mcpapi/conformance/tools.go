// Package conformance is what the official conformance suite of the Model
// Context Protocol wants of a server: tools, resources and prompts with fixed
// names. They are mounted in a gateway of their own by the tests, so that the
// suite's calls go through guard, policy, corridor and journal like all others.
package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chitin-sh/chitin/tool"
)

// fixture is a tool that is a name, a schema and a function.
type fixture struct {
	name, about, schema string
	run                 func(ctx context.Context, c *tool.Call) (tool.Result, error)
	talks               bool // sends or asks something while it runs
}

// Spec describes the tool.
func (f fixture) Spec() tool.Spec {
	schema := f.schema
	if schema == "" {
		schema = `{"type":"object"}`
	}
	return tool.Spec{Name: f.name, Description: f.about, Schema: json.RawMessage(schema), Traits: tool.Traits{Stream: f.talks}}
}

// Run runs it.
func (f fixture) Run(ctx context.Context, c *tool.Call) (tool.Result, error) { return f.run(ctx, c) }

// CheckArgs leaves arguments to the functions.
func (f fixture) CheckArgs(json.RawMessage) error { return nil }

// Names are the names of all the tools.
func Names() []string {
	var out []string
	for _, t := range Tools() {
		out = append(out, t.Spec().Name)
	}
	return out
}

// Tools are the tools that the suite calls.
func Tools() []tool.Tool {
	var out []tool.Tool
	for _, f := range [][]fixture{plain(), talking(), asking()} {
		for _, t := range f {
			out = append(out, t)
		}
	}
	return out
}

func fixed(blocks ...tool.Block) func(context.Context, *tool.Call) (tool.Result, error) {
	return func(context.Context, *tool.Call) (tool.Result, error) { return tool.Result{Content: blocks}, nil }
}

func text(s string) tool.Block { return tool.Block{Type: "text", Text: s} }

func document(uri, mime, s string) tool.Block {
	return tool.Block{Type: "resource", Resource: &tool.Resource{URI: uri, MimeType: mime, Text: s}}
}

// dot is a PNG of one red pixel.
func dot() []byte {
	b, _ := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
	return b
}

// silence is a WAV file of one silent sample.
func silence() []byte {
	return []byte("RIFF&\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x02\x00\x00\x00\x00\x00")
}

// plain are the tools that only answer.
func plain() []fixture {
	image := tool.Block{Type: "image", Data: dot(), MimeType: "image/png"}
	return []fixture{
		{name: "test_simple_text", about: "Answers with text.", run: fixed(text("This is a simple text response for testing."))},
		{name: "test_image_content", about: "Answers with an image.", run: fixed(image)},
		{name: "test_audio_content", about: "Answers with sound.", run: fixed(tool.Block{Type: "audio", Data: silence(), MimeType: "audio/wav"})},
		{name: "test_embedded_resource", about: "Answers with a document.", run: fixed(document("test://embedded-resource", "text/plain", "This is an embedded resource content."))},
		{name: "test_multiple_content_types", about: "Answers with several kinds of content.", run: fixed(
			text("Multiple content types test:"), image, document("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`))},
		{name: "test_error_handling", about: "Always fails.", run: func(context.Context, *tool.Call) (tool.Result, error) {
			return tool.Result{}, tool.Failed("This tool intentionally returns an error for testing", nil)
		}},
		{name: "json_schema_2020_12_tool", about: "Has a schema of draft 2020-12.", run: fixed(text("ok")), schema: `{
"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
"$defs":{"address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"}},"additionalProperties":false}`},
	}
}

const pause = 50 * time.Millisecond

// talking are the tools that send something while they run.
func talking() []fixture {
	return []fixture{
		{name: "test_tool_with_logging", about: "Writes to the client's log.", talks: true, run: func(ctx context.Context, _ *tool.Call) (tool.Result, error) {
			c := tool.ClientOf(ctx)
			for i, line := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
				if i > 0 {
					time.Sleep(pause)
				}
				c.Log(ctx, "info", line)
			}
			return tool.Text("Tool with logging executed", nil), nil
		}},
		{name: "test_tool_with_progress", about: "Says how far it is.", talks: true, run: func(ctx context.Context, _ *tool.Call) (tool.Result, error) {
			c := tool.ClientOf(ctx)
			for _, done := range []float64{0, 50, 100} {
				c.Progress(ctx, done, 100, fmt.Sprintf("%v of 100", done))
				time.Sleep(pause)
			}
			return tool.Text("Tool with progress executed", nil), nil
		}},
		{name: "test_reconnection", about: "Ends the connection and answers when the client is back.", talks: true, run: func(ctx context.Context, _ *tool.Call) (tool.Result, error) {
			tool.ClientOf(ctx).LetGo(10 * time.Millisecond)
			time.Sleep(2 * pause)
			return tool.Text("Reconnection test completed", nil), nil
		}},
	}
}
