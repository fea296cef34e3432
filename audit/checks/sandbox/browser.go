package sandbox

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

// epoch is the peer's current generation of browser containers.
const epoch = "2026-05-12-cdp-relay-auth"

type browserKey struct{}

type browsers struct {
	list    []audit.BrowserContainer
	timeout bool
}

func browserContainers(s *audit.Subject) browsers {
	return audit.Memo(s, browserKey{}, func() browsers {
		if s.Probes.Browser == nil {
			return browsers{}
		}
		list, err := s.Probes.Browser(s.Context())
		return browsers{list, errors.Is(err, context.DeadlineExceeded)}
	})
}

// BrowserContainers lists the checks of the peer's browser containers.
func BrowserContainers() []audit.Check {
	with := func(b audit.BrowserContainer, err error) []audit.Example {
		return []audit.Example{{Config: `{}`, Probes: audit.Probes{Browser: func(context.Context) ([]audit.BrowserContainer, error) { return []audit.BrowserContainer{b}, err }}}}
	}
	good := audit.BrowserContainer{Name: "oc-a", ConfigHash: "h", ConfigEpoch: epoch, Ports: []string{"9222/tcp -> 127.0.0.1:49200", "6080/tcp -> [::1]:49201"}}
	change := func(f func(*audit.BrowserContainer)) audit.BrowserContainer { b := good; f(&b); return b }
	names := func(s *audit.Subject, text string, bad func(audit.BrowserContainer) string) []audit.Hit {
		var out []string
		for _, b := range browserContainers(s).list {
			if msg := bad(b); msg != "" {
				out = append(out, msg)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return []audit.Hit{{Detail: "Containers: " + kit.List(out, 20) + ". " + text}}
	}
	return []audit.Check{
		{
			ID: "sandbox.browser_container.hash_label_missing", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Sandbox browser container missing config hash label",
			Why: "The container was made by a version that could not tell whether it is still up to date.", Remedy: "openclaw sandbox recreate --browser --all", Refs: []string{"CWE-1104"},
			Run: func(s *audit.Subject) []audit.Hit {
				return names(s, "They carry no configuration hash.", func(b audit.BrowserContainer) string {
					if b.ConfigHash == "" {
						return b.Name
					}
					return ""
				})
			},
			Fires: with(change(func(b *audit.BrowserContainer) { b.ConfigHash = "" }), nil), Quiet: kit.Join(with(good, nil), kit.Cfg(`{}`)),
		},
		{
			ID: "sandbox.browser_container.hash_epoch_stale", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Sandbox browser container hash epoch is stale",
			Why: "The container was made before a security change and does not have it.", Remedy: "openclaw sandbox recreate --browser --all", Refs: []string{"CWE-1104"},
			Run: func(s *audit.Subject) []audit.Hit {
				return names(s, "Expected epoch "+epoch+".", func(b audit.BrowserContainer) string {
					if b.ConfigEpoch != epoch {
						return b.Name
					}
					return ""
				})
			},
			Fires: with(change(func(b *audit.BrowserContainer) { b.ConfigEpoch = "2025-01-01-old" }), nil), Quiet: with(good, nil),
		},
		{
			ID: "sandbox.browser_container.non_loopback_publish", Layer: layer, On: audit.OpenClaw, Severity: "critical", Title: "Sandbox browser container publishes ports on non-loopback interfaces",
			Why: "Whoever reaches the port drives the browser, with its cookies.", Remedy: "openclaw sandbox recreate --browser --all, and check that ports are bound to 127.0.0.1.", Refs: []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				return names(s, "Their ports are reachable from elsewhere.", func(b audit.BrowserContainer) string {
					var open []string
					for _, line := range b.Ports {
						_, at, ok := strings.Cut(line, "->")
						host, _, err := net.SplitHostPort(strings.TrimSpace(at))
						if ok && err == nil && host != "127.0.0.1" && host != "::1" && host != "localhost" {
							open = append(open, line)
						}
					}
					if len(open) == 0 {
						return ""
					}
					return b.Name + " (" + strings.Join(open, "; ") + ")"
				})
			},
			Fires: kit.Join(with(change(func(b *audit.BrowserContainer) { b.Ports = []string{"9222/tcp -> 0.0.0.0:1"} }), nil), with(change(func(b *audit.BrowserContainer) { b.Ports = []string{"9222/tcp -> 127.0.0.2:1"} }), nil)), Quiet: with(good, nil),
		},
		{
			ID: "sandbox.browser_container.docker_probe_timeout", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Sandbox browser Docker audit probe timed out",
			Why: "Which browser containers there are, and what they publish, is unknown.", Remedy: "Run the audit again when the engine answers.", Refs: []string{"CWE-1059"},
			Run: func(s *audit.Subject) []audit.Hit {
				if browserContainers(s).timeout {
					return []audit.Hit{{Detail: "The engine did not answer in time; remaining containers were skipped."}}
				}
				return nil
			},
			Fires: with(good, context.DeadlineExceeded), Quiet: kit.Join(with(good, nil), with(good, errors.New("no engine"))),
		},
	}
}
