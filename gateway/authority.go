package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"os/user"
	"reflect"
	"strings"

	"github.com/chitin-sh/chitin/gateway/internal/mint"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/secrets"
)

// authority is one compiled configuration. It is never changed, only replaced.
type authority struct {
	cfg            Config
	mode           Mode
	token          secrets.Value
	password       secrets.Value
	verifiers      []Verifier
	proxies        []netip.Prefix
	hosts          map[string]bool
	origins        map[string]bool
	anyOrigin      bool
	beyondLoopback bool
	principals     map[string]principal
}

type principal struct {
	tenant string
	scopes *Scope
	owner  bool
}

func (g *Guard) build(cfg Config, token, password secrets.Value) (*authority, error) {
	token, password = trimmed(token), trimmed(password)
	mode, err := resolveMode(cfg, token, password)
	if err != nil {
		return nil, err
	}
	if err := checkStart(cfg, mode, token, password); err != nil {
		return nil, err
	}
	a := &authority{cfg: cfg, mode: mode, token: token, password: password, beyondLoopback: cfg.beyondLoopback()}
	for _, p := range cfg.TrustedProxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			return nil, startRefusal(exitConfig, "gateway.trustedProxies: "+p+" is neither an address nor a CIDR range", "write for example 10.0.0.5 or 10.0.0.0/24")
		}
		a.proxies = append(a.proxies, prefix)
	}
	a.compileNames()
	if err := a.compilePrincipals(); err != nil {
		return nil, err
	}
	a.verifiers, err = g.deps.Build(g.ctx, Setup{
		Config: cfg, Mode: mode, Token: token, Password: password,
		Revoke: g.Revoke, Log: g.deps.Log,
		Trusted: func(at *Attempt) bool { return a.trusted(at.Client.Peer) },
	})
	return a, err
}

func trimmed(v secrets.Value) secrets.Value { return secrets.NewValue(strings.TrimSpace(v.Reveal())) }

// compileNames gathers the host names and origins that browsers may use.
func (a *authority) compileNames() {
	a.hosts = map[string]bool{"localhost": true}
	a.origins = map[string]bool{}
	for _, h := range a.cfg.AllowedHosts {
		if name, ok := hostName(strings.TrimSpace(h)); ok {
			a.hosts[name] = true
		}
	}
	if name, ok := hostName(a.cfg.CustomBindHost); ok && a.cfg.Bind == "custom" {
		a.hosts[name] = true
	}
	for _, o := range a.cfg.ControlUI.AllowedOrigins {
		if o == "*" {
			a.anyOrigin = true
			continue
		}
		if p, ok := parseOrigin(strings.TrimSuffix(strings.TrimSpace(o), "/")); ok {
			a.origins[p.text] = true
			a.hosts[p.host] = true
		}
	}
}

func (a *authority) compilePrincipals() error {
	a.principals = map[string]principal{}
	for name, p := range a.cfg.Auth.Principals {
		out := principal{tenant: p.Tenant, owner: p.Owner}
		if p.Scopes != nil {
			s, err := ParseScopes(p.Scopes)
			if err != nil {
				return startRefusal(exitConfig, "gateway.auth.principals."+name+": "+err.Error(), "correct the scope's name")
			}
			out.scopes = &s
		}
		a.principals[numericUser(name)] = out
	}
	for u, names := range a.cfg.Auth.TrustedProxy.IdentityScopes {
		s, err := ParseScopes(names)
		if err != nil {
			return startRefusal(exitConfig, "gateway.auth.trustedProxy.identityScopes."+u+": "+err.Error(), "correct the scope's name")
		}
		p := a.principals["trusted-proxy:"+u]
		if p.scopes == nil {
			p.scopes = &s
		}
		a.principals["trusted-proxy:"+u] = p
	}
	return nil
}

// numericUser turns unix:bob into unix:1001, which is what the kernel says.
func numericUser(name string) string {
	id, ok := strings.CutPrefix(name, "unix:")
	if !ok || id == "" || id[0] >= '0' && id[0] <= '9' {
		return name
	}
	if u, err := user.Lookup(id); err == nil {
		return "unix:" + u.Uid
	}
	return name
}

