package scan

import "regexp"

// RulesForTest are the rules whose expressions do not compile, or which
// nothing would ever try.
func RulesForTest() (bad []string) {
	rs := newRuleSet()
	for i := range rs.rules {
		r := &rs.rules[i]
		if rs.get(i).re == nil || len(r.vendors) == 0 && len(keywordsOf(r)) == 0 || len(rs.get(i).allow) != len(r.allow) {
			bad = append(bad, r.id)
		}
		if _, err := regexp.Compile(r.path); err != nil {
			bad = append(bad, r.id)
		}
	}
	return bad
}
