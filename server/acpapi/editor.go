package acpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/coder/acp-go-sdk"
)

// The modes of a session. A mode takes authority away and never adds any.
const (
	modeAsk  = "ask"
	modeRead = "read"
)

// editor is the agent's side of one connection.
type editor struct {
	c      *conn
	client *acp.AgentSideConnection
	work   sync.WaitGroup

	mu       sync.Mutex
	over     bool
	hello    bool
	via      string
	sessions map[string]*view
}

// view is a session that this connection opened.
type view struct {
	mode    string
	notice  string // told with the next prompt
	cancels map[*context.CancelFunc]struct{}
}

var (
	_ acp.Agent       = (*editor)(nil)
	_ acp.AgentLoader = (*editor)(nil)
)

func newEditor(c *conn) *editor {
	return &editor{c: c, via: "acp " + c.id, sessions: map[string]*view{}}
}

// end waits for the turns of a connection that is over.
func (e *editor) end() {
	e.mu.Lock()
	e.over = true
	e.mu.Unlock()
	e.work.Wait()
}

// Initialize agrees on the protocol's version, of which there is one.
func (e *editor) Initialize(_ context.Context, r acp.InitializeRequest) (acp.InitializeResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hello {
		return acp.InitializeResponse{}, acp.NewInvalidRequest("the connection is initialized already")
	}
	e.hello = true
	if r.ClientInfo != nil {
		e.via += ", " + plain(r.ClientInfo.Name+" "+r.ClientInfo.Version)
	}
	return acp.InitializeResponse{
		ProtocolVersion: acp.ProtocolVersionNumber,
		AuthMethods:     []acp.AuthMethod{},
		AgentInfo:       &acp.Implementation{Name: "chitin", Version: e.c.s.deps.Version},
		AgentCapabilities: acp.AgentCapabilities{
			LoadSession:        true,
			PromptCapabilities: acp.PromptCapabilities{EmbeddedContext: true},
			SessionCapabilities: acp.SessionCapabilities{
				Resume: &acp.SessionResumeCapabilities{}, Close: &acp.SessionCloseCapabilities{},
			},
		},
	}, nil
}

// plain is a name that a client gave itself, fit for a line of the journal.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s[:min(len(s), 64)])
}

// Authenticate refuses: the connection itself is authenticated.
func (e *editor) Authenticate(context.Context, acp.AuthenticateRequest) (acp.AuthenticateResponse, error) {
	return acp.AuthenticateResponse{}, acp.NewInvalidParams("there is nothing to authenticate: chitin acp uses the gateway's credential")
}

// NewSession makes a session.
func (e *editor) NewSession(ctx context.Context, r acp.NewSessionRequest) (acp.NewSessionResponse, error) {
	if err := e.greeted(); err != nil {
		return acp.NewSessionResponse{}, err
	}
	if e.full() {
		return acp.NewSessionResponse{}, &acp.RequestError{Code: -32000, Message: "Too many sessions on this connection"}
	}
	id, err := e.c.s.deps.Backend.NewSession(ctx, e.c.caller, e.c.agent)
	if err != nil {
		return acp.NewSessionResponse{}, public(err)
	}
	return acp.NewSessionResponse{SessionId: acp.SessionId(id), Modes: e.opened(id, r.McpServers)}, nil
}

// LoadSession opens a session that is there and shows what was said in it.
func (e *editor) LoadSession(ctx context.Context, r acp.LoadSessionRequest) (acp.LoadSessionResponse, error) {
	said, err := e.find(ctx, string(r.SessionId))
	if err != nil {
		return acp.LoadSessionResponse{}, err
	}
	if err := e.replay(ctx, r.SessionId, said); err != nil {
		return acp.LoadSessionResponse{}, err
	}
	return acp.LoadSessionResponse{Modes: e.opened(string(r.SessionId), r.McpServers)}, nil
}

// ResumeSession opens a session that is there.
func (e *editor) ResumeSession(ctx context.Context, r acp.ResumeSessionRequest) (acp.ResumeSessionResponse, error) {
	if _, err := e.find(ctx, string(r.SessionId)); err != nil {
		return acp.ResumeSessionResponse{}, err
	}
	return acp.ResumeSessionResponse{Modes: e.opened(string(r.SessionId), r.McpServers)}, nil
}

