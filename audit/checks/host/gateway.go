// Package host holds the checks of what surrounds the gateway: the running
// gateway itself, its sockets, the container engine, containers, the kernel and
// the account. They run with --deep.
package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerHost

// port is where the gateway should listen.
func port(s *audit.Subject) int {
	if s.Kind == audit.OpenClaw {
		if p, err := strconv.Atoi(s.Env("OPENCLAW_GATEWAY_PORT")); err == nil {
			return p
		}
	} else if p, err := strconv.Atoi(s.Env("CHITIN_GATEWAY_PORT")); err == nil {
		return p
	}
	if v, ok := s.Root.At("gateway.port").Num(); ok && v > 0 && v < 65536 {
		return int(v)
	}
	if s.Kind == audit.OpenClaw {
		return 18789
	}
	return 18790
}

type probeKey struct{}

// probed asks the gateway once a run and records the answer in the report.
func probed(s *audit.Subject) error {
	return audit.Memo(s, probeKey{}, func() error {
		ask := s.Probes.Gateway
		if ask == nil {
			return nil
		}
		scheme := "http"
		if s.Root.At("gateway.tls.enabled").True() {
			scheme = "https"
		}
		url := fmt.Sprintf("%s://127.0.0.1:%d", scheme, port(s))
		err := ask(s.Context(), url)
		p := audit.GatewayProbe{Attempted: true, URL: url, OK: err == nil}
		if err != nil {
			text := audit.Show(err.Error())
			p.Error = &text
		}
		s.SetDeep(audit.Deep{Gateway: p})
		return err
	})
}

