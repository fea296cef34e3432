package secrets_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/chitin-sh/chitin/secrets"
)

type holder struct {
	Token secrets.Field            `yaml:"token,omitempty" json:"token,omitzero"`
	Many  map[string]secrets.Field `yaml:"many,omitempty" json:"many,omitempty"`
	List  []secrets.Field          `yaml:"list,omitempty" json:"list,omitempty"`
	Ptr   *secrets.Field           `yaml:"ptr,omitempty" json:"ptr,omitempty"`
}

func TestFieldForms(t *testing.T) {
	for _, tc := range []struct{ yaml, want, literal string }{
		{`token: hunter2hunter2`, secrets.Redacted, "hunter2hunter2"},
		{`token: "007"`, secrets.Redacted, "007"},
		{`token: 0012345678901234567890`, secrets.Redacted, "0012345678901234567890"},
		{`token: ${GW_TOKEN}`, "env:default:GW_TOKEN", ""},
		{`token: $GW_TOKEN`, "env:default:GW_TOKEN", ""},
		{`token: "$${NOT_A_REF}"`, secrets.Redacted, "${NOT_A_REF}"},
		{`token: {source: file, provider: state, id: gateway.token}`, "file:state:gateway.token", ""},
		{`token: {source: file, provider: main, id: /gw/token}`, "file:main:/gw/token", ""},
		{`token: {source: exec, id: "vault/kv#field"}`, "exec:default:vault/kv#field", ""},
		{`token:`, "", ""},
		{`token: ""`, "", ""},
	} {
		var h holder
		if err := yaml.UnmarshalWithOptions([]byte(tc.yaml), &h, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", tc.yaml, err)
			continue
		}
		if h.Token.String() != tc.want || h.Token.Literal.Reveal() != tc.literal {
			t.Errorf("%s: got %q literal %q", tc.yaml, h.Token.String(), h.Token.Literal.Reveal())
		}
	}
}

func TestFieldRefusals(t *testing.T) {
	for _, text := range []string{
		`token: [a]`, `token: true`, `token: {source: env}`, `token: {source: nowhere, id: X}`,
		`token: {source: env, id: lower}`, `token: {source: exec, id: a/../b}`, `token: {source: env, id: A, extra: x}`,
		`token: {source: env, provider: UPPER, id: A}`, `token: ${lower}`, `token: {source: env, id: 5}`,
	} {
		var h holder
		if err := yaml.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s: accepted as %v", text, h.Token)
		}
	}
}

func TestFieldsInContainers(t *testing.T) {
	text := "many: {a: \"${AA}\", b: plain-secret-1}\nlist: [plain-secret-2, {source: store, id: x}]\nptr: plain-secret-3\n"
	var h holder
	if err := yaml.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	if h.Many["b"].Literal.Reveal() != "plain-secret-1" || h.List[0].Literal.Reveal() != "plain-secret-2" || h.Ptr.Literal.Reveal() != "plain-secret-3" {
		t.Fatalf("not read: %v", h)
	}
	for name, shown := range everyRendering(t, h) {
		if strings.Contains(shown, "plain-secret") {
			t.Errorf("%s shows a literal: %s", name, shown)
		}
	}
}

// everyRendering is the value through every formatter and encoder we use.
func everyRendering(t *testing.T, v any) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	js, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out["json"] = string(js)
	ym, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out["yaml"] = string(ym)
	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "v", v)
	out["slog"] = buf.String()
	buf.Reset()
	if err := gob.NewEncoder(&buf).Encode(v); err == nil {
		out["gob"] = buf.String()
	}
	return out
}

func TestValueNeverPrints(t *testing.T) {
	const secret = "s3cr3t-value-never-shown"
	v := secrets.NewValue(secret)
	type wrap struct {
		V secrets.Value
		P *secrets.Value
		M map[string]secrets.Value
	}
	for _, x := range []any{v, &v, wrap{V: v, P: &v, M: map[string]secrets.Value{"k": v}}, []secrets.Value{v}, secrets.LiteralField(secret)} {
		for name, shown := range everyRendering(t, x) {
			if strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf("%x", secret)) {
				t.Errorf("%T through %s shows the secret: %s", x, name, shown)
			}
		}
	}
	if v.Reveal() != secret {
		t.Fatal("Reveal does not return the secret")
	}
}

