package toolpolicy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	cedarast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// need says which parts of the context the rules of a tool look at, so that
// the others are never built.
type need uint8

const (
	needArgs need = 1 << iota
	needSession
	needNow
	needCommand
)

// pins is what a rule fixes before any condition is evaluated.
type pins struct {
	tools     []string // nil: any
	groups    []string
	limited   bool // pinned to tools or groups
	principal string
	parent    types.EntityUID // principal in this role, kind or tenant
	tests     []test          // what must hold for the rule to apply
	asked     []at            // names that it asked for so far
	mayFail   bool            // something before could fail to be evaluated
	need      need
	bare      int             // uses of the context other than by a name
	args      map[string]bool // argument names that the rule mentions
}

// pinsOf reads a rule's scope and the equalities that its first when demands.
func pinsOf(r *rule) pins {
	p := (*cedarast.Policy)(r.policy.AST())
	out := pins{args: map[string]bool{}}
	switch s := p.Resource.(type) {
	case cedarast.ScopeTypeEq:
		out.pin(s.Entity)
	case cedarast.ScopeTypeIn:
		out.pin(s.Entity)
	case cedarast.ScopeTypeIsIn:
		out.pin(s.Entity)
	}
	if s, ok := p.Principal.(cedarast.ScopeTypeEq); ok && s.Entity.Type == typePrincipal {
		out.principal = string(s.Entity.ID)
	}
	if s, ok := p.Principal.(cedarast.ScopeTypeIn); ok {
		switch s.Entity.Type {
		case typePrincipal: // an entity is in itself
			out.principal = string(s.Entity.ID)
		case typeRole, typeKind, typeTenant:
			out.parent = s.Entity
		}
	}
	for i, c := range p.Conditions {
		if i == 0 && c.Condition == cedarast.ConditionWhen {
			out.conjunct(c.Body)
		}
		cedarast.Inspect(cedarast.NewNode(c.Body), out.see)
	}
	if out.bare != 0 {
		out.need = needArgs | needSession | needNow | needCommand
	}
	return out
}

func (p *pins) pin(e types.EntityUID) {
	p.limited = true
	switch e.Type {
	case typeTool:
		p.tools = append(p.tools, string(e.ID))
	case typeGroup:
		p.groups = append(p.groups, string(e.ID))
	}
}

// conjunct finds resource == Tool::"x", principal == Principal::"y" and
// comparisons of the context with a text where they must hold for the rule to
// apply, and reports whether n was such a test. It stops at the first other
// operand: what is evaluated before a test could fail, and a rule that fails
// must be seen to fail.
func (p *pins) conjunct(n cedarast.IsNode) bool {
	switch n := n.(type) {
	case cedarast.NodeTypeAnd:
		return p.conjunct(n.Left) && p.conjunct(n.Right)
	case cedarast.NodeTypeHas:
		where, ok := attribute(n)
		p.asked = append(p.asked, where)
		return ok
	case cedarast.NodeTypeLike:
		if at, ok := attributeOf(n.Arg); ok {
			p.tests = append(p.tests, likeTest(at, n.Value, slices.Contains(p.asked, at)))
			p.mayFail = p.mayFail || at.name != "surface" || at.record != ""
			return true
		}
		return false
	case cedarast.NodeTypeEquals:
		if at, ok := attributeOf(n.Left); ok {
			if c, isValue := n.Right.(cedarast.NodeValue); isValue {
				if s, isText := c.Value.(types.String); isText {
					p.tests = append(p.tests, test{at: at, asked: slices.Contains(p.asked, at), equal: true, text: string(s)})
					p.mayFail = p.mayFail || !p.tests[len(p.tests)-1].asked && (at.name != "surface" || at.record != "")
					return true
				}
			}
			return false
		}
		v, okV := n.Left.(cedarast.NodeTypeVariable)
		c, okC := n.Right.(cedarast.NodeValue)
		if !okV || !okC {
			return false
		}
		uid, ok := c.Value.(types.EntityUID)
		switch {
		case !ok:
			return false
		case p.mayFail: // what comes before must be seen to fail
		case v.Name == "resource" && uid.Type == typeTool && !p.limited:
			p.pin(uid)
		case v.Name == "principal" && uid.Type == typePrincipal && p.principal == "":
			p.principal = string(uid.ID)
		}
		return true
	}
	return false
}

// see notes what a condition looks at.
func (p *pins) see(n cedarast.IsNode) bool {
	var name string
	var arg cedarast.IsNode
	switch n := n.(type) {
	case cedarast.NodeTypeAccess:
		name, arg = string(n.Value), n.Arg
	case cedarast.NodeTypeHas:
		name, arg = string(n.Value), n.Arg
	case cedarast.NodeTypeVariable:
		if n.Name == "context" {
			p.bare++ // unless the access that holds it is known
		}
		return true
	default:
		return true
	}
	if v, ok := arg.(cedarast.NodeTypeVariable); !ok || v.Name != "context" {
		p.args[name] = true
		return true
	}
	p.bare--
	switch name {
	case "args":
		p.need |= needArgs
	case "session":
		p.need |= needSession
	case "now", "hour", "weekday":
		p.need |= needNow
	case "program", "argv":
		p.need |= needCommand
	}
	return true
}

// tool reports whether the rule can apply to the tool called name.
func (p *pins) tool(v *vocabulary, name string) bool {
	if !p.limited {
		return true
	}
	for _, t := range p.tools {
		if t == name {
			return true
		}
	}
	for _, g := range p.groups {
		if _, ok := v.groups[g]; ok && v.matches(g, name, false) {
			return true
		}
	}
	return false
}

// scopeEntities are the entities in a rule's head.
func scopeEntities(p *cedarast.Policy) []types.EntityUID {
	var out []types.EntityUID
	for _, s := range []any{p.Principal, p.Action, p.Resource} {
		switch s := s.(type) {
		case cedarast.ScopeTypeEq:
			out = append(out, s.Entity)
		case cedarast.ScopeTypeIn:
			out = append(out, s.Entity)
		case cedarast.ScopeTypeIsIn:
			out = append(out, s.Entity)
		case cedarast.ScopeTypeInSet:
			out = append(out, s.Entities...)
		}
	}
	return out
}