// Gateway lists the checks of the running gateway and its sockets.
func Gateway() []audit.Check {
	answers := func(err error) []audit.Example {
		return []audit.Example{{Config: `{}`, Probes: audit.Probes{Gateway: func(context.Context, string) error { return err }}}}
	}
	listen := func(config string, list ...audit.Listener) []audit.Example {
		return []audit.Example{{Config: config, Probes: audit.Probes{Euid: func() int { return 1000 }, Listeners: func() ([]audit.Listener, error) { return list, nil }}}}
	}
	at := func(addr string, uid int) audit.Listener {
		return audit.Listener{Addr: netip.MustParseAddrPort(addr), UID: uid}
	}
	return []audit.Check{
		{ID: "gateway.probe_failed", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn", Deep: true, Title: "Gateway probe failed (deep)",
			Why: "What runs could not be compared with what is configured.", Remedy: "Start the gateway and run the audit again.", Refs: []string{"CWE-1059"},
			Run: func(s *audit.Subject) []audit.Hit {
				if err := probed(s); err != nil {
					return kit.At("gateway.port", "%s", audit.Show(err.Error()))
				}
				return nil
			}, Fires: answers(errors.New("connection refused")), Quiet: answers(nil)},
		{ID: "gateway.probe_auth_secretref_unavailable", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn", Deep: true, Title: "The probe's credential is a reference that could not be read",
			Why: "A running gateway could only be asked whether it lives.", Remedy: "Run the audit with the gateway's environment.", Refs: []string{"CWE-1059"},
			Run: func(s *audit.Subject) []audit.Hit {
				g := view.OfGateway(s)
				c := g.Token
				if g.Mode == "password" {
					c = g.Password
				}
				return kit.If(c.Raw.Is(audit.Map) && c.Configured && c.Value == "", "gateway.auth", "The credential of mode %s could not be read.", audit.Show(g.Mode))
			}, Fires: kit.Cfg(`{gateway:{auth:{token:{source:"exec",provider:"p",id:"x"}}}}`), Quiet: kit.Cfg(`{gateway:{auth:{token:"tok-7hG2kQ9vXz41LmPa83RwTn56"}}}`, `{}`)},
		{ID: "listen.beyond_bind", Layer: layer, On: audit.Both, Severity: "critical", Deep: true, Title: "The gateway's port is open beyond what the configuration says",
			Why: "The configuration was changed and the gateway not restarted, or in a container the default is every interface.", Remedy: "Restart the gateway, and set gateway.bind explicitly.", Refs: []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				if view.OfGateway(s).Exposed {
					return nil
				}
				return listening(s, func(l audit.Listener) string {
					if int(l.Addr.Port()) == port(s) && !l.Addr.Addr().IsLoopback() {
						return fmt.Sprintf("gateway.bind means loopback, and %s is listening.", l.Addr)
					}
					return ""
				})
			}, Fires: listen(`{}`, at("0.0.0.0:18789", 1000)), Quiet: kit.Join(listen(`{}`, at("127.0.0.1:18789", 1000)), listen(`{gateway:{bind:"lan"}}`, at("0.0.0.0:18789", 1000)), listen(`{}`, at("0.0.0.0:80", 0)))},
		{ID: "listen.port_taken", Layer: layer, On: audit.Both, Severity: "critical", Deep: true, Title: "Another account listens on the gateway's port",
			Why: "Clients send their token to whoever is there first.", Remedy: "Find out who it is (ss -ltnp), and choose another port.", Refs: []string{"CWE-300", "CWE-605"},
			Run: func(s *audit.Subject) []audit.Hit {
				if s.Probes.Euid == nil {
					return nil
				}
				me := s.Probes.Euid()
				return listening(s, func(l audit.Listener) string {
					if int(l.Addr.Port()) == port(s) && l.UID != me && l.UID != 0 && me != 0 {
						return fmt.Sprintf("%s belongs to uid %d.", l.Addr, l.UID)
					}
					return ""
				})
			}, Fires: listen(`{}`, at("127.0.0.1:18789", 1001)), Quiet: listen(`{}`, at("127.0.0.1:18789", 1000))},
		{ID: "listen.engine_tcp", Layer: layer, On: audit.Both, Severity: "critical", Deep: true, Title: "A container engine listens on plain TCP",
			Why: "Whoever reaches the port is root on this host.", Remedy: "Remove -H tcp:// from the engine, or use TLS with client certificates.", Refs: []string{"CWE-306"},
			Run: func(s *audit.Subject) []audit.Hit {
				return listening(s, func(l audit.Listener) string {
					if l.Addr.Port() == 2375 {
						return fmt.Sprintf("%s is the engine's port without TLS.", l.Addr)
					}
					return ""
				})
			}, Fires: listen(`{}`, at("0.0.0.0:2375", 0)), Quiet: listen(`{}`, at("0.0.0.0:2376", 0))},
		{ID: "listen.debugger", Layer: layer, On: audit.Both, Severity: "critical", Deep: true, Title: "A debugger port is open beyond loopback",
			Why: "A Node.js inspector or a browser's debugging port runs any code that is sent to it.", Remedy: "Bind it to 127.0.0.1, or switch it off.", Refs: []string{"CWE-489"},
			Run: func(s *audit.Subject) []audit.Hit {
				return listening(s, func(l audit.Listener) string {
					if p := l.Addr.Port(); (p == 9229 || p == 9222) && !l.Addr.Addr().IsLoopback() {
						return fmt.Sprintf("%s is listening.", l.Addr)
					}
					return ""
				})
			}, Fires: listen(`{}`, at("0.0.0.0:9229", 1000), at("[::]:9222", 0)), Quiet: listen(`{}`, at("127.0.0.1:9229", 1000))},
	}
}

type listenersKey struct{}

func listening(s *audit.Subject, bad func(audit.Listener) string) []audit.Hit {
	if s.Probes.Listeners == nil {
		return nil
	}
	all := audit.Memo(s, listenersKey{}, func() []audit.Listener {
		list, err := s.Probes.Listeners()
		if err != nil {
			s.Disk.Skip("listening sockets", err.Error())
		}
		return list
	})
	var out []audit.Hit
	for _, l := range all {
		if msg := bad(l); msg != "" {
			out = append(out, kit.At("gateway.port", "%s", msg)...)
		}
	}
	return out
}
