package all_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/all"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

// sample is one recorded call with what must come back. Numbers that time or
// chance decide are compared by kind only.
type sample struct {
	Tool   string          `json:"tool"`
	Label  string          `json:"label"`
	Args   json.RawMessage `json:"args"`
	Result *struct {
		Content []struct{ Type, Text string } `json:"content"`
		Details any                           `json:"details"`
	} `json:"result"`
	Error *struct{ Message, Code string } `json:"error"`
}

var record = flag.Bool("record", false, "rewrite testdata/replay.json with what the tools answer now")

// TestReplay runs recorded calls in order through one session. REPLAY_FILE
// names a further recording in the same form.
func TestReplay(t *testing.T) {
	files := []string{"testdata/replay.json"}
	if more := os.Getenv("REPLAY_FILE"); more != "" {
		files = append(files, more)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var samples []sample
		if err := json.Unmarshal(data, &samples); err != nil {
			t.Fatal(err)
		}
		if *record && name == files[0] {
			recordAnswers(t, name, samples)
			continue
		}
		r := &replay{World: tooltest.New(t, all.Tools(all.Deps{})...), words: map[string]string{}}
		for i, s := range samples {
			t.Run(fmt.Sprintf("%d %s %s", i, s.Tool, s.Label), func(t *testing.T) { r.check(t, s) })
		}
	}
}

type replay struct {
	*tooltest.World
	words map[string]string // recorded process name → ours
}

func (r *replay) check(t *testing.T, s sample) {
	name, ok := r.Tools.Canonical(s.Tool)
	if !ok {
		t.Logf("no such tool here: %s", s.Tool)
		return
	}
	args := r.local(string(s.Args))
	res, err := r.Call(context.Background(), name, args)
	if s.Error != nil {
		r.checkError(t, s, err)
		return
	}
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	got := r.plain(t, res)
	want := s.Result.Details
	if m, ok := want.(map[string]any); ok && m["sessionId"] != nil && m["status"] == "running" {
		if g, ok := got.Details.(map[string]any); ok {
			r.words[fmt.Sprint(m["sessionId"])] = fmt.Sprint(g["sessionId"])
		}
	}
	if diff := r.compare("details", got.Details, want); diff != "" {
		t.Errorf("%s\n got %v\nwant %v", diff, got.Details, want)
	}
	for i, c := range s.Result.Content {
		if i >= len(got.Content) {
			t.Fatalf("content %d is missing", i)
		}
		if g, w := steady(got.Content[i].Text), steady(r.local(c.Text)); g != w {
			t.Errorf("text\n got %q\nwant %q", g, w)
		}
	}
}

func (r *replay) checkError(t *testing.T, s sample, err error) {
	if err == nil {
		t.Fatalf("no error, want %q", s.Error.Message)
	}
	e := tool.AsError(err)
	if g, w := e.Public, r.local(s.Error.Message); g != w {
		t.Errorf("error\n got %q\nwant %q", g, w)
	}
	if s.Error.Code != "" && e.Code != s.Error.Code {
		t.Errorf("code %q, want %q", e.Code, s.Error.Code)
	}
}

// recordAnswers runs the calls and stores the answers for a human to review.
func recordAnswers(t *testing.T, name string, samples []sample) {
	r := &replay{World: tooltest.New(t, all.Tools(all.Deps{})...), words: map[string]string{}}
	var out []map[string]any
	for _, s := range samples {
		row := map[string]any{"tool": s.Tool, "label": s.Label, "args": s.Args}
		tn, _ := r.Tools.Canonical(s.Tool)
		res, err := r.Call(context.Background(), tn, r.local(string(s.Args)))
		if err != nil {
			e := tool.AsError(err)
			row["error"] = map[string]string{"message": r.foreign(e.Public), "code": e.Code}
		} else {
			got := r.plain(t, res)
			if m, ok := got.Details.(map[string]any); ok && m["status"] == "running" && s.Tool == "exec" {
				r.words["quiet-harbor"] = fmt.Sprint(m["sessionId"])
			}
			row["result"] = map[string]any{"content": got.Content, "details": got.Details}
		}
		out = append(out, row)
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err == nil {
		err = os.WriteFile(name, []byte(r.foreign(string(data))+"\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// foreign is the reverse of local.
func (r *replay) foreign(s string) string {
	for from, to := range r.words {
		s = strings.ReplaceAll(s, to, from)
	}
	return strings.ReplaceAll(s, "/workspace", "@WORKSPACE@")
}

// local puts this run's names in the place of recorded ones.
func (r *replay) local(s string) string {
	s = strings.ReplaceAll(s, "@WORKSPACE@", "/workspace")
	for from, to := range r.words {
		s = strings.ReplaceAll(s, from, to)
	}
	return s
}

type plainResult struct {
	Content []tool.Block
	Details any
}

// plain is a result as a client sees it, without the host's path.
func (r *replay) plain(t *testing.T, res tool.Result) plainResult {
	b, err := json.Marshal(res.Details)
	if err != nil {
		t.Fatal(err)
	}
	out := plainResult{Content: res.Content}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(b), r.Dir, "/workspace")), &out.Details); err != nil {
		t.Fatal(err)
	}
	for i := range out.Content {
		out.Content[i].Text = strings.ReplaceAll(out.Content[i].Text, r.Dir, "/workspace")
	}
	return out
}

// steady replaces every run of digits: times and process ids.
func steady(s string) string {
	var b strings.Builder
	in := false
	for _, c := range s {
		digit := c >= '0' && c <= '9'
		if digit && !in {
			b.WriteByte('#')
		}
		if in = digit; !digit {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func volatile(key string) bool {
	switch key {
	case "durationMs", "pid", "startedAt", "runtimeMs", "idleMs", "lastOutputAt", "tail":
		return true
	}
	return false
}

// compare returns the first difference that matters.
func (r *replay) compare(at string, got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: %T instead of an object", at, got)
		}
		for k, v := range w {
			if _, ok := g[k]; !ok {
				return at + "." + k + " is missing"
			}
			if volatile(k) {
				v = g[k]
			}
			if d := r.compare(at+"."+k, g[k], v); d != "" {
				return d
			}
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				return at + "." + k + " is new"
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %v instead of %d elements", at, got, len(w))
		}
		for i := range w {
			if d := r.compare(fmt.Sprintf("%s[%d]", at, i), g[i], w[i]); d != "" {
				return d
			}
		}
	case string:
		if g, ok := got.(string); !ok || steady(g) != steady(r.local(w)) {
			return fmt.Sprintf("%s: %q instead of %q", at, got, r.local(w))
		}
	case float64:
		g, ok := got.(float64)
		if !ok || math.Abs(g-w) > 1e-9 {
			return fmt.Sprintf("%s: %v instead of %v", at, got, want)
		}
	default:
		if !reflect.DeepEqual(got, want) {
			return fmt.Sprintf("%s: %v instead of %v", at, got, want)
		}
	}
	return ""
}
