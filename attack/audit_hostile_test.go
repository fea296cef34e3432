package attack_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/securitycmd"
)

// auditOf runs the audit of an OpenClaw directory and gives its output.
func auditOf(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	home := t.TempDir()
	env := &cliutil.Env{Out: &out, Err: &out, Getenv: func(k string) string {
		return map[string]string{"HOME": home, "DOCKER_HOST": "unix:///no/such/socket"}[k]
	}}
	cmd := securitycmd.New(env)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"audit", "--openclaw", dir, "--fail-on", "never"}, args...))
	start := time.Now()
	if err := cmd.Execute(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("the audit took %v", d)
	}
	return out.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// A state directory made to hang, exhaust or mislead whoever looks at it.
func TestAuditOfAHostileDirectory(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "outside.json")
	put(t, secret, `{"stolen":"outside-content-marker"}`)
	put(t, filepath.Join(dir, "openclaw.json"), `{agents:{entries:{"../../x":{},"main":{skills:[]}}},gateway:{controlUi:{allowedOrigins:["*\u001b[2J"]}},$include:["./loop.json","`+secret+`"]}`)
	put(t, filepath.Join(dir, "loop.json"), `{$include:"./loop.json"}`)
	plug := filepath.Join(dir, "extensions", "evil\x1b]0;owned\a")
	put(t, filepath.Join(plug, "index.js"), "eval('1')\n")
	put(t, filepath.Join(plug, "package.json"), `{"openclaw":{"extensions":["../../../../etc/passwd.js","./pipe.js"]}}`)
	must(t, syscall.Mkfifo(filepath.Join(plug, "pipe.js"), 0o600))
	must(t, os.Symlink(plug, filepath.Join(plug, "again")))
	must(t, os.Symlink("..", filepath.Join(plug, "up")))
	must(t, os.Symlink("self", filepath.Join(plug, "self")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "exec-approvals.json"), 0o600))
	must(t, os.MkdirAll(filepath.Join(dir, "skills", "config"), 0o700))
	must(t, os.Symlink("/dev/zero", filepath.Join(dir, "skills", "config", "mcporter.json")))
	must(t, os.MkdirAll(filepath.Join(dir, "state"), 0o700))
	sparse, err := os.Create(filepath.Join(dir, "state", "openclaw.sqlite"))
	must(t, err)
	must(t, sparse.Truncate(4<<30))
	must(t, sparse.Close())
	must(t, os.Symlink(secret, filepath.Join(dir, ".env")))
	big, err := os.Create(filepath.Join(plug, "big.js"))
	must(t, err)
	must(t, big.Truncate(4<<30))
	must(t, big.Close())

	for _, args := range [][]string{{"--json"}, {"--json", "--deep"}, {"--deep"}, {"--deep", "--format", "sarif"}, {"--deep", "--format", "junit"}} {
		out := auditOf(t, dir, args...)
		if strings.ContainsAny(out, "\x1b\a") {
			t.Errorf("%v: a terminal escape is printed raw", args)
		}
		if strings.Contains(out, "outside-content-marker") || strings.Contains(out, "root:") {
			t.Errorf("%v: something outside was read", args)
		}
		if strings.Join(args, "") == "--json--deep" {
			for _, want := range []string{"outside the directory", "includes itself", "not a regular file", "larger than", "dynamic", "entry_escape", "mcporter_registry_inspection_incomplete"} {
				if !strings.Contains(out, want) {
					t.Errorf("the report does not say %q:\n%s", want, out)
				}
			}
		}
	}
}

// More files than anybody would read: the run ends and says what it left out.
func TestAuditOfManyFiles(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "chitin-audit-") // memory, where it can be had
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	put(t, filepath.Join(dir, "openclaw.json"), `{}`)
	for d := range 100 {
		base := filepath.Join(dir, "extensions", fmt.Sprintf("p%03d", d))
		must(t, os.MkdirAll(base, 0o700))
		for f := range 1000 {
			must(t, os.Symlink("x", filepath.Join(base, fmt.Sprintf("f%04d", f))))
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	out := auditOf(t, dir, "--json", "--deep")
	runtime.ReadMemStats(&after)
	if !strings.Contains(out, "directory entries in this run") {
		t.Error("the report does not say that entries were left out")
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
		t.Errorf("the run allocated %d MiB", grown>>20)
	}
}

// Paths that change between a file and a link while the audit reads them.
func TestAuditOfSwappedPaths(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "outside.js")
	put(t, secret, "eval('swapped-content-marker'); new Function('x')")
	put(t, filepath.Join(dir, "openclaw.json"), `{}`)
	victim := filepath.Join(dir, "extensions", "p", "index.js")
	put(t, victim, "export default 1\n")
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			_ = os.Remove(victim)
			_ = os.Symlink(secret, victim)
			_ = os.Remove(victim)
			_ = os.WriteFile(victim, []byte("export default 1\n"), 0o600)
		}
	}()
	for range 30 {
		if out := auditOf(t, dir, "--json", "--deep"); strings.Contains(out, `"plugins.code_safety"`) {
			t.Error("code behind a link was read")
			break
		}
	}
	stop.Store(true)
	<-done
}

// Deep configuration, many aliases, many keys: an answer in bounded time.
func TestAuditOfBombs(t *testing.T) {
	for name, text := range map[string]string{
		"openclaw.json": strings.Repeat(`{"gateway":`, 200_000),
		"openclaw.yml":  "a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n",
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, name), text)
		if out := auditOf(t, dir, "--json"); !strings.Contains(out, "config.invalid") {
			t.Errorf("%s: no word about it: %.400s", name, out)
		}
	}
}

// The code of a plugin is text: auditing it, also deeply, runs none of it.
func TestAuditRunsNothingOfTheSubject(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(t.TempDir(), "PWNED")
	script := "#!/bin/sh\ntouch " + marker + "\n"
	put(t, filepath.Join(dir, "openclaw.json"), `{plugins:{allow:["p"]},secrets:{providers:{x:{source:"exec",command:"`+dir+`/bin/docker"}}},gateway:{auth:{token:{source:"exec",provider:"x",id:"t"}}}}`)
	put(t, filepath.Join(dir, "extensions", "p", "package.json"), `{"openclaw":{"extensions":["./index.js"]},"scripts":{"preinstall":"touch `+marker+`"}}`)
	put(t, filepath.Join(dir, "extensions", "p", "index.js"), "require('fs').writeFileSync('"+marker+"','')")
	put(t, filepath.Join(dir, "bin", "docker"), script)
	must(t, os.Chmod(filepath.Join(dir, "bin", "docker"), 0o755))
	var out bytes.Buffer
	env := &cliutil.Env{Out: &out, Err: &out, Getenv: func(k string) string {
		return map[string]string{"HOME": dir, "PATH": filepath.Join(dir, "bin"), "DOCKER_HOST": "unix:///no/such/socket"}[k]
	}}
	cmd := securitycmd.New(env)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"audit", "--openclaw", dir, "--deep", "--json", "--fail-on", "never"})
	must(t, cmd.Execute())
	if _, err := os.Stat(marker); err == nil {
		t.Error("the audit ran something of its subject")
	}
}
