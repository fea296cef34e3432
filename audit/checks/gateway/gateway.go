// Package gateway holds the checks of layer 1: how the gateway is reached and
// who it lets in.
package gateway

import (
	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	var out []audit.Check
	for _, list := range [][]audit.Check{toolsOverHTTP(), exposure(), browser(), publishing(), credentials(), strength(), proxy(), ownLimits(), ownModes()} {
		out = append(out, list...)
	}
	return out
}

const (
	long  = "tok-7hG2kQ9vXz41LmPa83RwTn56"
	uiOff = `controlUi:{enabled:false}`
)

func exposure() []audit.Check {
	return []audit.Check{
		{
			ID: "gateway.bind_no_auth", Layer: audit.LayerGateway, On: audit.Both, Severity: "critical",
			Title:  "Gateway binds beyond loopback without auth",
			Why:    "Anybody who reaches the port calls tools as the owner; on a shared network that is remote code execution.",
			Remedy: "Set gateway.auth.mode to token with a secret reference, or set gateway.bind to loopback.",
			Refs:   []string{"CWE-306", "OWASP-ASI03", "AML.T0049"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Exposed && !g.HasAuth && g.Mode != "trusted-proxy", "gateway.bind",
					"gateway.bind is %q, which reaches beyond this host, and no credential is configured for it.", audit.Show(g.Bind))
			},
			Fires: kit.Join(kit.Cfg(`{gateway:{bind:"lan"}}`, `{gateway:{bind:"tailnet",auth:{mode:"none"}}}`),
				kit.Own("gateway: {bind: lan, auth: {mode: none}}")),
			Quiet: kit.Join(kit.Cfg(`{gateway:{bind:"loopback"}}`, `{gateway:{bind:"lan",auth:{mode:"token",token:"`+long+`"}}}`,
				`{gateway:{bind:"lan",auth:{mode:"trusted-proxy"}}}`, `{gateway:{bind:"lan",auth:{token:"${NOT_SET_HERE}"}}}`),
				kit.Own("gateway: {bind: lan}")),
		},
		{
			ID: "gateway.env_token_overrides_config", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn",
			Title:  "A token in the environment differs from the configured one",
			Why:    "Programs started from this shell use one token and the gateway another; people then loosen auth to make it work.",
			Remedy: "Unset OPENCLAW_GATEWAY_TOKEN, or make gateway.auth.token a reference to it.",
			Refs:   []string{"CWE-1188"},
			Run:    envToken,
			Fires:  []audit.Example{{Config: `{gateway:{auth:{token:"` + long + `"}}}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "another-token-0123456789abcdef"}}},
			Quiet: []audit.Example{
				{Config: `{gateway:{auth:{token:"` + long + `"}}}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": long}},
				{Config: `{gateway:{auth:{token:{source:"env",id:"OPENCLAW_GATEWAY_TOKEN"}}}}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": long}},
				{Config: `{gateway:{auth:{mode:"password",token:"` + long + `"}}}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "x"}},
			},
		},
		{
			ID: "gateway.trusted_proxies_missing", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn",
			Title:  "Reverse proxy headers are not trusted",
			Why:    "Behind a reverse proxy on this host every visitor looks local unless the proxy's address is listed.",
			Remedy: "List the proxy's addresses in gateway.trustedProxies, or keep the Control UI local.",
			Refs:   []string{"CWE-348"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(!g.Exposed && g.UI && s.Root.At("gateway.trustedProxies").Len() == 0, "gateway.trustedProxies",
					"The Control UI is on, gateway.bind is loopback and gateway.trustedProxies is empty.")
			},
			Fires: kit.Cfg(`{}`, `{gateway:{trustedProxies:[]}}`),
			Quiet: kit.Cfg(`{gateway:{`+uiOff+`}}`, `{gateway:{bind:"lan"}}`, `{gateway:{trustedProxies:["10.0.0.1"]}}`),
		},
		{
			ID: "gateway.loopback_no_auth", Layer: audit.LayerGateway, On: audit.Both, Severity: "critical",
			Title:  "Gateway auth missing on loopback",
			Why:    "Every account on this host, every container with host networking and every page in a browser here can reach the Control UI without proving anything.",
			Remedy: "Set gateway.auth (a token is best), or switch the Control UI off.",
			Refs:   []string{"CWE-306", "OWASP-ASI03"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(!g.Exposed && g.UI && !g.HasAuth && !(s.Kind == audit.Own && g.Mode == "trusted-proxy") && !g.TailscaleAuth, "gateway.auth",
					"The Control UI is served on loopback and no credential is configured.")
			},
			Fires: kit.Join(kit.Cfg(`{}`, `{gateway:{auth:{mode:"none"}}}`), kit.Own("gateway: {auth: {mode: none}}")),
			Quiet: kit.Join(kit.Cfg(`{gateway:{`+uiOff+`}}`, `{gateway:{auth:{token:"`+long+`"}}}`, `{gateway:{tailscale:{mode:"serve"}}}`),
				kit.Own("gateway: {bind: loopback}")),
		},
	}
}

