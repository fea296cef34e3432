package gateway

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

func ownModes() []audit.Check {
	const layer = audit.LayerGateway
	return []audit.Check{
		{ID: "gateway.oidc_no_audience", Layer: layer, On: audit.Own, Severity: "critical", Title: "OIDC tokens of any application are accepted, or none",
			Why: "A token that was issued for another service must not open this one.", Remedy: "Set gateway.auth.oidc.audience to this gateway's client id.", Refs: []string{"CWE-287", "CWE-346"},
			Run:   inMode("oidc", "gateway.auth.oidc.audience", "gateway.auth.oidc.audience is empty.", func(n *audit.Node) bool { return len(n.At("oidc.audience").Strings()) == 0 }),
			Fires: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {issuer: 'https://id.example'}}}"), Quiet: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {audience: [chitin]}}}", "{}")},
		{ID: "gateway.oidc_issuer_plain_http", Layer: layer, On: audit.Own, Severity: "critical", Title: "The identity provider's keys are fetched in clear text",
			Why: "Whoever is on the path hands out his own keys and signs any identity.", Remedy: "Use https for issuer and jwksUrl, or jwksFile.", Refs: []string{"CWE-319", "CWE-345"},
			Run: inMode("oidc", "gateway.auth.oidc.issuer", "issuer or jwksUrl is plain HTTP.", func(n *audit.Node) bool {
				return strings.HasPrefix(n.At("oidc.issuer").Text(), "http://") || strings.HasPrefix(n.At("oidc.jwksUrl").Text(), "http://")
			}), Fires: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {issuer: 'http://id.example'}}}"), Quiet: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {issuer: 'https://id.example'}}}")},
		{ID: "gateway.oidc_weak_algorithm", Layer: layer, On: audit.Own, Severity: "critical", Title: "A weak signature algorithm is accepted",
			Why: "none proves nothing, and an HMAC key that every verifier has lets every verifier sign.", Remedy: "Remove none and HS* from gateway.auth.oidc.algorithms.", Refs: []string{"CWE-327", "CWE-347"},
			Run: inMode("oidc", "gateway.auth.oidc.algorithms", "none or an HMAC algorithm is listed.", func(n *audit.Node) bool {
				for _, a := range n.At("oidc.algorithms").Strings() {
					if strings.EqualFold(a, "none") || strings.HasPrefix(strings.ToUpper(a), "HS") {
						return true
					}
				}
				return false
			}), Fires: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {algorithms: [HS256]}}}"), Quiet: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {algorithms: [RS256]}}}")},
		{ID: "gateway.oidc_no_allowlist", Layer: layer, On: audit.Own, Severity: "warn", Title: "Every user of the identity provider may call",
			Why: "The whole company, or the whole world with a public provider, may use the agent's tools.", Remedy: "List the users in gateway.auth.oidc.allowUsers.", Refs: []string{"CWE-863"},
			Run:   inMode("oidc", "gateway.auth.oidc.allowUsers", "gateway.auth.oidc.allowUsers is not set.", func(n *audit.Node) bool { return !n.At("oidc.allowUsers").Set() }),
			Fires: kit.Cfg("gateway: {auth: {mode: oidc}}"), Quiet: kit.Cfg("gateway: {auth: {mode: oidc, oidc: {allowUsers: [bob]}}}", "{}")},
		{ID: "gateway.mtls_no_ca", Layer: layer, On: audit.Own, Severity: "critical", Title: "Client certificates have no authority to be checked against",
			Why: "Without its own authority the mode cannot tell a client's certificate from anybody's.", Remedy: "Set gateway.auth.mtls.caPath.", Refs: []string{"CWE-295"},
			Run:   inMode("mtls", "gateway.auth.mtls.caPath", "neither gateway.auth.mtls.caPath nor gateway.tls.caPath is set.", func(n *audit.Node) bool { return n.At("mtls.caPath").Text() == "" }),
			Fires: kit.Cfg("gateway: {auth: {mode: mtls}}"), Quiet: kit.Cfg("gateway: {auth: {mode: mtls, mtls: {caPath: /etc/ca.pem}}}", "gateway: {auth: {mode: mtls}, tls: {caPath: /etc/ca.pem}}")},
		{ID: "gateway.mtls_no_allowlist", Layer: layer, On: audit.Own, Severity: "warn", Title: "Every certificate of the authority may call",
			Why: "A company's authority signs many certificates that were never meant for this gateway.", Remedy: "List the names in gateway.auth.mtls.allowUsers, or use an authority of its own.", Refs: []string{"CWE-863"},
			Run:   inMode("mtls", "gateway.auth.mtls.allowUsers", "gateway.auth.mtls.allowUsers is not set.", func(n *audit.Node) bool { return !n.At("mtls.allowUsers").Set() }),
			Fires: kit.Cfg("gateway: {auth: {mode: mtls}}"), Quiet: kit.Cfg("gateway: {auth: {mode: mtls, mtls: {allowUsers: [ci]}}}", "{}")},
		{ID: "gateway.principal_owner_wildcard", Layer: layer, On: audit.Own, Severity: "critical", Title: "A pattern of identities owns the gateway",
			Why: "Owner-only tools reconfigure the gateway; nobody should get them by matching a pattern.", Remedy: "Name single identities, such as unix:1000.", Refs: []string{"CWE-269"},
			Run:   principals("owner is set for a pattern", func(id string, n *audit.Node) bool { return strings.Contains(id, "*") && n.Get("owner").True() }),
			Fires: kit.Cfg("gateway: {auth: {principals: {'unix:*': {owner: true}}}}"), Quiet: kit.Cfg("gateway: {auth: {principals: {'unix:1000': {owner: true}}}}")},
		{ID: "gateway.principal_admin_many", Layer: layer, On: audit.Own, Severity: "info", Title: "More than five identities administer the gateway",
			Why: "Each is a way in; few people need to change the gateway.", Remedy: "Give operator.write and keep operator.admin for those who change settings.", Refs: []string{"CWE-269"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := 0
				s.Root.At("gateway.auth.principals").Each(func(_ string, p *audit.Node) {
					if p.Get("owner").True() || kit.Has(p.Get("scopes").Strings(), "operator.admin") {
						n++
					}
				})
				return kit.If(n > 5, "gateway.auth.principals", "%d identities have operator.admin or own the gateway.", n)
			},
			Fires: kit.Cfg("gateway: {auth: {principals: {a: {owner: true}, b: {owner: true}, c: {owner: true}, d: {owner: true}, e: {owner: true}, f: {scopes: [operator.admin]}}}}"),
			Quiet: kit.Cfg("gateway: {auth: {principals: {a: {owner: true}, b: {scopes: [operator.read]}}}}")},
		{ID: "gateway.tenants_shared", Layer: layer, On: audit.Own, Severity: "info", Title: "All proved identities share one tenant",
			Why: "People with their own identities then see each other's sessions, sandboxes and secrets.", Remedy: "Set gateway.auth.tenantOf to principal, or give principals a tenant.", Refs: []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				auth := s.Root.At("gateway.auth")
				many := kit.Has([]string{"oidc", "mtls", "trusted-proxy", "unix"}, view.OfGateway(s).Mode)
				named := false
				auth.Get("principals").Each(func(_ string, p *audit.Node) { named = named || p.Get("tenant").Set() })
				return kit.If(many && !named && auth.Get("tenantOf").Or("default") == "default" && !auth.At("oidc.tenantClaim").Set(), "gateway.auth.tenantOf", "The mode tells people apart and gateway.auth.tenantOf puts all of them together.")
			},
			Fires: kit.Cfg("gateway: {auth: {mode: oidc}}"), Quiet: kit.Cfg("gateway: {auth: {mode: oidc, tenantOf: principal}}", "{}")},
		{ID: "gateway.unix_socket_exposed_dir", Layer: layer, On: audit.Own, Severity: "warn", Title: "The Unix socket lies in a directory that others can write to",
			Why: "Whoever can write there replaces the socket and gets the callers' requests.", Remedy: "Leave gateway.auth.unix.socket unset, or choose a 0700 directory.", Refs: []string{"CWE-379"},
			Run: kit.Key("gateway.auth.unix.socket", func(n *audit.Node) string {
				for _, dir := range []string{"/tmp/", "/var/tmp/", "/dev/shm/"} {
					if strings.HasPrefix(n.Text(), dir) {
						return "The socket is below " + dir + "."
					}
				}
				return ""
			}), Fires: kit.Cfg("gateway: {auth: {unix: {socket: /tmp/gw.sock}}}"), Quiet: kit.Cfg("gateway: {auth: {unix: {socket: /run/chitin/gw.sock}}}", "{}")},
	}
}

func inMode(mode, key, detail string, bad func(auth *audit.Node) bool) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		auth := s.Root.At("gateway.auth")
		if mode == "mtls" && key == "gateway.auth.mtls.caPath" && s.Root.At("gateway.tls.caPath").Text() != "" {
			return nil
		}
		return kit.If(view.OfGateway(s).Mode == mode && bad(auth), key, "%s", detail)
	}
}

func principals(detail string, bad func(id string, n *audit.Node) bool) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		var out []audit.Hit
		s.Root.At("gateway.auth.principals").Each(func(id string, n *audit.Node) {
			if bad(id, n) {
				out = append(out, kit.At("gateway.auth.principals."+id, "%s: %s.", audit.Show(id), detail)...)
			}
		})
		return out
	}
}
