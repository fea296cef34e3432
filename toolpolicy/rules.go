package toolpolicy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	cedarast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/chitin-sh/chitin/internal/problem"
)

// Entity types of the rules' world.
const (
	typePrincipal = "Principal" // Principal::"token:laptop"
	typeRole      = "Role"      // Role::"owner"
	typeTenant    = "Tenant"
	typeKind      = "Kind"  // Kind::"token"
	typeTool      = "Tool"  // Tool::"exec"
	typeGroup     = "Group" // Group::"group:fs"
	typeAction    = "Action"
	actionCall    = "call"
)

// maxRuleBytes bounds one rule file.
const maxRuleBytes = 4 << 20

// rule is one compiled Cedar policy. A permit with @ask, or @effect("ask"),
// lets the call through to a human.
type rule struct {
	id     cedar.PolicyID
	policy *cedar.Policy
	ask    bool
	permit bool
	always bool // no condition: it holds whatever the arguments are
	file   string
	line   int
	text   string // @id or @reason, for people
	tests  []test
}

// toolRules are the rules that can apply to one tool: those that name a
// principal under it, the others in any.
type toolRules struct {
	any     []*rule
	named   map[string][]*rule
	parent  map[cedar.EntityUID][]*rule // by role, kind or tenant
	tested  bool                        // some rule compares a text first
	covered bool                        // some permit is about this tool: what none permits is denied
	fold    map[string]bool
	need    need
}

// ruleSet is every rule, by tool index.
type ruleSet struct {
	tools   []toolRules
	byID    map[cedar.PolicyID]*rule
	parents []cedar.EntityUIDSet // groups of each tool
	slots   []at                 // texts that tests compare
}

// compileRules reads and indexes the rules. It returns nil when there are
// none, so that a decision without rules costs nothing.
func compileRules(src Source, v *vocabulary, found []problem.Problem) (*ruleSet, []problem.Problem) {
	set := &ruleSet{byID: map[cedar.PolicyID]*rule{}}
	var all []*rule
	load := func(path, name string, text []byte) {
		rules, err := parseRules(name, text)
		if err != nil {
			found = append(found, problem.Problem{Path: path, Message: err.Error(), Hint: "correct the rule, then run chitin policy test"})
		}
		all = append(all, rules...)
	}
	if src.Config.Rules.Inline != "" {
		load("tools.rules.inline", "tools.rules.inline", []byte(src.Config.Rules.Inline))
	}
	for i, name := range src.Config.Rules.Files {
		path := fmt.Sprintf("tools.rules.files[%d]", i)
		if src.ReadFile == nil {
			found = append(found, problem.Problem{Path: path, Message: "rule files cannot be read here"})
			continue
		}
		text, err := src.ReadFile(name)
		if err != nil {
			found = append(found, problem.Problem{Path: path, Message: err.Error(), Hint: "name a readable file, relative to the configuration"})
			continue
		}
		load(path, name, text)
	}
	if len(all) == 0 {
		return nil, found
	}
	set.index(v, all)
	for _, r := range all {
		found = append(found, r.warnings(v)...)
	}
	return set, found
}

