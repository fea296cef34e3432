package scan

import (
	"regexp"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/secrets/match"
)

//go:generate go -C gen run . -out ../rules_gen.go

// rule is one provider's format. It has either keywords and an expression
// over the text around them, or vendors and an expression for the value of a
// field that names one.
type rule struct {
	id       string
	regex    string
	keywords []string
	entropy  float64
	group    int
	path     string
	vendors  []string
	value    string
	allow    []string
}

// compiled is a rule whose expressions have been compiled.
type compiled struct {
	once  sync.Once
	re    *regexp.Regexp
	allow []*regexp.Regexp
}

// ruleSet compiles each rule when its keyword is first hit.
type ruleSet struct {
	rules []rule
	done  []compiled
	// vendors finds vendor names in a field's name.
	vendors  func() *match.Set
	byVendor [][]int // vendor pattern → rules
}

func newRuleSet() *ruleSet {
	rs := &ruleSet{rules: append(gitleaksRules[:len(gitleaksRules):len(gitleaksRules)], ownRules[:]...)}
	rs.done = make([]compiled, len(rs.rules))
	rs.vendors = sync.OnceValue(rs.buildVendors)
	return rs
}

func (rs *ruleSet) buildVendors() *match.Set {
	index := map[string]int{}
	var names []string
	for i, r := range rs.rules {
		for _, v := range r.vendors {
			at, ok := index[v]
			if !ok {
				at = len(names)
				index[v] = at
				names = append(names, v)
				rs.byVendor = append(rs.byVendor, nil)
			}
			rs.byVendor[at] = append(rs.byVendor[at], i)
		}
	}
	return match.New(names)
}

// get compiles rule i. An expression that does not compile never matches; a
// test makes sure that there is none.
func (rs *ruleSet) get(i int) *compiled {
	c, r := &rs.done[i], &rs.rules[i]
	c.once.Do(func() {
		src := r.regex
		if src == "" {
			src = `^(?i:` + r.value + `)$`
		}
		c.re, _ = regexp.Compile(src)
		for _, a := range r.allow {
			if re, err := regexp.Compile(a); err == nil {
				c.allow = append(c.allow, re)
			}
		}
	})
	return c
}

// match applies rule i to a window of text and returns the secret's place.
func (rs *ruleSet) match(i int, window []byte) (from, to int, ok bool) {
	c, r := rs.get(i), &rs.rules[i]
	if c.re == nil {
		return 0, 0, false
	}
	m := c.re.FindSubmatchIndex(window)
	if m == nil {
		return 0, 0, false
	}
	from, to = m[0], m[1]
	group := r.group
	if group == 0 && len(m) > 2 && m[2] >= 0 {
		group = 1
	}
	if 2*group+1 < len(m) && m[2*group] >= 0 {
		from, to = m[2*group], m[2*group+1]
	}
	secret := window[from:to]
	s := measure(secret)
	if s.entropy < r.entropy || s.monotonous(secret) {
		return 0, 0, false
	}
	for _, a := range c.allow {
		if a.Match(secret) {
			return 0, 0, false
		}
	}
	return from, to, true
}

// vendorRule is the rule of a vendor that the field's name contains and whose
// format the value has.
func (e *Engine) vendorRule(key, v []byte, s shape) string {
	if s.n < minKeyish-1 || s.digit == 0 {
		return ""
	}
	var buf [96]byte
	name := buf[:0]
	for _, c := range key[max(0, len(key)-96):] {
		if isAlnum(c) {
			name = append(name, c)
		}
	}
	set, i, st, hit := e.rules.vendors(), 0, match.State(0), false
	for {
		if i, st, hit = set.Next(name, i, st); !hit {
			return ""
		}
		for _, vendor := range set.Hits(st) {
			for _, r := range e.rules.byVendor[vendor] {
				if _, _, ok := e.rules.match(r, v); ok && randomness(v) >= randomStrong {
					return e.rules.rules[r].id
				}
			}
		}
	}
}

// keywordsOf are what the automaton looks for on behalf of a rule.
func keywordsOf(r *rule) []string {
	out := make([]string, 0, len(r.keywords))
	for _, k := range r.keywords {
		if k = strings.ToLower(k); len(k) >= 2 {
			out = append(out, k)
		}
	}
	return out
}

