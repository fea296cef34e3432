// Package agent runs an agent's turns: it sends a session's messages to a
// model, takes the tool calls that come back through the corridor, and goes on
// until the model has nothing more to call or a budget is spent. What a model
// says is never trusted: every call is decided anew.
package agent

import (
	"context"
	"encoding/json"

	"github.com/chitin-sh/chitin/tool"
)

// Call is a tool call that a model asks for.
type Call struct {
	ID   string          `json:"id"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

// Answer is a tool's answer to one call.
type Answer struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Text  string `json:"-"`
	Error bool   `json:"error,omitempty"`
	// Images are shown to the model during the turn and not kept.
	Images []Image `json:"-"`
}

// Msg is one message as a model sees it. Answers follow the assistant message
// that called.
type Msg struct {
	Role    string // user, assistant
	Text    string
	Calls   []Call   // of an assistant message
	Answers []Answer // of a user message
}

// Request is one step of a turn.
type Request struct {
	Model     string
	System    string
	Messages  []Msg
	Tools     []tool.Spec
	MaxTokens int
	// Delta receives text as it arrives; may be nil.
	Delta func(string)
	// Thought receives reasoning where the protocol has it; may be nil.
	Thought func(string)
}

// Reply is what a model answered.
type Reply struct {
	Text      string
	Calls     []Call
	Truncated bool // the token limit ended it
	Usage     Usage
}

// Usage counts tokens.
type Usage struct {
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
}

func (u *Usage) add(more Usage) { u.Input, u.Output = u.Input+more.Input, u.Output+more.Output }

// Provider speaks one vendor's wire protocol. Complete retries what is worth
// retrying and ends with ctx; its errors hold no key.
type Provider interface {
	Complete(ctx context.Context, r Request) (Reply, error)
}
