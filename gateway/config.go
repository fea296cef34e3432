package gateway

import "github.com/chitin-sh/chitin/secrets"

// Mode is how callers prove themselves.
type Mode string

// The authentication modes.
const (
	ModeToken    Mode = "token"
	ModePassword Mode = "password"
	ModeProxy    Mode = "trusted-proxy"
	ModeNone     Mode = "none"
	ModeUnix     Mode = "unix"
	ModeOIDC     Mode = "oidc"
	ModeMTLS     Mode = "mtls"
)

// DefaultPort is where the gateway listens when nobody says otherwise.
const DefaultPort = 18790

// Config is the key "gateway" of the configuration.
type Config struct {
	Bind                string          `yaml:"bind,omitempty" enum:"loopback,lan,tailnet,custom,unix,auto" default:"loopback" doc:"Where to listen: loopback (127.0.0.1 and ::1), lan (every interface), tailnet (the tailnet address and loopback), custom (customBindHost and loopback), unix (only a Unix socket), auto (every interface inside a container, else loopback)."`
	CustomBindHost      string          `yaml:"customBindHost,omitempty" doc:"Address to listen on when bind is custom."`
	Port                int             `yaml:"port,omitempty" default:"18790" doc:"TCP port for HTTP and WebSocket."`
	Auth                AuthConfig      `yaml:"auth,omitempty" doc:"Who may call and how they prove it."`
	TrustedProxies      []string        `yaml:"trustedProxies,omitempty" doc:"Addresses or CIDR ranges of proxies whose forwarding headers are believed. Forwarding headers from anybody else are refused."`
	AllowRealIPFallback bool            `yaml:"allowRealIpFallback,omitempty" doc:"Believe X-Real-IP from a trusted proxy that sends no usable X-Forwarded-For."`
	AllowedHosts        []string        `yaml:"allowedHosts,omitempty" doc:"Host names, beside the gateway's own, that requests may be addressed to. The list is the defence against DNS rebinding."`
	Tailscale           TailscaleConfig `yaml:"tailscale,omitempty" doc:"Publishing through Tailscale."`
	ControlUI           ControlUIConfig `yaml:"controlUi,omitempty" doc:"The browser interface and the origins that may use it."`
	TLS                 TLSConfig       `yaml:"tls,omitempty" doc:"TLS on the gateway's own listener."`
	HTTP                HTTPConfig      `yaml:"http,omitempty" doc:"Details of the HTTP surface."`
}

// AuthConfig is the key "gateway.auth".
type AuthConfig struct {
	Mode           Mode                       `yaml:"mode,omitempty" enum:"token,password,trusted-proxy,none,unix,oidc,mtls" doc:"How callers prove themselves. Absent: password if a password is configured, else token."`
	Token          secrets.Field              `yaml:"token,omitempty" doc:"The gateway's own token, as a reference. At least 24 characters."`
	Password       secrets.Field              `yaml:"password,omitempty" doc:"The gateway's password, as a reference to the text or to its Argon2id hash."`
	AllowTailscale *bool                      `yaml:"allowTailscale,omitempty" doc:"Let Tailscale identities open the Control UI without a token. Absent: yes when tailscale.mode is serve and the mode is token."`
	RateLimit      RateLimitConfig            `yaml:"rateLimit,omitempty" doc:"How many wrong credentials a client may try."`
	TrustedProxy   TrustedProxyConfig         `yaml:"trustedProxy,omitempty" doc:"Mode trusted-proxy: the identity that a proxy vouches for."`
	OIDC           OIDCConfig                 `yaml:"oidc,omitempty" doc:"Mode oidc: signed tokens of an identity provider, or a proxy's signed assertion."`
	MTLS           MTLSConfig                 `yaml:"mtls,omitempty" doc:"Mode mtls: client certificates."`
	Unix           UnixConfig                 `yaml:"unix,omitempty" doc:"The Unix socket and who may use it."`
	Principals     map[string]PrincipalConfig `yaml:"principals,omitempty" doc:"What a proved identity may do and which tenant it belongs to, by kind and id: unix:1001, unix:bob, trusted-proxy:bob@example.org, oidc:bob, mtls:bob, tailscale:bob@example.org."`
	TenantOf       string                     `yaml:"tenantOf,omitempty" enum:"default,principal" default:"default" doc:"Where identities that principals does not list belong: all to the tenant default, or each to a tenant of its own."`
}

