package textdiff

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCompareShapes(t *testing.T) {
	for name, c := range map[string]struct {
		old, new, diff, patch string
		first                 int
	}{
		"new file": {
			"", "a\nb\n", "+1 a\n+2 b",
			"--- f\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n", 1,
		},
		"no line end": {
			"", "x", "+1 x",
			"--- f\n+++ f\n@@ -0,0 +1,1 @@\n+x\n\\ No newline at end of file\n", 1,
		},
		"one line": {
			"a\nb\nc\n", "a\nB\nc\n", " 1 a\n-2 b\n+2 B\n 3 c",
			"--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", 2,
		},
		"emptied": {
			"a\n", "", "-1 a",
			"--- f\n+++ f\n@@ -1,1 +0,0 @@\n-a\n", 1,
		},
		"far apart": {
			strings.Repeat("x\n", 12) + "end\n", "new\n" + strings.Repeat("x\n", 12) + "END\n",
			"+ 1 new\n  1 x\n  2 x\n  3 x\n  4 x\n    ...\n  9 x\n 10 x\n 11 x\n 12 x\n-13 end\n+14 END",
			"--- f\n+++ f\n@@ -1,4 +1,5 @@\n+new\n x\n x\n x\n x\n@@ -9,5 +10,5 @@\n x\n x\n x\n x\n-end\n+END\n", 1,
		},
		"same": {"a", "a", "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compare("f", c.old, c.new)
			if got.Diff != c.diff || got.Patch != c.patch || got.FirstChangedLine != c.first {
				t.Errorf("diff:\n%s\npatch:\n%s\nfirst %d", got.Diff, got.Patch, got.FirstChangedLine)
			}
		})
	}
}

// The script must lead from the old text to the new one, whatever they are.
func TestScriptLeadsFromOldToNew(t *testing.T) {
	line := rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n", "dd\n"})
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(line, 0, 40).Draw(t, "a")
		b := rapid.SliceOfN(line, 0, 40).Draw(t, "b")
		var olds, news []string
		for _, o := range compare(a, b) {
			if o.kind != '+' {
				if olds = append(olds, o.text); o.old != len(olds) {
					t.Fatalf("old line %d is numbered %d", len(olds), o.old)
				}
			}
			if o.kind != '-' {
				if news = append(news, o.text); o.new != len(news) {
					t.Fatalf("new line %d is numbered %d", len(news), o.new)
				}
			}
		}
		if strings.Join(olds, "") != strings.Join(a, "") || strings.Join(news, "") != strings.Join(b, "") {
			t.Fatalf("script %q %q for %q %q", olds, news, a, b)
		}
	})
}

func TestHugeDifferencesStayCheap(t *testing.T) {
	old := strings.Repeat("a\nb\nc\n", 100_000)
	got := Compare("f", old, strings.Repeat("c\nb\n", 100_000))
	if len(got.Diff) > maxText+1024 || len(got.Patch) > maxText+1024 || got.FirstChangedLine != 1 {
		t.Errorf("diff %d, patch %d bytes, first %d", len(got.Diff), len(got.Patch), got.FirstChangedLine)
	}
}
