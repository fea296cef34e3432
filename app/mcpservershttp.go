package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/mcpclient/hub"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/tool"
)

const (
	serversPath = "/mcp-servers"
	// askTime bounds how long an operator waits for a server to be asked.
	askTime = 2 * time.Minute
)

// serverRoutes let an operator look at the MCP servers of their tenant and
// approve what these offer.
func (a *App) serverRoutes() []httpapi.Extra {
	get, post := []string{http.MethodGet}, []string{http.MethodPost}
	return []httpapi.Extra{
		{Route: gateway.Route{Path: serversPath, Methods: get, Scope: gateway.ScopeRead, About: "The MCP servers of the tenant and how they are."}, Handler: http.HandlerFunc(a.listServers)},
		{Route: gateway.Route{Path: serversPath + "/{server}/tools", Methods: get, Scope: gateway.ScopeRead, About: "What an MCP server says of its tools, and what of it was approved; with ask=1 the server is asked anew."}, Handler: http.HandlerFunc(a.listServerTools)},
		{Route: gateway.Route{Path: serversPath + "/{server}", Methods: post, Scope: gateway.ScopeAdmin, About: "Approves or revokes a tool of an MCP server, or restarts the server."}, Handler: http.HandlerFunc(a.changeServer)},
	}
}

func (a *App) listServers(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, map[string]any{"servers": a.servers.Status(gateway.FromContext(r.Context()).Tenant())})
}

// serverIn is the server that a path names.
func serverIn(r *http.Request) string {
	rest := strings.TrimPrefix(r.URL.Path, serversPath+"/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func (a *App) listServerTools(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	c := gateway.FromContext(r.Context())
	ask := r.URL.Query().Get("ask") == "1"
	if ask && !c.Has(gateway.ScopeWrite) {
		replyError(w, tool.Forbidden("asking a server needs operator.write"))
		return
	}
	list, err := a.servers.Tools(ctx, c.Tenant(), serverIn(r), ask)
	if err != nil {
		replyError(w, err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"tools": list})
}

// serverChange is the body of a change.
type serverChange struct {
	Action string `json:"action"` // approve, revoke, restart
	Tool   string `json:"tool,omitempty"`
	Digest string `json:"digest,omitempty"` // approve: of what was looked at
}

func (a *App) changeServer(w http.ResponseWriter, r *http.Request) {
	var ch serverChange
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
	if err == nil {
		err = json.Unmarshal(body, &ch)
	}
	if err != nil {
		replyError(w, tool.Input("the body is not a JSON object of the right form"))
		return
	}
	c, server := gateway.FromContext(r.Context()), serverIn(r)
	switch ch.Action {
	case "approve":
		err = a.servers.Approve(r.Context(), c.Tenant(), server, ch.Tool, ch.Digest, c.Principal())
	case "revoke":
		err = a.servers.Revoke(r.Context(), c.Tenant(), server, ch.Tool, c.Principal())
	case "restart":
		err = a.servers.Restart(c.Tenant(), server)
	default:
		err = tool.Input("action is not approve, revoke or restart")
	}
	if err != nil {
		replyError(w, err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"ok": true})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// replyError says what the operator may know.
func replyError(w http.ResponseWriter, err error) {
	status, kind, msg := http.StatusInternalServerError, "failed", "the MCP server's state cannot be changed"
	var te *tool.Error
	switch {
	case errors.Is(err, hub.ErrUnknown):
		status, kind, msg = http.StatusNotFound, "not_found", err.Error()
	case errors.Is(err, hub.ErrMoved):
		status, kind, msg = http.StatusConflict, "conflict", err.Error()
	case errors.Is(err, hub.ErrTool):
		status, kind, msg = http.StatusBadRequest, "invalid_request_error", err.Error()
	case errors.As(err, &te):
		kind, msg = string(te.Kind), te.Public
		switch te.Kind {
		case tool.KindInput:
			status = http.StatusBadRequest
		case tool.KindForbidden:
			status = http.StatusForbidden
		case tool.KindUnavail:
			status = http.StatusServiceUnavailable
		}
	}
	reply(w, status, map[string]any{"error": map[string]string{"message": msg, "type": kind}})
}
