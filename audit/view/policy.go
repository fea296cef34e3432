package view

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// Policy is one layer of allow and deny lists.
type Policy struct{ Allow, Deny []string }

// Allows reports whether every layer lets the tool through.
func Allows(tool string, layers []Policy) bool {
	for _, p := range layers {
		if !p.allows(tool) {
			return false
		}
	}
	return true
}

func (p Policy) allows(tool string) bool {
	if matchAny(p.Deny, tool) {
		return false
	}
	if len(p.Allow) == 0 {
		return true
	}
	return matchAny(p.Allow, tool) || tool == "apply_patch" && matchAny(p.Allow, "write")
}

func matchAny(list []string, tool string) bool {
	for _, pattern := range list {
		if Glob(pattern, tool) {
			return true
		}
	}
	return false
}

// Glob matches a name with a pattern in which * is any run of characters.
func Glob(pattern, name string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, mid := range parts[1 : len(parts)-1] {
		i := strings.Index(name, mid)
		if i < 0 {
			return false
		}
		name = name[i+len(mid):]
	}
	return strings.HasSuffix(name, last)
}

// Canon is a tool's name as policies compare it.
func Canon(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "bash":
		return "exec"
	case "apply-patch":
		return "apply_patch"
	case "cron":
		return "automations"
	}
	return name
}

// Expand resolves aliases and groups. Unknown groups stay as they are and
// match nothing.
func Expand(list []string) []string {
	var out []string
	for _, e := range list {
		e = Canon(e)
		if members := group(e); members != "" {
			out = append(out, strings.Fields(members)...)
			continue
		}
		out = append(out, e)
	}
	return out
}

func group(name string) string {
	switch name {
	case "group:fs":
		return "ls read write edit apply_patch"
	case "group:runtime":
		return "exec process code_execution secrets"
	case "group:web":
		return "web_search web_fetch x_search"
	case "group:memory":
		return "memory_search memory_get"
	case "group:sessions":
		return sessionTools
	case "group:ui":
		return "browser screen theme dashboard terminal portal canvas show_widget"
	case "group:messaging":
		return "message"
	case "group:automation":
		return "heartbeat_respond automations gateway plugins openclaw"
	case "group:nodes":
		return "nodes computer mobile_ui"
	case "group:agents":
		return "agents_list get_goal create_goal update_goal progress_card ask_user skill_workshop"
	case "group:media":
		return "view_image image_generate music_generate video_generate tts pdf"
	case "group:openclaw":
		return "code_execution secrets web_search web_fetch x_search memory_search memory_get " + sessionTools +
			" browser screen theme dashboard terminal portal show_widget message heartbeat_respond automations gateway plugins openclaw" +
			" nodes computer mobile_ui agents_list get_goal create_goal update_goal progress_card ask_user skill_workshop" +
			" view_image image_generate music_generate video_generate tts pdf"
	}
	return ""
}

const sessionTools = "sessions sessions_list sessions_history sessions_search conversations_list conversations_send" +
	" conversations_turn sessions_send sessions_spawn github_identity_status github_publish agents_wait sessions_yield" +
	" subagents session_status suggest_task dismiss_task"

// Profile gives a named profile's tools; ok is false for full, unset and
// unknown ones, which limit nothing.
func Profile(name string) (tools []string, ok bool) {
	switch name {
	case "minimal":
		return []string{"session_status", "gateway"}, true
	case "coding":
		return strings.Fields("ls read write edit apply_patch exec process code_execution secrets web_search web_fetch x_search" +
			" memory_search memory_get " + sessionTools + " screen theme dashboard terminal portal automations gateway plugins" +
			" get_goal create_goal update_goal progress_card ask_user skill_workshop view_image image_generate music_generate" +
			" video_generate bundle-mcp"), true
	case "messaging":
		return strings.Fields("secrets sessions sessions_list sessions_history sessions_search conversations_list" +
			" conversations_send conversations_turn sessions_send sessions_spawn sessions_yield subagents session_status theme" +
			" message gateway ask_user bundle-mcp"), true
	}
	return nil, false
}

// Layers are the policies that a tool must pass for an agent, without those
// that depend on who is asking.
func Layers(s *audit.Subject, a Agent, extra ...Policy) []Policy {
	global, own := s.Root.Get("tools"), a.Node.Get("tools")
	var out []Policy
	if tools, ok := Profile(own.Get("profile").Or(global.Get("profile").Text())); ok {
		also := own.Get("alsoAllow")
		if !also.Set() {
			also = global.Get("alsoAllow")
		}
		out = append(out, Policy{Allow: append(tools, Expand(also.Strings())...)})
	}
	for _, n := range []*audit.Node{global, own} {
		out = append(out, pick(n))
		if s.Kind == audit.Own {
			out = append(out, pick(n.Get("policy")))
		}
	}
	out = append(out, extra...)
	if a.Mode(s) == "all" {
		out = append(out, sandboxPolicy(s, a))
	}
	return out
}

func pick(n *audit.Node) Policy {
	return Policy{Allow: Expand(n.Get("allow").Strings()), Deny: Expand(n.Get("deny").Strings())}
}

// ByProvider is the extra layer for a model, from the global and the agent's
// table: the full name first, then its provider.
func ByProvider(s *audit.Subject, a Agent, model string) []Policy {
	provider, _, _ := strings.Cut(model, "/")
	var out []Policy
	for _, n := range []*audit.Node{s.Root.Get("tools", "byProvider"), a.Node.Get("tools", "byProvider")} {
		for _, want := range []string{model, provider} {
			found := false
			n.Each(func(key string, v *audit.Node) {
				if !found && strings.EqualFold(strings.TrimSpace(key), want) {
					found = true
					out = append(out, pick(v))
				}
			})
			if found {
				break
			}
		}
	}
	return out
}

func sandboxPolicy(s *audit.Subject, a Agent) Policy {
	lists := func(key string) *audit.Node {
		if n := a.Node.Get("tools", "sandbox", "tools", key); n.Set() {
			return n
		}
		return s.Root.Get("tools", "sandbox", "tools", key)
	}
	p := Policy{
		Allow: strings.Fields("exec process read ls write edit apply_patch view_image sessions_list sessions_history" +
			" sessions_search sessions_send sessions_spawn sessions_yield subagents session_status"),
		Deny: strings.Fields("browser canvas computer mobile_ui nodes automations gateway feishu googlechat nostr buzz msteams" +
			" mattermost nextcloud-talk matrix raft a2a line zalo clickclack zalouser sms synology-chat tlon discord imessage irc" +
			" reef signal slack telegram twitch whatsapp"),
	}
	var named []string
	if allow := lists("allow"); allow.Is(audit.List) {
		named = Expand(allow.Strings())
		p.Allow = named
		if len(named) > 0 {
			p.Allow = append(append([]string{}, named...), "view_image")
		}
	}
	if also := Expand(lists("alsoAllow").Strings()); len(also) > 0 {
		if len(p.Allow) > 0 {
			p.Allow = append(append([]string{}, p.Allow...), also...)
		}
		named = append(named, also...)
	}
	if deny := lists("deny"); deny.Is(audit.List) {
		p.Deny = Expand(deny.Strings())
		return p
	}
	var kept []string
	for _, d := range p.Deny {
		if !matchAny(named, d) {
			kept = append(kept, d)
		}
	}
	p.Deny = kept
	return p
}
