package toolpolicy_test

import (
	"regexp"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// reference decides slowly and plainly: it reads the configuration as it is
// written, for one call, with no tables. It repeats the floors as the lists
// that people read, so that a change in either place shows.
type reference struct {
	src  toolpolicy.Source
	memo map[string][]string // what an entry means, which depends on the registry alone
}

func words(s string) []string { return strings.Fields(s) }

var (
	refHTTP = words(`sessions_spawn sessions_send cron gateway whatsapp_login spawn shell fs_write fs_delete fs_move
		terminal portal conversations_list conversations_send conversations_turn plugins nodes computer mobile_ui openclaw`)
	refNeverHTTP = words(`whatsapp_login spawn shell fs_write fs_delete fs_move`)
	refOwner     = words(`whatsapp_login cron gateway plugins sessions screen terminal portal conversations_list
		conversations_send conversations_turn nodes computer mobile_ui openclaw`)
	refQuiet      = words(`read ls search web_search memory_search memory_get`)
	refHost       = words(`exec process read ls write edit apply_patch image code_execution spawn shell fs_write fs_delete fs_move`)
	refWriters    = words(`write edit apply_patch fs_write fs_delete fs_move`)
	refReaders    = words(`read ls session_status sessions_list sessions_history sessions_search agents_list memory_search memory_get`)
	refControl    = words(`gateway cron plugins openclaw`)
	refBackground = words(`gateway cron plugins openclaw terminal portal screen`)
	refSubagent   = words(`gateway agents_list openclaw session_status progress_card cron message sessions_send
		conversations_list conversations_send conversations_turn`)
	refLeaf     = words(`subagents sessions_list sessions_history sessions_search sessions_spawn`)
	refBoxAllow = words(`exec process read ls write edit apply_patch image sessions_list sessions_history sessions_search
		sessions_send sessions_spawn sessions_yield subagents session_status agents_list`)
	refBoxDeny = words(`browser canvas computer mobile_ui nodes cron gateway feishu googlechat nostr buzz msteams mattermost
		nextcloud-talk matrix raft a2a line zalo clickclack zalouser sms synology-chat tlon discord imessage irc reef signal
		slack telegram twitch whatsapp`)
	refAlias    = map[string]string{"bash": "exec", "apply-patch": "apply_patch", "automations": "cron", "view_image": "image"}
	refProfiles = map[string][]string{"minimal": {"session_status", "gateway"}, "full": {"*"}}
)

// canon is the usual name behind an alias.
func canon(name string) string {
	if c, ok := refAlias[name]; ok {
		return c
	}
	return name
}

// expand is the set of tools that one entry means.
func (r *reference) expand(e string, deny bool) []string {
	key := e
	if deny {
		key = "deny " + e
	}
	if out, ok := r.memo[key]; ok {
		return out
	}
	e = strings.ToLower(strings.TrimSpace(e))
	members := r.groups()
	var out []string
	for _, t := range r.src.KnownTools {
		names := []string{t}
		if deny {
			for a, c := range refAlias {
				if c == t {
					names = append(names, a)
				}
			}
		}
		hit := canon(e) == t || slices.Contains(members[e], t)
		if strings.Contains(e, "*") {
			re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(e), `\*`, ".*") + "$")
			hit = slices.ContainsFunc(names, re.MatchString)
		}
		if hit {
			out = append(out, t)
		}
	}
	r.memo[key] = out
	return out
}

func (r *reference) groups() map[string][]string {
	g := map[string][]string{
		"group:fs": words("ls read write edit apply_patch"), "group:runtime": words("exec process code_execution secrets"),
		"group:web": words("web_search web_fetch x_search"), "group:messaging": {"message"},
		"group:automation": words("heartbeat_respond cron gateway plugins openclaw"),
		"group:sessions":   words("sessions_list sessions_history sessions_send sessions_spawn subagents session_status"),
	}
	for _, t := range r.src.KnownTools {
		if server, _, ok := strings.Cut(t, "__"); ok {
			g["bundle-mcp"] = append(g["bundle-mcp"], t)
			g["group:plugins"] = append(g["group:plugins"], t)
			g[server] = append(g[server], t)
		}
	}
	return g
}

