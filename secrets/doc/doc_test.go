package doc_test

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/secrets/doc"
)

var samples = map[doc.Format]string{
	doc.YAML: "gateway:\n  auth:\n    token: \"tøk-value\"\n    quoted: 'a'  # c\nlist:\n  - name: one\n    key: k1\n  - plain\nblock: |\n  first\n  second\ntagged: !vault x\n",
	doc.JSON: "// comment\n{\n gateway: {'auth': {\"token\": \"tøk-value\", quoted: 'a',}}, /* x */\n \"list\": [{name: \"one\", key: \"k1\"}, \"plain\",],\n n: 0x1F, esc: \"a\\\"b\\u0041\"\n}\n",
	doc.TOML: "[gateway.auth]\ntoken = \"tøk-value\" # c\nquoted = 'a'\nn = 5\n",
	doc.Env:  "# c\nexport TOKEN=tøk-value # c\nQUOTED='a'\n\nBAD\n",
}

func TestPositions(t *testing.T) {
	for format, text := range samples {
		root, err := doc.Parse(format, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		var paths []string
		root.Walk(func(n *doc.Node) bool {
			if n.Kind == doc.String {
				paths = append(paths, n.Path)
				if got := text[n.Start:n.End]; got != n.Value && !strings.Contains(n.Path, "block") && !strings.Contains(n.Path, "esc") {
					t.Errorf("%s %s: %q at its place, value %q", format, n.Path, got, n.Value)
				}
				if root.PathAt(n.Start) != n.Path {
					t.Errorf("%s: offset %d is %q, not %q", format, n.Start, root.PathAt(n.Start), n.Path)
				}
			}
			return true
		})
		want := map[doc.Format]string{doc.YAML: "gateway.auth.token gateway.auth.quoted list[0].name list[0].key list[1] block", doc.JSON: "gateway.auth.token gateway.auth.quoted list[0].name list[0].key list[1] esc", doc.TOML: "gateway.auth.token gateway.auth.quoted", doc.Env: "TOKEN QUOTED"}[format]
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("%s: paths %q, want %q", format, got, want)
		}
	}
}

// TestWhere compares the short way with the long one on every string of
// documents that have everything in them.
func TestWhere(t *testing.T) {
	more := "a:\n  b:\n  - x: v1\n    y: v2\n  - x: v3\n\n  # note\n  c: v4\nd: {e: v5}\nf:\n    - g:\n        h: v6\n    - - i: v7\n\"q k\": v8\nu: http://x:y\nm:\n  n: |\n    o: v9\nlast: v10\n"
	for _, text := range []string{samples[doc.YAML], more} {
		root, err := doc.Parse(doc.YAML, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		where := doc.Where(doc.YAML, []byte(text))
		seen := 0
		root.Walk(func(n *doc.Node) bool {
			if n.Kind == doc.String {
				seen++
				if got := where(n.Start); got != n.Path {
					t.Errorf("offset %d: %q, want %q", n.Start, got, n.Path)
				}
			}
			return true
		})
		if seen < 5 {
			t.Errorf("only %d strings", seen)
		}
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	for format, text := range map[doc.Format]string{doc.YAML: "a: [hunter2\nb: }", doc.JSON: `{"a": "hunter2`} {
		if _, err := doc.Parse(format, []byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", format, err)
		}
	}
	if _, err := doc.Parse(doc.JSON, []byte(strings.Repeat("[", 5000))); err == nil {
		t.Error("endless nesting is accepted")
	}
}

func FuzzParse(f *testing.F) {
	for format, text := range samples {
		f.Add(string(format), text)
	}
	f.Fuzz(func(t *testing.T, format, text string) {
		root, err := doc.Parse(doc.Format(format), []byte(text))
		if err != nil {
			return
		}
		root.Walk(func(n *doc.Node) bool {
			if n.Start < 0 || n.End > len(text) || n.Start > n.End {
				t.Fatalf("%s: offsets %d-%d of %d", n.Path, n.Start, n.End, len(text))
			}
			return true
		})
	})
}
