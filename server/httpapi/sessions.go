package httpapi

import (
	"errors"
	"net/http"
	"strconv"
)

// ErrNotFound is how Sessions answers for a key that the caller's tenant does
// not have.
var ErrNotFound = errors.New("not found")

const (
	historyDefault = 200
	historyMax     = 1000
)

// sessionHistory is GET /sessions/{key}/history.
func sessionHistory(c *call) {
	limit := historyDefault
	if n, err := strconv.Atoi(c.r.URL.Query().Get("limit")); err == nil && n > 0 {
		limit = min(n, historyMax)
	}
	if c.s.deps.Sessions == nil {
		sessionNotFound(c)
		return
	}
	out, err := c.s.deps.Sessions.History(c.ctx, c.adm.Caller, c.param, limit)
	if err != nil {
		c.sessionError(err)
		return
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"ok": true, "sessionKey": c.param, "history": out})
}

// sessionKill is POST /sessions/{key}/kill.
func sessionKill(c *call) {
	if c.s.deps.Sessions == nil {
		sessionNotFound(c)
		return
	}
	if err := c.s.deps.Sessions.Kill(c.ctx, c.adm.Caller, c.param); err != nil {
		c.sessionError(err)
		return
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"ok": true, "sessionKey": c.param})
}

func sessionNotFound(c *call) {
	writeToolError(c.w, http.StatusNotFound, "not_found", "Session not found")
}

func (c *call) sessionError(err error) {
	if errors.Is(err, ErrNotFound) {
		sessionNotFound(c)
		return
	}
	c.s.deps.Log.Warn("session route failed", "err", err)
	writeToolError(c.w, http.StatusInternalServerError, "tool_error", "the session could not be read")
}
