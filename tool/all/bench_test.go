package all_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool/all"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

// Every tool is listed once, has a schema that compiles and text about itself.
func TestEveryToolIsComplete(t *testing.T) {
	w := tooltest.New(t, all.Tools(all.Deps{})...)
	for _, name := range w.Tools.Names() {
		tl, _ := w.Tools.Get(name)
		s := tl.Spec()
		if s.Title == "" || len(s.Description) < 20 {
			t.Errorf("%s says too little about itself", name)
		}
		if err := w.Tools.Validate(name, []byte(`[]`)); err == nil || err.Error() != "Arguments must be a JSON object." {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.Tools.Names()); n != 12 {
		t.Errorf("%d tools", n)
	}
}

func BenchmarkTools(b *testing.B) {
	w := tooltest.New(b, all.Tools(all.Deps{})...)
	text := strings.Repeat("0123456789abcde\n", 256)
	w.Put(b, "file", text)
	for name, args := range map[string]func(i int) any{
		"read 4 KiB":  func(int) any { return `{"path":"file"}` },
		"write 4 KiB": func(i int) any { return map[string]any{"path": "w", "content": fmt.Sprint(i) + text} },
		"ls":          func(int) any { return `{}` },
		"exec true":   func(int) any { return `{"command":"true"}` },
	} {
		b.Run(name, func(b *testing.B) {
			tl, _, _ := strings.Cut(name, " ")
			i := 0
			for b.Loop() {
				i++
				if _, err := w.Call(context.Background(), tl, args(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
