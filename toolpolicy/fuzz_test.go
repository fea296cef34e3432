package toolpolicy

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
)

// What parseArgs takes, encoding/json takes too, with the same names and the
// same strings; a tool cannot see other arguments than the rules did.
func FuzzParseArgs(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":[true,null,"x"]}`, `{"a":{"b":"\u0041"}}`, `{"a":1,"a":2}`, `{"a":1.5e3}`, ` {"a" : -0 } `, `[]`, `{"a":"\ud800"}`, `{"":""}`, `{"a":01}`, `{"a":1}{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseArgs(b)
		if err != nil || len(strings.TrimSpace(string(b))) == 0 {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%q is taken and is no JSON: %v", b, err)
		}
		for k, v := range want {
			got, ok := m[cedar.String(k)]
			if ok == (v == nil) {
				t.Fatalf("%q: member %q is %v here and %v there", b, k, got, v)
			}
			if s, text := v.(string); text && got != cedar.String(s) {
				t.Fatalf("%q: member %q is %v here and %q there", b, k, got, s)
			}
		}
		if len(m) > len(want) {
			t.Fatalf("%q: %d members here, %d there", b, len(m), len(want))
		}
	})
}

// A key that could ask for the host is never overlooked.
func FuzzReadArgs(f *testing.F) {
	for _, s := range []string{`{"elevated":true}`, `{"Elevated":true}`, `{"host":"gateway"}`, `{"ho\u0073t":"node"}`, `{"command":"host"}`, `{"hoſt":"x"}`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var tool struct {
			Elevated bool   `json:"elevated"`
			Host     string `json:"host"`
			Node     string `json:"node"`
		}
		if json.Unmarshal(b, &tool) != nil {
			return
		}
		asks := tool.Elevated || tool.Node != "" && tool.Node != "off" || tool.Host != "" && tool.Host != "auto" && tool.Host != "sandbox"
		if asks && !readArgs(b).host {
			t.Fatalf("%q asks for the host unseen", b)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("s*", "sessions_list")
	f.Add("*a*b*", "xxaybz")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 200 || len(name) > 200 {
			return
		}
		re, err := regexp.Compile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
		if err != nil || !json.Valid([]byte(`"`+strings.Map(plainRune, name)+`"`)) {
			return
		}
		if got, want := glob(pattern, name), re.MatchString(name); got != want && strings.ToValidUTF8(name, "") == name && strings.ToValidUTF8(pattern, "") == pattern {
			t.Fatalf("glob(%q, %q) = %v", pattern, name, got)
		}
	})
}

func plainRune(r rune) rune {
	if r < 0x20 || r == '"' || r == '\\' {
		return '.'
	}
	return r
}

func FuzzRules(f *testing.F) {
	f.Add(`permit(principal, action, resource == Tool::"read") when { context.args.path like "a/*" };`)
	f.Add(`@ask forbid(principal, action, resource);`)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := parseRules("fuzz.cedar", []byte(text))
		if err != nil && !strings.HasPrefix(err.Error(), "fuzz.cedar:") {
			t.Fatalf("error without its file: %v", err)
		}
		for _, r := range rules {
			pinsOf(r)
		}
	})
}
