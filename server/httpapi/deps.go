// Package httpapi is the HTTP surface: one route table, from which the guard,
// the documentation and the tests are made, and the wire format of tool calls.
package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
)

// Invoker runs one tool call. It is the corridor.
type Invoker interface {
	Run(ctx context.Context, req invoke.Request) invoke.Response
}

// Sessions answers the session routes. Every method sees only what belongs to
// the caller's tenant; a foreign key answers like one that does not exist, with
// ErrNotFound.
type Sessions interface {
	History(ctx context.Context, caller gateway.Caller, key string, limit int) (any, error)
	Kill(ctx context.Context, caller gateway.Caller, key string) error
}

// Extra is a route of another package.
type Extra struct {
	Route   gateway.Route
	Handler http.Handler // finds the caller with gateway.FromContext
}

// Deps is what the surface needs. Guard and Invoke are required; what is nil
// answers that it is not there.
type Deps struct {
	Guard    *gateway.Guard
	Invoke   Invoker
	Sessions Sessions
	// Ready reports readiness and what is failing; nil means always ready.
	Ready func() (ok bool, failing []string)
	// Started reports whether start-up is over, else why not: starting or draining.
	Started func() (ok bool, reason string)
	// HasAction reports whether a tool's schema has an "action" property.
	HasAction func(tool string) bool
	Hooks     http.Handler // everything below HooksPath
	HooksPath string       // default /hooks
	WS        http.Handler // WebSocket upgrades at /
	MCP       http.Handler
	// Challenge is WWW-Authenticate for a refusal at /mcp; "" means the usual.
	Challenge func(*gateway.Refusal) string
	Metrics   http.Handler
	UI        http.Handler // pages at / and whatever no other route takes
	Extra     []Extra
	Version   string
	// HSTS is the value of Strict-Transport-Security, empty for none.
	HSTS string
	Log  *slog.Logger
	// MaxBody limits a call's body in bytes; 0 means 2 MiB.
	MaxBody int64
	// BodyTimeout is how long a body may take; 0 means 15 s.
	BodyTimeout time.Duration
}

// Defaults of Deps.
const (
	DefaultMaxBody     = 2 << 20
	DefaultBodyTimeout = 15 * time.Second
	DefaultHooksPath   = "/hooks"
)

func (d *Deps) defaults() {
	if d.Ready == nil {
		d.Ready = func() (bool, []string) { return true, nil }
	}
	if d.Started == nil {
		d.Started = func() (bool, string) { return true, "" }
	}
	if d.HasAction == nil {
		d.HasAction = func(string) bool { return false }
	}
	if d.HooksPath == "" {
		d.HooksPath = DefaultHooksPath
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.MaxBody == 0 {
		d.MaxBody = DefaultMaxBody
	}
	if d.BodyTimeout == 0 {
		d.BodyTimeout = DefaultBodyTimeout
	}
}

// call is one admitted request on its way to its handler.
type call struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context // ends when the client leaves or its authority does
	adm   gateway.Admission
	param string // the route's one variable segment, decoded
}

type handlerFunc func(*call)

// plain adapts a handler of another package.
func plain(h http.Handler) handlerFunc {
	return func(c *call) {
		h.ServeHTTP(c.w, c.r.WithContext(gateway.WithCaller(c.ctx, c.adm.Caller)))
	}
}

// raw is text that is JSON already.
type raw = json.RawMessage
