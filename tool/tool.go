// Package tool says what a tool is: its Spec, its Traits and how it is run.
// Each tool lives in a sub-folder; package all lists them.
package tool

import (
	"context"
	"encoding/json"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Traits tell the policy and the corridor what a tool touches.
type Traits struct {
	Box      bool // needs a sandbox (or, elevated, the host)
	Writes   bool // changes files of the workspace
	External bool // its output comes from outside and is wrapped
	Control  bool // changes chitin itself
	Stream   bool // may emit output while it runs
	Looks    bool // only looks at what chitin knows: had it not run, nothing would be different
}

// Spec describes a tool once, for the wire, the docs and the policy.
type Spec struct {
	Name        string          `json:"name"`
	Aliases     []string        `json:"-"` // other names that clients use for it
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"inputSchema"`
	Traits      Traits          `json:"-"`
}

// Tool is one callable thing. Run is reached only through the corridor.
type Tool interface {
	Spec() Spec
	Run(ctx context.Context, c *Call) (Result, error)
}

// Call is one granted, placed call.
type Call struct {
	ID      string
	Args    json.RawMessage
	Grant   toolpolicy.Grant
	Place   sandbox.Place
	Session Session
	// Emit receives output while the tool runs; may be nil. It must not keep
	// b and must not block for long: the command waits for it.
	Emit func(stream string, b []byte)
}

// Caller is who calls.
func (c *Call) Caller() gateway.Caller { return c.Grant.Caller() }

// Session is what a tool may know of the session it runs for.
type Session struct {
	Key       string
	Agent     string
	Tenant    string
	Sandboxed bool
	Depth     int
	Label     string
}

// Block is one piece of a result: text, an image, sound or a document.
type Block struct {
	Type     string    `json:"type"` // text, image, audio, resource
	Text     string    `json:"text,omitempty"`
	Data     []byte    `json:"data,omitempty"`
	MimeType string    `json:"mimeType,omitempty"`
	Resource *Resource `json:"resource,omitempty"`
}

// Resource is a document inside a result: text or bytes, under a name.
type Resource struct {
	URI      string `json:"uri"`
	MimeType string `json:"mimeType,omitempty"`
	Text     string `json:"text,omitempty"`
	Blob     []byte `json:"blob,omitempty"`
}

// Words is where the block keeps its text, nil when it has none: what is
// wrapped, clipped and redacted.
func (b *Block) Words() *string {
	switch {
	case b.Resource != nil:
		return &b.Resource.Text
	case b.Text != "" || b.Type == "text":
		return &b.Text
	}
	return nil
}

// Result is what a tool answers on the wire.
type Result struct {
	Content []Block `json:"content"`
	Details any     `json:"details,omitempty"`
	// Source is set when the content came from outside: the corridor wraps
	// every text block and labels the session with it.
	Source string `json:"-"`
}

// Text is a result of one text block.
func Text(s string, details any) Result {
	return Result{Content: []Block{{Type: "text", Text: s}}, Details: details}
}

// JSON is a result whose text is the details, indented.
func JSON(details any) (Result, error) {
	text, err := json.MarshalIndent(details, "", "  ")
	if err != nil {
		return Result{}, Failed("The result could not be written.", err)
	}
	return Text(string(text), details), nil
}
