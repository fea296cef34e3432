package toolpolicy

import (
	"strings"

	"github.com/chitin-sh/chitin/gateway"
)

// Explanation is a decision with everything that led to it.
type Explanation struct {
	Tool      string   `json:"tool"`
	Surface   Surface  `json:"surface"`
	Principal string   `json:"principal"`
	Owner     bool     `json:"owner"`
	Session   string   `json:"session,omitempty"`
	Agent     string   `json:"agent,omitempty"`
	Sandboxed bool     `json:"sandboxed"`
	Verdict   string   `json:"verdict"`
	Visible   bool     `json:"visible"`
	Layer     string   `json:"layer"`
	Rule      string   `json:"rule,omitempty"`
	Key       string   `json:"key,omitempty"`
	Line      int      `json:"line,omitempty"`
	Reason    string   `json:"reason"`
	Flip      []string `json:"flip"` // the changes that, together, turn the decision round
	Trace     []Step   `json:"trace"`
}

// Explain decides as Decide does and keeps every layer's answer.
func (e *Engine) Explain(caller gateway.Caller, q *Query) Explanation {
	return e.ExplainAs(SubjectOf(caller), q)
}

// ExplainAs explains what the decision would be for a subject.
func (e *Engine) ExplainAs(who Subject, q *Query) Explanation {
	var st state
	d := e.judge(&st, who, q)
	x := Explanation{
		Tool: q.Tool, Surface: q.Surface, Principal: who.Principal(), Owner: who.Owner,
		Session: st.s.Key, Agent: st.s.Agent, Sandboxed: st.s.Sandboxed,
		Verdict: d.Verdict.String(), Visible: e.visible(who, q), Layer: d.Layer,
		Rule: d.Rule, Key: d.Key, Line: d.Line, Reason: d.Reason, Flip: []string{},
	}
	for l := layerName; l < layerCount; l++ {
		if l == layerHere && st.known && e.voc.here.has(st.tool) {
			continue // said by the first line
		}
		st.note = because{}
		if l == layerProfile && st.known {
			x.fixed(e, &st)
			continue
		}
		if l == layerPolicy || l == layerGlobal || l == layerAgent {
			continue // told apart by fixed
		}
		v := e.check(l, &st)
		at, b := l, because{}
		if v != Allow {
			at, b = e.describe(l, v, &st)
		}
		x.add(at, v, b)
		if l == layerName && v == Deny {
			break // nothing else can be asked about a tool that is not there
		}
	}
	x.flips(e, &st, d.Verdict)
	return x
}

// fixed adds the layers that depend on the agent alone, one by one.
func (x *Explanation) fixed(e *Engine, st *state) {
	for _, s := range st.table.fixed {
		if s.pass.has(st.tool) || !e.off.On(guardOf[s.layer]) {
			x.add(s.layer, Allow, because{key: s.parts[0].key, line: e.lineOf(s.parts[0].key)})
		} else {
			x.add(s.layer, Deny, e.whyList(s, st))
		}
	}
}

// add appends one step and, where it stands in the way, what would remove it.
func (x *Explanation) add(l layer, v Verdict, b because) {
	effect := v.String()
	if v == Allow {
		effect = "pass"
	}
	x.Trace = append(x.Trace, Step{Layer: l.String(), Verdict: v, Effect: effect, Rule: b.rule, Key: b.key, Line: b.line, Reason: b.reason})
	if v != Allow && b.flip != "" {
		x.Flip = append(x.Flip, b.flip)
	}
}

// flips keeps only what stands in the way of the verdict; for an allowed call
// it says how to deny it.
func (x *Explanation) flips(e *Engine, st *state, v Verdict) {
	if v != Allow {
		return
	}
	key := "tools.policy.deny"
	if l := st.table.fixed; len(l) > 0 {
		key = strings.TrimSuffix(l[len(l)-1].parts[0].key, ".profile") + ".deny"
	}
	x.Flip = []string{"add " + quote(st.name) + " to " + key}
}

// Trace is every layer's answer to a query, for a dry run.
func (e *Engine) Trace(caller gateway.Caller, q *Query) []Step { return e.Explain(caller, q).Trace }
