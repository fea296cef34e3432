// Package hooks holds the checks of incoming webhooks.
package hooks

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const (
	token = "hook-5Rq8Zt2mKx71LbWv90SdYc36"
	rest  = `token:"` + token + `",path:"/hooks",defaultSessionKey:"hook:in",allowedAgentIds:["main"]`
	good  = `{hooks:{enabled:true,` + rest + `}}`
)

// on makes a check's function that only looks when hooks are enabled.
func on(f func(s *audit.Subject, h *audit.Node) []audit.Hit) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		if h := s.Root.Get("hooks"); h.Get("enabled").True() {
			return f(s, h)
		}
		return nil
	}
}

func hookToken(h *audit.Node) string {
	if h.Get("token").Unresolved() {
		return ""
	}
	return h.Get("token").Text()
}

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	return append(secretChecks(), routing()...)
}

func secretChecks() []audit.Check {
	const layer = audit.LayerGateway
	return []audit.Check{
		{
			ID: "hooks.token_too_short", Layer: layer, On: audit.Both, Severity: "warn",
			Title:  "Hooks token looks short",
			Why:    "Whoever guesses it feeds the agent any text he likes.",
			Remedy: "Use at least 24 random characters: openssl rand -hex 32.",
			Refs:   []string{"CWE-521"},
			Run: on(func(_ *audit.Subject, h *audit.Node) []audit.Hit {
				t := hookToken(h)
				return kit.If(t != "" && len([]rune(t)) < 24, "hooks.token", "hooks.token is %d chars; use 24 or more random ones.", len([]rune(t)))
			}),
			Fires: kit.Cfg(`{hooks:{enabled:true,token:"tiny"}}`),
			Quiet: kit.Cfg(good, `{hooks:{token:"tiny"}}`, `{hooks:{enabled:true}}`),
		},
		{
			ID: "hooks.token_reuse_gateway_token", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Hooks token reuses the Gateway's own secret",
			Why:    "Every service that sends webhooks then holds the key of the whole gateway.",
			Remedy: "Give hooks.token a value of its own and rotate the gateway's.",
			Refs:   []string{"CWE-1391", "CWE-668"},
			Run:    on(reuse),
			Fires: kit.Join(kit.Cfg(`{gateway:{auth:{token:"`+token+`"}},hooks:{enabled:true,token:"`+token+`"}}`,
				`{gateway:{auth:{mode:"password",password:"`+token+`"}},hooks:{enabled:true,token:"`+token+`"}}`),
				[]audit.Example{{Config: good, Auth: audit.AuthOverride{Mode: "password", Password: token}}}),
			Quiet: kit.Cfg(good, `{gateway:{auth:{mode:"token",password:"`+token+`",token:"x"}},hooks:{enabled:true,token:"`+token+`"}}`),
		},
		{
			ID: "hooks.token_missing", Layer: layer, On: audit.Own, Severity: "critical",
			Title:  "Hooks are enabled without a token",
			Why:    "Anybody who reaches the port may start the agent with his own text.",
			Remedy: "Set hooks.token to a secret reference.",
			Refs:   []string{"CWE-306"},
			Run: on(func(_ *audit.Subject, h *audit.Node) []audit.Hit {
				return kit.If(!h.Get("token").Set(), "hooks.token", "hooks.enabled is true and hooks.token is not set.")
			}),
			Fires: kit.Cfg("hooks: {enabled: true}"), Quiet: kit.Cfg("hooks: {enabled: true, token: '${HOOKS}'}", "{}"),
		},
		{
			ID: "hooks.path_root", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Hooks base path is '/'",
			Why:    "Hooks would answer for every other route of the gateway, past its own guard.",
			Remedy: "Use a path of its own, such as /hooks.",
			Refs:   []string{"CWE-289"},
			Run: on(func(_ *audit.Subject, h *audit.Node) []audit.Hit {
				return kit.If(h.Get("path").Text() == "/", "hooks.path", "hooks.path is /.")
			}),
			Fires: kit.Cfg(`{hooks:{enabled:true,path:"/"}}`), Quiet: kit.Cfg(good, `{hooks:{path:"/"}}`),
		},
	}
}

