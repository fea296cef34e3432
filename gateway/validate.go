package gateway

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/internal/problem"
)

// MinTokenLength is the shortest token that draws no warning.
const MinTokenLength = 24

// Validate says what is wrong with the configuration as written. What depends
// on resolved secrets or on the machine is refused by New and Listen.
func (c Config) Validate() []problem.Problem {
	v := &validator{}
	v.enum("bind", c.Bind, "loopback", "lan", "tailnet", "custom", "unix", "auto")
	v.enum("auth.mode", string(c.Auth.Mode), "token", "password", "trusted-proxy", "none", "unix", "oidc", "mtls")
	v.enum("tailscale.mode", c.Tailscale.Mode, "off", "serve", "funnel")
	v.enum("auth.mtls.identity", c.Auth.MTLS.Identity, "cn", "dns", "uri", "email")
	v.enum("auth.tenantOf", c.Auth.TenantOf, "default", "principal")
	if c.Port < 0 || c.Port > 65535 {
		v.add("port", fmt.Sprintf("%d is not a port", c.Port), "write a number from 1 to 65535")
	}
	v.bind(c)
	v.proxies(c)
	v.origins(c)
	v.rate(c.Auth.RateLimit)
	v.auth(c)
	v.tls(c)
	return v.out
}

type validator struct{ out []problem.Problem }

func (v *validator) add(path, msg, hint string) {
	v.out = append(v.out, problem.Problem{Path: path, Message: msg, Hint: hint})
}

func (v *validator) enum(path, got string, want ...string) {
	if got != "" && !slices.Contains(want, got) {
		v.add(path, fmt.Sprintf("%q is not one of %s", got, strings.Join(want, ", ")), "write one of them or remove the key")
	}
}

func (v *validator) bind(c Config) {
	if c.Bind != "custom" {
		return
	}
	if a, err := netip.ParseAddr(c.CustomBindHost); err != nil || !a.IsValid() {
		v.add("customBindHost", fmt.Sprintf("%q is not an address", c.CustomBindHost), "write the IP address to listen on")
	}
}

func (v *validator) proxies(c Config) {
	for i, p := range c.TrustedProxies {
		if _, err := parsePrefix(p); err != nil {
			v.add(fmt.Sprintf("trustedProxies[%d]", i), fmt.Sprintf("%q is neither an address nor a CIDR range", p), "write for example 10.0.0.5 or 10.0.0.0/24")
		}
	}
}

func (v *validator) origins(c Config) {
	for i, o := range c.ControlUI.AllowedOrigins {
		if o == "*" {
			continue
		}
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
			v.add(fmt.Sprintf("controlUi.allowedOrigins[%d]", i), fmt.Sprintf("%q is not an origin", o), "write scheme://host[:port] without a path")
		}
	}
	if b := c.ControlUI.BasePath; b != "" && !strings.HasPrefix(b, "/") {
		v.add("controlUi.basePath", "must begin with /", "write /"+b)
	}
}

func (v *validator) rate(r RateLimitConfig) {
	for path, n := range map[string]int{"maxAttempts": r.MaxAttempts, "windowMs": r.WindowMs, "lockoutMs": r.LockoutMs} {
		if n < 0 {
			v.add("auth.rateLimit."+path, "must not be negative", "remove the key for the default")
		}
	}
	if r.MaxAttempts > maxBudget {
		v.add("auth.rateLimit.maxAttempts", fmt.Sprintf("must be at most %d", maxBudget), "remove the key for the default of 10")
	}
}

func (v *validator) auth(c Config) {
	a := c.Auth
	if a.Mode == ModeProxy {
		if len(c.TrustedProxies) == 0 {
			v.add("trustedProxies", "mode trusted-proxy needs the proxy's address", "list it under gateway.trustedProxies")
		}
		if strings.TrimSpace(a.TrustedProxy.UserHeader) == "" && !a.TrustedProxy.RequireJWT {
			v.add("auth.trustedProxy.userHeader", "mode trusted-proxy needs the header that names the user", "write for example X-Forwarded-User")
		}
	}
	if a.Mode == ModeOIDC || a.TrustedProxy.RequireJWT {
		if a.OIDC.Issuer == "" {
			v.add("auth.oidc.issuer", "must name the issuer", "write the issuer's URL")
		}
		if len(a.OIDC.Audience) == 0 {
			v.add("auth.oidc.audience", "must name the audience; without one every token of the issuer would do", "write the audience that tokens for this gateway carry")
		}
	}
	if a.Mode == ModeMTLS {
		if !c.TLS.Enabled {
			v.add("tls.enabled", "mode mtls needs TLS", "set gateway.tls.enabled: true")
		}
		if a.MTLS.CAPath == "" && c.TLS.CAPath == "" {
			v.add("auth.mtls.caPath", "must name the file with the client certificate authorities", "write its path")
		}
	}
	if c.Tailscale.Mode == "funnel" && a.Mode != ModePassword {
		v.add("tailscale.mode", "funnel is public and needs auth.mode password", "set gateway.auth.mode: password or use serve")
	}
	v.principals(a)
}

func (v *validator) principals(a AuthConfig) {
	for name, p := range a.Principals {
		kind, id, ok := strings.Cut(name, ":")
		if !ok || id == "" || !slices.Contains([]string{"unix", "trusted-proxy", "oidc", "mtls", "tailscale"}, kind) {
			v.add("auth.principals."+name, "is not kind:id", "begin with unix:, trusted-proxy:, oidc:, mtls: or tailscale:")
		}
		if _, err := ParseScopes(p.Scopes); err != nil {
			v.add("auth.principals."+name+".scopes", err.Error(), "correct the scope's name")
		}
		if p.Tenant != "" && !ValidTenant(p.Tenant) {
			v.add("auth.principals."+name+".tenant", fmt.Sprintf("%q is not a tenant name", p.Tenant), "use letters, digits, dot, dash and underscore, at most 64")
		}
	}
	for user, scopes := range a.TrustedProxy.IdentityScopes {
		if _, err := ParseScopes(scopes); err != nil {
			v.add("auth.trustedProxy.identityScopes."+user, err.Error(), "correct the scope's name")
		}
	}
}

func (v *validator) tls(c Config) {
	t := c.TLS
	if !t.Enabled {
		return
	}
	if (t.CertPath == "") != (t.KeyPath == "") {
		v.add("tls", "certPath and keyPath belong together", "set both or neither")
	}
	if t.CertPath == "" && !t.AutoGenerate {
		v.add("tls", "there is no certificate", "set certPath and keyPath, or autoGenerate: true")
	}
}

// ValidTenant reports whether s may name a tenant.
func ValidTenant(s string) bool {
	if s == "" || len(s) > 64 || strings.Trim(s, ".") == "" {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@", r) {
			return false
		}
	}
	return true
}

func parsePrefix(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, err
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