func (e *editor) find(ctx context.Context, id string) ([]Entry, error) {
	if err := e.greeted(); err != nil {
		return nil, err
	}
	if e.full() {
		return nil, &acp.RequestError{Code: -32000, Message: "Too many sessions on this connection"}
	}
	said, err := e.c.s.deps.Backend.History(ctx, e.c.caller, id)
	return said, public(err)
}

// CloseSession ends what runs in a session; the session stays.
func (e *editor) CloseSession(_ context.Context, r acp.CloseSessionRequest) (acp.CloseSessionResponse, error) {
	if _, err := e.view(string(r.SessionId)); err != nil {
		return acp.CloseSessionResponse{}, err
	}
	e.cancel(string(r.SessionId))
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, string(r.SessionId))
	return acp.CloseSessionResponse{}, nil
}

// ListSessions is not offered.
func (e *editor) ListSessions(context.Context, acp.ListSessionsRequest) (acp.ListSessionsResponse, error) {
	return acp.ListSessionsResponse{}, acp.NewMethodNotFound(acp.AgentMethodSessionList)
}

// SetSessionConfigOption is not offered.
func (e *editor) SetSessionConfigOption(context.Context, acp.SetSessionConfigOptionRequest) (acp.SetSessionConfigOptionResponse, error) {
	return acp.SetSessionConfigOptionResponse{}, acp.NewMethodNotFound(acp.AgentMethodSessionSetConfigOption)
}

// SetSessionMode chooses a mode for the prompts that follow.
func (e *editor) SetSessionMode(_ context.Context, r acp.SetSessionModeRequest) (acp.SetSessionModeResponse, error) {
	v, err := e.view(string(r.SessionId))
	if err != nil {
		return acp.SetSessionModeResponse{}, err
	}
	if r.ModeId != modeAsk && r.ModeId != modeRead {
		return acp.SetSessionModeResponse{}, acp.NewInvalidParams("there is no such mode")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	v.mode = string(r.ModeId)
	return acp.SetSessionModeResponse{}, nil
}

// Cancel ends the turns of a session, with their tool calls.
func (e *editor) Cancel(_ context.Context, n acp.CancelNotification) error {
	e.cancel(string(n.SessionId))
	return nil
}

func (e *editor) cancel(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v := e.sessions[id]; v != nil {
		for stop := range v.cancels {
			(*stop)()
		}
	}
}

func (e *editor) greeted() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.hello {
		return acp.NewInvalidRequest("initialize comes first")
	}
	return nil
}

func (e *editor) full() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sessions) >= maxSessions
}

// opened notes a session of this connection. What the editor would like to be
// started for it is not: it would be code that the client chooses.
func (e *editor) opened(id string, servers []acp.McpServer) *acp.SessionModeState {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.sessions[id]
	if v == nil {
		v = &view{mode: modeAsk, cancels: map[*context.CancelFunc]struct{}{}}
		e.sessions[id] = v
	}
	if len(servers) > 0 {
		v.notice = fmt.Sprintf("[chitin: the editor offers %d MCP server(s); they are not used. The gateway's operator decides which tools there are.]\n\n", len(servers))
	}
	return &acp.SessionModeState{
		CurrentModeId: acp.SessionModeId(v.mode),
		AvailableModes: []acp.SessionMode{
			{Id: modeAsk, Name: "Ask", Description: acp.Ptr("Asks before whatever may change something.")},
			{Id: modeRead, Name: "Read only", Description: acp.Ptr("Nothing can be changed.")},
		},
	}
}

// view is a session that this connection opened; any other is not there.
func (e *editor) view(id string) (*view, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v := e.sessions[id]; v != nil {
		return v, nil
	}
	return nil, public(ErrNotFound)
}

// public is an error as the editor may know it.
func public(err error) error {
	var r *Refusal
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return &acp.RequestError{Code: -32002, Message: "Resource not found"}
	case errors.As(err, &r):
		return &acp.RequestError{Code: -32603, Message: r.Message}
	}
	return &acp.RequestError{Code: -32603, Message: "Internal error"}
}
