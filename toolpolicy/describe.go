package toolpolicy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/gateway"
)

// decision describes the verdict of one layer.
func (e *Engine) decision(v Verdict, l layer, st *state) Decision {
	l, b := e.describe(l, v, st)
	return Decision{
		Verdict: v, Layer: l.String(), Rule: b.rule, Key: b.key, Line: b.line,
		Reason: b.reason, Flip: b.flip,
	}
}

// describe says why layer l gave the verdict v. The layers that are joined for
// speed are told apart here.
func (e *Engine) describe(l layer, v Verdict, st *state) (layer, because) {
	switch l {
	case layerName:
		return l, e.whyName(st)
	case layerCaller:
		return l, because{rule: "caller", reason: st.callerFault(), flip: callerFlip(st)}
	case layerProfile:
		return e.whyFixed(st)
	case layerProvider:
		return l, e.whyList(st.provider(), st)
	case layerGroup:
		return l, e.whyList(st.group(), st)
	case layerSender:
		return l, e.whyList(st.sender(), st)
	case layerSandbox:
		return l, e.whySandbox(st)
	case layerReadOnly:
		return l, because{rule: "workspaceAccess: ro", reason: st.name + " changes files and the workspace is read-only",
			flip: "set agents.defaults.sandbox.workspaceAccess to rw"}
	case layerSubagent:
		return l, e.whySubagent(st)
	case layerInherited:
		return l, e.whyInherited(st)
	case layerGateway:
		return e.known(whyKey{layer: l, tool: st.tool}, func() (layer, because) {
			return l, e.whyList(newLayerSet(l, e.gateway), st)
		})
	case layerSurface:
		if v == Deny && st.floored() {
			return e.known(whyKey{layer: l, tool: st.tool, surface: st.q.Surface}, func() (layer, because) { return l, whyFloor(st) })
		}
		return l, e.whySurface(l, v, st)
	case layerOwner:
		return l, e.whySurface(l, v, st)
	case layerHost, layerElevated, layerExec:
		return l, e.whyHost(l, v, st)
	case layerRules:
		return l, st.note
	case layerHere:
		return l, because{rule: "registry", reason: "this gateway has no tool called " + quote(st.name), flip: "none: chitin policy list shows the tools"}
	}
	return l, because{}
}

// whyKey is what a refusal by a layer of the configuration alone depends on.
type whyKey struct {
	layer   layer
	table   *agentTable
	surface Surface
	tool    int32
}

type knownWhy struct {
	layer layer
	why   because
}

// known finds out why once: the answer holds as long as the configuration, and
// lists may have thousands of entries. Only layers whose answer depends on
// nothing else come here.
func (e *Engine) known(k whyKey, find func() (layer, because)) (layer, because) {
	if w, ok := e.whys.Load(k); ok {
		w := w.(knownWhy)
		return w.layer, w.why
	}
	l, b := find()
	e.whys.Store(k, knownWhy{l, b})
	return l, b
}

// whyFixed says which of an agent's own layers refuses the tool.
func (e *Engine) whyFixed(st *state) (layer, because) {
	return e.known(whyKey{layer: layerProfile, table: st.table, tool: st.tool}, func() (layer, because) {
		for _, s := range st.table.fixed {
			if !s.pass.has(st.tool) {
				return s.layer, e.whyList(s, st)
			}
		}
		return layerProfile, because{}
	})
}

func (e *Engine) whyName(st *state) because {
	b := because{rule: "registry", reason: "there is no tool called " + quote(st.q.Tool), flip: "chitin policy list shows the tools"}
	if st.brief {
		return b
	}
	if n := e.voc.nearest(st.q.Tool); n != "" {
		if i, ok := e.voc.lookup(n); ok && e.voc.here.has(i) {
			b.flip = "call " + n
		}
	}
	return b
}

func callerFlip(st *state) string {
	switch {
	case st.who.Kind == gateway.KindAnonymous:
		return "authenticate, for instance with a bearer token"
	case st.s.Tenant != st.who.Tenant:
		return "use a session of the caller's own tenant"
	case !st.who.has(gateway.ScopeWrite):
		return "use a credential with operator.write"
	}
	return "name the agent exactly as configured"
}

// lineOf is the line of a config path, trying the entry first and then what
// holds it.
func (e *Engine) lineOf(paths ...string) int {
	if e.line == nil {
		return 0
	}
	for _, p := range paths {
		if n := e.line(p); n > 0 {
			return n
		}
	}
	return 0
}

// whyList finds the entry of a list that refuses the tool.
func (e *Engine) whyList(s *layerSet, st *state) because {
	for _, l := range s.parts {
		if l.pass.has(st.tool) {
			continue
		}
		for i, d := range l.policy.Deny {
			if e.voc.matches(d, st.name, true) {
				key := l.key + ".deny"
				return because{rule: d, key: key, line: e.lineOf(fmt.Sprintf("%s[%d]", key, i), key),
					reason: quote(d) + " in " + key + " denies it", flip: "remove " + quote(d) + " from " + key}
			}
		}
		if l.profile != "" {
			return because{rule: l.profile, key: l.key, line: e.lineOf(l.key),
				reason: "profile " + l.profile + " does not hold it",
				flip:   "add " + quote(st.name) + " to " + strings.TrimSuffix(l.key, "profile") + "alsoAllow"}
		}
		key := l.key + ".allow"
		return because{rule: "not listed", key: key, line: e.lineOf(key, l.key),
			reason: "it is not in " + key, flip: "add " + quote(st.name) + " to " + key}
	}
	return because{}
}

