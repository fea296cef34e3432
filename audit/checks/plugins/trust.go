// Package plugins holds the checks of extensions, skills and installed hooks:
// code of others that the agent's gateway loads.
package plugins

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerPlugins

type extension struct {
	id, dir string
}

type extensionsKey struct{}

// extensions lists the plugin directories below the state directory.
func extensions(s *audit.Subject) []extension {
	return audit.Memo(s, extensionsKey{}, func() []extension {
		base := filepath.Join(s.StateDir, "extensions")
		var out []extension
		if !s.Disk.Lstat(base).Dir {
			return nil
		}
		for _, e := range s.Disk.List(base) {
			if !e.Type.IsDir() || e.Name == "node_modules" || strings.HasPrefix(e.Name, ".") ||
				strings.HasSuffix(e.Name, ".bak") || strings.Contains(e.Name, ".backup-") || strings.Contains(e.Name, ".disabled") {
				continue
			}
			out = append(out, extension{e.Name, filepath.Join(base, e.Name)})
		}
		return out
	})
}

// enabled are the extensions that would load, by lower-case id.
func enabled(s *audit.Subject) []string {
	p := s.Root.Get("plugins")
	if p.Get("enabled").False() {
		return nil
	}
	allow, deny := lower(p.Get("allow").Strings()), lower(p.Get("deny").Strings())
	var out []string
	for _, e := range extensions(s) {
		id := strings.ToLower(e.id)
		off := p.Get("entries", e.id).Get("enabled").False()
		if kit.Has(deny, id) || len(allow) > 0 && !kit.Has(allow, id) || off {
			continue
		}
		out = append(out, id)
	}
	return out
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strings.ToLower(v)
	}
	return out
}

func plugin(js, manifest string) map[string]string {
	return map[string]string{
		"state/extensions/acme/package.json":         manifest,
		"state/extensions/acme/openclaw.plugin.json": `{"id":"acme"}`,
		"state/extensions/acme/index.js":             js,
	}
}

const (
	manifest = `{"name":"acme","version":"1.0.0","openclaw":{"extensions":["./index.js"]}}`
	harmless = "export default { id: 'acme', register() {} };\n"
)

func world(config, js string) []audit.Example {
	return []audit.Example{{Config: config, Files: plugin(js, manifest)}}
}

// Trust lists the checks of which extensions load and what they reach.
func Trust() []audit.Check {
	return append([]audit.Check{
		{
			ID: "plugins.extensions_no_allowlist", Layer: layer, On: audit.OpenClaw, Severity: "warn; critical when native skill commands are on for a channel",
			Title: "Extensions exist but plugins.allow is not set", Why: "Whatever lands in the directory is loaded into the gateway.",
			Remedy: "Set plugins.allow to the ids that you trust.", Refs: []string{"CWE-829", "AML.T0010"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := len(extensions(s))
				if n == 0 || s.Root.At("plugins.allow").Len() > 0 {
					return nil
				}
				return kit.Raise(nativeSkills(s), kit.At("plugins.allow", "%d extensions are below %s and plugins.allow is empty.", n, audit.Show(filepath.Join(s.StateDir, "extensions"))))
			},
			Fires: kit.Join(kit.Want(audit.Warn, world(`{}`, harmless)), kit.Want(audit.Critical, world(`{channels:{telegram:{botToken:"1:x"}}}`, harmless))),
			Quiet: kit.Join(world(`{plugins:{allow:["acme"]}}`, harmless), kit.Cfg(`{}`), []audit.Example{{Config: `{}`, Dirs: []string{"state/extensions/old.bak", "state/extensions/.git"}}}),
		},
		{
			ID: "plugins.allow_phantom_entries", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "plugins.allow contains entries with no matching installed plugin", Why: "Whoever brings a plugin of that name is trusted before anybody looked at it.",
			Remedy: "Remove the entries.", Refs: []string{"CWE-829", "CWE-1104"},
			Run:   phantom,
			Fires: world(`{plugins:{allow:["acme","ghost"]}}`, harmless), Quiet: kit.Join(world(`{plugins:{allow:["acme","browser"]}}`, harmless), kit.Cfg(`{plugins:{allow:["ghost"]}}`)),
		},
		{
			ID: "plugins.tools_reachable_permissive_policy", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Extension plugin tools may be reachable under permissive tool policy", Why: "An agent that reads strangers' text can call tools that nobody of the core team looked at.",
			Remedy: "Use the profile minimal or coding, or a list of tools without plugins, for such agents.", Refs: []string{"CWE-749", "OWASP-ASI02"},
			Run:   reachable,
			Fires: kit.Join(world(`{plugins:{allow:["acme"]}}`, harmless), world(`{tools:{allow:["read","group:plugins"]}}`, harmless)),
			Quiet: kit.Join(world(`{tools:{profile:"coding"}}`, harmless), world(`{tools:{allow:["read"]}}`, harmless), world(`{plugins:{deny:["acme"]}}`, harmless), kit.Cfg(`{}`)),
		},
	}, append(installs("plugins"), installs("hooks")...)...)
}

