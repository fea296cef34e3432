//go:build linux

package attack

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/secrets/secretstest"
)

// lookAround prints everything that a command in a sandbox can read about
// itself and its machine.
const lookAround = `env; cat /proc/mounts /proc/self/mountinfo; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\0' '\n'
find / -xdev -type f -size -200k \( -path '/workspace*' -o -path '/tmp*' -o -path '/run*' -o -path '/home*' -o -path '/root*' -o -path '/etc*' -o -path '/dev/shm*' -o -path '/var*' -o -path '/mnt*' -o -path '/agent*' \) -exec cat {} + 2>/dev/null
echo looked; sleep 2`

// TestSandboxHoldsNoSecret runs a command in each kind of sandbox there is,
// from a process whose environment and store are full of canaries.
func TestSandboxHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	g := &canaryGateway{t: t, bin: filepath.Join(dir, "chitin"), state: filepath.Join(dir, "state"), tmp: filepath.Join(dir, "tmp"), planted: secretstest.Canaries(25)}
	if out, err := exec.Command("go", "build", "-o", g.bin, "../cmd/chitin").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, d := range []string{g.state, g.tmp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range g.planted[:5] {
		g.chitin(c.Value.Reveal(), "secrets", "set", c.Name)
	}
	environ := append(g.environ(), "CI="+os.Getenv("CI"))
	for i, name := range []string{"OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "CHITIN_STORE_PASSPHRASE", "GITHUB_TOKEN", "DB_PASSWORD"} {
		environ = append(environ, name+"="+g.planted[5+i].Value.Reveal())
	}
	for _, backend := range backends(t) {
		t.Run(backend, func(t *testing.T) {
			cmd := exec.Command(g.bin, "run", "--state", g.state, "--backend", backend, "--", "sh", "-c", lookAround)
			cmd.Env = environ
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			inspected := inspectWhile(backend, func() { _ = cmd.Wait() })
			if !strings.Contains(out.String(), "looked") {
				t.Fatalf("the command did not run:\n%.2000s", out.String())
			}
			if backend == "docker" && !strings.Contains(inspected, `"Mounts"`) {
				t.Error("no container was inspected")
			}
			for where, text := range map[string]string{"the sandbox": out.String(), "docker inspect": inspected} {
				if found := secretstest.In([]byte(text), g.planted); len(found) > 0 {
					t.Errorf("in %s: %v", where, found)
				}
			}
		})
	}
}

// backends are the kinds of sandbox that work on this machine.
func backends(t *testing.T) []string {
	t.Helper()
	out := []string{"auto"}
	if exec.Command("docker", "info").Run() == nil {
		return append(out, "docker")
	}
	if os.Getenv("CI") == "true" || os.Getenv("CHITIN_REQUIRE_DOCKER") == "1" {
		t.Fatal("there is no Docker Engine")
	}
	return out
}

// inspectWhile collects "docker inspect" of everything that runs until wait
// returns.
func inspectWhile(backend string, wait func()) string {
	done := make(chan struct{})
	go func() { wait(); close(done) }()
	var out bytes.Buffer
	for {
		select {
		case <-done:
			return out.String()
		case <-time.After(300 * time.Millisecond):
			if backend != "docker" {
				continue
			}
			if ids, err := exec.Command("docker", "ps", "-q").Output(); err == nil && len(ids) > 0 {
				text, _ := exec.Command("docker", append([]string{"inspect"}, strings.Fields(string(ids))...)...).Output()
				out.Write(text)
			}
		}
	}
}
