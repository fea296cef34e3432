package toolpolicy

import (
	"slices"
	"strings"
)

// table compiles the policy of one agent; id "" is any agent without an entry.
func (c *compiler) table(id string, a AgentConfig) *agentTable {
	g, key := c.src.Config, "agents.entries."+id+".tools"
	t := &agentTable{}
	t.fixed = c.fixed(id, a)
	t.static = fullBits(len(c.e.voc.names))
	for _, s := range t.fixed {
		t.static = t.static.and(s.pass)
	}
	for _, p := range []map[string]*layerSet{
		c.providers(g.ByProvider, "tools.byProvider"), c.providers(a.ByProvider, key+".byProvider"),
	} {
		if len(p) > 0 {
			t.provider = append(t.provider, p)
		}
	}
	if a.ByGroup != nil {
		t.groups = c.layers(layerGroup, a.ByGroup, key+".byGroup")
	} else {
		t.groups = c.layers(layerGroup, g.ByGroup, "tools.byGroup")
	}
	t.noGroup = unlisted(t.groups)
	t.senders = c.senders(g.ToolsBySender, a.ToolsBySender, key+".toolsBySender")
	c.sandbox(t, id, a)
	if p := g.Subagents.Tools; p != nil {
		t.subagent = newLayerSet(layerSubagent, c.list(*p, "tools.subagents.tools"))
	}
	if g.Elevated != nil {
		t.elevated = append(t.elevated, g.Elevated)
		if a.Elevated != nil {
			t.elevated = append(t.elevated, a.Elevated)
		}
	}
	t.exec, t.execKey = execModeOf(g.Exec), "tools.exec.mode"
	if a.Exec != nil && a.Exec.Mode != "" {
		if m := execModeOf(ExecConfig{Mode: a.Exec.Mode}); m < t.exec {
			t.exec, t.execKey = m, key+".exec.mode"
		}
	}
	return t
}

// fixed are the layers that depend on nothing but the agent.
func (c *compiler) fixed(id string, a AgentConfig) []*layerSet {
	g, key := c.src.Config, "agents.entries."+id+".tools"
	profile, profileKey := g.Profile, "tools.profile"
	if a.Profile != "" {
		profile, profileKey = a.Profile, key+".profile"
	}
	also, alsoKey := g.AlsoAllow, "tools.alsoAllow"
	if a.AlsoAllow != nil {
		also, alsoKey = a.AlsoAllow, key+".alsoAllow"
	}
	out := []*layerSet{newLayerSet(layerProfile, c.profile(profile, also, profileKey, alsoKey))}
	if g.Policy != nil {
		out = append(out, newLayerSet(layerPolicy, c.list(*g.Policy, "tools.policy")))
	}
	out = append(out, newLayerSet(layerGlobal, c.list(Policy{Allow: g.Allow, Deny: g.Deny}, "tools")))
	if a.Policy != nil {
		out = append(out, newLayerSet(layerAgent, c.list(*a.Policy, key+".policy")))
	}
	out = append(out, newLayerSet(layerAgent, c.list(Policy{Allow: a.Allow, Deny: a.Deny}, key)))
	return slices.DeleteFunc(out, func(s *layerSet) bool { return s == nil })
}

// unlisted is the layer of a group that has no entry: every entry's limits at
// once, or those of * when it is listed. Nil when no group is configured.
func unlisted(groups map[string]*layerSet) *layerSet {
	if s, ok := groups["*"]; ok {
		return s
	}
	var parts []*list
	for _, k := range sortedKeys(groups) {
		parts = append(parts, groups[k].parts...)
	}
	return newLayerSet(layerGroup, parts...)
}

// field is one configured sandbox list with where it came from.
type field struct {
	list []string
	key  string
}

// first is the most specific list that is present.
func first(fields ...field) field {
	for _, f := range fields {
		if f.list != nil {
			return f
		}
	}
	return field{}
}

func sandboxKey(agent string) string {
	if agent == "" {
		return "agents.defaults.sandbox.tools"
	}
	return "agents.entries." + agent + ".sandbox.tools"
}

