package toolpolicy

import (
	"fmt"
	"iter"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// check evaluates the rules of the called tool. Forbid is final, then a permit
// that asks, then a permit. Where some permit is about the tool, what none
// permits is denied; a rule that cannot be evaluated denies too, because a
// forbid that fails silently is no forbid.
func (s *ruleSet) check(e *Engine, st *state) Verdict {
	if s == nil {
		return Allow
	}
	t := &s.tools[st.tool]
	var lists candidates
	t.candidates(&st.who, &lists)
	if lists.empty() {
		if t.covered {
			st.note = because{rule: "no permit", key: "tools.rules", reason: "no rule permits it", flip: "add a permit for this principal to tools.rules"}
			return Deny
		}
		return Allow
	}
	v, why := s.slow(e, *st, t, lists)
	st.note = why
	return v
}

// candidates are the rules that can apply to a caller: those about anybody,
// about it by name, and about its role, kind and tenant.
type candidates [5][]*rule

func (c *candidates) empty() bool {
	for _, l := range c {
		if len(l) > 0 {
			return false
		}
	}
	return true
}

func (t *toolRules) candidates(who *Subject, out *candidates) {
	out[0] = t.any
	if t.named != nil {
		out[1] = t.named[who.Principal()]
	}
	if t.parent == nil {
		return
	}
	if who.Owner {
		out[2] = t.parent[cedar.NewEntityUID(typeRole, "owner")]
	}
	out[3] = t.parent[cedar.NewEntityUID(typeKind, cedar.String(who.Kind))]
	out[4] = t.parent[cedar.NewEntityUID(typeTenant, cedar.String(who.Tenant))]
}

// slow takes a copy of the state, so that the state of a decision without
// rules never leaves the stack.
func (s *ruleSet) slow(e *Engine, st state, t *toolRules, lists candidates) (Verdict, because) {
	if st.listing {
		return s.listing(&st, lists), because{rule: "forbid", key: "tools.rules", reason: "a rule forbids it"}
	}
	v := s.evaluate(e, &st, t, lists)
	return v, st.note
}

// listing looks only at forbids without a condition: what else is decided
// depends on the arguments.
func (s *ruleSet) listing(st *state, lists candidates) Verdict {
	w := world{set: s, st: st}
	forbids := func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, l := range lists {
			for _, r := range l {
				if r.always && !r.permit && !yield(r.id, r.policy) {
					return
				}
			}
		}
	}
	_, diag := cedar.Authorize(policies(forbids), &w, w.request(cedar.Record{}))
	return pass(len(diag.Reasons) == 0)
}

// policies makes a sequence an iterator of Cedar's.
type policies func(yield func(cedar.PolicyID, *cedar.Policy) bool)

// All is the sequence.
func (p policies) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return iter.Seq2[cedar.PolicyID, *cedar.Policy](p)
}

// evaluate asks every applicable rule about every target of the call: each
// path of a patch and each command of a line is judged by itself, and the
// strictest answer counts.
func (s *ruleSet) evaluate(e *Engine, st *state, t *toolRules, lists candidates) Verdict {
	targets, fault := e.targets(st, t)
	if fault != "" {
		st.note = because{rule: "arguments", key: "tools.rules", reason: fault, flip: "send plain arguments, each once and spelled as in the schema"}
		return Deny
	}
	var have texts
	each := func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, l := range lists {
			for _, r := range l {
				if !r.cannot(have) && !yield(r.id, r.policy) {
					return
				}
			}
		}
	}
	w := world{set: s, st: st}
	verdict := Allow
	for _, context := range targets {
		have = s.texts(t, context, have)
		_, diag := cedar.Authorize(policies(each), &w, w.request(context))
		v, why := s.judge(e, t, diag)
		if v == Deny {
			st.note = why
			return Deny
		}
		if v == Ask {
			verdict, st.note = Ask, why
		}
	}
	return verdict
}

