package content

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool"
)

func TestTools(t *testing.T) {
	reg, err := tool.NewRegistry(Tools(Deps{
		Scan: func(s string) any { return map[string]any{"flagged": strings.Contains(s, "ignore")} },
		Wrap: func(text, source, from, subject string) string {
			return strings.Join([]string{source, from, subject, text}, "|")
		},
	})...)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, args, want string }{
		{"content_scan", `{"text":"please ignore"}`, `"flagged": true`},
		{"content_scan", `{"text":"hello"}`, `"flagged": false`},
		{"content_wrap", `{"text":"hi","source":"email","from":"a@example.org"}`, "email|a@example.org||hi"},
		{"content_scan", `{"text":"` + strings.Repeat("x", MaxText+1) + `"}`, "longer than 1 MiB"},
		{"content_wrap", `{"text":1,"source":"x"}`, "must be a string"},
		{"content_wrap", `[]`, "must be a JSON object"},
		{"content_wrap", `{"text":"x"`, ""},
		{"content_scan", "\x00\x1b[2J", "must be a JSON object"},
		{"content_scan", `{"text":["x"]}`, "must be a string"},
	} {
		tl, ok := reg.Get(tc.name)
		if !ok {
			t.Fatalf("no %s", tc.name)
		}
		res, err := tl.Run(context.Background(), &tool.Call{Args: json.RawMessage(tc.args)})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = res.Content[0].Text
		}
		if strings.ContainsAny(got, "\x00\x1b") || tc.want == "" && err == nil || !strings.Contains(got, tc.want) {
			t.Errorf("%s %.40s = %.80q, want %q in it", tc.name, tc.args, got, tc.want)
		}
	}
}
