// Package kit holds what check files share: short ways to write examples and
// hits.
package kit

import (
	"fmt"
	"sort"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// Cfg makes examples of configurations for the check's first subject.
func Cfg(configs ...string) []audit.Example {
	out := make([]audit.Example, len(configs))
	for i, c := range configs {
		out[i] = audit.Example{Config: c}
	}
	return out
}

// Own makes examples of our own configuration.
func Own(configs ...string) []audit.Example {
	out := Cfg(configs...)
	for i := range out {
		out[i].As = audit.Own
	}
	return out
}

// Want sets the severity that examples expect.
func Want(s audit.Severity, list []audit.Example) []audit.Example {
	for i := range list {
		list[i].Want = s
	}
	return list
}

// Join puts lists of examples together.
func Join(lists ...[]audit.Example) []audit.Example {
	var out []audit.Example
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// At is one hit at a key.
func At(key, format string, args ...any) []audit.Hit {
	return []audit.Hit{{Key: key, Detail: fmt.Sprintf(format, args...)}}
}

// If is At when the condition holds.
func If(cond bool, key, format string, args ...any) []audit.Hit {
	if !cond {
		return nil
	}
	return At(key, format, args...)
}

// Raise sets the severity of hits to critical when cond holds.
func Raise(cond bool, hits []audit.Hit) []audit.Hit {
	if cond {
		for i := range hits {
			hits[i].Severity = audit.Critical
		}
	}
	return hits
}

// Key makes a check's function of one key: bad says what is wrong with the
// value, empty for nothing. The key is not asked about when it is absent.
func Key(path string, bad func(n *audit.Node) string) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		n := s.Root.At(path)
		if !n.Set() {
			return nil
		}
		if msg := bad(n); msg != "" {
			return At(path, "%s", msg)
		}
		return nil
	}
}

// True makes a check's function of a switch that should be off.
func True(path, detail string) func(*audit.Subject) []audit.Hit {
	return Key(path, func(n *audit.Node) string {
		if n.True() {
			return detail
		}
		return ""
	})
}

// Sandboxes calls f for the defaults' and every agent's sandbox section, with
// its dotted path.
func Sandboxes(s *audit.Subject, f func(path string, n *audit.Node) []audit.Hit) []audit.Hit {
	var out []audit.Hit
	if n := s.Root.At("agents.defaults.sandbox"); n.Set() {
		out = append(out, f("agents.defaults.sandbox", n)...)
	}
	s.Root.At("agents.entries").Each(func(id string, a *audit.Node) {
		if n := a.Get("sandbox"); n.Set() {
			out = append(out, f("agents.entries."+id+".sandbox", n)...)
		}
	})
	for i, a := range s.Root.At("agents.list").Items() {
		if n := a.Get("sandbox"); n.Set() {
			out = append(out, f(fmt.Sprintf("agents.list[%d].sandbox", i), n)...)
		}
	}
	return out
}

// Docker makes a check's function of a key of every sandbox's docker section.
func Docker(key string, bad func(n *audit.Node) string) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		return Sandboxes(s, func(path string, sb *audit.Node) []audit.Hit {
			n := sb.At("docker").At(key)
			if !n.Set() {
				return nil
			}
			full := path + ".docker." + key
			if msg := bad(n); msg != "" {
				return At(full, "%s: %s", full, msg)
			}
			return nil
		})
	}
}

// Set makes a repair that sets every key that run complains about, in our own
// configuration. For others' a human decides.
func Set(run func(*audit.Subject) []audit.Hit, value string) func(*audit.Subject) []audit.Change {
	return func(s *audit.Subject) []audit.Change {
		if s.Kind != audit.Own {
			return nil
		}
		var out []audit.Change
		for _, h := range run(s) {
			out = append(out, audit.Change{Kind: "config", Path: s.ConfigPath, Key: h.Key, Value: value})
		}
		return out
	}
}

// List writes names as a sentence part, each made safe, at most max of them.
func List(names []string, most int) string {
	shown := make([]string, 0, len(names))
	for _, n := range names[:min(len(names), most)] {
		shown = append(shown, audit.Show(n))
	}
	text := strings.Join(shown, ", ")
	if len(names) > most {
		text += fmt.Sprintf(", and %d more", len(names)-most)
	}
	return text
}

// Sorted gives the keys of a set in order.
func Sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Has reports whether list holds want.
func Has(list []string, want string) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}

// Servers looks at every enabled MCP server of our own configuration; bad says
// what is wrong with one, and below which of its keys.
func Servers(bad func(n *audit.Node) (key, msg string)) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		var out []audit.Hit
		s.Root.At("mcp.servers").Each(func(name string, n *audit.Node) {
			if n.Get("enabled").False() {
				return
			}
			if key, msg := bad(n); msg != "" {
				at := "mcp.servers." + name + "." + key
				out = append(out, At(at, "%s: %s.", audit.Show(at), msg)...)
			}
		})
		return out
	}
}
