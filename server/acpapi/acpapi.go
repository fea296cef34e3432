// Package acpapi is the door for editors: the Agent Client Protocol over a
// WebSocket, to which chitin acp bridges an editor's standard input and output.
// A prompt is one turn of an agent on the ACP surface; what the policy asks
// about is asked at the editor, and everything but a clear yes is a no. The
// editor's files, terminals and MCP servers are not used.
package acpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/gateway"
)

// ErrNotFound is how a backend answers for a session that the caller does not
// have, whether somebody else has it or not.
var ErrNotFound = errors.New("not found")

// Backend is what stands behind the door. Every method acts for one caller.
type Backend interface {
	// NewSession makes a session; an empty agent is the default one.
	NewSession(ctx context.Context, c gateway.Caller, agent string) (id string, err error)
	// History is what was said in a session, oldest first, bounded.
	History(ctx context.Context, c gateway.Caller, id string) ([]Entry, error)
	// Prompt does one turn.
	Prompt(ctx context.Context, c gateway.Caller, p Prompt) (agent.Outcome, error)
}

// Entry is one thing that was said in a session.
type Entry struct {
	Role  string // user, assistant, tool
	Text  string
	Calls []agent.Call // of an assistant
	ID    string       // of the call that a tool answers
	Error bool
}

// Prompt is one turn as the door asks for it. The funcs are never nil.
type Prompt struct {
	Session  string
	Text     string
	Attached []Attachment
	ReadOnly bool   // the human chose a mode in which nothing is changed
	Via      string // the connection, for the journal
	Delta    func(string)
	Thought  func(string)
	Calls    func([]agent.Call)
	// Begin shows that a call begins. The first result asks the human about
	// it, the second shows its answer.
	Begin func(c agent.Call) (func(context.Context, Question) (Verdict, error), func(agent.Answer))
}

// Attachment is a text that the editor put into a prompt. It counts as text
// from outside.
type Attachment struct{ Name, Text string }

// Question is what a human is asked.
type Question struct {
	Title  string // exactly what would run, with everything invisible made visible
	Tool   string
	Args   json.RawMessage
	Notes  []string // why it is asked and what is in doubt
	Always bool     // a yes may stand for the very same call
}

// Verdict is what the human said. The zero value is no.
type Verdict struct {
	Allow  bool
	Always bool
	Note   string
}

// Refusal is an error that the editor is told.
type Refusal struct{ Message string }

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// Deps is what the door needs.
type Deps struct {
	Backend Backend
	// Redact takes secrets out of what is shown; nil shows text as it is.
	Redact  func(string) string
	Version string
	Log     *slog.Logger
}

// Limits of the door.
const (
	// MaxFrame is the longest message in either direction, in bytes.
	MaxFrame     = 4 << 20
	maxPrompt    = 512 << 10 // text of one prompt with its attachments
	maxBlocks    = 64
	maxSessions  = 64  // of one connection
	maxInFlight  = 16  // requests of one connection at a time
	maxFaults    = 32  // malformed messages before a connection ends
	maxConns     = 256 // of the gateway
	maxConnsEach = 16  // of one credential
	maxShown     = 16 << 10
	writeTimeout = 10 * time.Second
	pingEvery    = 20 * time.Second
	pingTimeout  = 20 * time.Second
)

// Server is the handler of /acp.
type Server struct {
	deps Deps

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
	each   map[string]int // by credential
	work   sync.WaitGroup
}

// New makes the door.
func New(d Deps) *Server {
	if d.Redact == nil {
		d.Redact = func(s string) string { return s }
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{deps: d, conns: map[*conn]struct{}{}, each: map[string]int{}}
}

// ServeHTTP serves one editor until either side ends the connection. The guard
// has proved the caller and checked Host and Origin.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller := gateway.FromContext(r.Context())
	if caller.Anonymous() {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &conn{s: s, id: strings.ToLower(rand.Text()), caller: caller, agent: r.Header.Get(AgentHeader), ctx: ctx, cancel: cancel}
	if !s.enter(c) {
		http.Error(w, "Too many connections", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(c)
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the guard checked the Origin, more strictly
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(MaxFrame)
	c.ws = ws
	c.serve()
}

// AgentHeader names the agent of the connection's new sessions.
const AgentHeader = "Chitin-Agent"

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	cred := c.caller.Credential()
	if s.closed || len(s.conns) >= maxConns || s.each[cred] >= maxConnsEach {
		return false
	}
	s.conns[c] = struct{}{}
	s.each[cred]++
	s.work.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cred := c.caller.Credential()
	delete(s.conns, c)
	if s.each[cred]--; s.each[cred] == 0 {
		delete(s.each, cred)
	}
	s.work.Done()
}

// Close ends every connection with its turns and waits for them. It may be
// called more than once; nobody is let in afterwards.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.cancel()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
