package acpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/acp-go-sdk"
	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/gateway"
)

// conn is one editor: a WebSocket on one side, the protocol's SDK on the other,
// and between them the checks that the SDK leaves to its transport.
type conn struct {
	s      *Server
	id     string
	caller gateway.Caller
	agent  string // of new sessions; "" the default
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	theirs map[string]bool          // requests of the editor without an answer
	ours   map[string]bool          // requests to the editor without an answer
	gates  map[string]chan struct{} // prompts on their way to their handler
	faults int
	write  sync.Mutex

	nextCall atomic.Uint64 // ids of calls as the editor sees them
}

// serve carries messages until the connection ends, and waits for its turns.
func (c *conn) serve() {
	c.theirs, c.ours, c.gates = map[string]bool{}, map[string]bool{}, map[string]chan struct{}{}
	r, w := io.Pipe()
	ed := newEditor(c)
	sdk := acp.NewAgentSideConnection(ed, writer{c}, r)
	sdk.SetLogger(slog.New(slog.DiscardHandler)) // it would log what people type
	ed.client = sdk
	pinged := make(chan struct{})
	go func() { defer close(pinged); c.ping() }()
	c.read(w)
	c.cancel()
	_ = w.Close()
	<-sdk.Done()
	ed.end()
	<-pinged
}

// ping notices an editor that is gone without saying so.
func (c *conn) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(c.ctx, pingTimeout)
		err := c.ws.Ping(ctx)
		cancel()
		if err != nil {
			c.cancel()
			return
		}
	}
}

func (c *conn) read(to io.Writer) {
	for {
		typ, data, err := c.ws.Read(c.ctx)
		if err != nil {
			return
		}
		f, bad := parseFrame(data)
		if typ != websocket.MessageText {
			bad = acp.NewParseError("messages are text")
		}
		if bad == nil && f.response() && !c.asked(f) {
			c.s.deps.Log.Debug("acp: an answer to nothing was dropped", "connection", c.id)
			continue
		}
		if bad == nil {
			bad = c.admit(f)
		}
		if bad != nil {
			if !c.fault(f, bad) {
				_ = c.ws.Close(websocket.StatusPolicyViolation, "too many malformed messages")
				return
			}
			continue
		}
		gate := c.gate(f)
		if _, err := to.Write(f.line); err != nil {
			return
		}
		select { // what follows a prompt, such as its end, finds it begun
		case <-gate:
		case <-c.ctx.Done():
			return
		}
	}
}

// admit keeps count of what is under way.
func (c *conn) admit(f frame) *acp.RequestError {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !f.request():
		return nil
	case c.theirs[f.id]:
		return acp.NewInvalidRequest("a request with this id is under way")
	case len(c.theirs) >= maxInFlight:
		return &acp.RequestError{Code: -32000, Message: "Too many requests at once"}
	}
	c.theirs[f.id] = true
	return nil
}

// asked reports whether a response answers something that was asked and not
// answered before.
func (c *conn) asked(f frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ok := c.ours[f.id]
	delete(c.ours, f.id)
	return ok
}

// fault answers a message that does not go on and reports whether the
// connection may.
func (c *conn) fault(f frame, e *acp.RequestError) bool {
	id := json.RawMessage("null")
	if f.id != "" {
		id = json.RawMessage(f.id)
	}
	if b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "error": e}); err == nil {
		_ = c.send(b)
	}
	c.s.deps.Log.Debug("acp: a message was refused", "connection", c.id, "why", e.Message)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults++
	return c.faults < maxFaults
}

// gate is closed once what a prompt needs to be cancelled is in place; for
// other messages it is closed already.
func (c *conn) gate(f frame) <-chan struct{} {
	g := make(chan struct{})
	if !f.request() || f.method != acp.AgentMethodSessionPrompt {
		close(g)
		return g
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gates[f.id] = g
	return g
}

// begun opens the gates: there is at most one prompt on its way.
func (c *conn) begun() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, g := range c.gates {
		close(g)
		delete(c.gates, id)
	}
}

// writer takes the SDK's messages, one a call.
type writer struct{ c *conn }

// Write sends one message and keeps count of what is under way.
func (w writer) Write(p []byte) (int, error) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			RequestID json.RawMessage `json:"requestId"`
		} `json:"params"`
	}
	if err := json.Unmarshal(p, &m); err != nil {
		return 0, err
	}
	c := w.c
	c.mu.Lock()
	switch id := string(m.ID); {
	case id == "":
		delete(c.ours, string(m.Params.RequestID)) // a question taken back
	case m.Method != "":
		c.ours[id] = true
	default:
		delete(c.theirs, id)
		if g := c.gates[id]; g != nil {
			close(g)
			delete(c.gates, id)
		}
	}
	c.mu.Unlock()
	if err := c.send(p[:len(p)-1]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes one message. An editor that does not read loses its connection.
func (c *conn) send(b []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	err := c.ws.Write(ctx, websocket.MessageText, b)
	if err != nil {
		c.cancel()
	}
	return err
}
