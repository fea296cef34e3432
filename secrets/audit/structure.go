package audit

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/scan"
)

// structured looks at a file whose fields we know.
func (r *run) structured(ctx context.Context, path string, data []byte) {
	switch kind := r.kind(path); kind {
	case ownConfig, openclawConf:
		r.config(ctx, path, data, kind)
	case modelsFile:
		if root := r.parse(path, data, doc.JSON); root != nil {
			r.fields(path, data, root)
			root.Walk(func(n *doc.Node) bool {
				if _, ok := refOf(n); ok {
					r.add(r.place(data, n, Finding{Code: RefUnresolved, Severity: Error, File: path, Rule: "ref-in-models", Message: n.Path + " is a reference where only a value is read", Fix: "keep the reference in the main configuration"}))
				}
				return true
			})
		}
	case envFile:
		if root := r.parse(path, data, doc.Env); root != nil {
			r.fields(path, data, root)
		}
	case profilesFile, retiredFile:
		r.add(Finding{Code: LegacyResidue, Severity: Warn, File: path, JSONPath: "<root>", Rule: "retired-credentials", Message: "is a retired place for credentials and still there", Fix: "move what is needed with: chitin secrets import, then delete it"})
	case oauthFile:
		r.add(Finding{Code: LegacyResidue, Severity: Info, File: path, JSONPath: "<root>", Rule: "oauth-credentials", Message: "holds OAuth credentials", Fix: "sign out there if they are no longer needed"})
	case plain, ownSecret:
	}
}

// parse reports a file that cannot be taken apart.
func (r *run) parse(path string, data []byte, f doc.Format) *doc.Node {
	root, err := doc.Parse(f, data)
	if err != nil {
		r.add(Finding{Code: RefUnresolved, Severity: Error, File: path, JSONPath: "<root>", Rule: "invalid-config", Message: "the configuration is invalid (" + err.Error() + "): its references cannot be checked", Fix: "correct the file"})
		return nil
	}
	return root
}

// config looks at a main configuration: fields, references, and what beats
// them.
func (r *run) config(ctx context.Context, path string, data []byte, kind fileKind) {
	format := doc.FormatOf(path)
	if format == doc.Unknown {
		format = doc.YAML
	}
	root := r.parse(path, data, format)
	if root == nil {
		return
	}
	if kind == openclawConf {
		if key := unknownRoot(root); key != "" {
			r.add(Finding{Code: RefUnresolved, Severity: Error, File: path, JSONPath: "<root>", Rule: "invalid-config", Message: "the configuration is invalid (unknown key " + clip(key) + "): its references cannot be relied on", Fix: "correct the file"})
			return
		}
	}
	r.fields(path, data, root)
	r.references(ctx, path, data, root, kind)
}

// fields reports secret-bearing fields that hold their value, and widens or
// replaces what the scanner found at the same place.
func (r *run) fields(path string, data []byte, root *doc.Node) {
	root.Walk(func(n *doc.Node) bool {
		if n.Path == "secrets" || n.Path == "secrets.providers" {
			return false
		}
		if n.Kind != doc.String || n.Value == "" || !secretBearing(n) {
			return true
		}
		if _, ok := shorthand(n.Value); ok || isPointer(n.Value) {
			return true
		}
		f := r.plaintext(path, []byte(n.Value), "secret-field")
		if secrets.IsPlaceholder(secrets.NewValue(n.Value)) {
			f = Finding{Code: PlaceholderValue, Severity: Error, File: path, Rule: "redaction-mark", Message: "is a redaction mark, not a secret", Fix: "write the real value, better a reference to it"}
		}
		f.Message = n.Path + " " + f.Message
		f = r.place(data, n, f)
		for i, old := range r.report.Findings {
			if old.File == path && old.end > 0 && old.start < f.end && f.start < old.end {
				f.Rule = old.Rule
				r.report.Findings[i] = f
				return true
			}
		}
		r.add(f)
		return true
	})
}

// place says where in the file a node stands.
func (r *run) place(data []byte, n *doc.Node, f Finding) Finding {
	f.Line, f.Column = scan.Position(data, n.Start)
	f.JSONPath, f.start, f.end = clip(n.Path), n.Start, max(n.End, n.Start+1)
	return f
}

