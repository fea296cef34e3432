package gateway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/server/wsapi"
)

func modeNone() guardtest.Options {
	return guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeNone}}}
}

// proxied is a gateway behind a proxy at 10.0.0.1 that names users.
func proxied(change func(*gateway.Config)) guardtest.Options {
	c := gateway.Config{TrustedProxies: []string{"10.0.0.1"}, Auth: gateway.AuthConfig{
		Mode: gateway.ModeProxy, TrustedProxy: gateway.TrustedProxyConfig{UserHeader: "X-User"},
	}}
	if change != nil {
		change(&c)
	}
	return guardtest.Options{Config: c}
}

// throughProxy are the headers of a request that the proxy passes on.
func throughProxy(more ...string) []string {
	return append([]string{"Peer", "10.0.0.1:999", "X-Forwarded-For", "203.0.113.7", "X-User", "bob@example.org"}, more...)
}

// invoked reports whether a call with these headers reached the corridor.
func invoked(d *door, header ...string) bool {
	before := d.reached.Load()
	d.code(header...)
	return d.reached.Load() > before
}

func classA() []row {
	return []row{
		{
			id: "A1", advisory: "CVE-2026-25253", what: "page takes the gateway from its query string",
			why: "the page's policy allows connections to its own origin only",
			try: func(d *door) bool {
				csp := d.do(req("GET", "/?gatewayUrl=ws://evil.example", "")).Header().Get("Content-Security-Policy")
				return !strings.Contains(csp, "connect-src 'self'") || strings.Contains(csp, "evil")
			},
		},
		{
			id: "A2", advisory: "CVE-2026-25593", what: "unauthenticated local WebSocket calls changing methods",
			off: []guardtest.Defence{guardtest.Compare}, try: anonymousSocket,
		},
		{
			id: "A3", advisory: "GHSA-5wcw-8jjv-m286", what: "foreign Origin with forwarding headers opens a WebSocket",
			options: proxied(nil), off: []guardtest.Defence{guardtest.Origin},
			try: func(d *door) bool {
				r := req("GET", "/", "", throughProxy("Origin", "https://evil.example", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")...)
				return d.do(r).Code != http.StatusForbidden
			},
		},
		{
			id: "A4", advisory: "GHSA-2xp4-qhr4-xqm2", what: "cross-origin POST rides on a proxy's identity",
			options: proxied(nil), off: []guardtest.Defence{guardtest.Origin},
			try: func(d *door) bool { return invoked(d, throughProxy("Origin", "https://evil.example")...) },
		},
		{
			id: "A5", advisory: "CVE-2026-26317", what: "no-cors fetch changes state on loopback",
			options: modeNone(), off: []guardtest.Defence{guardtest.Origin},
			try: func(d *door) bool {
				return invoked(d, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Content-Type", "text/plain") ||
					invoked(d, "Origin", "null") || invoked(d, "Origin", "https://evil.example")
			},
		},
		{
			id: "A6", advisory: "CVE-2026-32045", what: "Tailscale identity is accepted on tool routes",
			options: guardtest.Options{Config: gateway.Config{Tailscale: gateway.TailscaleConfig{Mode: "serve", Socket: tailnetSocket()}}},
			off:     []guardtest.Defence{guardtest.Tailscale}, try: tailscaleHeadersOnly,
		},
		{
			id: "A7", advisory: "CVE-2026-32036", what: "encoded dot segments pass the guard's matcher",
			why: "guard and handler come from one look-up of the undecoded path", try: encodedPaths,
		},
		{
			id: "A8", advisory: "CVE-2026-32031", what: "guard and router see different paths",
			why: "as A7; FuzzGuardAndRouterAgree looks for counter-examples", try: encodedPaths,
		},
		{
			id: "A9", advisory: "CVE-2026-28464", what: "secrets are compared with early exit",
			why: "no source file of the doors compares a secret with == (A10: digests have one length)", try: comparesSecrets,
		},
		{
			id: "A16", advisory: "CVE-2026-53817", what: "client says it is local",
			options: modeNone(), off: []guardtest.Defence{guardtest.Attribution, guardtest.Loopback},
			try: func(d *door) bool {
				return invoked(d, "Peer", "203.0.113.9:1", "X-Forwarded-For", "127.0.0.1") || invoked(d, "Peer", "203.0.113.9:1", "X-Real-IP", "::1")
			},
		},
		{
			id: "A17", advisory: "CVE-2026-41403", what: "remote client behind a loopback proxy counts as local",
			options: guardtest.Options{Config: gateway.Config{TrustedProxies: []string{"127.0.0.1"}, Auth: gateway.AuthConfig{Mode: gateway.ModeNone}}},
			off:     []guardtest.Defence{guardtest.Loopback},
			try:     func(d *door) bool { return invoked(d, "X-Forwarded-For", "203.0.113.9") },
		},
		{
			id: "A18", advisory: "GHSA-93rg-2xm5-2p9v", what: "data routes answer strangers",
			off: []guardtest.Defence{guardtest.Compare},
			try: func(d *door) bool {
				for _, r := range httpapi.Routes() {
					if r.Auth != gateway.AuthRequired {
						continue
					}
					path := strings.ReplaceAll(r.Path, "{key}", "default:thing")
					if c := d.do(req(r.Methods[0], path, "", append(auth("stranger"), "Peer", "203.0.113.9:1")...)).Code; c != http.StatusUnauthorized {
						return true
					}
				}
				return false
			},
		},
		{
			id: "A19", advisory: "CVE-2026-41339", what: "hello shows paths and configuration",
			why: "hello is built from fixed fields", try: helloLeaks,
		},
		{
			id: "A20", advisory: "CVE-2025-64443", what: "DNS rebinding reaches a listener",
			options: modeNone(), off: []guardtest.Defence{guardtest.Host}, try: rebinding,
		},
		{
			id: "A21", advisory: "CVE-2026-34742", what: "DNS rebinding reaches MCP",
			options: modeNone(), off: []guardtest.Defence{guardtest.Host},
			try: func(d *door) bool {
				return d.do(req("POST", "/mcp", "{}", "Host", "evil.example:18790")).Code == http.StatusOK
			},
		},
		{
			id: "A23", advisory: "CVE-2026-61568", what: "rebinding with the page's own Origin",
			options: modeNone(), off: []guardtest.Defence{guardtest.Host, guardtest.Origin},
			try: func(d *door) bool {
				return invoked(d, "Host", "evil.example:18790", "Origin", "http://evil.example:18790")
			},
		},
	}
}

func rebinding(d *door) bool {
	for _, r := range httpapi.Routes() {
		path := strings.NewReplacer("{key}", "default:thing", "*", "wake").Replace(r.Path)
		if d.do(req(r.Methods[0], path, "", "Host", "evil.example")).Code != http.StatusMisdirectedRequest {
			return true
		}
	}
	return false
}

func anonymousSocket(d *door) bool {
	addr := d.listen()
	for _, secret := range []map[string]any{{"token": "wrong"}, {"password": "wrong"}} {
		ws, _, err := d.socket(addr, nil)
		if err != nil {
			return false
		}
		if m, err := rpc(ws, "connect", connectParams(secret)); err == nil && m["ok"] == true {
			return true
		}
	}
	for _, m := range wsapi.Methods() {
		ws, _, err := d.socket(addr, nil)
		if err != nil {
			continue
		}
		if m, err := rpc(ws, m.Name, nil); err == nil && m["ok"] == true {
			return true
		}
	}
	return d.reached.Load() > 0
}

func tailscaleHeadersOnly(d *door) bool {
	d.conn = &gateway.Conn{Tailscale: true}
	header := []string{"X-Forwarded-For", "100.64.0.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "box.tail.ts.net", "Tailscale-User-Login", "bob@example.org"}
	for _, r := range httpapi.Routes() {
		if r.Auth != gateway.AuthRequired {
			continue
		}
		path := strings.ReplaceAll(r.Path, "{key}", "default:thing")
		if c := d.do(req(r.Methods[0], path, `{"tool":"x"}`, header...)).Code; c != http.StatusUnauthorized && c != http.StatusForbidden {
			return true
		}
	}
	return false
}

// encodedPaths sends spellings that some router might fold into a protected
// path; a stranger must never be let in by one.
func encodedPaths(d *door) bool {
	for _, p := range []string{
		"/tools/%69nvoke", "/%2e/tools/invoke", "/tools%2finvoke", "//tools/invoke", "/tools/./invoke", "/x/../tools/invoke",
		"/tools/invoke;a=b", "/tools/invoke%00", "/TOOLS/INVOKE", "/tools\\invoke", "/sessions/x%2f..%2fy/kill", "/metrics/", "/%6dcp",
		"/sessions/%252e%252e/history", "/hooks/../tools/invoke",
	} {
		for _, method := range []string{"GET", "POST"} {
			r := req(method, "/", `{"tool":"x"}`)
			u, err := url.ParseRequestURI(p)
			if err != nil {
				continue
			}
			r.URL = u
			before := d.reached.Load()
			w := d.do(r)
			body := w.Body.String()
			if d.reached.Load() > before || body == "mcp" || body == "metrics" || strings.Contains(body, "secret of") {
				return true
			}
		}
	}
	return false
}

// comparesSecrets looks through the sources of the doors for == and != on a
// revealed secret, a digest or a token.
func comparesSecrets(*door) bool {
	found := false
	for _, dir := range []string{"../../gateway", "../../server", "../../secrets"} {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				b, ok := n.(*ast.BinaryExpr)
				if ok && (b.Op == token.EQL || b.Op == token.NEQ) && (revealed(b.X) || revealed(b.Y)) && !empty(b.X) && !empty(b.Y) {
					found = true
				}
				return true
			})
			return nil
		})
	}
	return found
}

func revealed(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		s, ok := e.Fun.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Reveal"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Secret" || e.Sel.Name == "Digest"
	case *ast.Ident:
		return e.Name == "presented" || e.Name == "secret"
	}
	return false
}

func empty(e ast.Expr) bool {
	l, ok := e.(*ast.BasicLit)
	return ok && l.Value == `""`
}

func helloLeaks(d *door) bool {
	ws, _, err := d.socket(d.listen(), nil)
	if err != nil {
		return true
	}
	secret := d.named(tokenOf("reader", gateway.DefaultTenant, gateway.ScopeRead))
	m, err := rpc(ws, "connect", connectParams(map[string]any{"token": secret}))
	if err != nil || m["ok"] != true {
		return true
	}
	return leaks(m)
}

// leaks looks for absolute paths and configuration in an answer.
func leaks(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == "config" || k == "configPath" || k == "stateDir" || leaks(e) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if leaks(e) {
				return true
			}
		}
	case string:
		return strings.HasPrefix(v, "/") || strings.Contains(v, "/home/") || strings.Contains(v, "/root")
	}
	return false
}
