package config

import (
	"strings"

	"github.com/chitin-sh/chitin/internal/yamlconf"
)

// Starter is the chitin.yml that a first start writes: safe values that hold
// already, each with its text, and the rest of the keys as pointers.
//
// withToken refers to the generated token file; without it the token comes
// from the environment.
func Starter(withToken bool) string {
	texts := map[string]yamlconf.Key{}
	for _, k := range Keys() {
		texts[k.Path] = k
	}
	var b strings.Builder
	b.WriteString("# chitin.yml - everything here is the default; what you remove stays as it is.\n")
	b.WriteString("# All keys: chitin config schema, docs/config.md. Check an edit: chitin config validate\n")
	var open []string
	for _, e := range starter {
		if e.path == "gateway.auth.token" && !withToken {
			continue
		}
		path := strings.Split(e.path, ".")
		same := 0
		for same < len(open) && same < len(path)-1 && open[same] == path[same] {
			same++
		}
		for i := same; i < len(path)-1; i++ {
			if i == 0 {
				b.WriteByte('\n')
			}
			comment(&b, i, texts[strings.Join(path[:i+1], ".")].Doc)
			b.WriteString(strings.Repeat("  ", i) + path[i] + ":\n")
		}
		open = path[:len(path)-1]
		depth := len(path) - 1
		comment(&b, depth, texts[e.path].Doc)
		b.WriteString(strings.Repeat("  ", depth) + path[depth] + ": " + e.value + "\n")
	}
	return b.String()
}

// starter is what the file shows, in its order.
var starter = []struct{ path, value string }{
	{"gateway.bind", "loopback"},
	{"gateway.port", "18790"},
	{"gateway.auth.mode", "token"},
	{"gateway.auth.token", "{source: file, provider: state, id: gateway.token}"},
	{"gateway.auth.rateLimit.maxAttempts", "10"},
	{"gateway.auth.rateLimit.windowMs", "60000"},
	{"gateway.auth.rateLimit.lockoutMs", "300000"},
	{"tools.policy.deny", "[]"},
	{"agents.defaults.sandbox.mode", "all"},
	{"agents.defaults.sandbox.scope", "agent"},
	{"agents.defaults.sandbox.workspaceAccess", "none"},
	{"agents.defaults.sandbox.prune.idleHours", "24"},
	{"agents.defaults.sandbox.prune.maxAgeDays", "7"},
	{"logging.redactSensitive", "tools"},
}

// comment writes a text above a key, wrapped at about 90 columns.
func comment(b *strings.Builder, depth int, text string) {
	if text == "" {
		return
	}
	indent := strings.Repeat("  ", depth) + "#"
	line := indent
	for _, w := range strings.Fields(text) {
		if len(line)+1+len(w) > 92 && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		line += " " + w
	}
	b.WriteString(line + "\n")
}
