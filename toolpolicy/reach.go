package toolpolicy

import (
	"slices"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Party is one session as the reach of session tools sees it.
type Party struct {
	Key       string
	Tenant    string
	Principal string // who owns the session
	Agent     string
	Sandboxed bool
	Ancestors []string // keys from the root down to the parent; empty for a main session
}

// MayReach reports whether a session tool called in from may read, message or
// stop the session to, and why not. Sessions of another tenant or principal
// are never reached, whatever is configured; nor does a sub-agent ever reach
// its parent or its siblings.
func (e *Engine) MayReach(caller gateway.Caller, from, to Party) (bool, string) {
	if !e.off.On(mutate.GuardReach) {
		return true, ""
	}
	switch {
	case caller.Anonymous() || from.Key == "" || to.Key == "":
		return false, "no session"
	case from.Tenant != caller.Tenant() || to.Tenant != caller.Tenant():
		return false, "the session belongs to another tenant"
	case to.Principal == "" || to.Principal != caller.Principal() || from.Principal != to.Principal:
		return false, "the session belongs to another principal"
	case from.Key == to.Key:
		return true, ""
	}
	below := slices.Contains(to.Ancestors, from.Key)
	switch visibility := e.reachOf(from); {
	case visibility == "self":
		return false, "tools.sessions.visibility is self"
	case below:
		return true, ""
	case visibility == "agent" && from.Agent == to.Agent, visibility == "all":
		return true, ""
	}
	return false, "it is not in the calling session's tree"
}

// reachOf is the visibility of one calling session. Sub-agents are held to
// their own tree.
func (e *Engine) reachOf(from Party) string {
	switch e.sessions {
	case "self":
		return "self"
	case "agent", "all":
		if len(from.Ancestors) == 0 {
			return e.sessions
		}
	}
	return "tree"
}

// Tools lists the registered tools in order.
func (e *Engine) Tools() []string { return e.voc.registered() }

// Canonical is the registered name that a called name stands for, and whether
// there is one.
func (e *Engine) Canonical(name string) (string, bool) {
	i, ok := e.voc.lookup(name)
	if !ok || !e.voc.here.has(i) {
		return "", false
	}
	return e.voc.names[i], true
}

// Names is what a policy can speak of.
type Names struct {
	Tools    []string            `json:"tools"`
	Groups   map[string][]string `json:"groups"`
	Profiles map[string][]string `json:"profiles"`
	Aliases  [][]string          `json:"aliases"`
}

// Names lists the tools, groups with their members, and profiles.
func (e *Engine) Names() Names {
	n := Names{Tools: e.Tools(), Groups: map[string][]string{}, Profiles: map[string][]string{}}
	for g, m := range e.voc.groups {
		n.Groups[g] = slices.Clone(m)
	}
	for p, m := range profiles() {
		n.Profiles[p] = slices.Clone(m)
	}
	for _, row := range alias {
		n.Aliases = append(n.Aliases, slices.Clone(row))
	}
	return n
}