func envToken(s *audit.Subject) []audit.Hit {
	env := s.Env("OPENCLAW_GATEWAY_TOKEN")
	tok := s.Root.At("gateway.auth.token")
	g := view.OfGateway(s)
	if env == "" || !tok.Set() || s.Env("OPENCLAW_SERVICE_KIND") == "gateway" || s.Root.At("gateway.mode").Text() == "remote" {
		return nil
	}
	switch s.Root.At("gateway.auth.mode").Text() {
	case "password", "none", "trusted-proxy":
		return nil
	}
	if tok.Get("id").Text() == "OPENCLAW_GATEWAY_TOKEN" || tok.Unresolved() || g.Token.Unread || s.Auth.Token != "" {
		return nil
	}
	return kit.If(g.Token.Value != "" && g.Token.Value != env, "gateway.auth.token",
		"OPENCLAW_GATEWAY_TOKEN is set in this environment and is not the token of the configuration.")
}

func browser() []audit.Check {
	return []audit.Check{
		{
			ID: "gateway.control_ui.allowed_origins_required", Layer: audit.LayerGateway, On: audit.Both, Severity: "critical",
			Title:  "Non-loopback Control UI missing explicit allowed origins",
			Why:    "Without a list of origins a page on any site can open the gateway's WebSocket in a visitor's browser.",
			Remedy: "Set gateway.controlUi.allowedOrigins to the full origins that people use, such as https://control.example.com.",
			Refs:   []string{"CWE-346", "CWE-1385"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Exposed && g.UI && len(g.Origins) == 0 && !g.Fallback, "gateway.controlUi.allowedOrigins",
					"The Control UI is reachable beyond this host and gateway.controlUi.allowedOrigins is empty.")
			},
			Fires: kit.Join(kit.Cfg(`{gateway:{bind:"lan"}}`), kit.Own("gateway: {bind: lan}")),
			Quiet: kit.Join(kit.Cfg(`{gateway:{bind:"lan",`+uiOff+`}}`, `{gateway:{bind:"lan",controlUi:{allowedOrigins:["https://a.example"]}}}`,
				`{gateway:{bind:"lan",controlUi:{dangerouslyAllowHostHeaderOriginFallback:true}}}`, `{}`), kit.Own("{}")),
		},
		{
			ID: "gateway.control_ui.allowed_origins_wildcard", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn; critical beyond loopback",
			Title:  "Control UI allowed origins contains wildcard",
			Why:    "With * every website that a person visits may talk to the gateway with their browser.",
			Remedy: "List the exact origins that people use.",
			Refs:   []string{"CWE-942"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.Raise(g.Exposed, kit.If(kit.Has(g.Origins, "*"), "gateway.controlUi.allowedOrigins", `gateway.controlUi.allowedOrigins contains "*".`))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{gateway:{controlUi:{allowedOrigins:["*"]}}}`)),
				kit.Want(audit.Critical, kit.Cfg(`{gateway:{bind:"lan",controlUi:{allowedOrigins:["https://a.example","*"]}}}`))),
			Quiet: kit.Cfg(`{gateway:{controlUi:{allowedOrigins:["https://*.example"]}}}`, `{}`),
		},
		{
			ID: "gateway.control_ui.host_header_origin_fallback", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn; critical beyond loopback",
			Title:  "DANGEROUS: Host-header origin fallback enabled",
			Why:    "A rebinding page controls both Host and Origin, so comparing one with the other proves nothing.",
			Remedy: "Remove gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback and list origins instead.",
			Refs:   []string{"CWE-350", "CWE-346"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.Raise(g.Exposed, kit.If(g.Fallback, "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback",
					"An Origin that merely equals the Host header is accepted."))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{gateway:{controlUi:{dangerouslyAllowHostHeaderOriginFallback:true}}}`)),
				kit.Want(audit.Critical, kit.Own("gateway: {bind: lan, controlUi: {dangerouslyAllowHostHeaderOriginFallback: true}}"))),
			Quiet: kit.Cfg(`{gateway:{controlUi:{dangerouslyAllowHostHeaderOriginFallback:false}}}`),
		},
		{
			ID: "gateway.real_ip_fallback_enabled", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn; critical beyond loopback or behind a proxy elsewhere",
			Title:  "X-Real-IP fallback is enabled",
			Why:    "A proxy that passes the client's own X-Real-IP on lets anybody claim any address, also this host's.",
			Remedy: "Set gateway.allowRealIpFallback to false, unless the proxy always overwrites X-Real-IP.",
			Refs:   []string{"CWE-348", "CWE-290"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				far := false
				for _, p := range g.Proxies {
					far = far || !kit.Has([]string{"127.0.0.1", "::1", "127.0.0.1/32", "::1/128"}, p)
				}
				return kit.Raise(g.Exposed || g.Mode == "trusted-proxy" && far,
					kit.If(s.Root.At("gateway.allowRealIpFallback").True(), "gateway.allowRealIpFallback", "X-Real-IP is believed when X-Forwarded-For gives no address."))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{gateway:{allowRealIpFallback:true}}`, `{gateway:{allowRealIpFallback:true,auth:{mode:"trusted-proxy"},trustedProxies:["127.0.0.1"]}}`)),
				kit.Want(audit.Critical, kit.Cfg(`{gateway:{bind:"lan",allowRealIpFallback:true}}`, `{gateway:{allowRealIpFallback:true,auth:{mode:"trusted-proxy"},trustedProxies:["10.0.0.5"]}}`))),
			Quiet: kit.Cfg(`{gateway:{allowRealIpFallback:false}}`),
		},
	}
}

func publishing() []audit.Check {
	return []audit.Check{
		{
			ID: "discovery.mdns_full_mode", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn; critical beyond loopback",
			Title:  "mDNS full mode can leak host metadata",
			Why:    "Everybody on the local network learns user names, paths and the SSH port.",
			Remedy: `Set discovery.mdns.mode to "minimal" or "off".`,
			Refs:   []string{"CWE-200"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.Raise(view.OfGateway(s).Exposed, kit.If(s.Root.At("discovery.mdns.mode").Text() == "full", "discovery.mdns.mode",
					"discovery.mdns.mode is full: paths and ports of this host are announced."))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{discovery:{mdns:{mode:"full"}}}`)), kit.Want(audit.Critical, kit.Cfg(`{gateway:{bind:"lan"},discovery:{mdns:{mode:"full"}}}`))),
			Quiet: kit.Cfg(`{discovery:{mdns:{mode:"minimal"}}}`, `{}`),
		},
		{
			ID: "gateway.tailscale_funnel", Layer: audit.LayerGateway, On: audit.Both, Severity: "critical",
			Title:  "Tailscale Funnel exposure enabled",
			Why:    "Funnel puts the gateway on the public internet, where it is found and guessed at within minutes.",
			Remedy: "Use serve, which stays inside the tailnet, or off.",
			Refs:   []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.If(view.OfGateway(s).Tailscale == "funnel", "gateway.tailscale.mode", "gateway.tailscale.mode is funnel: the gateway is public.")
			},
			Fires: kit.Join(kit.Cfg(`{gateway:{tailscale:{mode:"funnel"}}}`), kit.Own("gateway: {tailscale: {mode: funnel}}")),
			Quiet: kit.Cfg(`{gateway:{tailscale:{mode:"serve"}}}`, `{}`),
		},
		{
			ID: "gateway.tailscale_serve", Layer: audit.LayerGateway, On: audit.Both, Severity: "info",
			Title:  "Tailscale Serve exposure enabled",
			Why:    "Every device of the tailnet reaches the gateway; the tailnet's own rules are part of its protection.",
			Remedy: "Keep it if the tailnet's devices may reach the gateway, and restrict it with tailnet access rules.",
			Refs:   []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.If(view.OfGateway(s).Tailscale == "serve", "gateway.tailscale.mode", "gateway.tailscale.mode is serve: the tailnet reaches the gateway.")
			},
			Fires: kit.Cfg(`{gateway:{tailscale:{mode:"serve"}}}`),
			Quiet: kit.Cfg(`{gateway:{tailscale:{mode:"off"}}}`, `{gateway:{tailscale:{mode:"funnel"}}}`),
		},
		{
			ID: "mcp.apps.enabled", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn",
			Title:  "MCP Apps UI bridge enabled",
			Why:    "A configured MCP server may show its own HTML and call its tools from there while the session lives.",
			Remedy: "Set mcp.apps.enabled to false unless every configured MCP server is trusted.",
			Refs:   []string{"CWE-1021", "OWASP-LLM05"},
			Run:    kit.True("mcp.apps.enabled", "MCP servers may show interactive pages."),
			Fires:  kit.Cfg(`{mcp:{apps:{enabled:true}}}`),
			Quiet:  kit.Cfg(`{mcp:{apps:{enabled:false}}}`, `{}`),
		},
	}
}
