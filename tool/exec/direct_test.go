package exec_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	chitinexec "github.com/chitin-sh/chitin/tool/exec"
)

// Whether a command goes through a shell cannot be told from its result.
func TestPlainCommandsAreWhatAShellMakesOfThem(t *testing.T) {
	w := newWorld(t, chitinexec.Options{})
	for name, text := range map[string]string{"script": "echo no interpreter; exit 3\n", "data": "x\n", "odd=name": "echo odd\n"} {
		mode := os.FileMode(0o700)
		if name == "data" {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(w.Dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{
		"true", "false", "true --help", "  true  ", "uname -s", "/bin/ls -a", "ls data script", "cat data data",
		"./script", "./data", "./none", "none", "none a b", "/", "data/x", "ls none",
		"echo -e a", "echo a=b", "printf %s+ a b", "test a = a", "test -d data", "pwd", "cd /", "exit 4", "A=b", "A=b ls",
		"./odd=name", ". ./script", ":", "-x", "basename /a/b.c .c", "expr 1 + 1", "type ls", "kill -0 1x",
		"umask", "seq 3", "wc -c data", "head -c 1 data", "sh -c false", "sleep 0", "if", "done", "time", "ls \t data",
	} {
		res, err := w.Call(context.Background(), "exec", map[string]any{"command": command})
		if err != nil {
			t.Errorf("%q: %v", command, err)
			continue
		}
		raw, err := json.Marshal(res.Details)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			ExitCode *int `json:"exitCode"`
		}
		if err := json.Unmarshal(raw, &d); err != nil || d.ExitCode == nil {
			t.Errorf("%q: %s %v", command, raw, err)
			continue
		}
		sh := exec.Command("/bin/sh", "-c", command)
		sh.Dir = w.Dir
		sh.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "CHITIN_SHELL=exec", "OPENCLAW_SHELL=exec"}
		out, _ := sh.CombinedOutput()
		text, _, _ := strings.Cut(res.Content[0].Text, "(Command exited")
		if text = strings.TrimSpace(text); text == "(no output)" {
			text = ""
		}
		if *d.ExitCode != sh.ProcessState.ExitCode() || text != strings.TrimSpace(string(out)) {
			t.Errorf("%q: %d %q, a shell says %d %q", command, *d.ExitCode, text, sh.ProcessState.ExitCode(), out)
		}
	}
}
