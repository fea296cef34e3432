package toolpolicy

import (
	"slices"
	"strings"
	"sync"
)

// MaxName is the longest tool name, in bytes.
const MaxName = 128

// ValidName reports whether s can be a tool's name: lower-case ASCII letters,
// digits and . _ : - with a letter or digit first. Nothing is folded or
// trimmed, so that a look-alike is simply not a name.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == ':' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// alias gives every name that means the same tool. The first of a row is the
// usual one; whichever is registered answers to all of its row.
var alias = [...][]string{
	{"exec", "bash"},
	{"apply_patch", "apply-patch"},
	{"cron", "automations"},
	{"image", "view_image"},
}

// aliases is the row of name, or nil when it has no other name.
func aliases(name string) []string {
	for _, row := range alias {
		if slices.Contains(row, name) {
			return row
		}
	}
	return nil
}

// groups are the tool groups and their exact members. group:openclaw and
// group:plugins depend on the registry and are made by vocabulary.
var groups = sync.OnceValue(func() map[string][]string {
	g := map[string]string{
		"group:fs":         "ls read write edit apply_patch",
		"group:runtime":    "exec process code_execution secrets",
		"group:web":        "web_search web_fetch x_search",
		"group:memory":     "memory_search memory_get",
		"group:sessions":   "sessions sessions_list sessions_history sessions_search conversations_list conversations_send conversations_turn sessions_send sessions_spawn github_identity_status github_publish agents_wait sessions_yield subagents session_status suggest_task dismiss_task",
		"group:ui":         "browser screen theme dashboard terminal portal canvas show_widget",
		"group:messaging":  "message",
		"group:automation": "heartbeat_respond cron gateway plugins openclaw",
		"group:nodes":      "nodes computer mobile_ui",
		"group:agents":     "agents_list get_goal create_goal update_goal progress_card ask_user skill_workshop",
		"group:media":      "image image_generate music_generate video_generate tts pdf",
	}
	out := make(map[string][]string, len(g))
	for name, members := range g {
		out[name] = strings.Fields(members)
	}
	return out
})

// profiles are the named starting points of tools.profile; full allows all.
var profiles = sync.OnceValue(func() map[string][]string {
	return map[string][]string{
		"minimal":   {"session_status", "gateway"},
		"coding":    strings.Fields("ls read write edit apply_patch exec process code_execution secrets web_search web_fetch x_search memory_search memory_get sessions sessions_list sessions_history sessions_search conversations_list conversations_send conversations_turn sessions_send sessions_spawn github_identity_status github_publish agents_wait sessions_yield subagents session_status suggest_task dismiss_task screen theme dashboard terminal portal cron gateway plugins get_goal create_goal update_goal progress_card ask_user skill_workshop image image_generate music_generate video_generate bundle-mcp"),
		"messaging": strings.Fields("secrets sessions sessions_list sessions_history sessions_search conversations_list conversations_send conversations_turn sessions_send sessions_spawn sessions_yield subagents session_status theme message gateway ask_user bundle-mcp"),
		"full":      {"*"},
	}
})

// Profiles lists the profile names.
func Profiles() []string { return []string{"minimal", "coding", "messaging", "full"} }

// vocabulary is every name that a rule can mean: the registered tools and
// those that the floors speak of. A tool's index is its bit.
type vocabulary struct {
	names  []string            // sorted
	here   bits                // which of them are registered
	index  map[string]int32    // registered names and their aliases
	groups map[string][]string // expanded, registry included
	known  map[string]bool     // every name that is no typing mistake
	// servers are the configured MCP servers.
	servers []string
}