// secretBearing reports a field that is there to hold a secret: by its own
// name, or as a header that carries one.
func secretBearing(n *doc.Node) bool {
	parts := strings.Split(n.Path, ".")
	if len(parts) >= 2 && parts[len(parts)-2] == "headers" {
		low := strings.ToLower(n.Key)
		return slices.ContainsFunc([]string{"authorization", "x-api-key", "token", "secret", "password", "credential", "cookie"}, func(w string) bool { return strings.Contains(low, w) })
	}
	return scan.SecretField(n.Key)
}

// isPointer reports text that says where a secret is.
func isPointer(s string) bool {
	for _, p := range []string{"file://", "op://", "vault:", "ref+", "secretref-env:", "env:"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return strings.Contains(s, "${")
}

func shorthand(s string) (secrets.Ref, bool) { return secrets.Shorthand(strings.TrimSpace(s)) }

// refOf reads a {source, provider, id} map.
func refOf(n *doc.Node) (secrets.Ref, bool) {
	if n.Kind != doc.Map || len(n.Children) < 2 || len(n.Children) > 3 {
		return secrets.Ref{}, false
	}
	source, id := n.Child("source"), n.Child("id")
	if source == nil || id == nil || (len(n.Children) == 3 && n.Child("provider") == nil) {
		return secrets.Ref{}, false
	}
	return secrets.Ref{Source: source.Text(), Provider: n.Child("provider").Text(), ID: id.Text()}, true
}

// toConfig reads the secrets key of a configuration, ours or OpenClaw's. Keys
// that we do not know are left out.
func toConfig(root *doc.Node) secrets.Config {
	var c secrets.Config
	n := root.Child("secrets")
	if n == nil {
		return c
	}
	if js, err := json.Marshal(toAny(n)); err == nil {
		_ = json.Unmarshal(js, &c)
	}
	return c
}

func toAny(n *doc.Node) any {
	switch n.Kind {
	case doc.Map:
		m := make(map[string]any, len(n.Children))
		for _, c := range n.Children {
			m[c.Key] = toAny(c)
		}
		return m
	case doc.List:
		l := make([]any, 0, len(n.Children))
		for _, c := range n.Children {
			l = append(l, toAny(c))
		}
		return l
	case doc.Scalar:
		var v any
		if json.Unmarshal([]byte(n.Value), &v) == nil {
			return v
		}
	case doc.String:
	}
	return n.Value
}

// unknownRoot is a top-level key that OpenClaw does not have, or empty.
func unknownRoot(root *doc.Node) string {
	for _, c := range root.Children {
		switch c.Key {
		case "$schema", "$include", "meta", "env", "wizard", "diagnostics", "logging", "update", "browser", "ui", "auth", "acp", "models", "nodeHost", "agents", "tools", "bindings", "broadcast", "audio", "media",
			"messages", "commands", "approvals", "session", "cron", "hooks", "web", "channels", "discovery", "canvasHost", "talk", "gateway", "memory", "skills", "plugins", "secrets", "mcp", "cli", "security",
			"proxy", "crestodian", "surfaces", "nodes", "sandbox", "accessGroups", "telemetry", "transcripts", "attachments", "commitments", "tui", "worktrees", "cloudWorkers", "workers", "identity", "agent", "routing", "whatsapp", "telegram", "discord", "slack", "signal", "imessage", "tenants", "features", "profiles", "storage", "policy", "voice", "tts", "search", "notifications", "experimental", "fleet":
		default:
			return c.Key
		}
	}
	return ""
}

// dotEnv are the variables of the .env beside a configuration, whether or not
// it is among the files that are audited.
func (r *run) dotEnv(path string) map[string]string {
	out := map[string]string{}
	name := filepath.Join(filepath.Dir(path), ".env")
	data, ok := r.held[name]
	if st, err := os.Stat(name); !ok && err == nil && st.Mode().IsRegular() && st.Size() < doc.MaxBytes {
		data, _ = os.ReadFile(name)
	}
	if root, err := doc.Parse(doc.Env, data); err == nil {
		for _, c := range root.Children {
			out[c.Key] = c.Value
		}
	}
	return out
}
