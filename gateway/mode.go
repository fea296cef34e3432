package gateway

import (
	"net/netip"
	"os"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
)

// resolveMode picks the authentication mode: as configured, else password when
// a password resolves, else token.
func resolveMode(cfg Config, token, password secrets.Value) (Mode, error) {
	if cfg.Auth.Mode != "" {
		return cfg.Auth.Mode, nil
	}
	if !token.IsZero() && !password.IsZero() {
		return "", startRefusal(exitSecrets, "Both a token and a password are configured and gateway.auth.mode is not set.", "set gateway.auth.mode to token or password")
	}
	if !password.IsZero() {
		return ModePassword, nil
	}
	return ModeToken, nil
}

// placeholders are values that documentation prints. Whoever deploys one has
// deployed a published secret.
var placeholders = [...]string{
	"undefined", "null", "none", "nil", "changeme", "change-me", "change-me-now", "change-me-to-a-long-random-token",
	"change-me-to-a-strong-password", "your-token-here", "your-token", "your-password", "your-secret-here",
	"replace-me", "replaceme", "placeholder", "example", "example-token", "secret", "password", "token",
	"todo", "xxx", "test-token", secrets.Redacted, "[redacted]", "redacted", "***", "********", "__openclaw_redacted__",
}

// placeholder reports whether a secret is one that was never chosen.
func placeholder(v secrets.Value) bool {
	s := strings.ToLower(v.Reveal())
	for _, p := range placeholders {
		if s == p {
			return true
		}
	}
	if strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}") || strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		return true
	}
	return strings.Trim(s, "*xX.-_•") == ""
}

// checkStart refuses what must not run.
func checkStart(cfg Config, mode Mode, token, password secrets.Value) error {
	if err := checkSecrets(mode, token, password); err != nil {
		return err
	}
	if mode == ModeNone && cfg.beyondLoopback() {
		return startRefusal(exitConfig, "Refusing to bind gateway to "+cfg.bindName()+" without auth.", "set gateway.auth.mode: token, or gateway.bind: loopback")
	}
	if mode == ModeNone && cfg.Tailscale.Mode != "" && cfg.Tailscale.Mode != "off" {
		return startRefusal(exitConfig, "Refusing to publish the gateway through Tailscale without auth.", "set gateway.auth.mode: token or password")
	}
	if cfg.Tailscale.Mode == "funnel" && mode != ModePassword {
		return startRefusal(exitConfig, "Refusing to publish the gateway to the internet: tailscale funnel needs gateway.auth.mode password.", "set gateway.auth.mode: password, or gateway.tailscale.mode: serve")
	}
	for _, p := range cfg.Validate() {
		if !p.Warning {
			return startRefusal(startCode(p.Path), "gateway."+p.Path+" "+p.Message, p.Hint)
		}
	}
	if mode == ModeProxy && (cfg.Auth.Token.Ref != nil || !cfg.Auth.Token.Literal.IsZero()) {
		return startRefusal(exitSecrets, "gateway.auth.mode trusted-proxy and gateway.auth.token exclude each other.", "remove gateway.auth.token, or set gateway.auth.mode: token")
	}
	return nil
}

func startCode(path string) int {
	if path == "auth.trustedProxy.userHeader" {
		return exitSecrets
	}
	return exitConfig
}

func checkSecrets(mode Mode, token, password secrets.Value) error {
	if !token.IsZero() && placeholder(token) {
		return startRefusal(exitSecrets, "The gateway token is a placeholder or a published example.", "make a real one: chitin token create, or remove gateway.auth.token and let one be generated")
	}
	if !password.IsZero() && placeholder(password) {
		return startRefusal(exitSecrets, "The gateway password is a placeholder or a published example.", "choose a real one and reference it in gateway.auth.password")
	}
	if mode == ModePassword && password.IsZero() {
		return startRefusal(exitSecrets, "gateway.auth.mode is password and no password is set.", "reference one in gateway.auth.password or set CHITIN_GATEWAY_PASSWORD")
	}
	return nil
}

// beyondLoopback reports whether the configuration listens where other
// machines can reach it.
func (c Config) beyondLoopback() bool {
	switch c.Bind {
	case "", "loopback", "unix":
		return false
	case "custom":
		a, err := netip.ParseAddr(c.CustomBindHost)
		return err != nil || !a.Unmap().IsLoopback()
	case "auto":
		return inContainer()
	}
	return true
}

// Exposed reports whether other machines can reach the gateway as configured.
func (c Config) Exposed() bool {
	return c.beyondLoopback() || c.Tailscale.Mode == "serve" || c.Tailscale.Mode == "funnel"
}

func (c Config) bindName() string {
	if c.Bind == "custom" {
		return c.CustomBindHost
	}
	return c.Bind
}

// inContainer reports whether this process runs in a container.
func inContainer() bool {
	for _, p := range [...]string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != "" || os.Getenv("container") != ""
}