// nativeSkills reports whether a configured channel offers skills as commands.
func nativeSkills(s *audit.Subject) bool {
	tg := s.Root.At("channels.telegram")
	configured := tg.Get("botToken").Set() || tg.Get("tokenFile").Set() || tg.Set() && s.Env("TELEGRAM_BOT_TOKEN") != ""
	tg.Get("accounts").Each(func(_ string, a *audit.Node) {
		configured = configured || a.Get("botToken").Set() || a.Get("tokenFile").Set()
	})
	if !configured || tg.Get("enabled").False() {
		return false
	}
	setting := tg.At("commands.nativeSkills")
	if !setting.Set() {
		setting = s.Root.At("commands.nativeSkills")
	}
	return !setting.False()
}

func phantom(s *audit.Subject) []audit.Hit {
	known := strings.Fields("group:plugins browser telegram memory-core memory-lancedb memory-wiki admin-http-rpc acpx llm-task lobster open-prose diagnostics-otel" +
		" device-pair phone-control talk-voice thread-ownership canvas file-transfer openai anthropic google ollama openrouter bundle-mcp webhooks workboard policy migrate-claude migrate-hermes")
	exts := extensions(s)
	if len(exts) == 0 {
		return nil
	}
	for _, e := range exts {
		known = append(known, strings.ToLower(e.id))
		if id := view.JSONFile(s, filepath.Join(e.dir, "openclaw.plugin.json")).Get("id").Text(); id != "" {
			known = append(known, strings.ToLower(id))
		}
	}
	for _, r := range records(s, "plugins") {
		known = append(known, strings.ToLower(r.id))
	}
	var ghosts []string
	for _, a := range s.Root.At("plugins.allow").Strings() {
		if !kit.Has(known, strings.ToLower(a)) {
			ghosts = append(ghosts, a)
		}
	}
	return kit.If(len(ghosts) > 0, "plugins.allow", "Nothing is installed under: %s.", kit.List(ghosts, 20))
}

func reachable(s *audit.Subject) []audit.Hit {
	ids := enabled(s)
	if len(ids) == 0 {
		return nil
	}
	explicit := func(n *audit.Node) bool {
		for _, e := range append(n.Get("allow").Strings(), n.Get("alsoAllow").Strings()...) {
			if e = strings.ToLower(e); e == "group:plugins" || kit.Has(ids, e) {
				return true
			}
		}
		return false
	}
	anywhere := func(n *audit.Node) bool {
		hit := explicit(n)
		n.Get("byProvider").Each(func(_ string, p *audit.Node) { hit = hit || explicit(p) })
		return hit
	}
	global := s.Root.Get("tools")
	var at []string
	for _, a := range append([]view.Agent{{Key: "default"}}, view.Agents(s)...) {
		own := a.Node.Get("tools")
		_, tight := view.Profile(own.Get("profile").Or(global.Get("profile").Text()))
		if view.Allows("__plugin_probe__", view.Layers(s, a)) || !tight && (anywhere(global) || anywhere(own)) {
			at = append(at, a.Key)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return kit.At("tools", "Enabled extension plugins: %s.%s", kit.List(ids, 20), audit.Bullets("\nTheir tools are in reach of:", at))
}

// record is what is known of an installed plugin or hook.
type record struct {
	id, spec, integrity, version, path string
}

type recordsKey struct{ kind string }

// records reads the install records of npm packages.
func records(s *audit.Subject, kind string) []record {
	return audit.Memo(s, recordsKey{kind}, func() []record {
		var out []record
		add := func(id string, n *audit.Node) {
			if n.Get("source").Text() != "npm" {
				return
			}
			v := n.Get("resolvedVersion").Or(n.Get("version").Text())
			out = append(out, record{id, n.Get("spec").Text(), n.Get("integrity").Text(), v, n.Get("installPath").Text()})
		}
		if kind == "hooks" {
			view.Row(s, "hooks.internal.installs").Each(add)
			s.Root.At("hooks.internal.installs").Each(add) // where older versions kept them
			return out
		}
		row := view.Row(s, "plugins.installedIndex")
		for _, n := range []*audit.Node{row.At("index.installRecords"), row.Get("installRecords"), s.Root.At("plugins.installs")} {
			n.Each(add)
		}
		if len(out) > 0 {
			return out
		}
		base := filepath.Join(s.StateDir, "npm")
		view.JSONFile(s, filepath.Join(base, "package.json")).Get("dependencies").Each(func(name string, n *audit.Node) {
			dir := filepath.Join(base, "node_modules", name)
			if !filepath.IsLocal(name) {
				return
			}
			m := view.JSONFile(s, filepath.Join(dir, "openclaw.plugin.json"))
			if !m.Set() {
				return
			}
			out = append(out, record{id: m.Get("id").Or(name), spec: name + "@" + n.Text(), path: dir})
		})
		return out
	})
}

var exact = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)
})

