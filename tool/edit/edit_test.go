package edit_test

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/tool/edit"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

func TestReplace(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		edits [][2]string
		want  string
		err   string
	}{
		"one":           {"a b c", [][2]string{{"b", "B"}}, "a B c", ""},
		"any order":     {"a b c", [][2]string{{"c", "3"}, {"a", "1"}}, "1 b 3", ""},
		"to nothing":    {"a b c", [][2]string{{" b", ""}}, "a c", ""},
		"new holds old": {"ab", [][2]string{{"a", "b"}, {"b", "a"}}, "ba", ""},
		"crlf kept":     {"a\r\nb\r\nc\r\n", [][2]string{{"a\nb\n", "x\ny\nz\n"}}, "x\r\ny\r\nz\r\nc\r\n", ""},
		"exact crlf":    {"a\r\nb", [][2]string{{"\r\n", "\n"}}, "a\nb", ""},
		"missing":       {"a", [][2]string{{"b", "c"}}, "", "Could not find the exact text in f"},
		"twice":         {"a a", [][2]string{{"a", "b"}}, "", "Found 2 occurrences"},
		"overlap":       {"abcd", [][2]string{{"abc", "x"}, {"cd", "y"}}, "", "edits[1] overlaps another edit"},
		"same twice":    {"ab", [][2]string{{"a", "x"}, {"a", "y"}}, "", "edits[1] overlaps"},
		"no change":     {"ab", [][2]string{{"a", "a"}}, "", "No changes made to f"},
	} {
		got, err := edit.Replace("f", c.text, c.edits)
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An edit and its reverse give the file back.
func TestReverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c\n]{1,4}`)
		text := strings.Join(rapid.SliceOfN(word, 1, 12).Draw(t, "text"), "")
		old, repl := word.Draw(t, "old"), rapid.StringMatching(`[X-Z]{1,4}`).Draw(t, "new")
		got, err := edit.Replace("f", text, [][2]string{{old, repl}})
		if n := strings.Count(text, old); (err == nil) != (n == 1) {
			t.Fatalf("%d occurrences of %q in %q: %v", n, old, text, err)
		}
		if err != nil {
			return
		}
		if back, err := edit.Replace("f", got, [][2]string{{repl, old}}); err != nil || back != text {
			t.Fatalf("%q became %q and then %q, %v", text, got, back, err)
		}
	})
}

func TestErrorsDoNotEchoHugeFiles(t *testing.T) {
	w := tooltest.New(t, edit.Tool{})
	w.Put(t, "big", strings.Repeat("line of text\n", 100_000))
	_, err := w.Call(context.Background(), "edit", `{"path":"big","edits":[{"oldText":"absent","newText":"x"}]}`)
	if err == nil || len(err.Error()) > 20_000 || !strings.HasSuffix(err.Error(), "more bytes)") {
		t.Errorf("%d bytes of error", len(err.Error()))
	}
	if _, err := w.Call(context.Background(), "edit", `{"path":"big","edits":[{"oldText":"x"}]}`); err == nil || !strings.Contains(err.Error(), "newText") {
		t.Errorf("newText missing: %v", err)
	}
}
