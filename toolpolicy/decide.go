package toolpolicy

import (
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// state is one query with everything looked up.
type state struct {
	who     Subject
	q       *Query
	s       Session
	tool    int32
	name    string // canonical
	table   *agentTable
	traits  trait
	listing bool // no arguments yet: only what holds for every call counts
	brief   bool // only why, not what would help: nobody shows that of a call
	known   bool
	listed  bool // the agent has an entry
	args    argFacts
	note    because // set by layers whose verdict depends on arguments
}

// Decide answers whether one call may happen. The Grant is valid exactly when
// the verdict is Allow. It allocates nothing when it allows by lists alone, and
// a refusal costs the same whether the tool exists or not: Explain finds out
// what would help.
func (e *Engine) Decide(caller gateway.Caller, q *Query) (Grant, Decision) {
	st := state{brief: true}
	d := e.judge(&st, SubjectOf(caller), q)
	switch d.Verdict {
	case Deny:
		return Grant{}, d
	case Ask:
		d.petition = st.petition(caller, d.Reason)
		return Grant{}, d
	}
	return Grant{ok: true, tool: st.name, surface: q.Surface, caller: caller, host: st.touchesHost()}, d
}

// judge asks every layer until one denies. It is what Decide and Explain
// share, so that they cannot disagree.
func (e *Engine) judge(st *state, who Subject, q *Query) Decision {
	e.resolve(st, who, q)
	verdict, at := Allow, layerName
	var why because
	for l := layerName; l < layerCount; l++ {
		switch e.check(l, st) {
		case Deny:
			return e.decision(Deny, l, st)
		case Ask:
			if verdict == Allow {
				verdict, at, why = Ask, l, st.note
			}
		}
	}
	if verdict == Ask {
		st.note = why
		return e.decision(Ask, at, st)
	}
	return Decision{Verdict: Allow, Layer: "all", Reason: "every layer lets it through"}
}

// Visible reports whether the caller should be shown the tool on this surface:
// whether some call of it could be allowed or asked for.
func (e *Engine) Visible(caller gateway.Caller, q *Query) bool {
	return e.visible(SubjectOf(caller), q)
}

func (e *Engine) visible(who Subject, q *Query) bool {
	var st state
	e.resolve(&st, who, q)
	st.listing = true
	for l := layerName; l < layerCount; l++ {
		if e.check(l, &st) == Deny {
			return false
		}
	}
	return true
}

// resolve looks up everything that the layers need. It trusts no field of the
// session to be present.
func (e *Engine) resolve(st *state, who Subject, q *Query) {
	st.who, st.q = who, q
	if q.Session != nil {
		st.s = *q.Session
	} else {
		st.s.Tenant = who.Tenant
	}
	name := q.Tool
	if !e.off.On(mutate.GuardName) {
		name = entry(name)
	}
	st.tool, st.known = e.voc.lookup(name)
	if !st.known {
		return
	}
	st.name, st.traits = e.voc.names[st.tool], e.traits[st.tool]
	st.table = e.rest
	if t, ok := e.agents[st.s.Agent]; ok {
		st.table, st.listed = t, true
	}
	if st.traits&(traitExec|traitStatus) != 0 && len(q.Args) > 0 {
		st.args = readArgs(q.Args)
	}
}

// check asks one layer. It is a switch and not a table of functions so that
// the state stays on the stack.
func (e *Engine) check(l layer, st *state) Verdict {
	if !e.off.On(guardOf[l]) {
		return Allow
	}
	switch l {
	case layerName:
		return pass(st.known)
	case layerCaller:
		return pass(st.callerFault() == "")
	case layerProfile: // and every other layer of the agent alone
		return pass(st.table.static.has(st.tool))
	case layerProvider:
		return pass(st.provider() == nil)
	case layerGroup:
		return pass(st.group() == nil)
	case layerSender:
		return pass(st.sender() == nil)
	case layerSandbox:
		return pass(st.sandbox() == nil)
	case layerReadOnly:
		return pass(!st.s.ReadOnly || st.traits&traitWriter == 0)
	case layerSubagent:
		return pass(st.subagent())
	case layerInherited:
		return pass(e.inherited(st) == "")
	case layerSurface:
		return e.surface(st)
	case layerOwner:
		return pass(st.traits&traitOwner == 0 || st.who.Owner && st.who.has(gateway.ScopeAdmin))
	case layerGateway:
		return pass(st.traits&traitGatewayDeny == 0 || !networked(st.q.Surface))
	case layerHost:
		return e.host(st)
	case layerElevated:
		return e.elevated(st)
	case layerExec:
		return e.exec(st)
	case layerRules:
		return e.rules.check(e, st)
	case layerHere:
		return pass(e.voc.here.has(st.tool))
	}
	return Allow // joined into layerProfile
}

// guardOf names the guard of each layer for mutation tests.
var guardOf = [layerCount]mutate.Guard{
	layerName: mutate.GuardName, layerCaller: mutate.GuardCaller,
	layerProfile: mutate.GuardLists, layerPolicy: mutate.GuardLists, layerGlobal: mutate.GuardLists,
	layerProvider: mutate.GuardLists, layerAgent: mutate.GuardLists, layerGroup: mutate.GuardLists,
	layerSender: mutate.GuardLists, layerSandbox: mutate.GuardSandbox, layerReadOnly: mutate.GuardSandbox,
	layerSubagent: mutate.GuardSubagent, layerInherited: mutate.GuardInherited,
	layerSurface: mutate.GuardSurface, layerOwner: mutate.GuardOwner, layerGateway: mutate.GuardLists,
	layerHost: mutate.GuardHost, layerElevated: mutate.GuardElevated, layerExec: mutate.GuardExec,
	layerRules: mutate.GuardRules, layerHere: mutate.GuardName,
}

func pass(ok bool) Verdict {
	if ok {
		return Allow
	}
	return Deny
}

// networked surfaces are reached by programs over the network.
func networked(s Surface) bool {
	return s == SurfaceHTTP || s == SurfaceMCP || s == SurfaceWebSocket
}

// modelDriven surfaces are those where a model chooses the call.
func modelDriven(s Surface) bool {
	switch s {
	case SurfaceCLI, SurfaceWebSocket, SurfaceHTTP:
		return false
	}
	return true
}

// background surfaces run without anybody watching.
func background(s Surface) bool {
	return s == SurfaceHook || s == SurfaceCron
}

// callerFault says why this caller may make no such call at all, "" when fine.
func (st *state) callerFault() string {
	c := &st.who
	switch {
	case c.Kind == gateway.KindAnonymous:
		return "nobody was identified"
	case c.Tenant == "" || st.s.Tenant != c.Tenant:
		return "the session belongs to another tenant"
	case !st.listed && !validAgent(st.s.Agent):
		return "the agent id is not a plain name"
	case c.has(gateway.ScopeWrite):
		return ""
	case st.traits&traitReader == 0:
		return "the caller lacks operator.write"
	case st.traits&traitStatus != 0 && st.args.writes:
		return "setting a model needs operator.write"
	case !c.has(gateway.ScopeRead):
		return "the caller lacks operator.read"
	}
	return ""
}

// validAgent refuses ids that look like another agent's but are not: blanks,
// capitals and anything outside ASCII, unless that is how it is configured.
// Empty means the default agent.
func validAgent(id string) bool {
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '-' || c == '_' || c == '.') {
			continue
		}
		return false
	}
	return len(id) <= 64
}

// touchesHost reports whether the granted call would act on the host.
func (st *state) touchesHost() bool {
	return st.traits&traitHost != 0 && (!st.s.Sandboxed || st.wantsHost())
}

// wantsHost reports whether the arguments ask to leave the sandbox.
func (st *state) wantsHost() bool { return st.traits&traitExec != 0 && st.args.host }

// petition is what a human is asked about.
func (st *state) petition(caller gateway.Caller, reason string) Petition {
	return Petition{
		ok: true, caller: caller, reason: reason, tool: st.name, surface: st.q.Surface,
		session: st.s.Key, host: st.touchesHost(), elevated: st.wantsHost() && st.s.Sandboxed,
		tainted: st.s.Label != "",
	}
}