// ownRules are formats that gitleaks does not know or knows differently.
var ownRules = [...]rule{
	{id: "twilio-api-key", regex: `\b(SK[0-9a-f]{32})\b`, keywords: []string{"sk0", "sk1", "sk2", "sk3", "sk4", "sk5", "sk6", "sk7", "sk8", "sk9", "ska", "skb", "skc", "skd", "ske", "skf"}, entropy: 3},
	{id: "stripe-webhook-secret", regex: `\b(whsec_[A-Za-z0-9+/=]{24,})`, keywords: []string{"whsec_"}, entropy: 3},
	{id: "docker-access-token", regex: `\b(dckr_(?:pat|oat)_[\w-]{20,})`, keywords: []string{"dckr_pat_", "dckr_oat_"}, entropy: 3},
	{id: "google-oauth-client-secret", regex: `\b(GOCSPX-[\w-]{28})`, keywords: []string{"gocspx-"}, entropy: 3},
	{id: "google-oauth-refresh-token", regex: `\b(1//0[\w-]{40,})`, keywords: []string{"1//0"}, entropy: 3},
	{id: "google-oauth-access-token", regex: `\b(ya29\.[\w-]{30,})`, keywords: []string{"ya29."}, entropy: 3},
	{id: "vault-service-token", regex: `\b(hv[sr]\.[\w-]{24,})`, keywords: []string{"hvs.", "hvr."}, entropy: 3},
	{id: "groq-api-key", regex: `\b(gsk_[A-Za-z0-9]{40,})\b`, keywords: []string{"gsk_"}, entropy: 3},
	{id: "replicate-api-token", regex: `\b(r8_[A-Za-z0-9]{30,})\b`, keywords: []string{"r8_"}, entropy: 3},
	{id: "anthropic-oauth-token", regex: `\b(sk-ant-[a-z]{2,8}\d{2}-[\w-]{60,})`, keywords: []string{"sk-ant-"}, entropy: 3},
	{id: "openai-style-key", regex: `\b(sk-(?:[a-z]{2,8}-)*(?:v\d-)?[A-Za-z0-9_-]{32,})`, keywords: []string{"sk-"}, entropy: 3},
	{id: "supabase-token", regex: `\b(sb[ps]_[\w]{36,}|sb_secret_[\w-]{20,})`, keywords: []string{"sbp_", "sbs_", "sb_secret_"}, entropy: 3},
	{id: "telegram-bot-token", regex: `(?:^|[^\w/])(?:bot)?(\d{8,10}:AA[\w-]{32,33})(?:[^\w-]|$)`, keywords: []string{":aa"}, entropy: 3},
	{id: "discord-bot-token", regex: `\b([MNO][A-Za-z\d_-]{22,27}\.[\w-]{6}\.[\w-]{27,40})(?:[^\w.-]|$)`, keywords: []string{"discord"}, entropy: 3},
	{id: "age-plugin-identity", regex: `\b(AGE-PLUGIN-[A-Z0-9]+-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{6,})`, keywords: []string{"age-plugin-"}},
	{id: "sentry-org-token", regex: `\b(sntrys_[A-Za-z0-9+/=_]{60,})`, keywords: []string{"sntrys_"}, entropy: 3},
	{id: "mailgun-private-api-token", regex: `\b(key-[0-9a-f]{32})\b`, keywords: []string{"key-"}, entropy: 3},
	{id: "mailchimp-api-key", regex: `\b([0-9a-f]{32}-us\d{1,2})\b`, keywords: []string{"-us1", "-us2", "-us3", "-us4", "-us5", "-us6", "-us7", "-us8", "-us9"}, entropy: 3},
	{id: "atlassian-api-token", regex: `\b(ATATT3[\w=-]{60,})`, keywords: []string{"atatt3"}, entropy: 3},
	{id: "azure-sas-signature", regex: `[?&]sig=([A-Za-z0-9%+/=_-]{43,})`, keywords: []string{"sig="}, entropy: 3},
	{id: "tencent-secret-id", regex: `\b(AKID[A-Za-z0-9]{32})\b`, keywords: []string{"akid"}, entropy: 3},
	{id: "bitbucket-app-password", regex: `\b(AT(?:BB|CTT)[\w=-]{28,})`, keywords: []string{"atbb", "atctt"}, entropy: 3},
}
