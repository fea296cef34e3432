package gateway

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// placeholder reports a value that stands for no secret at all: the one in
// force, or a blank one that nothing else replaces.
func placeholder(c view.Secret) bool {
	if c.Value != "" {
		return c.Value == "undefined" || c.Value == "null"
	}
	return c.Raw.Is(audit.String) && !c.Raw.Unresolved() && strings.TrimSpace(c.Raw.Str) == ""
}

func short(c view.Secret) bool { return c.Value != "" && len([]rune(c.Value)) < 24 }

func credentials() []audit.Check {
	return []audit.Check{
		{
			ID: "gateway.token_placeholder_value", Layer: audit.LayerGateway, On: audit.Both, Severity: "critical",
			Title:  "Gateway token is a blank or undefined/null placeholder",
			Why:    "A template or script put no secret in; the gateway refuses to start, or an older one accepts the word.",
			Remedy: "Make a token of at least 24 random characters: chitin token create, or openssl rand -hex 32.",
			Refs:   []string{"CWE-1392", "CWE-798"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Mode == "token" && placeholder(g.Token), "gateway.auth.token", "The gateway's token is a word that stands for no value.")
			},
			Fires: kit.Join(kit.Cfg(`{gateway:{auth:{mode:"token",token:"   "}}}`, `{gateway:{auth:{token:"undefined"}}}`), []audit.Example{{Config: `{}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "null"}}}),
			Quiet: kit.Cfg(`{gateway:{auth:{token:"`+long+`"}}}`, `{}`, `{gateway:{auth:{mode:"none",token:"null"}}}`),
		},
		{
			ID: "gateway.password_placeholder_value", Layer: audit.LayerGateway, On: audit.Both, Severity: "critical",
			Title:  "Gateway password is a blank or undefined/null placeholder",
			Why:    "A template or script put no secret in; the gateway refuses to start, or an older one accepts the word.",
			Remedy: "Set a long random password, best as a secret reference.",
			Refs:   []string{"CWE-1392", "CWE-798"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Mode == "password" && placeholder(g.Password), "gateway.auth.password", "The gateway's password is a word that stands for no value.")
			},
			Fires: kit.Cfg(`{gateway:{auth:{mode:"password",password:"null"}}}`),
			Quiet: kit.Cfg(`{gateway:{auth:{mode:"password",password:"`+long+`"}}}`, `{gateway:{auth:{mode:"token",password:""}}}`),
		},
		{
			ID: "gateway.token_too_short", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn",
			Title:  "Gateway token looks short",
			Why:    "A short token can be guessed; the limiter slows one address down, not a botnet.",
			Remedy: "Use at least 24 random characters: chitin token create, or openssl rand -hex 32.",
			Refs:   []string{"CWE-521"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Mode == "token" && short(g.Token) && !placeholder(g.Token), "gateway.auth.token",
					"gateway auth token is %d chars; use 24 or more random ones.", len([]rune(g.Token.Value)))
			},
			Fires: kit.Join(kit.Cfg(`{gateway:{auth:{token:"short-token"}}}`), []audit.Example{{Config: `{}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "short"}}, {Config: `{}`, Auth: audit.AuthOverride{Mode: "token", Token: "tiny"}}}),
			Quiet: kit.Cfg(`{gateway:{auth:{token:"a1b2c3d4e5f6a7b8c9d0e1f2"}}}`, `{gateway:{auth:{mode:"password",token:"tiny"}}}`, `{gateway:{auth:{token:"null"}}}`),
		},
		{
			ID: "gateway.password_too_short", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn",
			Title:  "Gateway password looks short",
			Why:    "A short password can be guessed; the limiter slows one address down, not a botnet.",
			Remedy: "Use at least 24 characters.",
			Refs:   []string{"CWE-521"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				hashed := s.Kind == audit.Own && strings.HasPrefix(g.Password.Value, "$argon2")
				return kit.If(g.Mode == "password" && short(g.Password) && !hashed && !placeholder(g.Password), "gateway.auth.password",
					"gateway auth password is %d chars; use 24 or more.", len([]rune(g.Password.Value)))
			},
			Fires: kit.Cfg(`{gateway:{auth:{mode:"password",password:"letmein"}}}`, `{gateway:{auth:{password:"letmein"}}}`),
			Quiet: kit.Cfg(`{gateway:{auth:{mode:"password",password:"`+long+`"}}}`, `{gateway:{auth:{mode:"token",password:"x"}}}`),
		},
		{
			ID: "gateway.auth_no_rate_limit", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn",
			Title:  "No auth rate limiting configured",
			Why:    "Limits that nobody chose are limits that nobody checks; what an attacker may try per minute should be a decision.",
			Remedy: "Set gateway.auth.rateLimit, for example {maxAttempts: 10, windowMs: 60000, lockoutMs: 300000}.",
			Refs:   []string{"CWE-307"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(g.Exposed && g.Mode != "trusted-proxy" && !s.Root.At("gateway.auth.rateLimit").Set(), "gateway.auth.rateLimit",
					"gateway.bind is not loopback and gateway.auth.rateLimit is not configured.")
			},
			Fires: kit.Cfg(`{gateway:{bind:"lan",auth:{token:"` + long + `"}}}`),
			Quiet: kit.Cfg(`{gateway:{bind:"lan",auth:{rateLimit:{}}}}`, `{}`, `{gateway:{bind:"lan",auth:{mode:"trusted-proxy"}}}`),
		},
	}
}
