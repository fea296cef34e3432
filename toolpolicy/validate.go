package toolpolicy

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/internal/problem"
)

var execModes = []string{"deny", "allowlist", "ask", "full"}

// checker collects problems.
type checker struct{ found []problem.Problem }

func (v *checker) bad(path, msg, hint string) {
	v.found = append(v.found, problem.Problem{Path: path, Message: msg, Hint: hint})
}

func (v *checker) warn(path, msg, hint string) {
	v.found = append(v.found, problem.Problem{Path: path, Message: msg, Hint: hint, Warning: true})
}

func (v *checker) oneOf(path, got string, want ...string) {
	if got != "" && !slices.Contains(want, got) {
		v.bad(path, "unknown value "+quote(got), "use "+strings.Join(want, ", "))
	}
}

func (v *checker) atLeast(path string, n int) {
	if n < 0 {
		v.bad(path, "must not be negative", "leave it out for the default")
	}
}

func (v *checker) boundary(path string, b *bool) {
	if b != nil && !*b {
		v.bad(path, "file tools never leave the workspace", "remove the key, or mount what is needed into the workspace")
	}
}

// scope checks one allow/alsoAllow/deny scope with its profile.
func (v *checker) scope(path, profile string, allow, also, deny []string) {
	v.oneOf(join(path, "profile"), profile, Profiles()...)
	if len(allow) > 0 && len(also) > 0 {
		v.bad(join(path, "alsoAllow"), "allow and alsoAllow exclude each other in one scope", "put all the names into allow, or use alsoAllow with a profile")
	}
	v.entries(join(path, "allow"), allow)
	v.entries(join(path, "alsoAllow"), also)
	v.entries(join(path, "deny"), deny)
}

func (v *checker) policy(path string, p *Policy) {
	if p != nil {
		v.entries(join(path, "allow"), p.Allow)
		v.entries(join(path, "deny"), p.Deny)
	}
}

func (v *checker) layers(path string, m map[string]Layer) {
	for _, k := range sortedKeys(m) {
		l := m[k]
		if strings.TrimSpace(k) == "" {
			v.bad(path, "a key is blank", "name the provider or group, or use *")
		}
		v.scope(join(path, k), l.Profile, l.Allow, l.AlsoAllow, l.Deny)
	}
}

// senders also checks that every key says what kind of identity it is.
func (v *checker) senders(path string, m map[string]Layer) {
	for _, k := range sortedKeys(m) {
		if k == "*" {
			continue
		}
		kind, id, typed := strings.Cut(k, ":")
		if !typed {
			v.warn(join(path, k), "an identity without its kind is read as id:"+k, "write id:"+k+" or channel:<channel>:"+k)
		} else if !slices.Contains(senderKinds, kind) || id == "" {
			v.bad(join(path, k), "unknown kind of identity "+quote(kind), "use channel:<channel>:<id>, id:, e164:, username: or name:")
		}
	}
	v.layers(path, m)
}

// entries checks that each word could mean a tool at all: look-alikes and
// stray characters would silently match nothing.
func (v *checker) entries(path string, list []string) {
	for _, raw := range list {
		e := entry(raw)
		if e == "" {
			v.bad(path, "an entry is blank", "remove it; it matches nothing")
			continue
		}
		if i := strings.IndexFunc(e, strange); i >= 0 {
			v.bad(path, "entry "+quote(raw)+" has a character that no tool name has", "use lower-case letters, digits and . _ : - and *")
		}
	}
}

func strange(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._:-*", r))
}

func (v *checker) elevated(path string, e *Elevated) {
	if e == nil {
		return
	}
	v.oneOf(join(path, "level"), e.Level, "ask", "full")
	for _, kind := range sortedKeys(e.AllowFrom) {
		p := join(path, "allowFrom."+kind)
		if !slices.Contains(elevatedKinds, kind) {
			v.bad(p, "unknown kind of caller "+quote(kind), "use "+strings.Join(elevatedKinds, ", "))
		}
		for _, id := range e.AllowFrom[kind] {
			if strings.TrimSpace(id) == "" || strings.Contains(id, "*") {
				v.bad(p, "entry "+quote(id)+" does not name one principal", "write the exact identity; wildcards never open the host")
			}
		}
	}
	if e.Enabled && len(e.AllowFrom) == 0 {
		v.warn(join(path, "allowFrom"), "elevated is enabled for nobody", "name principals, such as allowFrom: {unix: [\"1000\"]}")
	}
}

func (v *checker) exec(c ExecConfig) {
	v.oneOf("exec.mode", c.Mode, execModes...)
	v.oneOf("exec.host", c.Host, "auto", "sandbox")
	v.oneOf("exec.security", c.Security, "deny", "allowlist", "full")
	v.oneOf("exec.ask", c.Ask, "off", "on-miss", "always")
	if c.Mode != "" && (c.Security != "" || c.Ask != "") {
		v.bad("exec.mode", "mode excludes security and ask", "keep mode and remove the other two")
	}
	v.atLeast("exec.timeoutSeconds", c.TimeoutSeconds)
	v.atLeast("exec.yieldMs", c.YieldMs)
	v.boundary("exec.applyPatch.workspaceOnly", c.ApplyPatch.WorkspaceOnly)
	for _, d := range c.TrustedDirs {
		if !strings.HasPrefix(d, "/") || strings.Contains(d, "..") {
			v.bad("exec.trustedDirs", quote(d)+" is not an absolute directory", "write it from the root")
		}
	}
}

// names warns of entries that mean no tool, group or server, with the nearest
// known name.
func (v *checker) names(voc *vocabulary, path string, list []string) {
	for _, raw := range list {
		e := entry(raw)
		if e == "" || strings.Contains(e, "*") || voc.known[e] || voc.ofServer(e) || strings.IndexFunc(e, strange) >= 0 {
			continue
		}
		hint := "chitin policy list shows the names"
		if n := voc.nearest(e); n != "" {
			hint = "did you mean " + n + "?"
		}
		v.warn(path, "unknown tool or group "+quote(raw)+": it matches nothing", hint)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// quote renders s for a message: quoted, with anything unusual escaped.
func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strconv.QuoteToASCII(s)
}