// passes reports whether one allow/deny pair lets the tool through.
func (r *reference) passes(p toolpolicy.Policy, tool string) bool {
	for _, e := range p.Deny {
		if slices.Contains(r.expand(e, true), tool) {
			return false
		}
	}
	if p.Allow == nil {
		return true
	}
	for _, e := range p.Allow {
		in := r.expand(e, false)
		if slices.Contains(in, tool) || tool == "apply_patch" && slices.Contains(in, "write") {
			return true
		}
	}
	return false
}

func (r *reference) profile(name string, also []string, tool string) bool {
	if name == "" {
		return true
	}
	return r.passes(toolpolicy.Policy{Allow: append(slices.Clone(refProfiles[name]), also...)}, tool)
}

func (r *reference) layer(l toolpolicy.Layer, tool string) bool {
	return r.profile(l.Profile, l.AlsoAllow, tool) && r.passes(toolpolicy.Policy{Allow: l.Allow, Deny: l.Deny}, tool)
}

// decide is the verdict for one call without rules and without arguments that
// matter.
func (r *reference) decide(who toolpolicy.Subject, q *toolpolicy.Query) toolpolicy.Verdict {
	tool, s := canon(q.Tool), q.Session
	has := func(sc gateway.Scope) bool { return who.Kind != "" && who.Scopes&sc == sc }
	agent := r.src.Agents[s.Agent]
	switch {
	case !slices.Contains(r.src.KnownTools, tool), who.Kind == "", who.Tenant != s.Tenant:
		return toolpolicy.Deny
	case !has(gateway.ScopeWrite) && !(slices.Contains(refReaders, tool) && has(gateway.ScopeRead)):
		return toolpolicy.Deny
	case !r.lists(agent, s, tool):
		return toolpolicy.Deny
	case s.Sandboxed && !r.box(who, q, agent, tool):
		return toolpolicy.Deny
	case s.ReadOnly && slices.Contains(refWriters, tool):
		return toolpolicy.Deny
	case (s.Depth > 0 || q.Surface == "subagent") && !r.sub(s, tool):
		return toolpolicy.Deny
	case slices.Contains(refOwner, tool) && !(who.Owner && has(gateway.ScopeAdmin)):
		return toolpolicy.Deny
	}
	for _, p := range s.Inherited {
		if !r.passes(p, tool) {
			return toolpolicy.Deny
		}
	}
	return r.floors(who, q, tool)
}

// lists are the layers that the configuration writes down.
func (r *reference) lists(agent toolpolicy.AgentConfig, s *toolpolicy.Session, tool string) bool {
	c := r.src.Config
	profile, also := c.Profile, c.AlsoAllow
	if agent.Profile != "" {
		profile = agent.Profile
	}
	if agent.AlsoAllow != nil {
		also = agent.AlsoAllow
	}
	ok := r.profile(profile, also, tool) &&
		(c.Policy == nil || r.passes(*c.Policy, tool)) &&
		r.passes(toolpolicy.Policy{Allow: c.Allow, Deny: c.Deny}, tool) &&
		(agent.Policy == nil || r.passes(*agent.Policy, tool)) &&
		r.passes(toolpolicy.Policy{Allow: agent.Allow, Deny: agent.Deny}, tool)
	for _, m := range []map[string]toolpolicy.Layer{c.ByProvider, agent.ByProvider} {
		provider, _, _ := strings.Cut(s.Provider, "/")
		if l, exact := m[s.Provider]; s.Provider != "" && exact {
			ok = ok && r.layer(l, tool)
		} else if l, listed := m[provider]; s.Provider != "" && listed {
			ok = ok && r.layer(l, tool)
		}
	}
	groups := c.ByGroup
	if agent.ByGroup != nil {
		groups = agent.ByGroup
	}
	if s.Group != "" && len(groups) > 0 {
		if l, listed := groups[s.Group]; listed {
			ok = ok && r.layer(l, tool)
		} else if l, all := groups["*"]; all {
			ok = ok && r.layer(l, tool)
		} else {
			for _, l := range groups {
				ok = ok && r.layer(l, tool)
			}
		}
	}
	return ok && r.senders(agent, s, tool)
}

func (r *reference) senders(agent toolpolicy.AgentConfig, s *toolpolicy.Session, tool string) bool {
	m := map[string]toolpolicy.Layer{}
	for k, l := range r.src.Config.ToolsBySender {
		m[k] = l
	}
	for k, l := range agent.ToolsBySender {
		m[k] = l
	}
	if s.Sender == "" || len(m) == 0 {
		return true
	}
	l, listed := m[s.Sender]
	if listed && !strings.HasPrefix(s.Sender, "name:") {
		return r.layer(l, tool)
	}
	ok := true
	if listed {
		ok = r.layer(l, tool)
	}
	if all, any := m["*"]; any {
		ok = ok && r.layer(all, tool)
	}
	return ok
}

