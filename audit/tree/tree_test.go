package tree_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/titanous/json5"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/tree"
)

// plain turns a node into what encoding/json would give.
func plain(n *audit.Node) any {
	switch {
	case n.Is(audit.Map):
		out := map[string]any{}
		n.Each(func(k string, v *audit.Node) { out[k] = plain(v) })
		return out
	case n.Is(audit.List):
		out := []any{}
		for _, k := range n.Items() {
			out = append(out, plain(k))
		}
		return out
	case n.Is(audit.Bool):
		return n.True()
	case n.Is(audit.Number):
		v, _ := n.Num()
		return v
	case n.Is(audit.String):
		return n.Str
	}
	return nil
}

var samples = []string{
	`{}`, `[]`, `{"a":1,"b":[true,false,null],"c":{"d":"x"}}`, `{a:1,$b:'two',_c:"three",}`, "// c\n{/* d */a:1, // e\n b:2}",
	`{a:0x1F,b:.5,c:+1,d:-2e3}`, `{a:'it\'s',b:"tab\t",c:"\u0041"}`, "{a:'line\\\ncontinued'}", `["\ud83d\ude00"]`, `{"a.b":{"c":1}}`,
}

func TestJSON5AgreesWithAnother(t *testing.T) {
	for _, text := range samples {
		n, err := tree.JSON5("f", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var want any
		if err := json5.Unmarshal([]byte(text), &want); err != nil {
			t.Errorf("%s: the other parser: %v", text, err)
			continue
		}
		if got := plain(n); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, the other parser %v", text, got, want)
		}
	}
}

