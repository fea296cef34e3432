package toolpolicy

import (
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
)

// provider is the layer set of the session's model provider that refuses the
// tool, or nil.
func (st *state) provider() *layerSet {
	if len(st.table.provider) == 0 || st.s.Provider == "" {
		return nil
	}
	full := strings.ToLower(strings.TrimSpace(st.s.Provider))
	name, _, _ := strings.Cut(full, "/")
	for _, m := range st.table.provider {
		s, ok := m[full]
		if !ok {
			s, ok = m[name]
		}
		if ok && !s.pass.has(st.tool) {
			return s
		}
	}
	return nil
}

// group is the layer set of the session's group that refuses the tool.
func (st *state) group() *layerSet {
	if st.s.Group == "" || st.table.noGroup == nil {
		return nil
	}
	s, ok := st.table.groups[st.s.Group]
	if !ok {
		s = st.table.noGroup
	}
	if s.pass.has(st.tool) {
		return nil
	}
	return s
}

// sender is the layer set of the message's sender that refuses the tool. An
// identity that its owner can rename adds its limits to those of everybody; a
// stable one replaces them.
func (st *state) sender() *layerSet {
	m := st.table.senders
	if len(m) == 0 || st.s.Sender == "" {
		return nil
	}
	s, ok := m[st.s.Sender]
	if !ok || mutable(st.s.Sender) {
		if all := m["*"]; all != nil && !all.pass.has(st.tool) {
			return all
		}
	}
	if ok && !s.pass.has(st.tool) {
		return s
	}
	for _, n := range st.s.SenderNames {
		if s, ok := m[n]; ok && !s.pass.has(st.tool) {
			return s
		}
	}
	return nil
}

func mutable(sender string) bool {
	return strings.HasPrefix(sender, "name:") || strings.HasPrefix(sender, "username:") || sender == "*"
}

// sandbox is the sandbox layer that refuses the tool. The built-in lists bind
// what a model drives; an owner's own call is bound by what is configured.
func (st *state) sandbox() *layerSet {
	if !st.s.Sandboxed {
		return nil
	}
	s := st.table.sandbox
	if st.who.Owner && !modelDriven(st.q.Surface) && st.s.Depth == 0 {
		s = st.table.operator
	}
	if s == nil || s.pass.has(st.tool) {
		return nil
	}
	return s
}

// subagent reports whether a sub-agent of this depth may use the tool.
func (st *state) subagent() bool {
	if st.s.Depth <= 0 && st.q.Surface != SurfaceSubagent {
		return true
	}
	if st.traits&traitSubagent != 0 || st.s.Leaf && st.traits&traitLeaf != 0 {
		return false
	}
	return st.table.subagent == nil || st.table.subagent.pass.has(st.tool)
}

// inherited is the name of a parent's restriction that refuses the tool. When
// several do, the first by name is given.
func (e *Engine) inherited(st *state) string {
	worst := ""
	for name, p := range st.s.Inherited {
		if ok, _ := e.voc.decide(p, st.name); !ok && (worst == "" || name < worst) {
			worst = name
			if worst == "" {
				worst = "parent"
			}
		}
	}
	return worst
}

// surface is the floor of the surface.
func (e *Engine) surface(st *state) Verdict {
	switch st.q.Surface {
	case SurfaceHTTP, SurfaceMCP:
		if st.traits&traitHTTPFloor != 0 && !(st.traits&traitReopened != 0 && st.who.Owner) {
			return Deny
		}
		return Allow
	case SurfaceACP:
		if st.traits&traitACPAsk != 0 {
			return Ask
		}
		return Allow
	case SurfaceHook, SurfaceCron:
		return pass(st.traits&traitBackground == 0)
	case SurfaceAgent, SurfaceSubagent:
		_, asked := st.s.Inherited[acpAsked]
		switch {
		case st.traits&traitModelAsk == 0 && asked && st.traits&traitACPAsk != 0:
			return Ask
		case st.traits&traitModelAsk == 0:
			return Allow
		case st.s.Label != "":
			return Deny
		}
		return Ask
	case SurfaceWebSocket, SurfaceCLI:
		return Allow
	}
	return Deny // a surface that this engine does not know
}

// host guards the machine itself: tools that act on files and processes run in
// the sandbox, or on the host only where somebody watches.
func (e *Engine) host(st *state) Verdict {
	if st.traits&traitHost == 0 || st.s.Sandboxed && !st.wantsHost() {
		return Allow
	}
	if st.wantsBox(e) {
		return Deny
	}
	switch st.q.Surface {
	case SurfaceHTTP, SurfaceMCP, SurfaceHook:
		return Deny
	}
	if st.s.Sandboxed {
		return Allow // the elevated layer decides
	}
	if st.s.Label != "" {
		return Ask
	}
	return Allow
}

// wantsBox reports whether an exec call must run in a sandbox, by its
// arguments or the configuration.
func (st *state) wantsBox(e *Engine) bool {
	return st.traits&traitExec != 0 && (e.boxOnly || st.args.box && !st.s.Sandboxed)
}

// elevated decides exec calls that ask to leave the sandbox.
func (e *Engine) elevated(st *state) Verdict {
	if !st.wantsHost() || !st.s.Sandboxed {
		return Allow
	}
	if st.args.node || len(st.elevatedGates()) > 0 {
		return Deny
	}
	for _, el := range st.table.elevated {
		if el.Level != "full" {
			return Ask
		}
	}
	return Allow
}

// elevatedGates lists the conditions of elevated exec that do not hold.
func (st *state) elevatedGates() []string {
	var failed []string
	gate := func(ok bool, name string) {
		if !ok {
			failed = append(failed, name)
		}
	}
	gate(len(st.table.elevated) > 0, "tools.elevated.enabled")
	for _, el := range st.table.elevated {
		gate(el.Enabled, "tools.elevated.enabled")
		gate(slices.Contains(el.AllowFrom[string(st.who.Kind)], st.who.ID) &&
			slices.Contains(elevatedKinds, string(st.who.Kind)), "tools.elevated.allowFrom")
	}
	gate(st.who.has(gateway.ScopeAdmin), "operator.admin")
	gate(st.s.Label == "", "untainted session")
	gate(st.s.Depth == 0 && st.q.Surface != SurfaceSubagent, "no sub-agent")
	gate(!background(st.q.Surface), "no background run")
	return slices.Compact(failed)
}

// exec applies exec.mode and its allow list.
func (e *Engine) exec(st *state) Verdict {
	if st.traits&traitExec == 0 {
		return Allow
	}
	mode := st.execMode()
	switch mode {
	case execDeny:
		return Deny
	case execFull:
		return Allow
	}
	if st.listing {
		return Ask
	}
	if mode == execAlways {
		return Ask
	}
	ok, why := false, "no command list is compiled"
	if e.commands != nil {
		ok, why = e.commands.Allowed(argString(st.q.Args, "command"), st.touchesHost())
	}
	if ok {
		return Allow
	}
	st.note.reason = why
	if mode == execAllowlist {
		return Deny
	}
	return Ask
}
