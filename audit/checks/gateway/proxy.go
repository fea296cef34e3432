package gateway

import (
	"net/netip"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const (
	proxyOK   = `{gateway:{auth:{mode:"trusted-proxy",trustedProxy:{userHeader:"x-user",allowUsers:["ops"]}},trustedProxies:["10.0.0.5"]}}`
	proxyBare = `{gateway:{auth:{mode:"trusted-proxy"}}}`
)

// inProxyMode makes a check's function that only looks in trusted-proxy mode.
func inProxyMode(key, detail string, bad func(n *audit.Node, g *view.Gateway) bool) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		g := view.OfGateway(s)
		return kit.If(g.Mode == "trusted-proxy" && bad(s.Root.At("gateway.auth.trustedProxy"), g), key, "%s", detail)
	}
}

func proxy() []audit.Check { return append(proxyIdentity(), proxyReach()...) }

func proxyIdentity() []audit.Check {
	const layer = audit.LayerGateway
	return []audit.Check{
		{
			ID: "gateway.trusted_proxy_auth", Layer: layer, On: audit.Both, Severity: "critical; on our own gateway info when a signed assertion is demanded",
			Title:  "Trusted-proxy auth mode enabled",
			Why:    "Identity is a header. Whoever reaches the port without passing the proxy writes the header himself.",
			Remedy: "Restrict gateway.trustedProxies to the proxy's addresses, block every other way to the port, and demand the proxy's signed assertion where it has one.",
			Refs:   []string{"CWE-290", "CWE-807"},
			Run: func(s *audit.Subject) []audit.Hit {
				hits := kit.If(view.OfGateway(s).Mode == "trusted-proxy", "gateway.auth.mode", "A reverse proxy proves who callers are.")
				if len(hits) > 0 && s.Kind == audit.Own && s.Root.At("gateway.auth.trustedProxy.requireJwt").True() {
					hits[0].Severity = audit.Info
				}
				return hits
			},
			Fires: kit.Join(kit.Cfg(proxyOK), kit.Want(audit.Info, kit.Own("gateway: {auth: {mode: trusted-proxy, trustedProxy: {requireJwt: true}}}"))),
			Quiet: kit.Cfg(`{}`, `{gateway:{auth:{mode:"token"}}}`),
		},
		{
			ID: "gateway.trusted_proxy_no_proxies", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Trusted-proxy auth enabled but no trusted proxies configured",
			Why:    "No address is trusted, so either every request fails or a careless version believes all of them.",
			Remedy: "List the proxy's addresses in gateway.trustedProxies.",
			Refs:   []string{"CWE-290"},
			Run: inProxyMode("gateway.trustedProxies", "gateway.trustedProxies is empty.", func(_ *audit.Node, g *view.Gateway) bool {
				return len(g.Proxies) == 0
			}),
			Fires: kit.Cfg(proxyBare), Quiet: kit.Cfg(proxyOK, `{}`),
		},
		{
			ID: "gateway.trusted_proxy_no_user_header", Layer: layer, On: audit.Both, Severity: "critical",
			Title:  "Trusted-proxy auth missing userHeader config",
			Why:    "Without the name of the header nobody can be told apart.",
			Remedy: "Set gateway.auth.trustedProxy.userHeader to the header that the proxy always overwrites.",
			Refs:   []string{"CWE-287"},
			Run: inProxyMode("gateway.auth.trustedProxy.userHeader", "gateway.auth.trustedProxy.userHeader is not set.", func(n *audit.Node, _ *view.Gateway) bool {
				return n.Get("userHeader").Text() == "" && !n.Get("requireJwt").True()
			}),
			Fires: kit.Cfg(proxyBare), Quiet: kit.Cfg(proxyOK, `{}`),
		},
		{
			ID: "gateway.trusted_proxy_allow_loopback", Layer: layer, On: audit.Both, Severity: "warn",
			Title:  "Trusted-proxy auth allows loopback proxy sources",
			Why:    "Every account on this host can then speak as the proxy, in any user's name.",
			Remedy: "Put the proxy on its own address and set gateway.auth.trustedProxy.allowLoopback to false.",
			Refs:   []string{"CWE-290"},
			Run: inProxyMode("gateway.auth.trustedProxy.allowLoopback", "Requests from this host may carry a proxy's identity header.", func(n *audit.Node, _ *view.Gateway) bool {
				return n.Get("allowLoopback").True()
			}),
			Fires: kit.Cfg(`{gateway:{auth:{mode:"trusted-proxy",trustedProxy:{allowLoopback:true}}}}`), Quiet: kit.Cfg(proxyOK, `{gateway:{auth:{mode:"token",trustedProxy:{allowLoopback:true}}}}`),
		},
	}
}

