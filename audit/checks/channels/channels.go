// Package channels holds the checks of chat channels and of browser control:
// the doors through which strangers' text comes in.
package channels

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerExternal

// each calls f for every channel that is not switched off, and its accounts.
func each(s *audit.Subject, f func(ch, at string, n *audit.Node) []audit.Hit) []audit.Hit {
	var out []audit.Hit
	s.Root.Get("channels").Each(func(ch string, n *audit.Node) {
		if !n.Is(audit.Map) || n.Get("enabled").False() || ch == "defaults" {
			return
		}
		out = append(out, f(ch, "channels."+ch, n)...)
		n.Get("accounts").Each(func(acc string, a *audit.Node) {
			if a.Is(audit.Map) && !a.Get("enabled").False() {
				out = append(out, f(ch, "channels."+ch+".accounts."+acc, a)...)
			}
		})
	})
	return out
}

func dmPolicy(n *audit.Node) string {
	if p := n.Get("dmPolicy").Text(); p != "" {
		return p
	}
	return n.At("dm.policy").Text()
}

func senders(n *audit.Node) []string {
	return append(n.Get("allowFrom").Strings(), n.At("dm.allowFrom").Strings()...)
}

// dm makes a check of a channel's private messages, with the channel's name in
// its id.
func dm(id, sev, title, why, remedy string, bad func(n *audit.Node) bool, fires, quiet []audit.Example) audit.Check {
	return audit.Check{
		ID: "channels.<channel>." + id, Layer: layer, On: audit.OpenClaw, Severity: sev, Title: title, Why: why, Remedy: remedy, Refs: []string{"CWE-284", "OWASP-LLM01"},
		Run: func(s *audit.Subject) []audit.Hit {
			return each(s, func(ch, at string, n *audit.Node) []audit.Hit {
				if !bad(n) {
					return nil
				}
				return []audit.Hit{{ID: "channels." + ch + "." + id, Key: at, Detail: "At " + audit.Show(at) + "."}}
			})
		},
		Fires: fires, Quiet: quiet,
	}
}

// Checks lists those of channels.
func Checks() []audit.Check {
	tg := func(text string) []audit.Example { return kit.Cfg(`{channels:{telegram:{` + text + `}}}`) }
	out := []audit.Check{
		dm("dm.open", "critical", "Anybody may write to the agent in private", "A stranger's message is an instruction to the model.", `Set dmPolicy to "pairing" or "allowlist".`,
			func(n *audit.Node) bool { return dmPolicy(n) == "open" && kit.Has(senders(n), "*") }, tg(`dmPolicy:"open",allowFrom:["*"]`), tg(`dmPolicy:"pairing"`)),
		dm("dm.open_invalid", "warn", "dmPolicy is open without a wildcard sender", "The policy says everybody and the list says nobody; the next edit makes it everybody.", `Set dmPolicy to "allowlist".`,
			func(n *audit.Node) bool { return dmPolicy(n) == "open" && !kit.Has(senders(n), "*") }, tg(`dmPolicy:"open"`), tg(`dmPolicy:"open",allowFrom:["*"]`)),
		dm("dm.disabled", "info", "Private messages are off", "Nobody reaches the agent there.", "Nothing to do.",
			func(n *audit.Node) bool { return dmPolicy(n) == "disabled" }, tg(`dmPolicy:"disabled"`), tg(`dmPolicy:"pairing"`)),
		dm("dm.locked", "info", "The allow list of private messages is empty", "Nobody reaches the agent there, perhaps unintended.", "Add senders, or set dmPolicy to disabled.",
			func(n *audit.Node) bool { return dmPolicy(n) == "allowlist" && len(senders(n)) == 0 }, tg(`dmPolicy:"allowlist"`), tg(`dmPolicy:"allowlist",allowFrom:["1"]`)),
		dm("groups.open", "warn", "Any group may talk to the agent", "Whoever adds the bot to a group writes to the agent.", `Set groupPolicy to "allowlist".`,
			func(n *audit.Node) bool { return n.Get("groupPolicy").Text() == "open" }, tg(`groupPolicy:"open"`), tg(`groupPolicy:"allowlist"`)),
		dm("allowFrom.mutable_entries_inert", "warn", "The allow list names people by names that can change", "A name is not checked, or is taken over by somebody else.", "Use the numeric ids of the service.",
			func(n *audit.Node) bool {
				return !n.Get("dangerouslyAllowNameMatching").True() && anyOf(senders(n), func(v string) bool { return strings.HasPrefix(v, "@") })
			}, tg(`allowFrom:["@bob"]`), tg(`allowFrom:["123"]`)),
		dm("allowFrom.dangerous_name_matching_enabled", "info", "People are recognised by names that can change", "Whoever takes over the name takes over the access.", "Remove dangerouslyAllowNameMatching and use ids.",
			func(n *audit.Node) bool { return n.Get("dangerouslyAllowNameMatching").True() }, tg(`dangerouslyAllowNameMatching:true`), tg(`dangerouslyAllowNameMatching:false`)),
		dm("account.read_only_resolution", "warn", "The account's credential could not be read here", "Whether it is usable, and who may write there, was judged without it.", "Run the audit with the gateway's environment.",
			func(n *audit.Node) bool { return n.Get("botToken").Unresolved() || n.Get("token").Unresolved() }, tg(`botToken:"${NOT_SET_HERE}"`), tg(`botToken:"1:x"`)),
	}
	for i := range out {
		if strings.HasSuffix(out[i].ID, ".groups.open") {
			out[i].Repair = closeGroups
		}
	}
	return append(out, telegram(tg)...)
}

