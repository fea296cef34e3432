package tool

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ErrNoClient is the answer where nobody can be asked: the caller's surface or
// program has no way back.
var ErrNoClient = errors.New("the caller cannot be asked")

// Client is the way back from a running call to the program that made it.
// What comes from there is input like any other: it grants nothing.
type Client interface {
	// Progress says how far the call is. A total of 0 is unknown.
	Progress(ctx context.Context, done, total float64, message string)
	// Log sends a line to the program's log: debug, info, notice, warning,
	// error, critical, alert or emergency.
	Log(ctx context.Context, level string, data any)
	// Elicit shows the program's user a message and a form of flat fields. The
	// action is accept, decline or cancel; content is there after accept.
	Elicit(ctx context.Context, message string, schema json.RawMessage) (action string, content json.RawMessage, err error)
	// Sample asks the program's model. Request and answer are those of the
	// Model Context Protocol's sampling/createMessage.
	Sample(ctx context.Context, request json.RawMessage) (json.RawMessage, error)
	// LetGo ends the connection that waits for this call, if the program can
	// come back for the answer; it is told to do so after the given time.
	LetGo(after time.Duration)
}

type clientKey struct{}

// WithClient gives the calls of ctx a way back.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// ClientOf is the way back, never nil: without one nothing is sent and every
// question ends with ErrNoClient.
func ClientOf(ctx context.Context) Client {
	if c, ok := ctx.Value(clientKey{}).(Client); ok {
		return c
	}
	return nobody{}
}

type nobody struct{}

// Progress sends nothing.
func (nobody) Progress(context.Context, float64, float64, string) {}

// Log sends nothing.
func (nobody) Log(context.Context, string, any) {}

// Elicit asks nobody.
func (nobody) Elicit(context.Context, string, json.RawMessage) (string, json.RawMessage, error) {
	return "", nil, ErrNoClient
}

// Sample asks nobody.
func (nobody) Sample(context.Context, json.RawMessage) (json.RawMessage, error) {
	return nil, ErrNoClient
}

// LetGo holds nothing.
func (nobody) LetGo(time.Duration) {}
