package env_test

import (
	"testing"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/env"
)

func TestAllowlist(t *testing.T) {
	lookup := func(k string) (string, bool) {
		v, ok := map[string]string{"A": " a ", "B": "b", "E": " "}[k]
		return v, ok
	}
	for _, tc := range []struct {
		name  string
		allow []string
		id    string
		value string
		code  string
	}{
		{"absent list allows any", nil, "A", "a", ""},
		{"empty list allows none", []string{}, "A", "", secrets.CodeDenied},
		{"listed", []string{"A"}, "A", "a", ""},
		{"not listed", []string{"A"}, "B", "", secrets.CodeDenied},
		{"not listed and missing says the same", []string{"A"}, "Z", "", secrets.CodeDenied},
		{"blank", nil, "E", "", secrets.CodeNotFound},
		{"missing", nil, "Z", "", secrets.CodeNotFound},
	} {
		r := (&env.Provider{Lookup: lookup, Allowlist: tc.allow}).Resolve(t.Context(), []string{tc.id})[tc.id]
		code := ""
		if r.Err != nil {
			code = r.Err.Code
		}
		if r.Value.Reveal() != tc.value || code != tc.code {
			t.Errorf("%s: %q %s", tc.name, r.Value.Reveal(), code)
		}
	}
}