func (e *Engine) whySandbox(st *state) because {
	s := st.sandbox()
	b := e.whyList(s, st)
	if strings.HasPrefix(b.key, "built in") {
		b.reason = "the built-in tools list of sandboxed sessions leaves it out"
		b.key, b.line = "tools.sandbox.tools", 0
		b.flip = "add " + quote(st.name) + " to tools.sandbox.tools.alsoAllow"
	}
	return b
}

func (e *Engine) whySubagent(st *state) because {
	if s := st.table.subagent; s != nil && !s.pass.has(st.tool) {
		return e.whyList(s, st)
	}
	b := because{rule: "built in", reason: "sub-agents never use it", flip: "call it from the parent session"}
	if st.traits&traitSubagent == 0 {
		b.reason = "a sub-agent that may spawn no more does not use it"
	}
	return b
}

func (e *Engine) whyInherited(st *state) because {
	name := e.inherited(st)
	p := st.s.Inherited[name]
	_, rule := e.voc.decide(p, st.name)
	if rule == "" {
		rule = "not listed"
	}
	return because{rule: rule, key: "inherited." + name, reason: "the parent session may not use it",
		flip: "allow it for the parent session"}
}

// floored reports whether the tool is below the floor of a surface that
// programs use.
func (st *state) floored() bool {
	return st.traits&traitHTTPFloor != 0 && (st.q.Surface == SurfaceHTTP || st.q.Surface == SurfaceMCP)
}

func whyFloor(st *state) because {
	b := because{rule: "built in", key: "gateway.tools.allow", reason: "it is denied over " + string(st.q.Surface)}
	switch {
	case slices.ContainsFunc(namesOf(st.name), func(n string) bool { return slices.Contains(neverHTTP, n) }):
		b.key, b.flip = "", "none: use another surface"
	case st.traits&traitReopened != 0:
		b.reason += " for everybody but owners"
		b.flip = "call it as an owner"
	default:
		b.flip = "add " + quote(st.name) + " to gateway.tools.allow and call it as an owner"
	}
	return b
}

func (e *Engine) whySurface(l layer, v Verdict, st *state) because {
	b := because{rule: "built in"}
	switch {
	case l == layerOwner:
		b.reason, b.flip = "only an owner uses it", "call it with an owner's credential that holds operator.admin"
	case v == Ask && (st.q.Surface == SurfaceACP || st.traits&traitModelAsk == 0):
		b.reason, b.flip = "over ACP it needs a human's yes", "approve it: chitin approvals list"
	case v == Ask:
		b.reason, b.flip = "a model that reconfigures chitin needs a human's yes", "approve it: chitin approvals list"
	case background(st.q.Surface):
		b.reason, b.flip = "runs that nobody watches never use it", "none: call it from a watched session"
	case st.s.Label != "":
		b.reason = "the session holds text from outside (" + st.s.Label + ") and the tool reconfigures chitin"
		b.flip = "call it from a session without outside text"
	default:
		b.reason, b.flip = "unknown surface "+quote(string(st.q.Surface)), "none"
	}
	return b
}

func (e *Engine) whyHost(l layer, v Verdict, st *state) because {
	approve := "approve it: chitin approvals list"
	switch {
	case l == layerHost && v == Ask:
		return because{rule: "built in", reason: "the session holds text from outside and the tool touches the host", flip: approve}
	case l == layerHost && st.wantsBox(e):
		return because{rule: "host: sandbox", key: "tools.exec.host", line: e.lineOf("tools.exec.host"),
			reason: "it must run in a sandbox and would run on the host",
			flip:   "run the session in a sandbox: agents.defaults.sandbox.mode: all"}
	case l == layerHost:
		return because{rule: "built in", key: "agents.defaults.sandbox.mode",
			line:   e.lineOf("agents.defaults.sandbox.mode"),
			reason: "it would touch the host, which never happens over " + string(st.q.Surface),
			flip:   "run the session in a sandbox: agents.defaults.sandbox.mode: all"}
	case l == layerElevated && v == Ask:
		return because{rule: "level: ask", key: "tools.elevated.level", line: e.lineOf("tools.elevated.level", "tools.elevated"),
			reason: "elevated exec waits for a human", flip: approve}
	case l == layerElevated && st.args.node:
		return because{rule: "host", reason: "there is no other machine to run on", flip: "leave out host and node"}
	case l == layerElevated:
		gates := strings.Join(st.elevatedGates(), ", ")
		return because{rule: "elevated", key: "tools.elevated", line: e.lineOf("tools.elevated"),
			reason: "the arguments ask for the host and these gates do not hold: " + gates,
			flip:   "leave out elevated and host, or open: " + gates}
	}
	b := because{rule: "exec.mode", key: st.table.execKey, line: e.lineOf(st.table.execKey), reason: st.note.reason}
	switch {
	case v == Ask:
		b.flip = approve + ", or add the command to tools.exec.allowlist"
	case st.execMode() == execDeny:
		b.reason, b.flip = "exec is switched off", "set "+st.table.execKey+" to ask"
	default:
		b.flip = "add the command to tools.exec.allowlist"
	}
	if b.reason == "" {
		b.reason = "the command needs a human's yes"
	}
	return b
}