// closeGroups sets open group policies to allowlist.
func closeGroups(s *audit.Subject) []audit.Change {
	var out []audit.Change
	each(s, func(_, at string, n *audit.Node) []audit.Hit {
		if n.Get("groupPolicy").Text() == "open" {
			out = append(out, audit.Change{Kind: "config", Path: s.ConfigPath, Key: at + ".groupPolicy", Value: "allowlist"})
		}
		return nil
	})
	return out
}

func anyOf(list []string, f func(string) bool) bool {
	for _, v := range list {
		if f(v) {
			return true
		}
	}
	return false
}

func numeric(v string) bool {
	return v != "" && strings.Trim(strings.TrimPrefix(v, "-"), "0123456789") == ""
}

func telegram(tg func(string) []audit.Example) []audit.Check {
	groupsOn := func(n *audit.Node) bool {
		return n.Get("groupPolicy").Text() == "open" || n.Get("groups").Len() > 0
	}
	only := func(f func(at string, n *audit.Node) []audit.Hit) func(*audit.Subject) []audit.Hit {
		return func(s *audit.Subject) []audit.Hit {
			return each(s, func(ch, at string, n *audit.Node) []audit.Hit {
				if ch != "telegram" {
					return nil
				}
				return f(at, n)
			})
		}
	}
	return []audit.Check{
		{ID: "channels.telegram.allowFrom.invalid_entries", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Telegram allow lists hold entries that are no user ids",
			Why: "They match nobody; people then open the policy to make it work.", Remedy: "Use numeric Telegram user ids.", Refs: []string{"CWE-183"},
			Run: only(func(at string, n *audit.Node) []audit.Hit {
				var bad []string
				for _, v := range append(senders(n), n.Get("groupAllowFrom").Strings()...) {
					v = strings.TrimPrefix(strings.TrimPrefix(v, "telegram:"), "tg:")
					if v != "*" && !numeric(v) {
						bad = append(bad, v)
					}
				}
				return kit.If(len(bad) > 0, at+".allowFrom", "No numeric ids: %s.", kit.List(bad, 10))
			}), Fires: tg(`allowFrom:["@bob"]`), Quiet: tg(`allowFrom:["123","tg:456"]`)},
		{ID: "channels.telegram.groups.allowFrom.wildcard", Layer: layer, On: audit.OpenClaw, Severity: "critical", Title: "Telegram group allowlist contains wildcard",
			Why: "Any member of a group runs the agent's commands.", Remedy: "List numeric user ids in groupAllowFrom.", Refs: []string{"CWE-284"},
			Run: only(func(at string, n *audit.Node) []audit.Hit {
				return kit.If(groupsOn(n) && kit.Has(n.Get("groupAllowFrom").Strings(), "*"), at+".groupAllowFrom", `groupAllowFrom contains "*".`)
			}), Fires: tg(`groupPolicy:"allowlist",groups:{"-1":{}},groupAllowFrom:["*"]`), Quiet: tg(`groups:{"-1":{}},groupAllowFrom:["1"]`)},
		{ID: "channels.telegram.groups.allowFrom.missing", Layer: layer, On: audit.OpenClaw, Severity: "critical", Title: "Telegram group commands have no sender allowlist",
			Why: "Any member of a group runs the agent's commands.", Remedy: "Set groupAllowFrom, or allowFrom of the group.", Refs: []string{"CWE-284"},
			Run: only(func(at string, n *audit.Node) []audit.Hit {
				listed := len(n.Get("groupAllowFrom").Strings()) > 0 || len(n.Get("allowFrom").Strings()) > 0
				n.Get("groups").Each(func(_ string, g *audit.Node) {
					listed = listed || len(g.Get("allowFrom").Strings()) > 0
					g.Get("topics").Each(func(_ string, t *audit.Node) { listed = listed || len(t.Get("allowFrom").Strings()) > 0 })
				})
				return kit.If(groupsOn(n) && !listed, at+".groupAllowFrom", "Groups are on and no list says who may use the agent there.")
			}), Fires: tg(`groupPolicy:"allowlist",groups:{"-1":{}}`), Quiet: kit.Join(tg(`groups:{"-1":{allowFrom:["1"]}}`), tg(`groupPolicy:"allowlist"`))},
		{ID: "channels.dm.session_collision.<channel>.<n>", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Several people share one private session",
			Why: "Each reads in the agent's answers what the others wrote.", Remedy: `Set session.dmScope to "per-channel-peer".`, Refs: []string{"CWE-668"},
			Run: func(s *audit.Subject) []audit.Hit {
				if scope := s.Root.At("session.dmScope").Or("main"); scope != "main" {
					return nil
				}
				return each(s, func(ch, at string, n *audit.Node) []audit.Hit {
					list := senders(n)
					if dmPolicy(n) == "disabled" || len(list) < 2 {
						return nil
					}
					return []audit.Hit{{ID: fmt.Sprintf("channels.dm.session_collision.%s.%d", ch, len(list)), Key: at + ".allowFrom", Detail: fmt.Sprintf("%d people may write at %s, and session.dmScope is main.", len(list), audit.Show(at))}}
				})
			}, Fires: tg(`dmPolicy:"allowlist",allowFrom:["1","2"]`), Quiet: kit.Join(tg(`allowFrom:["1"]`), kit.Cfg(`{channels:{telegram:{allowFrom:["1","2"]}},session:{dmScope:"per-channel-peer"}}`))},
	}
}

