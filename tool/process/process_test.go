package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/tool/exec"
	"github.com/chitin-sh/chitin/tool/process"
	"github.com/chitin-sh/chitin/tool/procs"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	*tooltest.World
	t *testing.T
}

func newWorld(t *testing.T) world {
	table := procs.NewTable(procs.Limits{})
	w := tooltest.New(t, exec.New(exec.Options{Procs: table}), process.New(table))
	t.Cleanup(func() {
		if err := table.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return world{w, t}
}

// start runs a command in the background and returns its name.
func (w world) start(command string, pty bool) string {
	w.t.Helper()
	res, err := w.Call(context.Background(), "exec", map[string]any{"command": command, "pty": pty, "background": true})
	if err != nil {
		w.t.Fatal(err)
	}
	return res.Details.(exec.Running).SessionID
}

// do calls process and returns the text and the details as JSON.
func (w world) do(args map[string]any) (string, map[string]any) {
	w.t.Helper()
	res, err := w.Call(context.Background(), "process", args)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := json.Marshal(res.Details)
	if err != nil {
		w.t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(b, &d); err != nil {
		w.t.Fatal(err)
	}
	return res.Content[0].Text, d
}

// until polls until the whole output holds want.
func (w world) until(id, want string) map[string]any {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		_, d := w.do(map[string]any{"action": "poll", "sessionId": id, "timeout": 500})
		if strings.Contains(fmt.Sprint(d["aggregated"]), want) {
			return d
		}
		if d["status"] != "running" {
			break
		}
	}
	text, _ := w.do(map[string]any{"action": "log", "sessionId": id})
	w.t.Fatalf("%q never came: %q", want, text)
	return nil
}

func TestTerminalConversation(t *testing.T) {
	w := newWorld(t)
	id := w.start("echo ready; while read line; do echo \"<$line>\"; done; echo over", true)
	w.until(id, "ready")
	for _, step := range []struct {
		args map[string]any
		text string
		want string
	}{
		{map[string]any{"action": "write", "data": "one\r"}, "Wrote 4 bytes to session " + id + ".", "<one>"},
		{map[string]any{"action": "submit", "data": "two"}, "Submitted session " + id + " (sent CR).", "<two>"},
		{map[string]any{"action": "send-keys", "literal": "thx", "keys": []string{"BSpace", "r", "Enter"}}, "Sent 6 bytes to session " + id + ".", "<thr>"},
		{map[string]any{"action": "send-keys", "hex": []string{"66", "0x0d"}}, "Sent 2 bytes to session " + id + ".", "<f>"},
		{map[string]any{"action": "paste", "text": "pasted", "bracketed": false}, "Pasted 6 chars to session " + id + ".", "pasted"},
		{map[string]any{"action": "send-keys", "keys": []string{"Enter", "C-d"}}, "Sent 2 bytes to session " + id + ".", "over"},
	} {
		step.args["sessionId"] = id
		if text, d := w.do(step.args); text != step.text || d["status"] != "running" {
			t.Fatalf("%v: %q %v", step.args, text, d)
		}
		w.until(id, step.want)
	}
	for {
		_, d := w.do(map[string]any{"action": "poll", "sessionId": id, "timeout": 5000})
		if d["status"] != "running" {
			if d["status"] != "completed" || d["exitCode"] != 0.0 {
				t.Errorf("end: %v", d)
			}
			break
		}
	}
}

func TestLogWindows(t *testing.T) {
	w := newWorld(t)
	id := w.start("seq 1 500", false)
	w.until(id, "\n500\n")
	for _, c := range []struct {
		offset, limit any
		first, last   string
		lines         int
	}{
		{nil, nil, "301", "500", 200},
		{0, nil, "1", "500", 500},
		{10, 5, "11", "15", 5},
		{nil, 3, "498", "500", 3},
		{499, 10, "500", "500", 1},
		{900, 10, "", "", 1},
	} {
		args := map[string]any{"action": "log", "sessionId": id}
		if c.offset != nil {
			args["offset"] = c.offset
		}
		if c.limit != nil {
			args["limit"] = c.limit
		}
		_, d := w.do(args)
		lines := strings.Split(fmt.Sprint(d["output"]), "\n")
		if len(lines) != c.lines || lines[0] != c.first || lines[len(lines)-1] != c.last || d["totalLines"] != 500.0 {
			t.Errorf("offset %v limit %v: %d lines %q…%q of %v", c.offset, c.limit, len(lines), lines[0], lines[len(lines)-1], d["totalLines"])
		}
	}
}

func TestKillAndRemoveEndTheGroup(t *testing.T) {
	w := newWorld(t)
	id := w.start("sleep 60 & sleep 60 & wait", false)
	if text, _ := w.do(map[string]any{"action": "kill", "sessionId": id}); text != "Termination requested for session "+id+"." {
		t.Error(text)
	}
	_, d := w.do(map[string]any{"action": "poll", "sessionId": id, "timeout": 5000})
	if d["status"] != "failed" || d["exitSignal"] != "SIGKILL" {
		t.Errorf("after kill: %v", d)
	}
	if text, d := w.do(map[string]any{"action": "kill", "sessionId": id}); d["status"] != "failed" {
		t.Errorf("second kill: %q", text)
	}
	if text, _ := w.do(map[string]any{"action": "remove", "sessionId": id}); text != "Removed session "+id+"." {
		t.Error(text)
	}
	id = w.start("sleep 60", false)
	if text, _ := w.do(map[string]any{"action": "remove", "sessionId": id}); text != "Removed session "+id+" (termination requested)." {
		t.Error(text)
	}
	if _, d := w.do(map[string]any{"action": "list"}); len(d["sessions"].([]any)) != 0 {
		t.Errorf("left: %v", d)
	}
}

func TestOtherSessionsAreInvisible(t *testing.T) {
	w := newWorld(t)
	id := w.start("sleep 60", false)
	for _, change := range []func(){
		func() { w.Session.Tenant = "colleague" },
		func() { w.Session.Tenant = "default"; w.Session.Key = "agent:main:other" },
	} {
		change()
		for _, action := range []string{"poll", "log", "write", "kill", "clear", "remove"} {
			if text, d := w.do(map[string]any{"action": action, "sessionId": id, "data": "x"}); d["status"] != "failed" || text != "No session found for "+id {
				t.Errorf("%s from another session: %q", action, text)
			}
		}
		if _, d := w.do(map[string]any{"action": "list"}); len(d["sessions"].([]any)) != 0 {
			t.Error("another session lists it")
		}
	}
}
