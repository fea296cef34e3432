package gateway

import (
	"fmt"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// number makes a check's function of a numeric key outside its bounds.
func number(path string, low, high float64, detail string) func(*audit.Subject) []audit.Hit {
	return kit.Key(path, func(n *audit.Node) string {
		if v, ok := n.Num(); ok && (v < low || v > high) {
			return fmt.Sprintf("%s is %s: %s", path, audit.Show(n.Str), detail)
		}
		return ""
	})
}

func ownLimits() []audit.Check {
	const layer = audit.LayerGateway
	rl := "gateway.auth.rateLimit."
	return []audit.Check{
		{ID: "gateway.rate_limit_attempts_high", Layer: layer, On: audit.Own, Severity: "warn", Title: "Many wrong credentials are allowed before a lockout",
			Why: "Each attempt is a guess; a hundred a minute from each of many addresses finds weak secrets.", Remedy: "Set gateway.auth.rateLimit.maxAttempts to 10.", Refs: []string{"CWE-307"},
			Run: number(rl+"maxAttempts", 0, 50, "more than 50 guesses."), Fires: kit.Cfg("gateway: {auth: {rateLimit: {maxAttempts: 1000}}}"), Quiet: kit.Cfg("gateway: {auth: {rateLimit: {maxAttempts: 10}}}", "{}")},
		{ID: "gateway.rate_limit_window_short", Layer: layer, On: audit.Own, Severity: "warn", Title: "The window that counts wrong credentials is short",
			Why: "Guesses that are spread a little are never counted together.", Remedy: "Set gateway.auth.rateLimit.windowMs to 60000.", Refs: []string{"CWE-307"},
			Run: number(rl+"windowMs", 10_000, 1e12, "shorter than 10 seconds."), Fires: kit.Cfg("gateway: {auth: {rateLimit: {windowMs: 500}}}"), Quiet: kit.Cfg("gateway: {auth: {rateLimit: {windowMs: 60000}}}", "{}")},
		{ID: "gateway.rate_limit_lockout_short", Layer: layer, On: audit.Own, Severity: "warn", Title: "A lockout is over quickly",
			Why: "The guesser goes on after a pause too short to notice.", Remedy: "Set gateway.auth.rateLimit.lockoutMs to 300000.", Refs: []string{"CWE-307"},
			Run: number(rl+"lockoutMs", 30_000, 1e12, "shorter than 30 seconds."), Fires: kit.Cfg("gateway: {auth: {rateLimit: {lockoutMs: 1000}}}"), Quiet: kit.Cfg("gateway: {auth: {rateLimit: {lockoutMs: 300000}}}", "{}")},
		{ID: "gateway.port_privileged", Layer: layer, On: audit.Own, Severity: "info", Title: "The gateway's port needs a privilege",
			Why: "A port below 1024 tempts to run the whole gateway as root.", Remedy: "Use 18790 and let a proxy or systemd socket take the low port.", Refs: []string{"CWE-250"},
			Run: number("gateway.port", 1024, 65535, "below 1024."), Fires: kit.Cfg("gateway: {port: 443}"), Quiet: kit.Cfg("gateway: {port: 18790}", "{}")},
		{ID: "gateway.tls_missing", Layer: layer, On: audit.Own, Severity: "warn; critical in password mode", Title: "Credentials cross the network in clear text",
			Why: "Everybody on the path reads the token or password with the first request.", Remedy: "Set gateway.tls.enabled with a certificate, use gateway.tailscale.mode serve, or put a TLS proxy in front and bind loopback.", Refs: []string{"CWE-319"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.Raise(g.Mode == "password", kit.If(g.Exposed && g.Bind != "tailnet" && !s.Root.At("gateway.tls.enabled").True() && g.Mode != "trusted-proxy", "gateway.tls.enabled",
					"gateway.bind is %q and gateway.tls.enabled is not set.", audit.Show(g.Bind)))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg("gateway: {bind: lan}")), kit.Want(audit.Critical, kit.Cfg("gateway: {bind: lan, auth: {mode: password}}"))),
			Quiet: kit.Cfg("gateway: {bind: lan, tls: {enabled: true}}", "{}", "gateway: {bind: tailnet}")},
		{ID: "gateway.tls_self_signed_beyond_loopback", Layer: layer, On: audit.Own, Severity: "info", Title: "Clients must trust a certificate that the gateway made itself",
			Why: "People who learn to click through a warning click through the attacker's as well.", Remedy: "Set gateway.tls.certPath and keyPath to a certificate that clients can verify.", Refs: []string{"CWE-295"},
			Run: func(s *audit.Subject) []audit.Hit {
				tls := s.Root.At("gateway.tls")
				return kit.If(view.OfGateway(s).Exposed && tls.Get("enabled").True() && tls.Get("autoGenerate").True() && tls.Get("certPath").Text() == "", "gateway.tls.autoGenerate", "The certificate is self-signed and gateway.bind is not loopback.")
			},
			Fires: kit.Cfg("gateway: {bind: lan, tls: {enabled: true, autoGenerate: true}}"), Quiet: kit.Cfg("gateway: {bind: lan, tls: {enabled: true, certPath: /etc/ssl/c.pem}}", "gateway: {tls: {enabled: true, autoGenerate: true}}")},
		{ID: "gateway.funnel_without_password_mode", Layer: layer, On: audit.Both, Severity: "critical", Title: "Funnel without password mode",
			Why: "Identity headers and tokenless access are made for a tailnet; on the public internet anybody may try them.", Remedy: "Set gateway.auth.mode to password with a long password, or do not use funnel.", Refs: []string{"CWE-306"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Tailscale == "funnel" && g.Mode != "password", "gateway.auth.mode", "gateway.tailscale.mode is funnel and the auth mode is %q.", audit.Show(g.Mode))
			},
			Fires: kit.Cfg(`{gateway:{auth:{mode:"token",token:"` + long + `"},tailscale:{mode:"funnel"}}}`), Quiet: kit.Cfg(`{gateway:{auth:{mode:"password",password:"`+long+`"},tailscale:{mode:"funnel"}}}`, `{}`)},
		{ID: "gateway.control_ui.allowed_origins_plain_http", Layer: layer, On: audit.Own, Severity: "warn", Title: "An allowed origin is plain HTTP",
			Why: "Whoever sits on the path serves his own page under that origin and uses the visitor's session.", Remedy: "Allow https origins; http only for localhost.", Refs: []string{"CWE-319", "CWE-346"},
			Run: origins("plain HTTP: ", func(o string) bool {
				host, ok := strings.CutPrefix(o, "http://")
				return ok && !strings.HasPrefix(host, "localhost") && !strings.HasPrefix(host, "127.0.0.1") && !strings.HasPrefix(host, "[::1]")
			}), Fires: kit.Cfg("gateway: {controlUi: {allowedOrigins: ['http://control.example']}}"), Quiet: kit.Cfg("gateway: {controlUi: {allowedOrigins: ['https://control.example', 'http://localhost:18790']}}")},
		{ID: "gateway.control_ui.allowed_origins_malformed", Layer: layer, On: audit.Own, Severity: "warn", Title: "An allowed origin can never match",
			Why: "An origin has a scheme and a host and nothing more; an entry that never matches is soon replaced by *.", Remedy: "Write scheme://host[:port] without a path or slash at the end.", Refs: []string{"CWE-183"},
			Run: origins("no origin: ", func(o string) bool {
				scheme, host, ok := strings.Cut(o, "://")
				return o != "*" && (!ok || scheme == "" || host == "" || strings.ContainsAny(host, "/?#@ "))
			}), Fires: kit.Cfg("gateway: {controlUi: {allowedOrigins: ['https://control.example/']}}", "gateway: {controlUi: {allowedOrigins: ['null']}}"), Quiet: kit.Cfg("gateway: {controlUi: {allowedOrigins: ['https://control.example:8443', '*']}}")},
		{ID: "gateway.allowed_hosts_wildcard", Layer: layer, On: audit.Own, Severity: "warn", Title: "Any Host header is accepted",
			Why: "The list of hosts is the defence against DNS rebinding; a wildcard opens it to every page.", Remedy: "List the names under which the gateway is reached.", Refs: []string{"CWE-350"},
			Run: kit.Key("gateway.allowedHosts", func(n *audit.Node) string {
				for _, h := range n.Strings() {
					if strings.Contains(h, "*") {
						return "gateway.allowedHosts contains " + audit.Show(h) + "."
					}
				}
				return ""
			}), Fires: kit.Cfg("gateway: {allowedHosts: ['*']}"), Quiet: kit.Cfg("gateway: {allowedHosts: [gw.example]}", "{}")},
	}
}

func origins(what string, bad func(string) bool) func(*audit.Subject) []audit.Hit {
	return kit.Key("gateway.controlUi.allowedOrigins", func(n *audit.Node) string {
		var hit []string
		for _, o := range n.Strings() {
			if bad(o) {
				hit = append(hit, o)
			}
		}
		if len(hit) == 0 {
			return ""
		}
		return what + kit.List(hit, 10) + "."
	})
}