func reuse(s *audit.Subject, h *audit.Node) []audit.Hit {
	t := hookToken(h)
	if t == "" {
		return nil
	}
	same := func(g *view.Gateway) bool {
		switch g.Mode {
		case "token":
			return g.Token.Value == t
		case "password", "trusted-proxy":
			return g.Password.Value == t
		}
		return false
	}
	plain := *s
	plain.Auth = audit.AuthOverride{}
	hit := same(view.OfGateway(s)) || s.Auth != (audit.AuthOverride{}) && same(view.ReadGateway(&plain))
	return kit.If(hit, "hooks.token", "hooks.token equals the gateway's token or password.")
}

func routing() []audit.Check {
	const layer = audit.LayerExternal
	remote := func(s *audit.Subject, hits []audit.Hit) []audit.Hit { return kit.Raise(view.OfGateway(s).Remote, hits) }
	return []audit.Check{
		{
			ID: "hooks.default_session_key_unset", Layer: layer, On: audit.Both, Severity: "warn",
			Title:  "hooks.defaultSessionKey is not configured",
			Why:    "Each request makes a session of its own that nobody looks at, instead of one that is watched.",
			Remedy: `Set hooks.defaultSessionKey, for example "hook:ingress".`,
			Refs:   []string{"CWE-1188"},
			Run: on(func(_ *audit.Subject, h *audit.Node) []audit.Hit {
				return kit.If(h.Get("defaultSessionKey").Text() == "", "hooks.defaultSessionKey", "hooks.defaultSessionKey is not set.")
			}),
			Fires: kit.Cfg(`{hooks:{enabled:true}}`), Quiet: kit.Cfg(good, `{}`),
		},
		{
			ID: "hooks.allowed_agent_ids_unrestricted", Layer: layer, On: audit.Both, Severity: "warn; critical when remote",
			Title:  "Hook agent routing allows any configured agent",
			Why:    "A webhook's sender picks the agent, also the one with the strongest tools.",
			Remedy: "List the agents in hooks.allowedAgentIds; an empty list allows none.",
			Refs:   []string{"CWE-863"},
			Run: on(func(s *audit.Subject, h *audit.Node) []audit.Hit {
				ids := h.Get("allowedAgentIds")
				return remote(s, kit.If(!ids.Is(audit.List) || kit.Has(ids.Strings(), "*"), "hooks.allowedAgentIds", `hooks.allowedAgentIds is unset or contains "*".`))
			}),
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{hooks:{enabled:true}}`)), kit.Want(audit.Critical, kit.Cfg(`{gateway:{bind:"lan"},hooks:{enabled:true,allowedAgentIds:["*"]}}`))),
			Quiet: kit.Cfg(good, `{hooks:{enabled:true,allowedAgentIds:[]}}`),
		},
		{
			ID: "hooks.request_session_key_enabled", Layer: layer, On: audit.Both, Severity: "warn; critical when remote",
			Title:  "External hook payloads may override sessionKey",
			Why:    "The sender of a webhook can write into somebody's running conversation.",
			Remedy: "Set hooks.allowRequestSessionKey to false, or narrow hooks.allowedSessionKeyPrefixes.",
			Refs:   []string{"CWE-639"},
			Run: on(func(s *audit.Subject, h *audit.Node) []audit.Hit {
				return remote(s, kit.If(h.Get("allowRequestSessionKey").True(), "hooks.allowRequestSessionKey", "The payload may name the session."))
			}),
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{hooks:{enabled:true,allowRequestSessionKey:true}}`)), kit.Want(audit.Critical, kit.Cfg(`{gateway:{tailscale:{mode:"serve"}},hooks:{enabled:true,allowRequestSessionKey:true}}`))),
			Quiet: kit.Cfg(good, `{hooks:{allowRequestSessionKey:true}}`),
		},
		{
			ID: "hooks.request_session_key_prefixes_missing", Layer: layer, On: audit.Both, Severity: "warn; critical when remote",
			Title:  "Request sessionKey override is enabled without prefix restrictions",
			Why:    "Nothing keeps the sender out of the sessions of people.",
			Remedy: `Set hooks.allowedSessionKeyPrefixes, for example ["hook:"].`,
			Refs:   []string{"CWE-639"},
			Run: on(func(s *audit.Subject, h *audit.Node) []audit.Hit {
				return remote(s, kit.If(h.Get("allowRequestSessionKey").True() && len(h.Get("allowedSessionKeyPrefixes").Strings()) == 0, "hooks.allowedSessionKeyPrefixes", "The payload may name any session."))
			}),
			Fires: kit.Cfg(`{hooks:{enabled:true,allowRequestSessionKey:true}}`),
			Quiet: kit.Cfg(`{hooks:{enabled:true,allowRequestSessionKey:true,allowedSessionKeyPrefixes:["hook:"]}}`, good),
		},
	}
}

