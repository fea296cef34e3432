package ls_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool/ls"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

func TestPagesShowEveryNameOnce(t *testing.T) {
	w := tooltest.New(t, ls.Tool{})
	var want []string
	for i := range 57 {
		name := fmt.Sprintf("f%02d", i)
		if i%5 == 0 {
			w.Put(t, name+"/x", "")
			name += "/"
		} else {
			w.Put(t, name, "")
		}
		want = append(want, name)
	}
	w.Put(t, "line\nbreak \"quoted\" <tag>", "")
	want = append(want, "line\nbreak \"quoted\" <tag>")
	var got []string
	after := ""
	for range 20 {
		res, err := w.Call(context.Background(), "ls", map[string]any{"limit": 10, "after": after})
		if err != nil {
			t.Fatal(err)
		}
		d := res.Details.(ls.Details)
		for line := range strings.SplitSeq(d.Content, "\n") {
			var name string
			if err := json.Unmarshal([]byte(line), &name); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, name)
		}
		if d.Continuation == nil {
			break
		}
		after = d.Continuation.After
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestEmpty(t *testing.T) {
	w := tooltest.New(t, ls.Tool{})
	if res, err := w.Call(context.Background(), "ls", `{}`); err != nil || res.Content[0].Text != "(empty directory)" {
		t.Errorf("%+v %v", res, err)
	}
	for _, bad := range []string{`{"limit":0}`, `{"limit":-1}`, `{"path":"/"}`, `{"path":".."}`} {
		if _, err := w.Call(context.Background(), "ls", bad); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
