package toolpolicy

import (
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	cedarast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// at is a text of the context that a rule compares: args.<name>,
// session.<name>, or surface or program at the top.
type at struct{ record, name string }

// test is a comparison that must hold for a rule to apply. It is made before
// Cedar is asked, and only where the text is there: what is missing or of
// another type is Cedar's to judge. Large rule sets are about many different
// paths and programs; most rules then cost one comparison.
type test struct {
	at    at
	slot  int  // where the text of a call is found
	asked bool // the rule asks first whether the text is there
	equal bool
	text  string // equal to this, or beginning with it
	part  string // and holding this
}

// fails reports whether the rule cannot apply to a call with this text.
func (t *test) fails(s string) bool {
	if t.equal {
		return s != t.text
	}
	return !strings.HasPrefix(s, t.text) || t.part != "" && !strings.Contains(s, t.part)
}

// likeTest is what can be said of a pattern at a glance: how it begins, and
// the first literal after its first wildcard.
func likeTest(where at, p types.Pattern, asked bool) test {
	text := strings.Trim(string(p.MarshalCedar()), "\"")
	if i := strings.IndexByte(text, '\\'); i >= 0 {
		text = text[:i] + "*" // an escape: say nothing of what follows
	}
	parts := strings.Split(text, "*")
	out := test{at: where, asked: asked, text: parts[0]}
	if len(parts) == 1 {
		out.equal = true
		return out
	}
	for _, s := range parts[1:] {
		if s != "" {
			out.part = s
			break
		}
	}
	return out
}

// attributeOf reads context.args.x, context.session.x, context.surface and
// context.program.
func attributeOf(n cedarast.IsNode) (at, bool) {
	access, ok := n.(cedarast.NodeTypeAccess)
	if !ok {
		return at{}, false
	}
	name := string(access.Value)
	switch arg := access.Arg.(type) {
	case cedarast.NodeTypeVariable:
		return at{name: name}, arg.Name == "context" && (name == "surface" || name == "program")
	case cedarast.NodeTypeAccess:
		v, ok := arg.Arg.(cedarast.NodeTypeVariable)
		record := string(arg.Value)
		return at{record, name}, ok && v.Name == "context" && (record == "args" || record == "session")
	}
	return at{}, false
}

// attribute reports whether n asks if the context, its args or its session has
// a name, which cannot fail: those records are always there.
func attribute(n cedarast.NodeTypeHas) (at, bool) {
	switch arg := n.Arg.(type) {
	case cedarast.NodeTypeVariable:
		return at{name: string(n.Value)}, arg.Name == "context"
	case cedarast.NodeTypeAccess:
		v, isVar := arg.Arg.(cedarast.NodeTypeVariable)
		record := string(arg.Value)
		return at{record, string(n.Value)}, isVar && v.Name == "context" && (record == "args" || record == "session")
	}
	return at{}, false
}

// texts are the texts of one target that tests look at, by slot.
type texts []textOf

type textOf struct {
	s     string
	ok    bool // it is there and a text
	there bool
}

// texts finds what the tests of a tool's rules compare.
func (s *ruleSet) texts(t *toolRules, context cedar.Record, into texts) texts {
	into = into[:0]
	for _, a := range s.slots {
		var v cedar.Value
		rec, ok := context, true
		if a.record != "" {
			inner, _ := context.Get(cedar.String(a.record))
			rec, ok = inner.(cedar.Record)
		}
		there := false
		if ok && t.tested {
			v, there = rec.Get(cedar.String(a.name))
		}
		text, isText := v.(cedar.String)
		into = append(into, textOf{string(text), isText, there})
	}
	return into
}

// cannot reports whether the tests show that the rule does not apply. They are
// tried in the rule's order, up to the first that Cedar could fail to evaluate.
func (r *rule) cannot(have texts) bool {
	for i := range r.tests {
		t := &r.tests[i]
		h := &have[t.slot]
		switch {
		case h.ok && t.fails(h.s), !h.there && t.asked:
			return true
		case !h.ok:
			return false
		}
	}
	return false
}