func proxyReach() []audit.Check {
	const layer = audit.LayerGateway
	return []audit.Check{
		{
			ID: "gateway.trusted_proxy_device_auto_approve", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title:  "Trusted-proxy operator device auto-approval enabled",
			Why:    "Pairing a new device then needs nothing but the proxy's word.",
			Remedy: "Set gateway.auth.trustedProxy.deviceAutoApprove.enabled to false and approve devices by hand.",
			Refs:   []string{"CWE-862"},
			Run: inProxyMode("gateway.auth.trustedProxy.deviceAutoApprove.enabled", "New operator devices are approved on the proxy's word.", func(n *audit.Node, _ *view.Gateway) bool {
				return n.At("deviceAutoApprove.enabled").True()
			}),
			Fires: kit.Cfg(`{gateway:{auth:{mode:"trusted-proxy",trustedProxy:{deviceAutoApprove:{enabled:true}}}}}`), Quiet: kit.Cfg(proxyOK),
		},
		{
			ID: "gateway.trusted_proxy_device_auto_approve_admin", Layer: layer, On: audit.OpenClaw, Severity: "critical",
			Title:  "Trusted-proxy device auto-approval allows full admin",
			Why:    "Every user of the proxy can make himself an administrator's device.",
			Remedy: "Remove operator.admin from deviceAutoApprove.scopes and grant it per identity.",
			Refs:   []string{"CWE-269"},
			Run: inProxyMode("gateway.auth.trustedProxy.deviceAutoApprove.scopes", "Auto-approved devices may have operator.admin.", func(n *audit.Node, _ *view.Gateway) bool {
				return n.At("deviceAutoApprove.enabled").True() && kit.Has(n.At("deviceAutoApprove.scopes").Strings(), "operator.admin")
			}),
			Fires: kit.Cfg(`{gateway:{auth:{mode:"trusted-proxy",trustedProxy:{deviceAutoApprove:{enabled:true,scopes:["operator.admin"]}}}}}`),
			Quiet: kit.Cfg(`{gateway:{auth:{mode:"trusted-proxy",trustedProxy:{deviceAutoApprove:{enabled:true,scopes:["operator.read"]}}}}}`),
		},
		{
			ID: "gateway.trusted_proxy_no_allowlist", Layer: layer, On: audit.Both, Severity: "warn",
			Title:  "Trusted-proxy auth allows all authenticated users",
			Why:    "Everybody whom the proxy lets in, the whole company perhaps, may use the agent's tools.",
			Remedy: "List the users in gateway.auth.trustedProxy.allowUsers.",
			Refs:   []string{"CWE-863"},
			Run: inProxyMode("gateway.auth.trustedProxy.allowUsers", "gateway.auth.trustedProxy.allowUsers is empty.", func(n *audit.Node, _ *view.Gateway) bool {
				return len(n.Get("allowUsers").Strings()) == 0
			}),
			Fires: kit.Cfg(proxyBare), Quiet: kit.Cfg(proxyOK),
		},
		{
			ID: "gateway.trusted_proxies_broad", Layer: layer, On: audit.Both, Severity: "warn; critical in trusted-proxy mode",
			Title:  "gateway.trustedProxies covers a whole network",
			Why:    "Every machine of that network may claim any client address, and in trusted-proxy mode any user.",
			Remedy: "List single addresses of proxies.",
			Refs:   []string{"CWE-348", "CWE-290"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				var broad []string
				for _, p := range g.Proxies {
					if net, err := netip.ParsePrefix(p); err == nil && (net.Addr().Is4() && net.Bits() < 16 || net.Addr().Is6() && net.Bits() < 48) {
						broad = append(broad, p)
					}
				}
				return kit.Raise(g.Mode == "trusted-proxy", kit.If(len(broad) > 0, "gateway.trustedProxies", "Very wide ranges: %s.", kit.List(broad, 10)))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{gateway:{trustedProxies:["0.0.0.0/0"]}}`)), kit.Want(audit.Critical, kit.Cfg(`{gateway:{auth:{mode:"trusted-proxy"},trustedProxies:["10.0.0.0/8"]}}`))),
			Quiet: kit.Cfg(proxyOK, `{gateway:{trustedProxies:["192.168.1.0/24"]}}`),
		},
	}
}