func pinned(spec string) bool {
	at := strings.LastIndexByte(spec, '@')
	return at > 0 && exact().MatchString(strings.TrimSpace(spec[at+1:]))
}

// installs makes the checks of install records of plugins or hooks.
func installs(kind string) []audit.Check {
	title := map[string]string{"plugins": "Plugin index", "hooks": "Hook installs"}[kind]
	key := map[string]string{"plugins": "plugins.installs", "hooks": "hooks.internal.installs"}[kind]
	cfg := func(rec string) string {
		if kind == "hooks" {
			return `{hooks:{internal:{installs:{acme:` + rec + `}}}}`
		}
		return `{plugins:{installs:{acme:` + rec + `}}}`
	}
	good := `{source:"npm",spec:"acme@1.2.3",version:"1.2.3",integrity:"sha512-AAAA"}`
	dir := map[string]string{"plugins": "extensions", "hooks": "hooks"}[kind]
	run := func(heading string, bad func(s *audit.Subject, r record) string) func(*audit.Subject) []audit.Hit {
		return func(s *audit.Subject) []audit.Hit {
			var lines []string
			for _, r := range records(s, kind) {
				if msg := bad(s, r); msg != "" {
					lines = append(lines, msg)
				}
			}
			if len(lines) == 0 {
				return nil
			}
			return kit.At(key, "%s", audit.Bullets(heading, lines[:min(len(lines), 50)]))
		}
	}
	return []audit.Check{
		{
			ID: kind + ".installs_unpinned_npm_specs", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: title + " includes unpinned npm specs",
			Why: "The next install brings whatever was published last.", Remedy: "Install exact versions, such as name@1.2.3.", Refs: []string{"CWE-494", "AML.T0010"},
			Run: run("Installed without an exact version:", func(_ *audit.Subject, r record) string {
				if r.spec != "" && !pinned(r.spec) {
					return r.id + " (" + r.spec + ")"
				}
				return ""
			}),
			Fires: kit.Cfg(cfg(`{source:"npm",spec:"acme@latest"}`), cfg(`{source:"npm",spec:"@scope/acme"}`)), Quiet: kit.Cfg(cfg(good), cfg(`{source:"path",spec:"x"}`), `{}`),
		},
		{
			ID: kind + ".installs_missing_integrity", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: title + " is missing integrity metadata",
			Why: "Nobody can tell whether the files are those that were published.", Remedy: "Reinstall, so that the integrity hash is recorded.", Refs: []string{"CWE-353"},
			Run: run("Without an integrity hash:", func(_ *audit.Subject, r record) string {
				if r.integrity == "" {
					return r.id
				}
				return ""
			}),
			Fires: kit.Cfg(cfg(`{source:"npm",spec:"acme@1.2.3",integrity:" "}`)), Quiet: kit.Cfg(cfg(good), `{}`),
		},
		{
			ID: kind + ".installs_version_drift", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: title + " records drift from installed package versions",
			Why: "What runs is not what was installed: it was updated by hand, or replaced.", Remedy: "Reinstall, and find out who changed it.", Refs: []string{"CWE-494"},
			Run: run("Recorded and installed versions differ:", func(s *audit.Subject, r record) string {
				p := r.path
				if p == "" {
					p = filepath.Join(s.StateDir, dir, r.id)
				}
				rel, err := filepath.Rel(s.StateDir, p)
				if err != nil || !filepath.IsLocal(rel) || r.version == "" {
					return ""
				}
				have := view.JSONFile(s, filepath.Join(p, "package.json")).Get("version").Text()
				if have == "" || have == r.version {
					return ""
				}
				return r.id + " (recorded " + r.version + ", installed " + have + ")"
			}),
			Fires: []audit.Example{{Config: cfg(good), Files: map[string]string{"state/" + dir + "/acme/package.json": `{"version":"9.9.9"}`}}},
			Quiet: []audit.Example{{Config: cfg(good), Files: map[string]string{"state/" + dir + "/acme/package.json": `{"version":"1.2.3"}`}}, {Config: cfg(good)}},
		},
	}
}
