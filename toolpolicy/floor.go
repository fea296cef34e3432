package toolpolicy

import "slices"

// Floors are what no configuration can open on a surface, apart from the names
// that gateway.tools.allow gives back to an owner.

// floorHTTP is denied over HTTP and MCP.
var floorHTTP = []string{
	"sessions_spawn", "sessions_send", "cron", "gateway", "whatsapp_login",
	"spawn", "shell", "fs_write", "fs_delete", "fs_move", "terminal", "portal",
	"conversations_list", "conversations_send", "conversations_turn",
	"plugins", "nodes", "computer", "mobile_ui", "openclaw",
}

// neverHTTP are the names of floorHTTP that stay denied whatever
// gateway.tools.allow says: raw ways to the host, and one that hangs.
var neverHTTP = []string{"whatsapp_login", "spawn", "shell", "fs_write", "fs_delete", "fs_move"}

// ownerOnly tools are neither seen nor used by anyone but an owner.
var ownerOnly = []string{
	"whatsapp_login", "cron", "gateway", "plugins", "sessions", "screen", "terminal",
	"portal", "conversations_list", "conversations_send", "conversations_turn",
	"nodes", "computer", "mobile_ui", "openclaw",
}

// acpAsks always ask a human when they come over ACP.
var acpAsks = []string{
	"exec", "spawn", "shell", "sessions_spawn", "sessions_send", "gateway",
	"fs_write", "fs_delete", "fs_move", "apply_patch",
	"bash", "process", "code_execution", "nodes", "cron", "session_status",
}

// acpQuiet are the only tools that pass over ACP without asking: they read.
var acpQuiet = []string{"read", "ls", "search", "web_search", "memory_search", "memory_get"}

// sandboxAllow is what the tools list of a sandboxed session holds by default.
var sandboxAllow = []string{
	"exec", "process", "read", "ls", "write", "edit", "apply_patch", "image",
	"sessions_list", "sessions_history", "sessions_search", "sessions_send",
	"sessions_spawn", "sessions_yield", "subagents", "session_status", "agents_list",
}

// sandboxDeny is what it leaves out by name: devices, the control plane and
// every messaging channel.
var sandboxDeny = []string{
	"browser", "canvas", "computer", "mobile_ui", "nodes", "cron", "gateway",
	"feishu", "googlechat", "nostr", "buzz", "msteams", "mattermost", "nextcloud-talk",
	"matrix", "raft", "a2a", "line", "zalo", "clickclack", "zalouser", "sms",
	"synology-chat", "tlon", "discord", "imessage", "irc", "reef", "signal", "slack",
	"telegram", "twitch", "whatsapp",
}

// subagentDeny is never for a sub-agent; leafDeny also not for one that may
// spawn no more.
var (
	subagentDeny = []string{
		"gateway", "agents_list", "openclaw", "session_status", "progress_card", "cron",
		"message", "sessions_send", "conversations_list", "conversations_send", "conversations_turn",
	}
	leafDeny = []string{"subagents", "sessions_list", "sessions_history", "sessions_search", "sessions_spawn"}
)

// hostCapable tools act on files or processes: inside the sandbox when the
// session has one, else on the host.
var hostCapable = []string{
	"exec", "process", "read", "ls", "write", "edit", "apply_patch", "image",
	"code_execution", "spawn", "shell", "fs_write", "fs_delete", "fs_move",
}

// writers change the workspace and refuse when it is read-only.
var writers = []string{"write", "edit", "apply_patch", "fs_write", "fs_delete", "fs_move"}

// readers need no more than operator.read.
var readers = []string{
	"read", "ls", "session_status", "sessions_list", "sessions_history",
	"sessions_search", "agents_list", "memory_search", "memory_get",
}

// modelAsks reconfigure chitin itself: when a model calls them a human is
// asked, and never from a tainted turn.
var modelAsks = []string{"gateway", "cron", "plugins", "openclaw"}

// backgroundDeny is denied to runs that nobody watches: hooks and cron.
var backgroundDeny = append([]string{"terminal", "portal", "screen"}, modelAsks...)

// trait is a set of facts about one tool, precomputed as bits.
type trait uint32

const (
	traitHTTPFloor trait = 1 << iota
	traitReopened        // gateway.tools.allow gives it back to owners
	traitGatewayDeny
	traitOwner
	traitACPAsk
	traitHost
	traitWriter
	traitReader
	traitModelAsk
	traitBackground
	traitSubagent
	traitLeaf
	traitExec
	traitStatus
)

// fixedTraits are the built-in facts of the tool with these names.
func fixedTraits(names []string) trait {
	var t trait
	add := func(list []string, bit trait) {
		if slices.ContainsFunc(names, func(n string) bool { return slices.Contains(list, n) }) {
			t |= bit
		}
	}
	add(floorHTTP, traitHTTPFloor)
	add(ownerOnly, traitOwner)
	add(hostCapable, traitHost)
	add(writers, traitWriter)
	add(readers, traitReader)
	add(modelAsks, traitModelAsk)
	add(backgroundDeny, traitBackground)
	add(subagentDeny, traitSubagent)
	add(leafDeny, traitLeaf)
	add([]string{"exec"}, traitExec)
	add([]string{"session_status"}, traitStatus)
	if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(acpQuiet, n) }) {
		t |= traitACPAsk
	}
	return t
}

// namesOf is a tool's own name with its aliases.
func namesOf(name string) []string {
	if row := aliases(name); row != nil {
		return row
	}
	return []string{name}
}
