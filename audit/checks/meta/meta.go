// Package meta holds the checks of the configuration as a whole: what it
// exposes, the switches that weaken it, secrets that stand in it, and what was
// accepted.
package meta

import (
	"fmt"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerAudit

// Summary lists the checks that come first: the overview and the shape of the
// configuration.
func Summary() []audit.Check { return append(overview(), shape()...) }

func overview() []audit.Check {
	return []audit.Check{
		{
			ID: "summary.attack_surface", Layer: layer, On: audit.Both, Severity: "info", Title: "Attack surface summary",
			Why:    "An overview of what strangers' text and strangers' requests can reach.",
			Remedy: "Nothing to do; read it.", Run: surface,
			Fires: kit.Join(kit.Cfg(`{}`), kit.Own("{}")), Quiet: []audit.Example{{As: audit.OpenClaw, Config: `{this is no configuration`, Note: "nothing can be said about a file that cannot be read"}},
		},
		{
			ID: "config.invalid", Layer: layer, On: audit.Both, Severity: "critical; warn when only single keys are refused", Title: "The configuration would be refused",
			Why:    "The program does not start with it, or starts without the part that it cannot read; OpenClaw's own audit gives no report at all then.",
			Remedy: "Correct the listed places.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				var lines []string
				hard := s.Root == nil && len(s.Raw) > 0
				for _, b := range s.Broken {
					lines = append(lines, b.Path+": "+b.Message)
				}
				if len(lines) == 0 {
					return nil
				}
				h := audit.Hit{Key: s.Broken[0].Path, Detail: audit.Bullets("Refused:", lines), Severity: audit.Warn}
				if hard {
					h.Severity = audit.Critical
				}
				return []audit.Hit{h}
			},
			Fires: kit.Join(kit.Want(audit.Critical, kit.Cfg(`{this is no configuration`)), kit.Want(audit.Warn, kit.Cfg(`{gateway:{bind:"0.0.0.0"}}`, `{tools:{policy:{allow:[]}}}`, `{logging:{redactSensitive:"off"}}`, `{tools:{exec:{mode:"ask",security:"full"}}}`))),
			Quiet: kit.Cfg(`{}`, `{gateway:{bind:"lan"}}`),
		},
		{
			ID: "config.missing", Layer: layer, On: audit.Both, Severity: "info", Title: "There is no configuration file",
			Why:    "Only defaults are judged, which may not be what the running gateway has.",
			Remedy: "Name the file with --config, or make one.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				if s.Raw == nil && s.Root == nil && s.ConfigPath != "" && !s.Disk.Stat(s.ConfigPath).Exists {
					return []audit.Hit{{File: s.ConfigPath, Detail: audit.Show(s.ConfigPath) + " does not exist; defaults are judged."}}
				}
				return nil
			},
			Fires: []audit.Example{{Config: "@MISSING@"}}, Quiet: kit.Cfg(`{}`),
		},
	}
}

func shape() []audit.Check {
	return []audit.Check{
		{
			ID: "config.duplicate_key", Layer: layer, On: audit.Both, Severity: "warn", Title: "A key is written twice",
			Why:    "The last one counts. Whoever reviews the first one approves something that is not in force.",
			Remedy: "Remove all but one.", Refs: []string{"CWE-694"},
			Run: func(s *audit.Subject) []audit.Hit {
				var twice []string
				s.Root.Walk("", func(path string, n *audit.Node) bool {
					if n.Is(audit.Map) {
						seen := make(map[string]bool, len(n.Keys))
						for _, k := range n.Keys {
							if seen[k] {
								twice = append(twice, strings.TrimPrefix(path+"."+k, "."))
							}
							seen[k] = true
						}
					}
					return len(twice) < 20
				})
				if len(twice) == 0 {
					return nil
				}
				return kit.At(twice[0], "%s", audit.Bullets("Written more than once:", twice))
			},
			Fires: kit.Cfg(`{gateway:{bind:"loopback",bind:"lan"}}`), Quiet: kit.Cfg(`{gateway:{bind:"lan"},hooks:{}}`),
		},
		{
			ID: "config.agent_roster.invalid_default_count", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Agent roster has an invalid default selection",
			Why:    "Which agent answers a message that names none is not defined.",
			Remedy: `Mark exactly one agent default, or set agents.ownership to "explicit".`, Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				n, all := 0, 0
				for _, a := range view.Agents(s) {
					if a.Written {
						all++
						if a.Node.Get("default").True() {
							n++
						}
					}
				}
				explicit := s.Root.At("agents.ownership").Text() == "explicit"
				return kit.If(n > 1 || n == 0 && all > 1 && !explicit, "agents.entries", "%d of %d agents are marked default.", n, all)
			},
			Fires: kit.Cfg(`{agents:{entries:{a:{},b:{}}}}`, `{agents:{entries:{a:{default:true},b:{default:true}}}}`), Quiet: kit.Cfg(`{}`, `{agents:{entries:{a:{}}}}`, `{agents:{ownership:"explicit",entries:{a:{},b:{}}}}`, `{agents:{entries:{a:{default:true},b:{}}}}`),
		},
	}
}

