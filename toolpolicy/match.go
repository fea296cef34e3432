package toolpolicy

import (
	"slices"
	"strings"
)

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
	for _, m := range v.groups[e] {
		if m == name || sameTool(m, name) {
			return true
		}
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

// compileList marks every tool that the policy lets through. It goes through
// the entries once and finds the tools of each by lookup, so that lists of
// thousands of entries compile in little time.
func (v *vocabulary) compileList(p Policy, key string) *list {
	l := &list{policy: normal(p), key: key}
	n := len(v.names)
	allow, deny := fullBits(n), newBits(n)
	if l.policy.Allow != nil {
		allow = newBits(n)
		for _, e := range l.policy.Allow {
			v.mark(allow, e, false)
			if v.matches(e, "write", false) {
				v.markName(allow, "apply_patch")
			}
		}
	}
	for _, e := range l.policy.Deny {
		v.mark(deny, e, true)
	}
	l.pass = newBits(n)
	for i := range l.pass {
		l.pass[i] = allow[i] &^ deny[i]
	}
	return l
}

// mark sets the bits of all tools that an entry means, as matches does one by
// one.
func (v *vocabulary) mark(b bits, e string, deny bool) {
	star := strings.IndexByte(e, '*')
	if star < 0 {
		v.markName(b, e)
		for _, m := range v.groups[e] {
			v.markName(b, m)
		}
		return
	}
	from, _ := slices.BinarySearch(v.names, e[:star])
	for i := from; i < len(v.names) && strings.HasPrefix(v.names[i], e[:star]); i++ {
		if glob(e, v.names[i]) {
			b.set(int32(i))
		}
	}
	if !deny {
		return
	}
	for _, row := range alias {
		if slices.ContainsFunc(row, func(a string) bool { return glob(e, a) }) {
			v.markName(b, row[0])
		}
	}
}

// markName sets the bit of a name under all of its names.
func (v *vocabulary) markName(b bits, name string) {
	if i, ok := slices.BinarySearch(v.names, name); ok {
		b.set(int32(i))
	}
	for _, a := range aliases(name) {
		if i, ok := slices.BinarySearch(v.names, a); ok {
			b.set(int32(i))
		}
	}
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
		if v.matches(entry(e), name, true) {
			return false, e
		}
	}
	if p.Allow == nil {
		return true, ""
	}
	for _, e := range p.Allow {
		if v.allowMatches(entry(e), name) {
			return true, e
		}
	}
	return false, ""
}