// sandbox compiles the tools list of sandboxed sessions. Each of its lists is
// taken from the most specific place; what is configured binds everybody,
// while the built-in lists bind whatever a model drives.
func (c *compiler) sandbox(t *agentTable, id string, a AgentConfig) {
	places := []struct {
		tools *SandboxTools
		key   string
	}{
		{a.Sandbox.Tools, "agents.entries." + id + ".tools.sandbox.tools"},
		{plainTools(c.src.SandboxTools, id), sandboxKey(id)},
		{c.src.Config.Sandbox.Tools, "tools.sandbox.tools"},
		{plainTools(c.src.SandboxTools, ""), sandboxKey("")},
	}
	var allows, alsos, denies []field
	for _, p := range places {
		if p.tools != nil {
			allows = append(allows, field{p.tools.Allow, p.key})
			alsos = append(alsos, field{p.tools.AlsoAllow, p.key})
			denies = append(denies, field{p.tools.Deny, p.key})
		}
	}
	allow, also, deny := first(allows...), first(alsos...), first(denies...)
	var v checker
	v.names(c.e.voc, also.key+".alsoAllow", also.list)
	c.found = append(c.found, v.found...)

	var configured []*list
	if allow.list != nil {
		full := append(slices.Clone(allow.list), also.list...)
		if len(allow.list) > 0 {
			full = append(full, "image")
		}
		configured = append(configured, c.list(Policy{Allow: full}, allow.key))
	}
	if deny.list != nil {
		configured = append(configured, c.list(Policy{Deny: deny.list}, deny.key))
	}
	t.operator = newLayerSet(layerSandbox, slices.Clone(configured)...)

	merged := slices.Clone(configured)
	if allow.list == nil {
		key := "built in: sandbox"
		merged = append(merged, c.e.voc.compileList(Policy{Allow: append(slices.Clone(sandboxAllow), also.list...)}, key))
	}
	if deny.list == nil {
		merged = append(merged, c.e.voc.compileList(Policy{Deny: c.defaultDeny(append(slices.Clone(allow.list), also.list...))}, "built in: sandbox"))
	}
	t.sandbox = newLayerSet(layerSandbox, merged...)
}

// defaultDeny is the built-in deny list without what the configuration allows
// by name or group; a glob does not reopen it.
func (c *compiler) defaultDeny(allowed []string) []string {
	named := slices.DeleteFunc(entries(allowed), func(e string) bool { return strings.Contains(e, "*") })
	return slices.DeleteFunc(slices.Clone(sandboxDeny), func(n string) bool {
		return slices.ContainsFunc(named, func(e string) bool { return c.e.voc.matches(e, n, false) })
	})
}

func plainTools(m map[string]*Policy, id string) *SandboxTools {
	p := m[id]
	if p == nil {
		return nil
	}
	return &SandboxTools{Allow: p.Allow, Deny: p.Deny}
}

// senderKinds are the kinds of identity a sender's key can name.
var senderKinds = []string{"channel", "id", "e164", "username", "name"}

// elevatedKinds are the kinds of caller that can be named for elevated exec.
// Hooks, cron and unauthenticated callers cannot.
var elevatedKinds = []string{"token", "password", "trusted-proxy", "unix", "oidc", "mtls", "tailscale"}

// providerAlias gives the spellings of one model provider.
var providerAlias = [...][]string{
	{"anthropic", "claude"},
	{"openai", "openai-codex", "openai-responses"},
	{"amazon-bedrock", "bedrock", "aws-bedrock"},
	{"google", "gemini", "google-gemini"},
	{"google-vertex", "vertex", "vertex-ai"},
	{"zai", "z.ai", "z-ai"},
	{"azure-openai", "azure", "azure-openai-responses"},
}

func providerNames(name string) []string {
	for _, row := range providerAlias {
		if slices.Contains(row, name) {
			return row
		}
	}
	return []string{name}
}

// execMode orders exec's modes from the strictest on.
type execMode uint8

const (
	execDeny      execMode = iota // never runs
	execAllowlist                 // runs when listed
	execAlways                    // always asks
	execAsk                       // runs when listed, else asks
	execFull                      // runs
	execUnset                     // full inside the sandbox, ask on the host
)

func execModeOf(c ExecConfig) execMode {
	switch c.Mode {
	case "deny":
		return execDeny
	case "allowlist":
		return execAllowlist
	case "ask":
		return execAsk
	case "full":
		return execFull
	}
	switch {
	case c.Security == "deny":
		return execDeny
	case c.Ask == "always":
		return execAlways
	case c.Security == "allowlist" && c.Ask != "on-miss":
		return execAllowlist
	case c.Ask == "on-miss":
		return execAsk
	case c.Security == "full":
		return execFull
	}
	return execUnset
}