// Browser lists the checks of browser control, which run with --deep.
func Browser() []audit.Check {
	b := func(text string) []audit.Example { return kit.Cfg(`{browser:{` + text + `}}`) }
	on := func(f func(s *audit.Subject, n *audit.Node) []audit.Hit) func(*audit.Subject) []audit.Hit {
		return func(s *audit.Subject) []audit.Hit {
			if n := s.Root.Get("browser"); n.Is(audit.Map) && view.BrowserOn(s) {
				return f(s, n)
			}
			return nil
		}
	}
	profiles := func(n *audit.Node, f func(at string, u *url.URL) []audit.Hit) []audit.Hit {
		var out []audit.Hit
		look := func(at string, v *audit.Node) {
			if u, err := url.Parse(v.Text()); err == nil && u.Host != "" {
				out = append(out, f(at, u)...)
			}
		}
		look("browser.cdpUrl", n.Get("cdpUrl"))
		n.Get("profiles").Each(func(name string, p *audit.Node) { look("browser.profiles."+name+".cdpUrl", p.Get("cdpUrl")) })
		return out
	}
	return []audit.Check{
		{ID: "browser.control_invalid_config", Layer: layer, On: audit.OpenClaw, Severity: "warn", Deep: true, Title: "The browser section cannot be understood",
			Why: "What the browser may do is not what it seems to be.", Remedy: "Correct the listed address.", Refs: []string{"CWE-1188"},
			Run: on(func(_ *audit.Subject, n *audit.Node) []audit.Hit {
				var out []audit.Hit
				n.Get("profiles").Each(func(name string, p *audit.Node) {
					if t := p.Get("cdpUrl").Text(); t != "" {
						if u, err := url.Parse(t); err != nil || u.Host == "" || !kit.Has([]string{"http", "https", "ws", "wss"}, u.Scheme) {
							out = append(out, kit.At("browser.profiles."+name+".cdpUrl", "The address of profile %s is no URL.", audit.Show(name))...)
						}
					}
				})
				return out
			}), Fires: b(`profiles:{p:{cdpUrl:"nonsense"}}`), Quiet: b(`profiles:{p:{cdpUrl:"https://x.example"}}`)},
		{ID: "browser.extension_relay_legacy_auth", Layer: layer, On: audit.OpenClaw, Severity: "warn", Deep: true, Title: "The browser extension relay accepts its old way of proving itself",
			Why: "A page or program of this machine can speak to the relay without the pairing key.", Remedy: "Set browser.extensionRelay.allowLegacyAuth to false.", Refs: []string{"CWE-287"},
			Run: on(func(_ *audit.Subject, n *audit.Node) []audit.Hit {
				return kit.If(!n.At("extensionRelay.allowLegacyAuth").False(), "browser.extensionRelay.allowLegacyAuth", "allowLegacyAuth is not set to false.")
			}), Fires: b(`enabled:true`), Quiet: kit.Join(b(`extensionRelay:{allowLegacyAuth:false}`), b(`enabled:false`), kit.Cfg(`{}`))},
		{ID: "browser.control_no_auth", Layer: layer, On: audit.OpenClaw, Severity: "critical", Deep: true, Title: "Browser control is on and the gateway has no auth",
			Why: "Whoever reaches the gateway drives the browser, with its cookies.", Remedy: "Set gateway.auth, or browser.enabled to false.", Refs: []string{"CWE-306"},
			Run: on(func(s *audit.Subject, n *audit.Node) []audit.Hit {
				g := view.OfGateway(s)
				return kit.If(!g.HasAuth && g.Mode != "trusted-proxy", "gateway.auth", "browser is configured and no credential is.")
			}), Fires: b(`enabled:true`), Quiet: kit.Cfg(`{browser:{enabled:true},gateway:{auth:{token:"tok-7hG2kQ9vXz41LmPa83RwTn56"}}}`, `{}`)},
		{ID: "browser.remote_cdp_http", Layer: layer, On: audit.OpenClaw, Severity: "warn", Deep: true, Title: "A remote browser is driven in clear text",
			Why: "Everybody on the path reads and changes what the browser does, logins included.", Remedy: "Use https or wss.", Refs: []string{"CWE-319"},
			Run: on(func(_ *audit.Subject, n *audit.Node) []audit.Hit {
				return profiles(n, func(at string, u *url.URL) []audit.Hit {
					return kit.If((u.Scheme == "http" || u.Scheme == "ws") && !loopback(u.Hostname()), at, "%s is %s to %s.", at, u.Scheme, audit.Show(u.Host))
				})
			}), Fires: b(`profiles:{r:{cdpUrl:"http://203.0.113.9:9222"}}`), Quiet: kit.Join(b(`profiles:{r:{cdpUrl:"http://127.0.0.1:9222"}}`), b(`profiles:{r:{cdpUrl:"https://203.0.113.9"}}`))},
		{ID: "browser.remote_cdp_private_host", Layer: layer, On: audit.OpenClaw, Severity: "warn", Deep: true, Title: "A remote browser is on a private address and private addresses are allowed",
			Why: "Pages that the agent opens can reach other things there as well.", Remedy: "Remove browser.ssrfPolicy.dangerouslyAllowPrivateNetwork.", Refs: []string{"CWE-918"},
			Run: on(func(_ *audit.Subject, n *audit.Node) []audit.Hit {
				if !n.At("ssrfPolicy.dangerouslyAllowPrivateNetwork").True() {
					return nil
				}
				return profiles(n, func(at string, u *url.URL) []audit.Hit {
					a, err := netip.ParseAddr(u.Hostname())
					return kit.If(u.Hostname() == "localhost" || err == nil && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()), at, "%s is %s.", at, audit.Show(u.Host))
				})
			}), Fires: b(`ssrfPolicy:{dangerouslyAllowPrivateNetwork:true},profiles:{r:{cdpUrl:"https://10.1.2.3"}}`), Quiet: b(`profiles:{r:{cdpUrl:"https://10.1.2.3"}}`)},
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
