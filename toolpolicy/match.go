package toolpolicy

import "strings"

// bits is a set of tool indexes.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (b bits) set(i int32)      { b[i>>6] |= 1 << (i & 63) }
func (b bits) has(i int32) bool { return b[i>>6]&(1<<(i&63)) != 0 }

func fullBits(n int) bits {
	b := newBits(n)
	for i := range n {
		b.set(int32(i))
	}
	return b
}

func (b bits) and(o bits) bits {
	out := make(bits, len(b))
	for i := range b {
		out[i] = b[i] & o[i]
	}
	return out
}

// glob reports whether name matches pattern, where * is any run of characters
// and nothing else is special. Both are compared byte for byte.
func glob(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// entry is one configured word, normalised the way a person means it: trimmed
// and in lower case. Called names are never normalised.
func entry(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// matches reports whether one entry means the tool called name. A deny also
// reaches a tool through its other names; an allow glob only by its own.
func (v *vocabulary) matches(e, name string, deny bool) bool {
	switch {
	case e == "*":
		return true
	case strings.Contains(e, "*"):
		if glob(e, name) {
			return true
		}
		if deny {
			for _, a := range aliases(name) {
				if glob(e, a) {
					return true
				}
			}
		}
		return false
	case e == name:
		return true
	}
	if members, ok := v.groups[e]; ok {
		for _, m := range members {
			if m == name || sameTool(m, name) {
				return true
			}
		}
		return false
	}
	return sameTool(e, name)
}

func sameTool(a, b string) bool {
	row := aliases(a)
	for _, n := range row {
		if n == b {
			return true
		}
	}
	return false
}

// allowMatches adds the one implication between tools: whoever may write may
// apply a patch.
func (v *vocabulary) allowMatches(e, name string) bool {
	return v.matches(e, name, false) || name == "apply_patch" && v.matches(e, "write", false)
}

// list is one compiled allow/deny layer.
type list struct {
	pass   bits // tools that the layer lets through
	policy Policy
	key    string // config key, such as agents.entries.ops.tools
	// profile is set when the layer is a profile rather than a list.
	profile string
}

// compileList marks every tool that the policy lets through.
func (v *vocabulary) compileList(p Policy, key string) *list {
	l := &list{pass: newBits(len(v.names)), policy: normal(p), key: key}
	exact, rest := v.split(l.policy.Allow)
	denyExact, denyRest := v.split(l.policy.Deny)
	for i, name := range v.names {
		if v.passes(l.policy.Allow != nil, name, exact, rest, denyExact, denyRest) {
			l.pass.set(int32(i))
		}
	}
	return l
}

// split separates plain names, which are looked up, from globs and groups,
// which are tried one by one. Lists of thousands of names compile in linear
// time.
func (v *vocabulary) split(entries []string) (exact map[string]bool, rest []string) {
	exact = make(map[string]bool, len(entries))
	for _, e := range entries {
		if _, group := v.groups[e]; group || strings.Contains(e, "*") {
			rest = append(rest, e)
		} else {
			exact[e] = true
		}
	}
	return exact, rest
}

func (v *vocabulary) passes(limited bool, name string, exact map[string]bool, rest []string, denyExact map[string]bool, denyRest []string) bool {
	if hit(denyExact, name) {
		return false
	}
	for _, e := range denyRest {
		if v.matches(e, name, true) {
			return false
		}
	}
	if !limited || hit(exact, name) || name == "apply_patch" && hit(exact, "write") {
		return true
	}
	for _, e := range rest {
		if v.allowMatches(e, name) {
			return true
		}
	}
	return false
}

func hit(set map[string]bool, name string) bool {
	if set[name] {
		return true
	}
	for _, a := range aliases(name) {
		if set[a] {
			return true
		}
	}
	return false
}

// normal is the policy with its entries normalised; absent stays absent.
func normal(p Policy) Policy {
	return Policy{Allow: entries(p.Allow), Deny: entries(p.Deny)}
}

func entries(in []string) []string {
	if in == nil {
		return nil
	}
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, entry(s))
	}
	return out
}

// decide is the uncompiled form, for a parent's restrictions that arrive with
// a session: whether p lets name through, and the entry that decided.
func (v *vocabulary) decide(p Policy, name string) (bool, string) {
	for _, e := range p.Deny {
		if v.matches(e, name, true) {
			return false, e
		}
	}
	if p.Allow == nil {
		return true, ""
	}
	for _, e := range p.Allow {
		if v.allowMatches(e, name) {
			return true, e
		}
	}
	return false, ""
}
