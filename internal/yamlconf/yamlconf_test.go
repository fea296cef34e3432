package yamlconf

import (
	"reflect"
	"strings"
	"testing"
)

type inner struct {
	Mode  string   `yaml:"mode" enum:"off,on" doc:"What it does." default:"on"`
	Limit int      `yaml:"limit"`
	Names []string `yaml:"names"`
	Flag  *bool    `yaml:"flag"`
}

type Embedded struct {
	Port int `yaml:"port"`
}

type conf struct {
	Embedded `yaml:",inline"`
	Inner    inner            `yaml:"inner"`
	Many     map[string]inner `yaml:"many"`
	Ratio    float64          `yaml:"ratio"`
	Any      any              `yaml:"any"`
}

func TestParse(t *testing.T) {
	var c conf
	doc, issues := Parse("f.yml", []byte("port: 7\ninner:\n  mode: off\n  names: [a, b]\n  flag: false\nmany:\n  x: {limit: 3}\n"), &c)
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	if c.Port != 7 || c.Inner.Mode != "off" || len(c.Inner.Names) != 2 || c.Inner.Flag == nil || *c.Inner.Flag || c.Many["x"].Limit != 3 {
		t.Fatalf("parsed wrongly: %+v", c)
	}
	if p := doc.At("inner.names[1]"); p.Line != 4 {
		t.Errorf("inner.names[1] is at %v, want line 4", p)
	}
	if p := doc.At("inner.nowhere"); p.Line != 2 {
		t.Errorf("a missing key is at %v, want its parent's line 2", p)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"unknown key", "inner:\n  mod: on\n", "f.yml:2:3: inner.mod: unknown key (did you mean mode?)"},
		{"unknown top", "innner: {}\n", "f.yml:1:1: innner: unknown key (did you mean inner?)"},
		{"far key", "zzzzzzzz: 1\n", "known here: port, inner, many, ratio, any"},
		{"enum", "inner: {mode: onn}\n", `inner.mode: "onn" is not a value of this key (did you mean on? one of: off, on)`},
		{"number", "port: eighty\n", "f.yml:1:7: port: expected a whole number, found a text"},
		{"bool", "inner: {flag: 1}\n", "expected true or false, found a number"},
		{"list", "inner: {names: a}\n", "expected a list, found a text"},
		{"mapping", "inner: 3\n", "expected keys and values, found a number"},
		{"in a map", "many:\n  a:\n    limits: 3\n", "f.yml:3:5: many.a.limits: unknown key (did you mean limit?)"},
		{"alias", "inner: &a {limit: 1}\nmany: {x: *a}\n", "anchors, aliases and merges are not allowed"},
		{"alias below any", "any: [&a 1, *a]\n", "no anchors or aliases"},
		{"merge", "many:\n  x:\n    <<: {limit: 1}\n", "anchors, aliases and merges are not allowed"},
		{"tag", "port: !!str 7\n", "YAML tags are not allowed"},
		{"twice", "port: 1\nport: 2\n", "f.yml:2:1"},
		{"documents", "port: 1\n---\nport: 2\n", "more than one YAML document"},
		{"syntax", "inner: [\n", "f.yml:"},
		{"huge", strings.Repeat("# comment\n", 120000), "larger than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c conf
			_, issues := Parse("f.yml", []byte(tc.in), &c)
			var got []string
			for _, i := range issues {
				got = append(got, i.String())
			}
			if !strings.Contains(strings.Join(got, "\n"), tc.want) {
				t.Fatalf("issues = %q, want one with %q", got, tc.want)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	var got []string
	for _, k := range Keys(reflect.TypeFor[conf]()) {
		got = append(got, k.Path)
	}
	want := "port inner inner.mode inner.limit inner.names inner.flag many many.<name>.mode many.<name>.limit many.<name>.names many.<name>.flag ratio any"
	if strings.Join(got, " ") != want {
		t.Errorf("keys = %v\nwant   %v", got, want)
	}
}

func TestSet(t *testing.T) {
	const file = "# top\nport: 1 # the port\n\ninner:\n  # about mode\n  mode: \"a # b\"  # why\n  names:\n  - a\n  - b\n\n# the rest\nmany: {}\n"
	for _, tc := range []struct {
		name, path string
		value      any
		old, repl  string
	}{
		{"scalar", "port", 2, "port: 1 # the port", "port: 2  # the port"},
		{"quoted", "inner.mode", "off", `mode: "a # b"  # why`, `mode: "off"  # why`},
		{"block list", "inner.names", []string{"z"}, "names:\n  - a\n  - b\n", "names: [\"z\"]\n"},
		{"new in block", "inner.limit", 3, "  - b\n", "  - b\n  limit: 3\n"},
		{"new below empty", "many.x.limit", 3, "many: {}\n", "many:\n  x:\n    limit: 3\n"},
		{"new at the end", "ratio", 0.5, "many: {}\n", "many: {}\nratio: 0.5\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Set([]byte(file), tc.path, tc.value)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(file, tc.old, tc.repl, 1); string(got) != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
	if _, err := Set([]byte("inner: {mode: on}\n"), "inner.limit", 1); err == nil {
		t.Error("a key was put into a mapping of one line")
	}
	if _, err := Set([]byte("port: 1\n"), "port.x", 1); err == nil {
		t.Error("a key was put below a number")
	}
	got, err := Unset([]byte(file), "inner.names")
	if err != nil || strings.Contains(string(got), "- a") || !strings.Contains(string(got), "# the rest") {
		t.Errorf("Unset = %q, %v", got, err)
	}
	if got, err := Set(nil, "inner.mode", "on"); err != nil || string(got) != "inner:\n  mode: \"on\"\n" {
		t.Errorf("Set on an empty file = %q, %v", got, err)
	}
}

func FuzzParseAndSet(f *testing.F) {
	f.Add("port: 1\ninner:\n  mode: on # c\n", "inner.limit")
	f.Add("a: [1, {b: c}]\n'x': |\n  y\n", "x")
	f.Fuzz(func(t *testing.T, in, path string) {
		var c conf
		if _, issues := Parse("f", []byte(in), &c); len(issues) > 0 {
			return
		}
		out, err := Set([]byte(in), "port", 7)
		if err != nil {
			return
		}
		var after conf
		if _, issues := Parse("f", out, &after); len(issues) > 0 || after.Port != 7 {
			t.Fatalf("setting port broke the file: %v\nbefore: %q\nafter: %q", issues, in, out)
		}
		c.Port, after.Port = 0, 0
		if !reflect.DeepEqual(c, after) {
			t.Fatalf("setting port changed something else\nbefore: %q\nafter: %q", in, out)
		}
	})
}
