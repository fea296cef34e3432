// Package link is one connection to one MCP server, with the official SDK as
// its client. Everything that comes through it is from outside: lists, results
// and messages are bounded here, and what a server asks of us is refused.
package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds of one server.
const (
	maxTools    = 256
	maxPages    = 64
	maxListSize = 4 << 20 // of all definitions together
	minFrame    = 4 << 20
)

// FrameLimit is the largest message that is read from a server whose results
// may have limit bytes.
func FrameLimit(limit int) int { return max(minFrame, 2*limit) }

// Errors that callers branch on.
var (
	// ErrEnded means that the connection ended during the call; whether the
	// call took effect is unknown, and it is not repeated.
	ErrEnded = errors.New("the connection to the server ended")
	// ErrHung means that it was ended because the server did not answer.
	ErrHung = errors.New("it hung: no answer to a ping after a call was cancelled")
	// ErrList means that the server's list of tools cannot be taken.
	ErrList = errors.New("the server's list of tools cannot be taken")
)

// Elicit answers a server that asks the user something.
type Elicit func(ctx context.Context, message string, schema json.RawMessage) (action string, content map[string]any)

// Options of one connection.
type Options struct {
	Server    string // name, for the log
	Transport mcp.Transport
	// Stop ends what the transport stands on, such as a process; may be nil.
	Stop        func()
	ResultLimit int // bytes of one result
	Version     string
	Log         *slog.Logger
	// Changed hears that the list of tools is another; may be nil.
	Changed func()
	// Elicit answers questions to the user; nil refuses them and is not
	// offered to the server.
	Elicit Elicit
	// Grace is how long a server may take to answer a ping after a call was
	// cancelled, before it is taken for hung; 0 is 5 seconds.
	Grace time.Duration
}

// Link is a live connection. It is safe for concurrent use.
type Link struct {
	o       Options
	session *mcp.ClientSession
	done    chan struct{}
	once    sync.Once
	end     context.CancelFunc
	mu      sync.Mutex
	err     error
	probing bool
}

// Dial connects and shakes hands; ctx bounds only that.
func Dial(ctx context.Context, o Options) (*Link, error) {
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Link{o: o, done: make(chan struct{})}
	client := mcp.NewClient(&mcp.Implementation{Name: "chitin", Title: "chitin", Version: o.Version}, l.options())
	type dialled struct {
		s   *mcp.ClientSession
		err error
	}
	// Some transports live as long as the context that they were made with.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	l.end = end
	ch := make(chan dialled, 1)
	go func() {
		s, err := client.Connect(life, o.Transport, nil)
		ch <- dialled{s, err}
	}()
	select {
	case d := <-ch:
		if d.err != nil {
			l.stop()
			return nil, d.err
		}
		l.session = d.s
	case <-ctx.Done():
		l.stop()
		go func() { // whatever still comes of it is closed
			if d := <-ch; d.s != nil {
				_ = d.s.Close()
			}
		}()
		return nil, ctx.Err()
	}
	go l.wait()
	return l, nil
}

// options refuse what a server may ask of its client: no roots, no sampling,
// and questions to the user only where somebody answers them.
func (l *Link) options() *mcp.ClientOptions {
	log := &serverLog{log: l.o.Log, server: l.o.Server}
	o := &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{},
		//lint:ignore SA1019 servers of earlier protocol versions log this way
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			log.message(r.Params)
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			if l.o.Changed != nil {
				l.o.Changed()
			}
		},
	}
	if l.o.Elicit != nil {
		o.ElicitationHandler = func(ctx context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			schema, err := json.Marshal(r.Params.RequestedSchema)
			if err != nil {
				return nil, err
			}
			action, content := l.o.Elicit(ctx, external.Plain(r.Params.Message, 2048), schema)
			return &mcp.ElicitResult{Action: action, Content: content}, nil
		}
	}
	return o
}