func newVocabulary(tools []string) *vocabulary {
	v := &vocabulary{
		names: slices.Compact(slices.Sorted(slices.Values(tools))),
		index: map[string]int32{}, groups: map[string][]string{},
		known: map[string]bool{"*": true},
	}
	v.names = slices.DeleteFunc(v.names, func(n string) bool { return !ValidName(n) })
	registered := v.names
	v.addFloors()
	v.here = newBits(len(v.names))
	for i, n := range v.names {
		v.index[n] = int32(i)
		v.known[n] = true
		if _, ok := slices.BinarySearch(registered, n); ok {
			v.here.set(int32(i))
		}
	}
	for i, n := range v.names {
		for _, a := range aliases(n) {
			if _, taken := v.index[a]; !taken {
				v.index[a] = int32(i)
			}
		}
	}
	v.addGroups()
	v.addKnown()
	return v
}

// addFloors adds the names of the floors that no registered tool answers to,
// so that an explanation can say what holds for them.
func (v *vocabulary) addFloors() {
	all := slices.Clone(v.names)
	for _, list := range [][]string{floorHTTP, ownerOnly, acpAsks, hostCapable} {
		for _, n := range list {
			if !slices.ContainsFunc(namesOf(n), func(a string) bool { return slices.Contains(all, a) }) {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	v.names = all
}

// registered are the names of the tools that are there.
func (v *vocabulary) registered() []string {
	var out []string
	for i, n := range v.names {
		if v.here.has(int32(i)) {
			out = append(out, n)
		}
	}
	return out
}

// addGroups takes over the fixed groups and makes those of the registry: a
// tool of an MCP server is <server>__<tool>, and mcp:<server> or the server's
// bare name means all of its tools.
func (v *vocabulary) addGroups() {
	for g, m := range groups() {
		v.groups[g] = m
	}
	taken := map[string]bool{"bundle-mcp": true}
	for g, members := range groups() {
		taken[g] = true
		for _, m := range members {
			for _, a := range namesOf(m) {
				taken[a] = true
			}
		}
	}
	apart := strings.Fields("ls read write edit apply_patch exec process canvas")
	for _, n := range v.registered() {
		server, _, plugin := strings.Cut(n, "__")
		if plugin && server != "" {
			for _, g := range []string{"group:plugins", "bundle-mcp", "mcp:" + server, server} {
				if g == server && (v.known[g] || taken[g]) {
					continue // a server cannot take the name of a tool or a group
				}
				v.groups[g] = append(v.groups[g], n)
			}
		} else if !slices.Contains(apart, n) {
			v.groups["group:openclaw"] = append(v.groups["group:openclaw"], n)
		}
	}
	for _, g := range []string{"group:plugins", "bundle-mcp", "group:openclaw"} {
		if v.groups[g] == nil {
			v.groups[g] = []string{}
		}
	}
}

// addServers makes entries about configured servers known whose tools nobody
// listed yet.
func (v *vocabulary) addServers(names []string) {
	for _, n := range names {
		v.known[n], v.known["mcp:"+n] = true, true
	}
	v.servers = names
}

// ofServer reports whether an entry names a tool of a configured server.
func (v *vocabulary) ofServer(e string) bool {
	server, _, ok := strings.Cut(e, "__")
	return ok && slices.Contains(v.servers, server)
}

func (v *vocabulary) addKnown() {
	for g, m := range v.groups {
		v.known[g] = true
		for _, n := range m {
			v.known[n] = true
		}
	}
	for _, row := range alias {
		for _, n := range row {
			v.known[n] = true
		}
	}
	for _, list := range [][]string{floorHTTP, ownerOnly, acpAsks, sandboxDeny, subagentDeny, hostCapable} {
		for _, n := range list {
			v.known[n] = true
		}
	}
}

// lookup is the index of a called name, exactly as registered or by an exact
// alias.
func (v *vocabulary) lookup(name string) (int32, bool) {
	i, ok := v.index[name]
	return i, ok
}

// nearest is the known name closest to s, or "" when none is near.
func (v *vocabulary) nearest(s string) string {
	best, limit := "", max(1, len(s)/3)
	for n := range v.known {
		if d := distance(s, n, limit+1); n != "*" && (d < limit || d == limit && (best == "" || n < best)) {
			best, limit = n, d
		}
	}
	return best
}

// distance is the edit distance of a and b, counting a swap of neighbours as
// one, or limit when it is at least that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return min(prev[len(b)], limit)
}