// box is the tools list of a sandboxed session.
func (r *reference) box(who toolpolicy.Subject, q *toolpolicy.Query, agent toolpolicy.AgentConfig, tool string) bool {
	var allow, also, deny []string
	places := []*toolpolicy.SandboxTools{agent.Sandbox.Tools, r.src.Config.Sandbox.Tools}
	for i := len(places) - 1; i >= 0; i-- { // the most specific is last
		if t := places[i]; t != nil {
			if t.Allow != nil {
				allow = t.Allow
			}
			if t.AlsoAllow != nil {
				also = t.AlsoAllow
			}
			if t.Deny != nil {
				deny = t.Deny
			}
		}
	}
	hands := who.Owner && q.Session.Depth == 0 && slices.Contains([]toolpolicy.Surface{"cli", "websocket", "http"}, q.Surface)
	switch {
	case allow != nil:
		full := append(slices.Clone(allow), also...)
		if len(allow) > 0 {
			full = append(full, "image")
		}
		if !r.passes(toolpolicy.Policy{Allow: full}, tool) {
			return false
		}
	case !hands && !r.passes(toolpolicy.Policy{Allow: append(slices.Clone(refBoxAllow), also...)}, tool):
		return false
	}
	if deny != nil {
		return r.passes(toolpolicy.Policy{Deny: deny}, tool)
	}
	if hands || !slices.Contains(refBoxDeny, tool) {
		return true
	}
	for _, e := range append(slices.Clone(allow), also...) {
		if !strings.Contains(e, "*") && slices.Contains(r.expand(e, false), tool) {
			return true
		}
	}
	return false
}

func (r *reference) sub(s *toolpolicy.Session, tool string) bool {
	if slices.Contains(refSubagent, tool) || s.Leaf && slices.Contains(refLeaf, tool) {
		return false
	}
	p := r.src.Config.Subagents.Tools
	return p == nil || r.passes(*p, tool)
}

// floors are what the surface and the host demand.
func (r *reference) floors(who toolpolicy.Subject, q *toolpolicy.Query, tool string) toolpolicy.Verdict {
	s, verdict := q.Session, toolpolicy.Allow
	net := slices.Contains([]toolpolicy.Surface{"http", "mcp", "websocket"}, q.Surface)
	if net && !r.passes(toolpolicy.Policy{Deny: r.src.Gateway.Deny}, tool) {
		return toolpolicy.Deny
	}
	switch q.Surface {
	case "http", "mcp":
		reopened := who.Owner && !slices.Contains(refNeverHTTP, tool) && len(r.src.Gateway.Allow) > 0 &&
			r.passes(toolpolicy.Policy{Allow: r.src.Gateway.Allow}, tool)
		if slices.Contains(refHTTP, tool) && !reopened {
			return toolpolicy.Deny
		}
	case "acp":
		if !slices.Contains(refQuiet, tool) {
			verdict = toolpolicy.Ask
		}
	case "hook", "cron":
		if slices.Contains(refBackground, tool) {
			return toolpolicy.Deny
		}
	case "agent", "subagent":
		if slices.Contains(refControl, tool) {
			if s.Label != "" {
				return toolpolicy.Deny
			}
			verdict = toolpolicy.Ask
		}
	}
	if slices.Contains(refHost, tool) && !s.Sandboxed {
		if slices.Contains([]toolpolicy.Surface{"http", "mcp", "hook"}, q.Surface) {
			return toolpolicy.Deny
		}
		if s.Label != "" {
			verdict = toolpolicy.Ask
		}
	}
	if tool == "exec" {
		mode := r.src.Config.Exec.Mode
		rank := []string{"deny", "allowlist", "ask", "full", ""}
		if a := r.src.Agents[s.Agent].Exec; a != nil && slices.Index(rank, a.Mode) < slices.Index(rank, mode) {
			mode = a.Mode
		}
		if mode == "" && !s.Sandboxed {
			mode = "ask"
		}
		switch mode {
		case "deny", "allowlist": // nothing is listed
			return toolpolicy.Deny
		case "ask":
			verdict = toolpolicy.Ask
		}
	}
	return verdict
}
