package gateway_test

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/server/httpapi"
)

func modeToken() guardtest.Options { return guardtest.Options{} }

// FuzzGuardAndRouterAgree sends arbitrary paths without a credential: whatever
// spelling finds a protected handler must have met the guard first. The model
// beside it is a generous router that decodes and cleans like others do.
func FuzzGuardAndRouterAgree(f *testing.F) {
	for _, r := range httpapi.Routes() {
		f.Add(r.Path, "GET")
		f.Add(strings.ReplaceAll(r.Path, "/", "//"), "POST")
	}
	for _, s := range []string{"/%2e%2e/metrics", "/tools%2Finvoke", "/x/..%2fmcp", "/sessions/a%2fb/kill", "/metrics;x", "/MCP", "/tools/invoke%20"} {
		f.Add(s, "POST")
	}
	d := newDoor(f, modeToken())
	protected := map[string]bool{}
	for _, r := range httpapi.Routes() {
		if r.Auth == gateway.AuthRequired && !strings.Contains(r.Path, "{") {
			protected[r.Path] = true
		}
	}
	f.Fuzz(func(t *testing.T, raw, method string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || u.Host != "" || (method != "GET" && method != "POST" && method != "DELETE") {
			return
		}
		r := req(method, "/", "{}")
		r.URL, r.RemoteAddr = u, "203.0.113.9:1"
		before := d.reached.Load()
		w := d.do(r)
		body := w.Body.String()
		if d.reached.Load() != before || body == "mcp" || body == "metrics" || strings.Contains(body, "secret of") {
			t.Fatalf("%s %q reached a protected handler without a credential: %d %s", method, raw, w.Code, body)
		}
		// What the generous router would call protected, ours refuses or does not know.
		clean := path.Clean("/" + u.Path)
		if protected[clean] && w.Code == http.StatusOK && body != "page" {
			t.Fatalf("%s %q means %s and was answered: %s", method, raw, clean, body)
		}
		// And with a credential, it must be the very row that the path names.
		if w.Code == http.StatusUnauthorized && protected[clean] && clean != raw && u.RawQuery == "" && !strings.HasSuffix(raw, "?") {
			t.Fatalf("%q is treated as %s although it is spelt otherwise", raw, clean)
		}
	})
}
