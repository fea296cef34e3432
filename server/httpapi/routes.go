package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
)

// route is one row of the table.
type route struct {
	gateway.Route
	handle handlerFunc
	allow  string // value of the Allow header
	prefix bool   // Path ends in /* and takes everything below
}

var (
	getHead = []string{http.MethodGet, http.MethodHead}
	onlyGet = []string{http.MethodGet}
	post    = []string{http.MethodPost}
)

// Routes is the route table without handlers of other packages, for the
// documentation and for tests.
func Routes() []gateway.Route {
	var out []gateway.Route
	for _, r := range table(&Deps{HooksPath: DefaultHooksPath}) {
		out = append(out, r.Route)
	}
	return out
}

// mcpPath is where MCP clients connect.
const mcpPath = "/mcp"

// table is the one place where a path, its methods, its protection, its scope
// and its handler meet.
func table(d *Deps) []route {
	rows := []route{
		{Route: gateway.Route{Path: "/health", Methods: getHead, Auth: gateway.AuthPublic, About: "Liveness."}, handle: live},
		{Route: gateway.Route{Path: "/healthz", Methods: getHead, Auth: gateway.AuthPublic, About: "The same."}, handle: live},
		{Route: gateway.Route{Path: "/ready", Methods: getHead, Auth: gateway.AuthOptional, About: "Readiness; proved callers see what is failing."}, handle: ready},
		{Route: gateway.Route{Path: "/readyz", Methods: getHead, Auth: gateway.AuthOptional, About: "The same."}, handle: ready},
		{Route: gateway.Route{Path: "/startup", Methods: getHead, Auth: gateway.AuthOptional, About: "Whether start-up is over."}, handle: startup},
		{Route: gateway.Route{Path: "/startupz", Methods: getHead, Auth: gateway.AuthOptional, About: "The same."}, handle: startup},
		{Route: gateway.Route{Path: "/tools/invoke", Methods: post, Scope: gateway.ScopeWrite, About: "Runs one tool, or with dryRun says what would be decided."}, handle: toolsInvoke},
		{Route: gateway.Route{Path: "/sessions/{key}/history", Methods: onlyGet, Scope: gateway.ScopeRead, About: "What happened in a session."}, handle: sessionHistory},
		{Route: gateway.Route{Path: "/sessions/{key}/kill", Methods: post, Scope: gateway.ScopeAdmin, About: "Ends a session and its sandbox."}, handle: sessionKill},
		{Route: gateway.Route{Path: d.HooksPath + "/*", Methods: post, Auth: gateway.AuthOwn, About: "Webhooks, with a token of their own."}, handle: orNotFound(d.Hooks)},
		{Route: gateway.Route{Path: d.HooksPath, Methods: post, Auth: gateway.AuthOwn, About: "Answers not found."}, handle: orNotFound(nil)},
		{Route: gateway.Route{Path: mcpPath, Methods: []string{http.MethodGet, http.MethodPost, http.MethodDelete}, Scope: gateway.ScopeWrite, About: "Model Context Protocol, streamable HTTP."}, handle: orNotFound(d.MCP)},
		{Route: gateway.Route{Path: "/metrics", Methods: onlyGet, Scope: gateway.ScopeRead, About: "Prometheus metrics."}, handle: orNotFound(d.Metrics)},
		{Route: gateway.Route{Path: "/", Methods: getHead, Auth: gateway.AuthOwn, Page: true, About: "WebSocket upgrade (proved in its handshake), or the browser interface."}, handle: root},
	}
	for _, e := range d.Extra {
		rows = append(rows, route{Route: e.Route, handle: plain(e.Handler)})
	}
	for i := range rows {
		rows[i].allow = strings.Join(rows[i].Methods, ", ")
		rows[i].Path, rows[i].prefix = strings.CutSuffix(rows[i].Path, "/*")
		if rows[i].prefix {
			rows[i].Path += "/*"
		}
	}
	return rows
}

func orNotFound(h http.Handler) handlerFunc {
	if h == nil {
		return func(c *call) { notFound(c.w) }
	}
	return plain(h)
}

// root is the WebSocket, else a page.
func root(c *call) {
	if isUpgrade(c.r) {
		orNotFound(c.s.deps.WS)(c)
		return
	}
	page(c)
}

func page(c *call) {
	if c.s.deps.UI == nil {
		notFound(c.w)
		return
	}
	c.w.Header()["Content-Security-Policy"] = cspPage
	plain(c.s.deps.UI)(c)
}

func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// pages takes the paths that no row names, when there is a browser interface.
var pages = gateway.Route{Path: "(pages)", Methods: getHead, Auth: gateway.AuthOwn, Page: true, About: "Assets of the browser interface."}

// Markdown renders the route table for the documentation, with the routes that
// other packages add.
func Markdown(extra ...gateway.Route) string {
	var b strings.Builder
	b.WriteString("| path | methods | auth | scope | what |\n|---|---|---|---|---|\n")
	for _, r := range append(Routes(), extra...) {
		scope := r.Scope.String()
		if scope == "" {
			scope = "–"
		}
		_, _ = fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Path, strings.Join(r.Methods, ", "), r.Auth, scope, r.About)
	}
	return b.String()
}