func (l *Link) wait() {
	err := l.session.Wait()
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	l.stop()
	close(l.done)
}

func (l *Link) stop() {
	l.once.Do(func() {
		l.end()
		if l.o.Stop != nil {
			l.o.Stop()
		}
	})
}

// Done is closed when the connection has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err is why it ended, when that is known.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close ends the connection; it does not wait for a server that hangs.
func (l *Link) Close() {
	closed := make(chan struct{})
	go func() { _ = l.session.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
	}
	l.stop()
}

// fail ends the connection for a reason.
func (l *Link) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	l.stop()
	go func() { _ = l.session.Close() }()
}

// Tools is the server's whole list.
func (l *Link) Tools(ctx context.Context) ([]mcpclient.Definition, error) {
	var out []mcpclient.Definition
	var size int
	seen := map[string]bool{}
	cursor := ""
	for range maxPages {
		page, err := l.session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
		if noSuchMethod(err) {
			return nil, nil // a server of prompts or resources
		}
		if err != nil {
			return nil, err
		}
		for _, t := range page.Tools {
			d, err := definition(t)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrList, err)
			}
			size += len(d.Name) + len(d.Title) + len(d.Description) + len(d.Input) + len(d.Output) + len(d.Annotations)
			switch {
			case seen[d.Name]:
				return nil, fmt.Errorf("%w: two tools have one name", ErrList)
			case len(out) >= maxTools || size > maxListSize:
				return nil, fmt.Errorf("%w: more than %d tools or %d bytes", ErrList, maxTools, maxListSize)
			}
			seen[d.Name] = true
			out = append(out, d)
		}
		if cursor = page.NextCursor; cursor == "" {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%w: more than %d pages", ErrList, maxPages)
}

func noSuchMethod(err error) bool {
	var wire *jsonrpc.Error
	return errors.As(err, &wire) && wire.Code == jsonrpc.CodeMethodNotFound
}

func definition(t *mcp.Tool) (mcpclient.Definition, error) {
	d := mcpclient.Definition{Name: t.Name, Title: t.Title, Description: t.Description}
	for _, f := range []struct {
		to   *json.RawMessage
		from any
	}{{&d.Input, t.InputSchema}, {&d.Output, t.OutputSchema}} {
		if f.from == nil {
			continue
		}
		b, err := json.Marshal(f.from)
		if err != nil {
			return d, err
		}
		*f.to = b
	}
	if t.Annotations != nil {
		b, err := json.Marshal(t.Annotations)
		if err != nil {
			return d, err
		}
		d.Annotations = b
	}
	return d, nil
}

// Call runs one tool. A cancelled call is cancelled at the server as well, and
// a server that then does not answer a ping is stopped.
func (l *Link) Call(ctx context.Context, name string, args json.RawMessage) (Outcome, error) {
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	res, err := l.session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: args})
	var wire *jsonrpc.Error
	switch {
	case err == nil:
		return convert(res, l.o.ResultLimit), nil
	case ctx.Err() != nil:
		go l.probe()
		return Outcome{}, ctx.Err()
	case errors.As(err, &wire):
		return refusal(wire), nil
	case l.ended(), errors.Is(err, mcp.ErrConnectionClosed):
		return Outcome{}, ErrEnded
	}
	return Outcome{}, err
}

// ended gives a connection that broke a moment to say so.
func (l *Link) ended() bool {
	select {
	case <-l.done:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

// probe finds out whether a server that was asked to cancel still answers.
func (l *Link) probe() {
	l.mu.Lock()
	if l.probing {
		l.mu.Unlock()
		return
	}
	l.probing = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.probing = false
		l.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), l.o.Grace)
	defer cancel()
	err := l.session.Ping(ctx, nil)
	var wire *jsonrpc.Error
	if err == nil || errors.As(err, &wire) {
		return
	}
	select {
	case <-l.done:
	default:
		l.fail(ErrHung)
	}
}