// place decides the tenant, scopes and ownership of a proved identity. What
// nothing names gets operator.write, no ownership and the default tenant or
// one of its own.
func (a *authority) place(id Identity, epoch uint64) (mint.Claims, bool) {
	key := string(id.Kind) + ":" + id.ID
	p := a.principals[key]
	c := mint.Claims{
		Kind: string(id.Kind), ID: id.ID, Tenant: id.Tenant, Credential: id.Credential,
		Owner: id.Owner || p.owner, Epoch: epoch,
	}
	if !id.Expires.IsZero() {
		c.Expires = id.Expires.UnixMilli()
	}
	scopes := ScopeWrite
	switch {
	case id.Scopes != nil:
		scopes = *id.Scopes
	case p.scopes != nil:
		scopes = *p.scopes
	}
	c.Scopes = uint16(scopes.Closure())
	switch {
	case c.Tenant != "":
	case p.tenant != "":
		c.Tenant = p.tenant
	case a.cfg.Auth.TenantOf == "principal" && !c.Owner:
		sum := sha256.Sum256([]byte(key))
		c.Tenant = "p-" + hex.EncodeToString(sum[:12])
	default:
		c.Tenant = DefaultTenant
	}
	return c, ValidTenant(c.Tenant) && id.Credential != ""
}

// narrowByHeader lets a client give up scopes for one request. Names that are
// not scopes grant nothing; a header that is present but empty leaves nothing.
func narrowByHeader(at *Attempt, id Identity, c Caller) Caller {
	h := at.Request.Header
	if at.Off(mutate.Narrowing) {
		return c
	}
	if vals, ok := h["X-Chitin-Scopes"]; ok {
		c = c.Narrow(declared(vals), c.owner)
	}
	if vals, ok := h["X-Openclaw-Scopes"]; ok && id.Narrowable {
		c = c.Narrow(declared(vals), c.owner)
	}
	return c
}

func declared(vals []string) Scope {
	var out Scope
	for _, v := range vals {
		for name := range strings.SplitSeq(v, ",") {
			if s, err := ParseScope(name); err == nil {
				out |= s
			}
		}
	}
	return out.Closure()
}

// Declared reads the scopes that a client asks to be limited to; unknown names
// grant nothing.
func Declared(names []string) Scope { return declared(names) }

// Reload replaces the configuration. Credentials that changed lose everything
// they hold open; a change of who may call ends every authority. What the
// listeners need (bind, port, TLS) takes effect at the next start.
func (g *Guard) Reload(cfg Config, token, password secrets.Value) error {
	g.reload.Lock()
	defer g.reload.Unlock()
	old := g.state.Load()
	a, err := g.build(cfg, token, password)
	if err != nil {
		return err
	}
	g.limit.configure(newLimits(cfg.Auth.RateLimit))
	g.state.Store(a)
	switch {
	case a.mode != old.mode || !sameAuthority(old.cfg, a.cfg):
		g.ledger.revokeAll()
	default:
		if !a.token.Equal(old.token) {
			g.ledger.revoke(CredentialToken)
		}
		if !a.password.Equal(old.password) {
			g.ledger.revoke(CredentialPassword)
		}
	}
	return closeVerifiers(old.verifiers, a.verifiers)
}

// The credentials that the configuration itself holds.
const (
	CredentialToken    = "token:main"
	CredentialPassword = "password:main"
)

// sameAuthority reports whether two configurations let in the same callers,
// the secrets themselves aside.
func sameAuthority(x, y Config) bool {
	blank := func(c Config) Config {
		c.Auth.RateLimit = RateLimitConfig{}
		c.Auth.Token, c.Auth.Password = secrets.Field{}, secrets.Field{}
		return Config{Auth: c.Auth, TrustedProxies: c.TrustedProxies, AllowRealIPFallback: c.AllowRealIPFallback}
	}
	return reflect.DeepEqual(blank(x), blank(y))
}
