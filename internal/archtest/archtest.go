// Package archtest holds the rules of the house as data and the tests that
// keep them: import directions, package comments, sizes, clean go.mod.
package archtest

// The six rooms. They do not call each other; what they may import of each
// other are tickets, listed in tickets.
var rooms = []string{"gateway", "toolpolicy", "sandbox", "secrets", "external", "audit"}

// tickets lists, for a room or corridor package, the root packages of rooms it
// may import because it needs the ticket that is made there.
var tickets = map[string][]string{
	"gateway":    {"secrets"},
	"toolpolicy": {"gateway", "secrets"},
	"sandbox":    {"toolpolicy", "gateway", "secrets"},
	"secrets":    {},
	"external":   {"secrets"},
	"audit":      {},
	"tool":       {"gateway", "toolpolicy", "sandbox", "secrets"},
	"mcpclient":  {"sandbox", "secrets", "external"},
}

// ban is an import that a folder must not have, and why.
type ban struct {
	folder string // prefix of the importing package's folder; "" is everywhere
	except []string
	target string // prefix of the imported package's folder
	why    string
}

var bans = []ban{
	{"", []string{"server", "agent", "app", "bench", "attack", "invoke", "internal/cli"}, "invoke", "only surfaces, agents and app send calls through the corridor"},
	{"", []string{"app", "internal/cli", "internal/docgen", "bench", "attack", "cmd"}, "app", "app is the composition root: nothing below it may know it"},
	{"", []string{"app", "internal/cli", "internal/docgen", "config", "bench", "attack", "cmd"}, "config", "each room owns its Config; config gathers them"},
	{"journal", nil, "toolpolicy", "the journal records any room and knows none"},
}

// Limits of size. A file or function above them must be on the allow list,
// which may only shrink.
const (
	maxFileLines = 500
	maxFuncLines = 80
)

// oversized is the allow list: "file" or "file:function" → lines at most.
var oversized = map[string]int{}
