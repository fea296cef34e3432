package read

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/tool"
)

// Following the continuations to the end must give the whole file, whatever
// it holds and wherever it is cut.
func TestContinuationsGiveTheWholeFile(t *testing.T) {
	line := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(rapid.SampledFrom([]string{"x", "é", "長", "\U0001f980", " "}).Draw(t, "char"), rapid.SampledFrom([]int{0, 1, 7, 500, 20_000, 40_000}).Draw(t, "width"))
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(line, 1, 12).Draw(t, "lines"), "\n")
		var a args
		if rapid.Bool().Draw(t, "limited") {
			limit := float64(rapid.IntRange(1, 5).Draw(t, "limit"))
			a.Limit = &limit
		}
		var got strings.Builder
		for range 200 {
			var res tool.Result
			if a.Cursor != nil {
				res = fromCursor(text, int(*a.Cursor))
			} else {
				res = fromLine(a, text)
			}
			if !utf8.ValidString(res.Content[0].Text) || len(res.Content[0].Text) > maxBytes+200 {
				t.Fatalf("answer of %d bytes", len(res.Content[0].Text))
			}
			switch d := res.Details.(type) {
			case Whole:
				got.WriteString(d.Content)
				if got.String() != text {
					t.Fatalf("got %d bytes of %d", got.Len(), len(text))
				}
				return
			case Part:
				got.WriteString(d.Content)
				if d.Truncation.OutputBytes != len(d.Content) {
					t.Fatalf("%d output bytes, %d in content", d.Truncation.OutputBytes, len(d.Content))
				}
				if d.Continuation.Kind == "line" {
					got.WriteByte('\n')
					next := int64(d.Continuation.Offset)
					a.Offset, a.Cursor = &next, nil
					continue
				}
				next := int64(d.Continuation.Cursor)
				a.Cursor = &next
			}
		}
		t.Fatal("the continuations never end")
	})
}

func TestNotes(t *testing.T) {
	many := strings.Repeat("line\n", 3000)
	wide := strings.Repeat("0123456789abcdef\n", 4000)
	long := "short\n" + strings.Repeat("y", 50_000) + "\nend\n"
	at := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		res  tool.Result
		note string
		next Continuation
	}{
		"lines":  {fromLine(args{}, many), "[1000 more lines in file. Use offset=2001 to continue.]", Continuation{Kind: "line", Offset: 2001}},
		"bytes":  {fromLine(args{}, wide), "[Showing lines 1-1927 of 4000 (32KB limit). Use offset=1928 to continue.]", Continuation{Kind: "line", Offset: 1928}},
		"long":   {fromLine(args{Offset: at(2)}, long), "[Line 2 is longer than 32KB. Use cursor=32774 to continue.]", Continuation{Kind: "cursor", Cursor: 32774}},
		"cursor": {fromCursor(long, 100), "[17143 more bytes in file. Use cursor=32868 to continue.]", Continuation{Kind: "cursor", Cursor: 32868}},
	} {
		d, ok := c.res.Details.(Part)
		if !ok || !strings.HasSuffix(c.res.Content[0].Text, "\n\n"+c.note) || d.Continuation != c.next {
			t.Errorf("%s: %+v %q", name, d.Continuation, c.res.Content[0].Text[max(0, len(c.res.Content[0].Text)-120):])
		}
	}
	for name, c := range map[string]struct {
		res  tool.Result
		text string
	}{
		"behind the cursor": {fromCursor("abc", 9), "Cursor 9 is beyond end of file (3 bytes total). Retry with cursor <= 3."},
		"empty":             {fromLine(args{}, ""), ""},
		"empty, line 2":     {fromLine(args{Offset: at(2)}, ""), "Offset 2 is beyond end of file (0 lines total). Retry with offset <= 1."},
	} {
		if got := c.res.Content[0].Text; got != c.text {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func ExampleTool_limits() {
	fmt.Println(Tool{}.Spec().Name, maxLines, maxBytes)
	// Output: read 2000 32768
}