// RateLimitConfig is the key "gateway.auth.rateLimit". Zero means the default.
type RateLimitConfig struct {
	MaxAttempts    int   `yaml:"maxAttempts,omitempty" default:"10" doc:"Wrong credentials inside the window before a client is locked out."`
	WindowMs       int   `yaml:"windowMs,omitempty" default:"60000" doc:"Length of the window in milliseconds."`
	LockoutMs      int   `yaml:"lockoutMs,omitempty" default:"300000" doc:"How long a lockout lasts in milliseconds."`
	ExemptLoopback *bool `yaml:"exemptLoopback,omitempty" default:"true" doc:"Slow loopback clients down instead of locking them out. Browsers are never exempt."`
}

// TrustedProxyConfig is the key "gateway.auth.trustedProxy".
type TrustedProxyConfig struct {
	UserHeader      string              `yaml:"userHeader,omitempty" doc:"Header in which the proxy names the user, such as X-Forwarded-User."`
	RequiredHeaders []string            `yaml:"requiredHeaders,omitempty" doc:"Headers that must be present on every proxied request."`
	AllowUsers      []string            `yaml:"allowUsers,omitempty" doc:"Exact user names that may call. Absent means every user the proxy names; an empty list means nobody."`
	AllowLoopback   bool                `yaml:"allowLoopback,omitempty" doc:"Believe a proxy on this machine's loopback address."`
	IdentityScopes  map[string][]string `yaml:"identityScopes,omitempty" doc:"Scopes per user name. Absent users get operator.write."`
	RequireJWT      bool                `yaml:"requireJwt,omitempty" doc:"Demand the proxy's signed assertion (auth.oidc.assertionHeader) as well, and take the user from it."`
}

// OIDCConfig is the key "gateway.auth.oidc".
type OIDCConfig struct {
	Issuer          string   `yaml:"issuer,omitempty" doc:"Issuer URL that tokens must carry."`
	Audience        []string `yaml:"audience,omitempty" doc:"Audiences of which a token must carry one. An empty list accepts no token. One that is a URL, such as https://gateway.example.org/mcp, is this gateway's resource identifier and is published to MCP clients."`
	JWKSURL         string   `yaml:"jwksUrl,omitempty" doc:"Where the issuer's keys are. Absent: found through the issuer's discovery document."`
	JWKSFile        string   `yaml:"jwksFile,omitempty" doc:"File with the issuer's keys, instead of a URL."`
	AssertionHeader string   `yaml:"assertionHeader,omitempty" doc:"Header with a proxy's signed assertion, such as X-Pomerium-Jwt-Assertion or Cf-Access-Jwt-Assertion. Absent: Authorization: Bearer."`
	UserClaim       string   `yaml:"userClaim,omitempty" default:"sub" doc:"Claim that names the user."`
	TenantClaim     string   `yaml:"tenantClaim,omitempty" doc:"Claim that names the user's tenant. Absent: principals and tenantOf decide."`
	ScopesClaim     string   `yaml:"scopesClaim,omitempty" doc:"Claim that lists operator scopes. Absent: operator.write."`
	AllowUsers      []string `yaml:"allowUsers,omitempty" doc:"Exact user names that may call. Absent means every user of the issuer; an empty list means nobody."`
	Algorithms      []string `yaml:"algorithms,omitempty" doc:"Signature algorithms to accept. Absent: RS256, ES256, EdDSA and their longer forms."`
}

