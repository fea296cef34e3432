package view

import (
	"strconv"

	"github.com/chitin-sh/chitin/audit"
)

// Agent is one agent, or the defaults when ID is empty.
type Agent struct {
	ID string
	// Key is its dotted path in the configuration.
	Key  string
	Node *audit.Node
	// Written is false for the agent that exists without being configured.
	Written bool
}

type agentsKey struct{}

// Agents lists the roster; without one there is an agent named main.
func Agents(s *audit.Subject) []Agent {
	return audit.Memo(s, agentsKey{}, func() []Agent {
		var out []Agent
		s.Root.At("agents.entries").Each(func(id string, n *audit.Node) {
			if n.Is(audit.Map) {
				out = append(out, Agent{id, "agents.entries." + id, n, true})
			}
		})
		for i, n := range s.Root.At("agents.list").Items() {
			if id := n.Get("id").Text(); id != "" {
				out = append(out, Agent{id, "agents.list[" + strconv.Itoa(i) + "]", n, true})
			}
		}
		if len(out) == 0 {
			out = []Agent{{ID: "main", Key: "agents.entries.main"}}
		}
		return out
	})
}

// Contexts are the defaults followed by every agent.
func Contexts(s *audit.Subject) []Agent {
	return append([]Agent{{Key: "agents.defaults"}}, Agents(s)...)
}

// DefaultAgent is the id of the agent that answers when none is named; empty
// when the roster does not say.
func DefaultAgent(s *audit.Subject) string {
	list := Agents(s)
	for _, a := range list {
		if a.Node.Get("default").True() {
			return a.ID
		}
	}
	if len(list) == 1 {
		return list[0].ID
	}
	return ""
}

// Sandbox is the effective value of a sandbox key for an agent.
func (a Agent) Sandbox(s *audit.Subject, key, fallback string) string {
	if v := a.Node.Get("sandbox", key).Text(); v != "" {
		return v
	}
	return s.Root.Get("agents", "defaults", "sandbox", key).Or(fallback)
}

// Mode is the agent's effective sandbox mode.
func (a Agent) Mode(s *audit.Subject) string {
	if s.Kind == audit.Own {
		return a.Sandbox(s, "mode", "all")
	}
	return a.Sandbox(s, "mode", "off")
}

// Exec is the agent's effective exec policy; the unset one is unset.
type Exec struct{ Security, Host string }

// ExecOf is the effective exec policy of an agent; unset says what applies
// when nothing is written down.
func ExecOf(s *audit.Subject, a Agent, unset string) Exec {
	global, own := s.Root.At("tools.exec"), a.Node.At("tools.exec")
	inherited := security(global, unset)
	return Exec{Security: security(own, inherited), Host: own.Get("host").Or(global.Get("host").Or("auto"))}
}

func security(n *audit.Node, inherited string) string {
	switch n.Get("mode").Text() {
	case "deny":
		return "deny"
	case "allowlist", "ask", "auto":
		return "allowlist"
	case "full":
		return "full"
	}
	return n.Get("security").Or(inherited)
}

// Scope is an exec policy with the agent it is for.
type Scope struct {
	ID, Key string
	Exec
}

// ExecScopes lists the global scope under the default agent's id and every
// agent, each once, the agent's own policy winning.
func ExecScopes(s *audit.Subject, unset string) []Scope {
	first := DefaultAgent(s)
	if first == "" {
		first = "global"
	}
	out := []Scope{{first, "tools.exec", ExecOf(s, Agent{}, unset)}}
	for _, a := range Agents(s) {
		key := "tools.exec"
		if a.Node.At("tools.exec").Set() {
			key = a.Key + ".tools.exec"
		}
		sc := Scope{a.ID, key, ExecOf(s, a, unset)}
		if a.ID == first {
			out[0] = sc
			continue
		}
		out = append(out, sc)
	}
	return out
}