func TestJSON5Refuses(t *testing.T) {
	for _, text := range []string{``, `{`, `{a}`, `{a:}`, `[1 2]`, `{a:1}}`, `"open`, "'two\nlines'", `{1a:2}`, `01`, `nul`, `{a:1,,b:2}`, `\u`, `"\u12"`, strings.Repeat("[", 5000)} {
		if _, err := tree.JSON5("f", []byte(text)); err == nil {
			t.Errorf("%.20q is accepted", text)
		} else if !errors.As(err, new(*tree.SyntaxError)) {
			t.Errorf("%.20q: %T has no place", text, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	json5Text := "{\n  gateway: {\n    bind: 'lan', auth: {mode: 'none'},\n  },\n  list: [\n    {x: 1},\n    {x: 2},\n  ],\n  'a.b': {c: 1},\n}"
	yamlText := "gateway:\n  bind: lan\n  auth: {mode: none}\nlist:\n  - x: 1\n  - x: 2\na.b:\n  c: 1\n"
	for _, c := range []struct {
		file, text, path string
		line, col        int
	}{
		{"f.json", json5Text, "gateway.bind", 3, 5}, {"f.json", json5Text, "gateway.auth.mode", 3, 25}, {"f.json", json5Text, "gateway.nothing", 2, 3},
		{"f.json", json5Text, "list[1].x", 7, 6}, {"f.json", json5Text, "a.b.c", 9, 11},
		{"f.yml", yamlText, "gateway.bind", 2, 3}, {"f.yml", yamlText, "gateway.auth.mode", 3, 10}, {"f.yml", yamlText, "list[1].x", 6, 5}, {"f.yml", yamlText, "a.b.c", 8, 3},
	} {
		n, err := tree.Parse(c.file, []byte(c.text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := n.Locate(c.path); !ok || p.Line != c.line || p.Col != c.col {
			t.Errorf("%s %s is at %d:%d, want %d:%d", c.file, c.path, p.Line, p.Col, c.line, c.col)
		}
	}
}

func TestYAMLValues(t *testing.T) {
	n, err := tree.YAML("f.yml", []byte("base: &b {x: 1, y: two}\nother:\n  <<: *b\n  y: 'three'\nlist: [a, 2, true, ~]\ntext: |\n  line\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := n.At("other.x").Str + n.At("other.y").Str; got != "1three" {
		t.Errorf("merged keys give %q", got)
	}
	if k := n.Get("list").Items(); len(k) != 4 || !k[1].Is(audit.Number) || !k[2].True() || !k[3].Is(audit.Null) {
		t.Errorf("list is %+v", k)
	}
	if n.Get("text").Str != "line\n" {
		t.Errorf("block text is %q", n.Get("text").Str)
	}
}

func TestBombsEnd(t *testing.T) {
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		prev := string(rune('0' + i - 1))
		laughs += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.TrimSuffix(strings.Repeat("*a"+prev+",", 10), ",") + "]\n"
	}
	for name, c := range map[string]struct{ file, text string }{
		"laughs": {"f.yml", laughs}, "flow": {"f.yml", strings.Repeat("[", 200_000)}, "compact": {"f.yml", strings.Repeat("- ", 200_000)}, "questions": {"f.yml", strings.Repeat("? ", 200_000)},
		"self": {"f.yml", "a: &a\n  b: *a\n"}, "json depth": {"f.json", strings.Repeat(`{"a":`, 100_000)}, "json wide": {"f.json", "[" + strings.Repeat("1,", 1_000_000) + "1]"}, "huge": {"f.json", strings.Repeat(" ", tree.MaxBytes+1)},
		"comment": {"f.json", "/*" + strings.Repeat("*", 1_000_000)},
	} {
		start := time.Now()
		if _, err := tree.Parse(c.file, []byte(c.text), nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	outside := write(t, t.TempDir(), "o.json", `{stolen:true}`)
	main := write(t, dir, "c.json", `{$include:["./a.json","./sub/b.json","./missing.json","`+outside+`","../x.json","./link.json","./c.json"],gateway:{bind:"lan"},part:{$include:"./a.json",own:1}}`)
	write(t, dir, "a.json", `{gateway:{bind:"loopback",port:1},list:[1]}`)
	write(t, dir, "sub/b.json", `{list:[2],$include:"../a.json"}`)
	if err := os.Symlink(outside, filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	l, err := tree.Load(audit.NewDisk(audit.DefaultLimits()), main, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Root.At("gateway.bind").Str; got != "lan" {
		t.Errorf("the including file does not win: %s", got)
	}
	if l.Root.At("gateway.port").Str != "1" || l.Root.At("part.own").Str != "1" || l.Root.At("part.gateway.port").Str != "1" {
		t.Error("included keys are missing")
	}
	if l.Root.Get("stolen").Set() {
		t.Error("an include outside the directory was followed")
	}
	if len(l.Issues) != 5 {
		t.Errorf("issues: %v", l.Issues)
	}
	if p, _ := l.Root.Locate("gateway.port"); filepath.Base(p.File) != "a.json" {
		t.Errorf("the place of an included key is in %s", p.File)
	}
}

func TestSubstitution(t *testing.T) {
	env := map[string]string{"A": "one", "B": "two"}
	n, err := tree.Parse("f.json", []byte(`{a:"${A}-${B}",b:"${NO}",c:"$${A}",d:"${lower}",e:"plain",f:"${A"}`), func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a": "one-two", "b": "${NO}", "c": "${A}", "d": "${lower}", "e": "plain", "f": "${A"} {
		if got := n.Get(key).Str; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if !n.Get("a").FromEnv() || !n.Get("b").Unresolved() || n.Get("e").FromEnv() {
		t.Error("marks of substitution are wrong")
	}
}

func TestSubstitutionIsBounded(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	text, err := json.Marshal(map[string]string{"a": strings.Repeat("${A}", 10_000)})
	if err != nil {
		t.Fatal(err)
	}
	n, err := tree.Parse("f.json", text, func(string) string { return big })
	if err != nil || len(n.Get("a").Str) > 2<<20 {
		t.Errorf("%v, %d bytes", err, len(n.Get("a").Str))
	}
}

func FuzzJSON5(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := tree.JSON5("f", text)
		if err != nil {
			return
		}
		n.Walk("", func(_ string, v *audit.Node) bool {
			if v.Start > v.End || v.End > len(text) {
				t.Fatalf("value spans %d to %d of %d", v.Start, v.End, len(text))
			}
			return true
		})
		if json.Valid(text) && utf8.Valid(text) { // what JSON accepts means the same here
			var want any
			if json.Unmarshal(text, &want) == nil && !reflect.DeepEqual(plain(n), want) {
				t.Fatalf("%q: %v, encoding/json %v", text, plain(n), want)
			}
		}
	})
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{"a: 1", "a: &b [1]\nc: *b", "{a: b}", "- - x", "? a\n: b", "<<: {a: 1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := tree.YAML("f.yml", text)
		if err == nil && n == nil {
			t.Fatal("neither a value nor an error")
		}
	})
}