// MTLSConfig is the key "gateway.auth.mtls".
type MTLSConfig struct {
	CAPath     string   `yaml:"caPath,omitempty" doc:"PEM file with the certificate authorities of clients."`
	Identity   string   `yaml:"identity,omitempty" enum:"cn,dns,uri,email" default:"cn" doc:"Which field of the certificate names the user."`
	AllowUsers []string `yaml:"allowUsers,omitempty" doc:"Exact names that may call. Absent means every certificate of the authority; an empty list means nobody."`
}

// UnixConfig is the key "gateway.auth.unix".
type UnixConfig struct {
	Socket     string   `yaml:"socket,omitempty" doc:"Path of the Unix socket. Absent: gateway.sock in the state directory, when bind or mode is unix."`
	AllowUsers []string `yaml:"allowUsers,omitempty" doc:"User names or uids, beside the gateway's own user and those in principals, that may call."`
}

// PrincipalConfig is one entry of "gateway.auth.principals".
type PrincipalConfig struct {
	Tenant string   `yaml:"tenant,omitempty" doc:"Tenant of this identity. Absent: as tenantOf says."`
	Scopes []string `yaml:"scopes,omitempty" doc:"Exactly these scopes. Absent: operator.write; an empty list means none."`
	Owner  bool     `yaml:"owner,omitempty" doc:"May see and use owner-only tools."`
}

// TailscaleConfig is the key "gateway.tailscale".
type TailscaleConfig struct {
	Mode   string `yaml:"mode,omitempty" enum:"off,serve,funnel" default:"off" doc:"serve publishes to the tailnet, funnel to the internet (password mode only)."`
	Socket string `yaml:"socket,omitempty" default:"/var/run/tailscale/tailscaled.sock" doc:"Socket of the Tailscale daemon."`
}

// ControlUIConfig is the key "gateway.controlUi".
type ControlUIConfig struct {
	Enabled            *bool    `yaml:"enabled,omitempty" default:"true" doc:"Serve the browser interface."`
	BasePath           string   `yaml:"basePath,omitempty" doc:"Path prefix of the browser interface."`
	AllowedOrigins     []string `yaml:"allowedOrigins,omitempty" doc:"Origins (scheme://host[:port]) that browsers may call from. * allows every origin."`
	HostHeaderFallback bool     `yaml:"dangerouslyAllowHostHeaderOriginFallback,omitempty" doc:"Accept an Origin that merely equals the Host header, and any Host. Weakens the protection against DNS rebinding."`
}

// TLSConfig is the key "gateway.tls".
type TLSConfig struct {
	Enabled      bool   `yaml:"enabled,omitempty" doc:"Serve TLS instead of plain HTTP."`
	AutoGenerate bool   `yaml:"autoGenerate,omitempty" doc:"Make a self-signed certificate in the state directory when certPath is absent."`
	CertPath     string `yaml:"certPath,omitempty" doc:"PEM file with the certificate chain. Read again when it changes."`
	KeyPath      string `yaml:"keyPath,omitempty" doc:"PEM file with the private key."`
	CAPath       string `yaml:"caPath,omitempty" doc:"PEM file with the certificate authorities of clients; auth.mtls.caPath wins."`
}

// HTTPConfig is the key "gateway.http".
type HTTPConfig struct {
	SecurityHeaders SecurityHeadersConfig `yaml:"securityHeaders,omitempty" doc:"Optional response headers."`
}

// SecurityHeadersConfig is the key "gateway.http.securityHeaders".
type SecurityHeadersConfig struct {
	StrictTransportSecurity string `yaml:"strictTransportSecurity,omitempty" doc:"Value of Strict-Transport-Security. Absent: not sent."`
}

// UIEnabled reports whether the browser interface is served.
func (c Config) UIEnabled() bool { return c.ControlUI.Enabled == nil || *c.ControlUI.Enabled }

// EffectivePort is the configured port or the default.
func (c Config) EffectivePort() int {
	if c.Port == 0 {
		return DefaultPort
	}
	return c.Port
}