// parseRules reads one Cedar document; errors name the file and the line.
func parseRules(name string, text []byte) ([]*rule, error) {
	if len(text) > maxRuleBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxRuleBytes)
	}
	list, err := cedar.NewPolicyListFromBytes(name, text)
	if err != nil {
		return nil, fmt.Errorf("%s", located(name, err.Error()))
	}
	out := make([]*rule, 0, len(list))
	for i, p := range list {
		pos := p.Position()
		r := &rule{
			id: cedar.PolicyID(fmt.Sprintf("%s#%d", name, i)), policy: p,
			permit: p.Effect() == cedar.Permit, file: name, line: pos.Line,
			always: len(p.AST().Conditions) == 0,
		}
		notes := p.Annotations()
		_, r.ask = notes["ask"]
		if notes["effect"] == "ask" {
			r.ask = true
		}
		if r.ask && !r.permit {
			return nil, fmt.Errorf("%s:%d: @ask belongs on a permit: forbid is final", name, pos.Line)
		}
		for _, k := range []types.AnnotationKey{"reason", "id", "ask"} {
			if s := string(notes[k]); s != "" && r.text == "" {
				r.text = s
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// located puts the file's name where the parser only knows of its input.
func located(name, msg string) string {
	for _, noise := range []string{"parser error: ", "parse error at "} {
		msg = strings.TrimPrefix(msg, noise)
	}
	if rest, ok := strings.CutPrefix(msg, "<input>:"); ok {
		return name + ":" + rest
	}
	return name + ": " + msg
}

// index sorts the rules by the tools and principals that they pin.
func (s *ruleSet) index(v *vocabulary, all []*rule) {
	s.tools = make([]toolRules, len(v.names))
	s.parents = make([]cedar.EntityUIDSet, len(v.names))
	for i, name := range v.names {
		s.parents[i] = parentsOf(v, name)
	}
	for _, r := range all {
		s.byID[r.id] = r
		pins := pinsOf(r)
		r.tests = s.slotted(pins.tests)
		for i, name := range v.names {
			if !pins.tool(v, name) {
				continue
			}
			t := &s.tools[i]
			if r.permit {
				t.covered = true
			}
			t.need |= pins.need
			if t.fold == nil {
				t.fold = map[string]bool{}
			}
			for k := range pins.args {
				t.fold[k] = true
			}
			t.tested = t.tested || len(r.tests) > 0
			t.add(r, &pins)
		}
	}
}

// add files a rule under the principal or the parent that it pins.
func (t *toolRules) add(r *rule, pins *pins) {
	switch {
	case pins.principal != "":
		if t.named == nil {
			t.named = map[string][]*rule{}
		}
		t.named[pins.principal] = append(t.named[pins.principal], r)
	case !pins.parent.IsZero():
		if t.parent == nil {
			t.parent = map[cedar.EntityUID][]*rule{}
		}
		t.parent[pins.parent] = append(t.parent[pins.parent], r)
	default:
		t.any = append(t.any, r)
	}
}

// slotted gives each test the slot of the text that it compares.
func (s *ruleSet) slotted(tests []test) []test {
	for i := range tests {
		slot := slices.Index(s.slots, tests[i].at)
		if slot < 0 {
			slot = len(s.slots)
			s.slots = append(s.slots, tests[i].at)
		}
		tests[i].slot = slot
	}
	return tests
}

// parentsOf are the groups that a tool is in, as Cedar entities.
func parentsOf(v *vocabulary, name string) cedar.EntityUIDSet {
	var uids []cedar.EntityUID
	for _, g := range sortedKeys(v.groups) {
		if v.matches(g, name, false) {
			uids = append(uids, cedar.NewEntityUID(typeGroup, cedar.String(g)))
		}
	}
	return cedar.NewEntityUIDSet(uids...)
}

// warnings tells of names that a rule pins and nothing has. A tool named by an
// alias is an error: the rule would be about nothing.
func (r *rule) warnings(v *vocabulary) []problem.Problem {
	var out []problem.Problem
	for _, uid := range scopeEntities((*cedarast.Policy)(r.policy.AST())) {
		id, hint, warning := string(uid.ID), "rules know Principal, Role, Tenant, Kind, Action::\"call\", Tool and Group", true
		switch uid.Type {
		case typePrincipal, typeRole, typeTenant, typeKind:
			continue
		case typeAction:
			if id == actionCall {
				continue
			}
			warning = false
		case typeGroup:
			if v.groups[id] != nil {
				continue
			}
		case typeTool:
			i, called := v.lookup(id)
			if called && v.names[i] == id || !called && v.known[id] {
				continue
			}
			if called {
				hint, warning = "write Tool::"+quote(v.names[i]), false
			}
		default:
			warning = false
		}
		if n := v.nearest(id); warning && n != "" {
			hint = "did you mean " + n + "?"
		}
		out = append(out, problem.Problem{
			Path: "tools.rules", Warning: warning, Hint: hint,
			Message: fmt.Sprintf("%s:%d: %s is unknown: the rule never applies", r.file, r.line, strings.TrimSpace(uid.String())),
		})
	}
	return out
}