// HTTP lists the checks of the HTTP interface that follow those of hooks.
func HTTP() []audit.Check {
	return []audit.Check{
		{
			ID: "gateway.http.no_auth", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn; critical when remote",
			Title:  "Gateway HTTP APIs are reachable without auth",
			Why:    "Any process of any account on the machine, and any page that gets past the browser's rules, may call tools.",
			Remedy: "Set gateway.auth.mode to token or password.",
			Refs:   []string{"CWE-306", "OWASP-ASI03", "AML.T0049"},
			Run:    httpNoAuth,
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{}`, `{gateway:{auth:{mode:"token",token:{source:"env",id:"NOT_SET_HERE"}}}}`)),
				kit.Want(audit.Critical, kit.Cfg(`{gateway:{bind:"lan"}}`, `{gateway:{auth:{mode:"none"},tailscale:{mode:"serve"}}}`)), kit.Own("gateway: {auth: {mode: none}}")),
			Quiet: kit.Join(kit.Cfg(`{gateway:{auth:{token:"`+token+`"}}}`, `{gateway:{auth:{mode:"trusted-proxy"}}}`), kit.Own("{}")),
		},
		{
			ID: "gateway.http.session_key_override_enabled", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "info",
			Title:  "HTTP API session-key override is enabled",
			Why:    "Holders of the API credential choose the session they write into; treat them as the owner.",
			Remedy: "Keep gateway.http.endpoints off unless it is used.",
			Refs:   []string{"CWE-639"},
			Run: func(s *audit.Subject) []audit.Hit {
				ends := endpoints(s.Root.At("gateway.http.endpoints"))
				return kit.If(len(ends) > 0, "gateway.http.endpoints", "%s accept a session key per request.", strings.Join(ends, ", "))
			},
			Fires: kit.Cfg(`{gateway:{http:{endpoints:{chatCompletions:{enabled:true}}}}}`, `{gateway:{http:{endpoints:{responses:{enabled:true}}}}}`),
			Quiet: kit.Cfg(`{}`, `{gateway:{http:{endpoints:{responses:{enabled:false}}}}}`),
		},
	}
}

func endpoints(n *audit.Node) []string {
	var out []string
	if n.At("chatCompletions.enabled").True() {
		out = append(out, "/v1/chat/completions")
	}
	if n.At("responses.enabled").True() {
		out = append(out, "/v1/responses")
	}
	return out
}

func httpNoAuth(s *audit.Subject) []audit.Hit {
	g := view.OfGateway(s)
	if g.HTTPAuth {
		return nil
	}
	open := append([]string{"/tools/invoke"}, endpoints(s.Root.At("gateway.http.endpoints"))...)
	if s.Root.Get("plugins", "entries", "admin-http-rpc").Get("enabled").True() {
		open = append(open, "/api/v1/admin/rpc")
	}
	why := "no secret can be read for mode " + audit.Show(g.Mode)
	if g.Mode == "none" {
		why = "gateway.auth.mode is none"
	}
	return kit.Raise(g.Remote, kit.At("gateway.auth", "%s can be called without a credential: %s.", strings.Join(open, ", "), why))
}
