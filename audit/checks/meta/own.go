package meta

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

// Own lists the checks of our own logging and journal keys.
func Own() []audit.Check {
	return []audit.Check{
		{ID: "logging.level_debug", Layer: audit.LayerSecrets, On: audit.Own, Severity: "info", Title: "The log holds details of every request",
			Why: "Redaction finds secrets that it knows the shape of; fewer lines hold fewer others.", Remedy: "Set logging.level to info.", Refs: []string{"CWE-532"},
			Run: kit.Key("logging.level", func(n *audit.Node) string {
				if l := strings.ToLower(n.Text()); l == "debug" || l == "trace" {
					return "logging.level is " + l + "."
				}
				return ""
			}), Fires: kit.Cfg("logging: {level: debug}"), Quiet: kit.Cfg("logging: {level: info}", "{}")},
		{ID: "logging.file_world_directory", Layer: audit.LayerSecrets, On: audit.Both, Severity: "warn", Title: "The log is written to a shared temporary directory",
			Why: "Another account makes the file first, and reads it, or makes it a link to something of yours.", Remedy: "Write it below the state directory or /var/log.", Refs: []string{"CWE-379", "CWE-59"},
			Run: kit.Key("logging.file", func(n *audit.Node) string {
				for _, d := range []string{"/tmp/", "/var/tmp/", "/dev/shm/"} {
					if rest, ok := strings.CutPrefix(n.Text(), d); ok && !strings.Contains(rest, "/") {
						return "logging.file is directly below " + d + "."
					}
				}
				return ""
			}), Fires: kit.Cfg(`{logging:{file:"/tmp/gw.log"}}`), Quiet: kit.Cfg(`{logging:{file:"/var/log/gw.log"}}`, `{}`)},
		{ID: "hooks.unsafe_external_content", Layer: audit.LayerExternal, On: audit.Own, Severity: "critical", Title: "Text from outside is handed to the model without its label",
			Why: "The model takes a stranger's sentences for its owner's.", Remedy: "Remove allowUnsafeExternalContent.", Refs: []string{"CWE-74", "OWASP-LLM01", "AML.T0051"},
			Run: func(s *audit.Subject) []audit.Hit {
				var out []audit.Hit
				s.Root.Walk("", func(path string, n *audit.Node) bool {
					if n.Get("allowUnsafeExternalContent").True() {
						at := strings.TrimPrefix(path+".allowUnsafeExternalContent", ".")
						out = append(out, kit.At(at, "%s is true.", audit.Show(at))...)
					}
					return true
				})
				return out
			}, Fires: kit.Cfg("hooks: {mappings: [{allowUnsafeExternalContent: true}]}"), Quiet: kit.Cfg("hooks: {mappings: [{allowUnsafeExternalContent: false}]}", "{}")},
		{ID: "config.openclaw_key", Layer: layer, On: audit.Own, Severity: "info", Title: "The configuration has keys of OpenClaw that mean nothing here",
			Why: "A setting that somebody relies on is not in force.", Remedy: "Remove them; chitin config validate says what each became.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				var at []string
				for _, k := range []string{"channels", "plugins", "discovery", "browser", "wizard", "talk"} {
					if s.Root.Get(k).Set() {
						at = append(at, k)
					}
				}
				if len(at) == 0 {
					return nil
				}
				return kit.At(at[0], "Keys without an effect: %s.", kit.List(at, 10))
			}, Fires: kit.Cfg("channels: {telegram: {}}"), Quiet: kit.Cfg("gateway: {}")},
		{ID: "security.audit.suppressions_without_end", Layer: layer, On: audit.Own, Severity: "warn", Title: "Findings are accepted without an owner and an end",
			Why: "Suppressions of the older form hide a risk for ever.", Remedy: "Use security.audit.waivers with owner and until.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := s.Root.At("security.audit.suppressions").Len()
				return kit.If(n > 0, "security.audit.suppressions", "%d suppressions are configured.", n)
			}, Fires: kit.Cfg("security: {audit: {suppressions: [{checkId: x}]}}"), Quiet: kit.Cfg("{}")},
	}
}
