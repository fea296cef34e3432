package toolpolicy

import (
	"maps"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Inherit is what a run that this session starts may use at most: exactly the
// tools that the caller could use in it now, on top of what the session itself
// inherited. Sub-agents keep it for their life; a schedule keeps it from the
// moment it was made, so that it runs with its creator's policy and today's.
func (e *Engine) Inherit(caller gateway.Caller, surface Surface, s *Session) map[string]Policy {
	out := make(map[string]Policy, len(s.Inherited)+1)
	maps.Copy(out, s.Inherited)
	allowed := []string{} // present and empty: none
	for _, name := range e.voc.registered() {
		if e.Visible(caller, &Query{Tool: name, Surface: surface, Session: s}) {
			allowed = append(allowed, name)
		}
	}
	if prior, ok := out["parent"]; ok {
		allowed = keep(allowed, func(n string) bool { ok, _ := e.voc.decide(prior, n); return ok })
	}
	p := Policy{Allow: allowed}
	if !slices.Contains(allowed, "apply_patch") {
		p.Deny = []string{"apply_patch"} // which write in a list would bring along
	}
	out["parent"] = p
	table := e.rest
	if t, ok := e.agents[s.Agent]; ok {
		table = t
	}
	out[execPrefix+execNames[table.exec]] = Policy{}
	if surface == SurfaceACP {
		out[acpAsked] = Policy{}
	}
	return out
}

// acpAsked is the inherited entry of sub-agents that work for a turn over ACP:
// what asks there asks for them as well.
const acpAsked = "asks:acp"

// execPrefix begins the inherited entries that carry the exec modes of the
// sessions above: which commands run without asking is a limit as well.
const execPrefix = "exec:"

var execNames = [...]string{
	execDeny: "deny", execAllowlist: "allowlist", execAlways: "always", execAsk: "ask", execFull: "full", execUnset: "unset",
}

// execMode is the strictest exec mode of the session and those above it.
func (st *state) execMode() execMode {
	mode := st.settled(st.table.exec)
	for name := range st.s.Inherited {
		rest, ok := strings.CutPrefix(name, execPrefix)
		if !ok {
			continue
		}
		above := execDeny // an unknown one is the strictest
		if i := slices.Index(execNames[:], rest); i >= 0 {
			above = st.settled(execMode(i))
		}
		mode = min(mode, above)
	}
	return mode
}

// settled is what an unset mode means here: full inside a sandbox, ask on the
// host. Elevated calls have asked already.
func (st *state) settled(m execMode) execMode {
	switch {
	case m != execUnset:
		return m
	case st.s.Sandboxed:
		return execFull
	}
	return execAsk
}

func keep(in []string, ok func(string) bool) []string {
	out := in[:0]
	for _, n := range in {
		if ok(n) {
			out = append(out, n)
		}
	}
	return out
}

// Child is the session of a sub-agent that s starts, given what was wanted for
// it. It is never outside a sandbox that its parent is in, never less
// restricted, never in another tenant, and carries its parent's label.
func (e *Engine) Child(caller gateway.Caller, surface Surface, s *Session, want Session) Session {
	if !e.off.On(mutate.GuardInherited) {
		return want
	}
	want.Tenant = s.Tenant
	want.Sandboxed = want.Sandboxed || s.Sandboxed
	want.ReadOnly = want.ReadOnly || s.ReadOnly
	want.Depth = s.Depth + 1
	if s.Label != "" {
		want.Label = s.Label
	}
	want.Group, want.Sender, want.SenderNames = s.Group, s.Sender, s.SenderNames
	inherited := e.Inherit(caller, surface, s)
	for name, p := range want.Inherited {
		if _, taken := inherited[name]; taken {
			name = "wanted." + name
		}
		inherited[name] = p
	}
	want.Inherited = inherited
	return want
}