func TestValueEqual(t *testing.T) {
	a, b := secrets.NewValue("abc"), secrets.NewValue("abd")
	if !a.Equal(secrets.NewValue("abc")) || a.Equal(b) || a.Equal(secrets.NewValue("abcd")) {
		t.Error("comparison is wrong")
	}
	if (secrets.Value{}).Equal(secrets.Value{}) {
		t.Error("nothing equals nothing")
	}
}

func TestConfigProblems(t *testing.T) {
	yes := `providers:
  vault: {source: exec, command: /usr/bin/vault-helper, args: [a], passEnv: [HOME], timeoutMs: 100}
  files: {source: file, path: /etc/x.json, mode: json}
  dir: {source: file, dir: /run/secrets, mode: singleValue}
  few: {source: env, allowlist: [A, B]}
`
	var c secrets.Config
	if err := yaml.UnmarshalWithOptions([]byte(yes), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if p := c.Validate(); len(p) != 0 {
		t.Fatalf("good config has problems: %v", p)
	}
	bad := secrets.Config{Providers: map[string]secrets.ProviderConfig{
		"a":   {Source: "exec", Command: "vault"},
		"b":   {Source: "file", Path: "rel"},
		"c":   {Source: "file"},
		"d":   {Source: "what"},
		"e":   {},
		"F":   {Source: "env"},
		"g":   {Source: "env", Allowlist: []string{"lower"}},
		"h":   {Source: "exec", Command: "/x", TimeoutMs: 1e6},
		"i":   {Source: "file", Path: "/x", Dir: "/y"},
		"j":   {Source: "file", Path: "/x", Mode: "xml"},
		"k":   {Source: "file", Path: "/x", ReadableBy: "friends"},
		"lll": {Source: "exec", Command: "/x", TrustedDirs: []string{"rel"}, PassEnv: []string{"A=B"}},
	}}
	if got, want := len(bad.Validate()), 13; got != want {
		t.Errorf("%d problems, want %d: %v", got, want, bad.Validate())
	}
}

func FuzzField(f *testing.F) {
	f.Add(`"x"`)
	f.Add(`{"source":"env","id":"A"}`)
	f.Add(`"${A}"`)
	f.Fuzz(func(t *testing.T, s string) {
		var fl secrets.Field
		if json.Unmarshal([]byte(s), &fl) != nil {
			return
		}
		out, err := json.Marshal(fl)
		if err != nil {
			t.Fatal(err)
		}
		if l := fl.Literal.Reveal(); len(l) > 12 && strings.Contains(string(out), l) && !strings.Contains(l, "redacted") {
			t.Fatalf("literal written out: %s", out)
		}
	})
}

// TestEmptyListSurvives: an empty allowlist means nobody and must not turn
// into an absent one, which means anybody, on its way through an encoder.
func TestEmptyListSurvives(t *testing.T) {
	for name, codec := range map[string]struct {
		out func(any) ([]byte, error)
		in  func([]byte, any) error
	}{"yaml": {yaml.Marshal, func(b []byte, v any) error { return yaml.Unmarshal(b, v) }}, "json": {json.Marshal, json.Unmarshal}} {
		for _, list := range [][]string{nil, {}, {"A"}} {
			text, err := codec.out(secrets.ProviderConfig{Source: "env", Allowlist: list})
			if err != nil {
				t.Fatal(err)
			}
			var back secrets.ProviderConfig
			if err := codec.in(text, &back); err != nil || (back.Allowlist == nil) != (list == nil) || len(back.Allowlist) != len(list) {
				t.Errorf("%s: %v became %v: %s %v", name, list, back.Allowlist, text, err)
			}
		}
	}
}
