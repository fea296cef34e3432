package view

import (
	"sort"

	"github.com/chitin-sh/chitin/audit"
)

// OpenInbound lists the policy keys that let anybody write to an agent:
// channel sections and their accounts.
func OpenInbound(s *audit.Subject) []string {
	var out []string
	section := func(path string, n *audit.Node) {
		if n.Get("groupPolicy").Text() == "open" {
			out = append(out, path+".groupPolicy")
		}
		dm := n.Get("dmPolicy")
		if dm.Text() == "open" {
			out = append(out, path+".dmPolicy")
		} else if !dm.Set() && n.At("dm.policy").Text() == "open" {
			out = append(out, path+".dm.policy")
		}
	}
	s.Root.Get("channels").Each(func(id string, ch *audit.Node) {
		section("channels."+id, ch)
		ch.Get("accounts").Each(func(acc string, n *audit.Node) {
			section("channels."+id+".accounts."+acc, n)
		})
	})
	return out
}

// OpenAnywhere lists open policies at any depth below channels, sorted.
func OpenAnywhere(s *audit.Subject) []string {
	var out []string
	s.Root.Get("channels").Walk("channels", func(path string, n *audit.Node) bool {
		for _, key := range []string{"groupPolicy", "dmPolicy"} {
			if n.Get(key).Text() == "open" {
				out = append(out, path+"."+key)
			}
		}
		return true
	})
	sort.Strings(out)
	return out
}

// SharedSignals lists hints that several people reach the agent.
func SharedSignals(s *audit.Subject) []string {
	var out []string
	seen := map[string]bool{}
	add := func(text string) {
		if !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	section := func(path string, n *audit.Node) {
		switch n.Get("groupPolicy").Text() {
		case "open":
			add(path + `.groupPolicy="open"`)
		case "allowlist":
			for _, key := range []string{"groups", "guilds", "channels", "rooms"} {
				if n.Get(key).Len() > 0 {
					add(path + `.groupPolicy="allowlist" with configured group targets`)
					break
				}
			}
		}
		if n.Get("dmPolicy").Text() == "open" {
			add(path + `.dmPolicy="open"`)
		}
		if n.At("dm.policy").Text() == "open" {
			add(path + `.dm.policy="open"`)
		}
		for _, key := range []string{"allowFrom", "groupAllowFrom", "dm.allowFrom"} {
			if contains(n.At(key).Strings(), "*") {
				add(path + "." + key + ` includes "*"`)
			}
		}
	}
	s.Root.Get("channels").Each(func(id string, ch *audit.Node) {
		section("channels."+id, ch)
		ch.Get("accounts").Each(func(acc string, n *audit.Node) {
			section("channels."+id+".accounts."+acc, overlay(ch, n))
		})
	})
	return out
}

// overlay is a channel's section with an account's keys over it.
func overlay(base, over *audit.Node) *audit.Node {
	out := &audit.Node{Kind: audit.Map}
	base.Each(func(k string, v *audit.Node) {
		if k != "accounts" {
			out.Keys, out.Kids = append(out.Keys, k), append(out.Kids, v)
		}
	})
	over.Each(func(k string, v *audit.Node) { out.Keys, out.Kids = append(out.Keys, k), append(out.Kids, v) })
	return out
}

// Risky is a context in which untrusted text reaches strong tools.
type Risky struct {
	Lines   []string
	Runtime bool // commands, not only files
}

// RiskyContexts lists agents whose command or file tools no sandbox holds.
func RiskyContexts(s *audit.Subject) Risky {
	var out Risky
	for _, a := range Contexts(s) {
		mode, layers := a.Mode(s), Layers(s, a)
		run := Filter(layers, "exec", "process")
		files := Filter(layers, "read", "write", "edit", "apply_patch")
		only := a.Node.At("tools.fs.workspaceOnly")
		if !only.Set() {
			only = s.Root.At("tools.fs.workspaceOnly")
		}
		loose := mode != "all"
		if loose && len(run) > 0 || loose && len(files) > 0 && !only.True() {
			out.Runtime = out.Runtime || len(run) > 0
			out.Lines = append(out.Lines, a.Key+" (sandbox="+mode+"; runtime="+join(run)+"; files="+join(files)+")")
		}
	}
	return out
}

// Filter gives those of the tools that all layers allow.
func Filter(layers []Policy, tools ...string) []string {
	var out []string
	for _, t := range tools {
		if Allows(t, layers) {
			out = append(out, t)
		}
	}
	return out
}

func join(list []string) string {
	if len(list) == 0 {
		return "off"
	}
	text := list[0]
	for _, v := range list[1:] {
		text += ", " + v
	}
	return text
}

// BrowserOn reports whether the browser plugin would run.
func BrowserOn(s *audit.Subject) bool {
	p := s.Root.Get("plugins")
	if s.Root.At("browser.enabled").False() || p.Get("enabled").False() || p.Get("entries", "browser").Get("enabled").False() || contains(p.Get("deny").Strings(), "browser") {
		return false
	}
	allow := p.Get("allow").Strings()
	return len(allow) == 0 || contains(allow, "browser")
}