// judge turns what matched into a verdict.
func (s *ruleSet) judge(e *Engine, t *toolRules, diag cedar.Diagnostic) (Verdict, because) {
	var permit, ask *rule
	for _, d := range diag.Reasons {
		r := s.byID[d.PolicyID]
		switch {
		case !r.permit:
			return Deny, r.because("a rule forbids it")
		case r.ask:
			ask = r
		default:
			permit = r
		}
	}
	for _, d := range diag.Errors {
		r := s.byID[d.PolicyID]
		if r.permit || !e.off.On(mutate.GuardRuleError) {
			continue // a permit that fails permits nothing
		}
		b := r.because("a forbidding rule could not be evaluated: " + d.Message)
		b.flip = "test for the argument first, such as: context.args has path && …"
		return Deny, b
	}
	switch {
	case ask != nil:
		b := ask.because("a rule asks a human")
		b.flip = "approve it: chitin approvals list"
		return Ask, b
	case permit == nil && t.covered:
		return Deny, because{rule: "no permit", key: "tools.rules", reason: "no rule permits it with these arguments", flip: "change the arguments, or add a permit to tools.rules"}
	}
	return Allow, because{}
}

// because names the rule.
func (r *rule) because(reason string) because {
	if r.text != "" {
		reason += ": " + r.text
	}
	return because{
		rule: fmt.Sprintf("%s:%d", r.file, r.line), key: r.file, line: r.line,
		reason: reason, flip: fmt.Sprintf("change the rule at %s:%d", r.file, r.line),
	}
}

// world is what rules can ask about entities: the caller with its roles and
// the tool with its groups.
type world struct {
	set *ruleSet
	st  *state
	me  *cedar.Entity // built once, when a rule looks at it
}

func (w *world) request(context cedar.Record) cedar.Request {
	return cedar.Request{
		Principal: cedar.NewEntityUID(typePrincipal, cedar.String(w.st.who.Principal())),
		Action:    cedar.NewEntityUID(typeAction, actionCall),
		Resource:  cedar.NewEntityUID(typeTool, cedar.String(w.st.name)),
		Context:   context,
	}
}

// Get builds an entity when a rule asks for it.
func (w *world) Get(uid cedar.EntityUID) (cedar.Entity, bool) {
	switch uid.Type {
	case typeTool:
		if string(uid.ID) == w.st.name {
			return cedar.Entity{UID: uid, Parents: w.set.parents[w.st.tool]}, true
		}
	case typePrincipal:
		if string(uid.ID) == w.st.who.Principal() {
			if w.me == nil {
				me := principal(uid, w.st.who)
				w.me = &me
			}
			return *w.me, true
		}
	}
	return cedar.Entity{}, false
}

func principal(uid cedar.EntityUID, c Subject) cedar.Entity {
	parents := []cedar.EntityUID{
		cedar.NewEntityUID(typeKind, cedar.String(c.Kind)),
		cedar.NewEntityUID(typeTenant, cedar.String(c.Tenant)),
	}
	if c.Owner {
		parents = append(parents, cedar.NewEntityUID(typeRole, "owner"))
	}
	var scopes []cedar.Value
	for _, s := range c.Scopes.Names() {
		scopes = append(scopes, cedar.String(s))
	}
	return cedar.Entity{
		UID: uid, Parents: cedar.NewEntityUIDSet(parents...),
		Attributes: cedar.NewRecord(cedar.RecordMap{
			"id": cedar.String(c.ID), "kind": cedar.String(c.Kind),
			"tenant": cedar.String(c.Tenant), "owner": cedar.Boolean(c.Owner),
			"scopes": cedar.NewSet(scopes...),
		}),
	}
}

// sessionRecord is context.session.
func sessionRecord(s *Session) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"key": cedar.String(s.Key), "agent": cedar.String(s.Agent),
		"sandboxed": cedar.Boolean(s.Sandboxed), "readOnly": cedar.Boolean(s.ReadOnly),
		"depth": cedar.Long(s.Depth), "label": cedar.String(s.Label),
		"tainted": cedar.Boolean(s.Label != ""), "group": cedar.String(s.Group),
		"sender": cedar.String(s.Sender), "provider": cedar.String(strings.ToLower(s.Provider)),
	})
}
