// Package view reads the parts of a configuration that many checks ask about:
// how the gateway is reached, what credential it has, which agents there are
// and which tools each may use. Both subjects are understood, each with its own
// defaults.
package view

import (
	"net/netip"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// Secret is a credential as far as it can be judged without asking anybody.
type Secret struct {
	// Value is the text; empty when unset or not readable here.
	Value string
	// Configured is set when the configuration or environment names one, even
	// if its value cannot be read here.
	Configured bool
	// Plain is set when the value stands in the configuration file itself.
	Plain bool
	// Unread is set for a reference that this audit does not resolve.
	Unread bool
	// Raw is the node in the configuration.
	Raw *audit.Node
}

// Gateway is how the gateway is reached and who may.
type Gateway struct {
	Bind      string
	Exposed   bool // beyond this host's loopback
	Remote    bool // exposed, or published through Tailscale
	Tailscale string
	UI        bool
	Origins   []string
	Fallback  bool
	Proxies   []string
	// Mode is the effective mode, Explicit the one that is written down.
	Mode, Explicit  string
	Token, Password Secret
	// HasAuth reports a usable shared secret, or a mode that brings its own.
	HasAuth bool
	// HTTPAuth reports whether HTTP requests must prove anything.
	HTTPAuth bool
	// TailscaleAuth reports tokenless access through tailscale serve.
	TailscaleAuth bool
}

type gatewayKey struct{}

// OfGateway reads the gateway's part of the configuration, once a run.
func OfGateway(s *audit.Subject) *Gateway {
	return audit.Memo(s, gatewayKey{}, func() *Gateway { return ReadGateway(s) })
}

// ReadGateway reads it anew, for a subject that differs from the run's.
func ReadGateway(s *audit.Subject) *Gateway {
	n := s.Root.Get("gateway")
	g := &Gateway{
		Bind:      n.Get("bind").Or("loopback"),
		Tailscale: n.At("tailscale.mode").Or("off"),
		UI:        !n.At("controlUi.enabled").False(),
		Origins:   n.At("controlUi.allowedOrigins").Strings(),
		Fallback:  n.At("controlUi.dangerouslyAllowHostHeaderOriginFallback").True(),
		Proxies:   n.Get("trustedProxies").Strings(),
		Explicit:  n.At("auth.mode").Text(),
	}
	g.Exposed = exposed(s, n, g.Bind)
	g.Remote = g.Exposed || g.Tailscale == "serve" || g.Tailscale == "funnel"
	if s.Auth.Mode != "" {
		g.Explicit = s.Auth.Mode
	}
	g.Token = credential(s, n.At("auth.token"), n.At("remote.token"), s.Auth.Token, "GATEWAY_TOKEN", "gateway.auth.token")
	remote := n.At("remote.password")
	if g.Explicit == "trusted-proxy" {
		remote = nil
	}
	g.Password = credential(s, n.At("auth.password"), remote, s.Auth.Password, "GATEWAY_PASSWORD", "gateway.auth.password")
	g.Mode = g.Explicit
	if g.Mode == "" {
		g.Mode = "token"
		if g.Password.Value != "" {
			g.Mode = "password"
		}
	}
	g.judge(s, n)
	return g
}

// judge decides what the credentials amount to.
func (g *Gateway) judge(s *audit.Subject, n *audit.Node) {
	if s.Kind == audit.Own {
		// Our own gateway makes a token when none is configured.
		g.HasAuth, g.HTTPAuth = g.Mode != "none", g.Mode != "none"
		if g.Mode == "password" {
			g.HasAuth, g.HTTPAuth = g.Password.Configured, g.Password.Configured
		}
		return
	}
	switch g.Explicit {
	case "token":
		g.HasAuth = g.Token.Configured
	case "password":
		g.HasAuth = g.Password.Configured
	case "none", "trusted-proxy":
	default:
		g.HasAuth = g.Token.Configured || g.Password.Configured
	}
	usable := func(c Secret) bool { return c.Value != "" || c.Unread }
	switch g.Mode {
	case "token":
		g.HTTPAuth = usable(g.Token)
	case "password":
		g.HTTPAuth = usable(g.Password)
	case "trusted-proxy":
		g.HTTPAuth = true
	}
	allow := n.At("auth.allowTailscale")
	g.TailscaleAuth = g.Tailscale == "serve" && (allow.True() || !allow.Set() && g.Mode != "password" && g.Mode != "trusted-proxy")
}

// exposed tells whether bind reaches beyond this host. The peer's audit takes
// an unset bind for loopback; so do we, and deep runs look at the sockets.
func exposed(s *audit.Subject, n *audit.Node, bind string) bool {
	if s.Kind == audit.OpenClaw {
		return bind != "loopback"
	}
	switch bind {
	case "loopback", "unix", "auto":
		return false
	case "custom":
		bind = n.Get("customBindHost").Text()
	}
	if bind == "localhost" {
		return false
	}
	a, err := netip.ParseAddr(strings.Trim(bind, "[]"))
	return err != nil || !a.IsLoopback()
}

func credential(s *audit.Subject, main, remote *audit.Node, override, env, label string) Secret {
	if override != "" {
		return Secret{Value: strings.TrimSpace(override), Configured: true, Raw: main}
	}
	if c := resolve(s, main, label); c.Configured {
		c.Raw = main
		return c
	}
	prefix := "OPENCLAW_"
	if s.Kind == audit.Own {
		prefix = "CHITIN_"
	}
	if v := strings.TrimSpace(s.Env(prefix + env)); v != "" {
		return Secret{Value: v, Configured: true, Raw: main}
	}
	c := resolve(s, remote, label)
	c.Raw = main
	return c
}

// resolve reads a plain value or a reference. Environment and file references
// are followed; a program is never run.
func resolve(s *audit.Subject, n *audit.Node, label string) Secret {
	switch {
	case n.Is(audit.String):
		text := strings.TrimSpace(n.Str)
		if n.Unresolved() {
			s.Diagnose("security audit: " + label + " names an environment variable that is not set.")
			return Secret{Configured: true}
		}
		if name, ok := strings.CutPrefix(text, "$"); ok && envName(name) {
			return fromEnv(s, name, label)
		}
		return Secret{Value: text, Configured: text != "", Plain: text != "" && !n.FromEnv()}
	case n.Is(audit.Map) && n.Get("source").Set():
		return follow(s, n, label)
	}
	return Secret{}
}

func envName(name string) bool {
	for i, r := range name {
		if !(r == '_' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9') {
			return false
		}
	}
	return name != ""
}

// Reference reports a text that names an environment variable instead of being
// a secret: ${VAR} or $VAR.
func Reference(text string) bool {
	name, ok := strings.CutPrefix(strings.TrimSpace(text), "$")
	if inner, braced := strings.CutPrefix(name, "{"); braced {
		name, ok = strings.CutSuffix(inner, "}")
	}
	return ok && envName(name)
}

func fromEnv(s *audit.Subject, name, label string) Secret {
	v := strings.TrimSpace(s.Env(name))
	if v == "" {
		s.Diagnose("security audit: " + label + " refers to the environment variable " + name + ", which is missing or empty.")
	}
	return Secret{Value: v, Configured: true}
}

func follow(s *audit.Subject, n *audit.Node, label string) Secret {
	provider := s.Root.Get("secrets", "providers", n.Get("provider").Or("default"))
	id := n.Get("id").Text()
	switch n.Get("source").Text() {
	case "env":
		if list := provider.Get("allowlist"); list.Is(audit.List) && !contains(list.Strings(), id) {
			s.Diagnose("security audit: " + label + " refers to an environment variable that its provider does not allow.")
			return Secret{Configured: true}
		}
		return fromEnv(s, id, label)
	case "file":
		if v, ok := fromFile(s, provider, id); ok {
			return Secret{Value: v, Configured: true}
		}
		s.Diagnose("security audit: " + label + " refers to a file that could not be read here.")
		return Secret{Configured: true}
	}
	return Secret{Configured: true, Unread: true}
}

func contains(list []string, want string) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}