func surface(s *audit.Subject) []audit.Hit {
	if s.Root == nil && len(s.Raw) > 0 {
		return nil
	}
	word := func(on bool) string {
		if on {
			return "enabled"
		}
		return "disabled"
	}
	g := view.OfGateway(s)
	reach := "this host only"
	if g.Exposed {
		reach = "the network (gateway.bind=" + audit.Show(g.Bind) + ")"
	}
	if g.Tailscale != "off" {
		reach += ", tailscale " + audit.Show(g.Tailscale)
	}
	lines := []string{"reach: " + reach, "auth: " + g.Mode}
	if s.Kind == audit.OpenClaw {
		groups := map[string]int{}
		s.Root.Get("channels").Each(func(_ string, ch *audit.Node) { groups[ch.Get("groupPolicy").Text()]++ })
		lines = append(lines, fmt.Sprintf("groups: open=%d, allowlist=%d", groups["open"], groups["allowlist"]),
			"tools.elevated: "+word(!s.Root.At("tools.elevated.enabled").False()), "hooks.webhooks: "+word(s.Root.At("hooks.enabled").True()),
			"browser control: "+word(view.BrowserOn(s)))
		if ex := view.ExecOf(s, view.Agent{}, ""); ex.Security == "" && (view.Agent{}).Mode(s) == "off" {
			lines = append(lines, "exec: no mode is set, so commands on the host run without a question")
		}
		lines = append(lines, "trust model: personal assistant (one trusted operator boundary), not hostile multi-tenant")
	} else {
		lines = append(lines, "sandbox: "+(view.Agent{}).Mode(s), "tools.elevated: "+word(s.Root.At("tools.elevated.enabled").True()), "hooks: "+word(s.Root.At("hooks.enabled").True()))
	}
	return []audit.Hit{{Detail: strings.Join(lines, "\n")}}
}

