package wsapi

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
)

// method is one row of the method table.
type method struct {
	name  string
	scope gateway.Scope // what the caller must hold
	admin bool          // changes things for everybody: bounded per minute
	run   func(ctx context.Context, c *conn, params raw) (any, error)
}

// table is the one place where a method, its scope and its handler meet.
func table() []method {
	return []method{
		{name: "health", scope: gateway.ScopeRead, run: health},
		{name: "status", scope: gateway.ScopeRead, run: statusOf},
		{name: "tools.list", scope: gateway.ScopeRead, run: toolsList},
		{name: "tools.invoke", scope: gateway.ScopeWrite, run: toolsInvoke},
		{name: "sessions.list", scope: gateway.ScopeRead, run: sessionsList},
		{name: "sessions.history", scope: gateway.ScopeRead, run: sessionsHistory},
		{name: "sessions.kill", scope: gateway.ScopeAdmin, admin: true, run: sessionsKill},
		{name: "approvals.list", scope: gateway.ScopeApprovals, run: approvalsList},
		{name: "approvals.resolve", scope: gateway.ScopeApprovals, run: approvalsResolve},
		{name: "sandboxes.list", scope: gateway.ScopeRead, run: sandboxesList},
		{name: "sandboxes.recreate", scope: gateway.ScopeAdmin, admin: true, run: sandboxesRecreate},
		{name: "findings.list", scope: gateway.ScopeAdmin, run: findingsList},
		{name: "journal.tail", scope: gateway.ScopeRead, run: journalTail},
		{name: "journal.follow", scope: gateway.ScopeRead, run: journalFollow},
	}
}

// Method is a row of the method table for documentation and tests.
type Method struct {
	Name  string
	Scope gateway.Scope
}

// Methods is the method table.
func Methods() []Method {
	var out []Method
	for _, m := range table() {
		out = append(out, Method{m.name, m.scope})
	}
	return out
}

// events are the events that the surface sends.
var events = []string{"connect.challenge", "tick", "tools.output", "journal.record"}

// dispatch checks the authority at every use, then runs the method.
func (c *conn) dispatch(ctx context.Context, r request) (any, error) {
	m := c.s.methods[r.Method]
	if m == nil {
		return nil, invalid("unknown method: %s", clip(r.Method))
	}
	if !c.s.deps.Guard.Alive(c.caller) {
		return nil, &wireError{Code: codeForbidden, Message: "the credential was revoked"}
	}
	if !c.caller.Has(m.scope) {
		name := m.scope.String()
		return nil, &wireError{Code: codeForbidden, Message: "missing scope: " + name, Details: map[string]any{
			"code": "MISSING_SCOPE", "missingScope": name, "requiredScopes": []string{name}, "method": m.name,
		}}
	}
	if m.admin {
		if wait := c.s.writes.spend(m.name+"|"+c.caller.Credential(), time.Now()); wait > 0 {
			return nil, &wireError{Code: codeUnavailable, Message: "too many changes; try again later", Retryable: true, RetryAfterMs: wait.Milliseconds()}
		}
	}
	return m.run(ctx, c, r.Params)
}

// wire is the form of an error that a client may see.
func (s *Server) wire(err error) *wireError {
	var w *wireError
	var t *tool.Error
	switch {
	case errors.As(err, &w):
		return w
	case errors.Is(err, ErrNotFound):
		return &wireError{Code: codeNotFound, Message: "not found"}
	case errors.As(err, &t):
		return toolWire(t)
	}
	s.deps.Log.Warn("websocket method failed", "err", err)
	return &wireError{Code: codeUnavailable, Message: "internal error"}
}

func toolWire(t *tool.Error) *wireError {
	switch t.Kind {
	case tool.KindInput:
		return invalid("%s", t.Public)
	case tool.KindForbidden:
		return &wireError{Code: codeForbidden, Message: t.Public}
	case tool.KindNotFound:
		return &wireError{Code: codeNotFound, Message: "not found"}
	}
	return &wireError{Code: codeUnavailable, Message: t.Public}
}

func unavailable(what string) error {
	return &wireError{Code: codeUnavailable, Message: what + " is not available on this gateway"}
}

// helloPayload holds no path, no configuration and nothing of other callers.
func (s *Server) helloPayload(c *conn, p *connectParams) map[string]any {
	version := s.deps.Version
	if version == "" {
		version = "dev"
	}
	scopes := c.caller.Scopes().Names()
	ok, _ := s.deps.Ready()
	return map[string]any{
		"type": "hello-ok", "protocol": min(protocol, p.MaxProtocol),
		"server":   map[string]any{"version": version, "buildId": "chitin-" + version, "bootId": s.boot, "connId": c.id},
		"features": map[string]any{"methods": slices.Clone(s.names), "events": events, "capabilities": []string{}},
		"snapshot": map[string]any{
			"presence": []any{}, "health": map[string]any{"ok": ok},
			"stateVersion": map[string]any{"presence": 0, "health": 0},
			"uptimeMs":     time.Since(s.begun).Milliseconds(),
		},
		"auth":   map[string]any{"role": p.Role, "scopes": scopes},
		"policy": map[string]any{"maxPayload": maxPayload, "maxBufferedBytes": maxBuffered, "tickIntervalMs": tickEvery.Milliseconds(), "attachments": map[string]any{}},
	}
}
