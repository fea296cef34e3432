// Package wsapi is the WebSocket surface: challenge, connect, hello, then
// requests and events in protocol 4, which clients of OpenClaw speak too.
package wsapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/tool"
)

// ErrNotFound is how the backends answer for what the caller's tenant does not
// have, whether it exists elsewhere or not.
var ErrNotFound = errors.New("not found")

// Invoker runs one tool call. It is the corridor.
type Invoker interface {
	Run(ctx context.Context, req invoke.Request) invoke.Response
}

// Tools lists what a caller may use on this surface.
type Tools interface {
	List(ctx context.Context, caller gateway.Caller, sessionKey string) ([]tool.Spec, error)
}

// Sessions shows and ends sessions of the caller's tenant.
type Sessions interface {
	List(ctx context.Context, caller gateway.Caller, limit int) (any, error)
	History(ctx context.Context, caller gateway.Caller, key string, limit int) (any, error)
	Kill(ctx context.Context, caller gateway.Caller, key string) error
}

// Approvals shows and answers questions of the caller's tenant.
type Approvals interface {
	List(ctx context.Context, caller gateway.Caller) (any, error)
	Resolve(ctx context.Context, caller gateway.Caller, id string, approve bool, note string) error
}

// Sandboxes shows and remakes sandboxes of the caller's tenant.
type Sandboxes interface {
	List(ctx context.Context, caller gateway.Caller) (any, error)
	Recreate(ctx context.Context, caller gateway.Caller, id string) error
}

// Findings runs the audit.
type Findings interface {
	List(ctx context.Context, caller gateway.Caller) (any, error)
}

// Journal shows records of the caller's tenant. Follow calls send for each new
// record until ctx ends.
type Journal interface {
	Tail(ctx context.Context, caller gateway.Caller, limit int) (any, error)
	Follow(ctx context.Context, caller gateway.Caller, send func(record any)) error
}

// Deps is what the surface needs. Guard and Invoke are required; a method
// whose backend is nil answers UNAVAILABLE.
type Deps struct {
	Guard     *gateway.Guard
	Invoke    Invoker
	Tools     Tools
	Sessions  Sessions
	Approvals Approvals
	Sandboxes Sandboxes
	Findings  Findings
	Journal   Journal
	// Status is what "status" answers beside the surface's own facts; nil adds
	// nothing. It must hold nothing that a caller with operator.read may not see.
	Status func(ctx context.Context, caller gateway.Caller) map[string]any
	Ready  func() (ok bool, failing []string)
	// HasAction reports whether a tool's schema has an "action" property.
	HasAction func(tool string) bool
	Version   string
	Log       *slog.Logger
	// Handshake is how long a client may take to connect; 0 means 15 s.
	Handshake time.Duration
}

// Limits of the surface.
const (
	preAuthFrame   = 64 << 10
	maxPayload     = 2 << 20
	maxBuffered    = 8 << 20
	preAuthPerAddr = 32
	preAuthTotal   = 2048
	maxInFlight    = 32 // requests of one connection at a time
	tickEvery      = 30 * time.Second
	writeTimeout   = 10 * time.Second
	handshakeTime  = 15 * time.Second
)

// Route is how the guard screens an upgrade.
var route = gateway.Route{Path: "/ (websocket)", Methods: []string{http.MethodGet}, Auth: gateway.AuthOwn, Page: true}

// Server is the WebSocket surface.
type Server struct {
	deps    Deps
	methods map[string]*method
	names   []string
	waiting *waiting
	writes  *budget
	begun   time.Time
	boot    string
}

// New makes the handler of upgrades.
func New(d Deps) *Server {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Ready == nil {
		d.Ready = func() (bool, []string) { return true, nil }
	}
	if d.HasAction == nil {
		d.HasAction = func(string) bool { return false }
	}
	if d.Handshake == 0 {
		d.Handshake = handshakeTime
	}
	s := &Server{deps: d, methods: map[string]*method{}, waiting: newWaiting(), writes: newBudget(), begun: time.Now(), boot: newID()}
	for _, m := range table() {
		s.methods[m.name] = &m
		s.names = append(s.names, m.name)
	}
	return s
}

type raw = json.RawMessage