// Flags lists the checks of switches that are dangerous wherever they stand.
func Flags() []audit.Check {
	return []audit.Check{
		{
			ID: "config.insecure_or_dangerous_flags", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Insecure or dangerous config flag enabled",
			Why:    "Each switch takes a guard away. They are made for an hour of debugging and stay for a year.",
			Remedy: "Switch it off again when the debugging is over.", Refs: []string{"CWE-1188", "CWE-489"},
			Run: dangerousFlags,
			Fires: kit.Cfg(`{gateway:{controlUi:{dangerouslyAllowHostHeaderOriginFallback:true}}}`, `{hooks:{gmail:{allowUnsafeExternalContent:true}}}`, `{hooks:{mappings:[{allowUnsafeExternalContent:true}]}}`,
				`{tools:{exec:{applyPatch:{workspaceOnly:false}}}}`, `{hooks:{allowRequestSessionKey:true}}`, `{browser:{ssrfPolicy:{dangerouslyAllowPrivateNetwork:true}}}`, `{tools:{fs:{workspaceOnly:false}}}`,
				`{agents:{defaults:{sandbox:{docker:{dangerouslyAllowExternalBindSources:true}}}}}`, `{security:{audit:{suppressions:[{checkId:"x"}]}}}`),
			Quiet: kit.Cfg(`{}`, `{tools:{fs:{workspaceOnly:true}}}`, `{gateway:{controlUi:{dangerouslyDisableDeviceAuth:true}}}`),
		},
		{
			ID: "tools.web.fetch.private_network", Layer: audit.LayerPolicy, On: audit.OpenClaw, Severity: "warn", Title: "web_fetch may reach the private network",
			Why:    "A page tells the agent to fetch the cloud's metadata service or a router's page, and reads the answer.",
			Remedy: "Remove tools.web.fetch.ssrfPolicy.dangerouslyAllowPrivateNetwork.", Refs: []string{"CWE-918"},
			Run:   kit.True("tools.web.fetch.ssrfPolicy.dangerouslyAllowPrivateNetwork", "web_fetch reaches private addresses."),
			Fires: kit.Cfg(`{tools:{web:{fetch:{ssrfPolicy:{dangerouslyAllowPrivateNetwork:true}}}}}`), Quiet: kit.Cfg(`{tools:{web:{fetch:{ssrfPolicy:{dangerouslyAllowPrivateNetwork:false}}}}}`, `{}`),
		},
		{
			ID: "logging.redact_off", Layer: audit.LayerSecrets, On: audit.Both, Severity: "warn", Title: "Redaction of secrets in logs and tool summaries is off",
			Why:    "Keys that pass through a tool call end up in logs, which more people and programs read than the configuration.",
			Remedy: `Set logging.redactSensitive to "tools".`, Refs: []string{"CWE-532"},
			Run: kit.Key("logging.redactSensitive", func(n *audit.Node) string {
				if strings.EqualFold(n.Text(), "off") || n.False() {
					return "logging.redactSensitive is off."
				}
				return ""
			}),
			Repair: func(s *audit.Subject) []audit.Change {
				return []audit.Change{{Kind: "config", Path: s.ConfigPath, Key: "logging.redactSensitive", Value: "tools"}}
			},
			Fires: kit.Join(kit.Cfg(`{logging:{redactSensitive:"off"}}`), kit.Own("logging: {redactSensitive: 'off'}")), Quiet: kit.Cfg(`{logging:{redactSensitive:"tools"}}`, `{}`),
		},
	}
}

func dangerousFlags(s *audit.Subject) []audit.Hit {
	var out []audit.Hit
	add := func(on bool, key, text string) {
		out = append(out, kit.If(on, key, "Detected enabled flag: %s.", text)...)
	}
	on := func(key string) { add(s.Root.At(key).True(), key, key+"=true") }
	off := func(key string) { add(s.Root.At(key).False(), key, key+"=false") }
	on("gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback")
	on("hooks.gmail.allowUnsafeExternalContent")
	for i, m := range s.Root.At("hooks.mappings").Items() {
		key := fmt.Sprintf("hooks.mappings[%d].allowUnsafeExternalContent", i)
		add(m.Get("allowUnsafeExternalContent").True(), key, key+"=true")
	}
	off("tools.exec.applyPatch.workspaceOnly")
	n := s.Root.At("security.audit.suppressions").Len()
	add(n > 0, "security.audit.suppressions", fmt.Sprintf("security.audit.suppressions configured (%d)", n))
	on("hooks.allowRequestSessionKey")
	on("browser.ssrfPolicy.dangerouslyAllowPrivateNetwork")
	off("tools.fs.workspaceOnly")
	out = append(out, kit.Sandboxes(s, func(at string, sb *audit.Node) []audit.Hit {
		var hits []audit.Hit
		for _, f := range []string{"dangerouslyAllowReservedContainerTargets", "dangerouslyAllowExternalBindSources", "dangerouslyAllowContainerNamespaceJoin"} {
			key := at + ".docker." + f
			hits = append(hits, kit.If(sb.Get("docker", f).True(), key, "Detected enabled flag: %s=true.", key)...)
		}
		return hits
	})...)
	return out
}

