package exec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/exec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func script(t *testing.T, body string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "resolver")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProtocol(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		lenient    bool
		value      string
		code       string
		ids        []string
	}{
		{"value", `cat >/dev/null; echo '{"protocolVersion":1,"values":{"a":"hush"}}'`, false, "hush", "", nil},
		{"request reaches it", `read -r line; case "$line" in *'"protocolVersion":1,"provider":"p","ids":["a"]'*) echo '{"protocolVersion":1,"values":{"a":"seen"}}';; esac`, false, "seen", "", nil},
		{"not found", `echo '{"protocolVersion":1,"values":{},"errors":{"a":{"code":"NOT_FOUND"}}}'`, false, "", secrets.CodeNotFound, nil},
		{"ambiguous", `echo '{"protocolVersion":1,"errors":{"a":{"code":"AMBIGUOUS_DUPLICATE_KEY"}},"values":{}}'`, false, "", secrets.CodeNotFound, nil},
		{"other error", `echo '{"protocolVersion":1,"values":{"a":"v"},"errors":{"a":{"code":"hunter2secret","message":"hunter2secret"}}}'`, false, "", secrets.CodeProviderError, nil},
		{"no answer", `echo '{"protocolVersion":1,"values":{"b":"hunter2secret"}}'`, false, "", secrets.CodeNotFound, nil},
		{"wrong type", `echo '{"protocolVersion":1,"values":{"a":{"x":"hunter2secret"}}}'`, false, "", secrets.CodeContract, nil},
		{"wrong version", `echo '{"protocolVersion":2,"values":{"a":"hunter2secret"}}'`, false, "", secrets.CodeContract, nil},
		{"not JSON", `echo hunter2secret`, false, "", secrets.CodeContract, nil},
		{"not JSON, lenient", `echo hush`, true, "hush", "", nil},
		{"not JSON, lenient, two ids", `echo hunter2secret`, true, "", secrets.CodeContract, []string{"a", "b"}},
		{"exit code", `echo hunter2secret >&2; exit 7`, false, "", secrets.CodeProviderError, nil},
		{"empty", `echo '{"protocolVersion":1,"values":{"a":" "}}'`, false, "", secrets.CodeNotFound, nil},
		{"does not read its input", `exec 0<&-; echo '{"protocolVersion":1,"values":{"a":"hush"}}'`, false, "hush", "", nil},
		{"too much", `head -c 300000 /dev/zero`, false, "", secrets.CodeContract, nil},
		{"slow", `sleep 30`, false, "", secrets.CodeProviderError, nil},
		{"slow child", `sleep 30 & wait`, false, "", secrets.CodeProviderError, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ids := tc.ids
			if ids == nil {
				ids = []string{"a"}
			}
			p := &exec.Provider{Name: "p", Command: script(t, tc.body), Env: []string{"PATH=/usr/bin:/bin"}, Timeout: 4 * time.Second, Idle: time.Second, MaxOutput: 64 << 10, Lenient: tc.lenient}
			r := p.Resolve(t.Context(), ids)["a"]
			code, text := "", ""
			if r.Err != nil {
				code, text = r.Err.Code, r.Err.Message+r.Err.Fix
			}
			if r.Value.Reveal() != tc.value || code != tc.code {
				t.Fatalf("got %q %s %s", r.Value.Reveal(), code, text)
			}
			if strings.Contains(text, "hunter2secret") {
				t.Fatalf("the error quotes the output: %s", text)
			}
		})
	}
}

func TestEnvironmentIsEmpty(t *testing.T) {
	t.Setenv("CHITIN_TEST_LEAK", "leak")
	p := &exec.Provider{Command: script(t, `cat >/dev/null; n=$(tr '\0' '\n' </proc/$$/environ | grep -c .); echo "{\"protocolVersion\":1,\"values\":{\"a\":\"n=$n\"}}"`), Env: []string{"ONLY=1"}}
	if r := p.Resolve(t.Context(), []string{"a"})["a"]; r.Err != nil || r.Value.Reveal() != "n=1" {
		t.Fatalf("%v %q", r.Err, r.Value.Reveal())
	}
}

func TestCommandIsChecked(t *testing.T) {
	path := script(t, `echo '{"protocolVersion":1,"values":{"a":"v"}}'`)
	p := &exec.Provider{Command: path, Trusted: []string{filepath.Dir(path)}}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		p    exec.Provider
		mode os.FileMode
		code string
	}{
		"world-writable": {exec.Provider{Command: path}, 0o777, secrets.CodePathInsecure},
		"group-writable": {exec.Provider{Command: path}, 0o770, secrets.CodePathInsecure},
		"not executable": {exec.Provider{Command: path}, 0o600, secrets.CodePathInsecure},
		"elsewhere":      {exec.Provider{Command: path, Trusted: []string{"/opt"}}, 0o700, secrets.CodeDenied},
		"nowhere":        {exec.Provider{Command: path, Trusted: []string{}}, 0o700, secrets.CodeDenied},
		"missing":        {exec.Provider{Command: path + "x"}, 0o700, secrets.CodeInvalid},
	} {
		if err := os.Chmod(path, tc.mode); err != nil {
			t.Fatal(err)
		}
		r := tc.p.Resolve(t.Context(), []string{"a"})["a"]
		if r.Err == nil || r.Err.Code != tc.code || tc.p.Check() == nil {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestManyIDsGoInBatches(t *testing.T) {
	p := &exec.Provider{Command: script(t, `sed 's/.*"ids":\[\(.*\)\].*/\1/' | tr ',' '\n' | awk 'BEGIN{printf "{\"protocolVersion\":1,\"values\":{"} {printf "%s%s:\"v\"", (NR>1?",":""), $0} END{print "}}"}'`), Env: []string{"PATH=/usr/bin:/bin"}}
	var ids []string
	for i := range 1100 {
		ids = append(ids, fmt.Sprint("id", i))
	}
	for id, r := range p.Resolve(t.Context(), ids) {
		if r.Err != nil {
			t.Fatalf("%s: %v", id, r.Err)
		}
	}
}

func FuzzOutput(f *testing.F) {
	f.Add(`{"protocolVersion":1,"values":{"a":"v"}}`)
	f.Add(`{"protocolVersion":1,"errors":{"a":{"code":"NOT_FOUND"}}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, lenient := range []bool{false, true} {
			r := exec.ParseForTest([]byte(s), []string{"a"}, lenient)["a"]
			if (r.Err == nil) == r.Value.IsZero() {
				t.Fatalf("neither value nor error, or both: %v", r.Err)
			}
		}
	})
}
