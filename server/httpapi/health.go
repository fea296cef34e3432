package httpapi

import (
	"net/http"
	"time"
)

var bodyLive = []byte(`{"ok":true,"status":"live"}`)

// live answers whether the process answers.
func live(c *call) {
	c.w.Header()["Content-Type"] = typeJSON
	_, _ = c.w.Write(bodyLive)
}

// ready tells strangers yes or no and proved callers the rest.
func ready(c *call) {
	ok, failing := c.s.deps.Ready()
	out := map[string]any{"ready": ok}
	if !c.adm.Caller.Anonymous() {
		if failing == nil {
			failing = []string{}
		}
		out["failing"] = failing
		out["uptimeMs"] = time.Since(c.s.begun).Milliseconds()
	}
	writeJSON(c.w, status(ok), out)
}

// startup answers 503 while starting or draining.
func startup(c *call) {
	ok, reason := c.s.deps.Started()
	out := map[string]any{"ok": ok, "status": "started"}
	if !ok {
		out["status"] = "starting"
		if reason == "draining" {
			out["status"] = reason
		}
		out["pendingReason"] = reason
	}
	if !c.adm.Caller.Anonymous() {
		out["version"] = c.s.deps.Version
		out["uptimeMs"] = time.Since(c.s.begun).Milliseconds()
	}
	writeJSON(c.w, status(ok), out)
}

func status(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