// Secrets lists the checks of secrets that stand in the configuration.
func Secrets() []audit.Check {
	return []audit.Check{
		{
			ID: "config.secrets.gateway_password_in_config", Layer: audit.LayerSecrets, On: audit.Both, Severity: "warn", Title: "Gateway password is stored in config",
			Why:    "The file is copied, backed up and shown in screen shots.",
			Remedy: "Use a secret reference, ${NAME} or {source, provider, id}, and remove the text.", Refs: []string{"CWE-312", "CWE-798"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := s.Root.At("gateway.auth.password")
				if s.Kind == audit.Own && (strings.HasPrefix(n.Text(), "$argon2") || view.Reference(n.Text())) {
					return nil
				}
				return kit.If(n.Text() != "" && !n.Unresolved(), "gateway.auth.password", "gateway.auth.password is written in the configuration.")
			},
			Fires: kit.Cfg(`{gateway:{auth:{password:"letmein"}}}`), Quiet: kit.Cfg(`{gateway:{auth:{password:{source:"env",id:"PW"}}}}`, `{gateway:{auth:{password:"${NOT_SET_HERE}"}}}`, `{}`),
		},
		{
			ID: "config.secrets.gateway_token_in_config", Layer: audit.LayerSecrets, On: audit.Both, Severity: "info; warn on our own configuration", Title: "Gateway token is stored in config",
			Why:    "The file is copied, backed up and shown in screen shots. OpenClaw's audit reports a password there, and not the token that opens the same door. For OpenClaw it is reported where the token is all that stands between the network, or other readers of the file, and the gateway.",
			Remedy: "Use a secret reference, ${NAME} or {source, provider, id}, and remove the text.", Refs: []string{"CWE-312", "CWE-798"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := s.Root.At("gateway.auth.token")
				if n.Text() == "" || n.Unresolved() || n.FromEnv() || view.Reference(n.Text()) {
					return nil
				}
				hits := kit.At("gateway.auth.token", "gateway.auth.token is written in the configuration.")
				if s.Kind == audit.Own {
					hits[0].Severity = audit.Warn
					return hits
				}
				g := view.OfGateway(s)
				if st := s.Disk.Stat(s.ConfigPath); !g.Remote && !st.Others(0o077) {
					return nil
				}
				return hits
			},
			Fires: kit.Join(kit.Want(audit.Info, kit.Cfg(`{gateway:{bind:"lan",auth:{token:"tok-7hG2kQ9vXz41LmPa83RwTn56"}}}`)), kit.Want(audit.Warn, kit.Own("gateway: {auth: {token: tok-7hG2kQ9vXz41LmPa83RwTn56}}"))),
			Quiet: kit.Join(kit.Cfg(`{gateway:{bind:"lan",auth:{token:{source:"env",id:"T"}}}}`, `{gateway:{auth:{token:"tok-7hG2kQ9vXz41LmPa83RwTn56"}}}`, `{}`), kit.Own("gateway: {auth: {token: ${T}}}")),
		},
		{
			ID: "config.secrets.hooks_token_in_config", Layer: audit.LayerSecrets, On: audit.Both, Severity: "info", Title: "Hooks token is stored in config",
			Why:    "Treat the file like the secret that it holds.",
			Remedy: "Keep the file 0600; with chitin use a secret reference.", Refs: []string{"CWE-312"},
			Run: func(s *audit.Subject) []audit.Hit {
				h := s.Root.Get("hooks")
				n := h.Get("token")
				return kit.If(h.Get("enabled").True() && n.Text() != "" && !n.Unresolved() && !(s.Kind == audit.Own && view.Reference(n.Text())), "hooks.token", "hooks.token is written in the configuration.")
			},
			Fires: kit.Cfg(`{hooks:{enabled:true,token:"hook-5Rq8Zt2mKx71LbWv90SdYc36"}}`), Quiet: kit.Cfg(`{hooks:{enabled:true}}`, `{hooks:{token:"x"}}`),
		},
	}
}
