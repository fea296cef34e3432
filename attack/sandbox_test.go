package attack

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/image"
)

// sandboxRow is one advisory about how a sandbox is set up. Its attack
// reports whether it got through.
type sandboxRow struct {
	id, ref string
	cwe     int
	attack  func(t *testing.T) bool
}

// accepted reports whether a configuration passes the gate and becomes a spec.
func accepted(d sandbox.DockerConfig) bool {
	_, err := sandbox.BuildSpec(sandbox.Config{Docker: d}, "docker", "", nil)
	return err == nil
}

// anyOf reports whether one of several values is accepted.
func anyOf[T any](vals []T, make func(T) sandbox.DockerConfig) bool {
	for _, v := range vals {
		if accepted(make(v)) {
			return true
		}
	}
	return false
}

func sandboxRows() []sandboxRow {
	return []sandboxRow{
		{"H1", "CVE-2026-27002 GHSA-w235-x559-36mg", 250, func(t *testing.T) bool {
			for o := range strings.FieldsSeq("privileged capAdd devices pidMode ipcMode usernsMode securityOpt volumes mounts sysctls groupAdd cgroupParent setupCommand") {
				var c sandbox.Config
				if yaml.UnmarshalWithOptions([]byte("docker: {"+o+": x}"), &c, yaml.Strict()) == nil {
					return true
				}
			}
			return false
		}},
		{"H2", "CVE-2026-27007 GHSA-xxvh-5hwj-42pp", 1254, func(t *testing.T) bool {
			a, b := sandbox.Spec{Env: []string{"A=1", "B=2"}}, sandbox.Spec{Env: []string{"B=2", "A=1"}}
			return a.Hash() == b.Hash()
		}},
		{"H3", "CVE-2026-32038", 284, func(t *testing.T) bool {
			return anyOf([]string{"container:victim", "Container:victim", "host", "HOST", "ns:/proc/1/ns/net"}, func(n string) sandbox.DockerConfig { return sandbox.DockerConfig{Network: n} })
		}},
		{"H4", "GHSA-575v-8hfq-m3mc", 22, func(t *testing.T) bool {
			return anyOf([]string{"/:/x", "/var:/x", "/var/run/..:/x", "/var/lib:/x", "/home/..:/x"}, func(b string) sandbox.DockerConfig {
				return sandbox.DockerConfig{Binds: []string{b}, DangerouslyAllowExternalBindSources: true}
			})
		}},
		{"H15", "CVE-2024-21626", 403, func(t *testing.T) bool {
			return anyOf([]string{"/proc/self/fd/8:/x", "/proc/self/cwd:/x"}, func(b string) sandbox.DockerConfig {
				return sandbox.DockerConfig{Binds: []string{b}, DangerouslyAllowExternalBindSources: true}
			})
		}},
		{"G3", "CVE-2026-27523 GHSA-m8v2-6wwh-r4gc", 22, func(t *testing.T) bool {
			ws := t.TempDir()
			if err := os.Symlink("/etc", filepath.Join(ws, "link")); err != nil {
				t.Fatal(err)
			}
			_, err := sandbox.CheckBind(ws+"/link/missing-leaf:/x", sandbox.BindRules{Roots: []string{ws}})
			return err == nil
		}},
		{"F2", "CVE-2026-43584 GHSA-vfp4-8x56-j7c5", 184, func(t *testing.T) bool {
			return anyOf(strings.Fields("LD_PRELOAD ld_preload BASH_ENV ENV NODE_OPTIONS PYTHONSTARTUP PERL5OPT GLIBC_TUNABLES"), func(k string) sandbox.DockerConfig {
				return sandbox.DockerConfig{Env: map[string]string{k: "x"}}
			})
		}},
		{"H23", "CVE-2025-66479", 276, func(t *testing.T) bool {
			s, err := sandbox.BuildSpec(sandbox.Config{}, "docker", "", nil)
			return err != nil || s.Network != "none"
		}},
	}
}

func TestSandboxSetup(t *testing.T) {
	for _, r := range sandboxRows() {
		t.Run(r.id+" "+r.ref, func(t *testing.T) {
			if r.attack(t) {
				t.Errorf("CWE-%d: the attack gets through", r.cwe)
			}
		})
	}
}

// sandboxEngine is a real engine with a state directory of its own.
func sandboxEngine(t *testing.T) *docker.Engine {
	t.Helper()
	sup := filepath.Join(t.TempDir(), "chitin-sup")
	e := docker.New(docker.Options{StateDir: t.TempDir(), Image: image.Maker{}, Labels: map[string]string{"chitin.test": "attack"},
		Supervisor: func() (string, error) {
			cmd := exec.Command("go", "build", "-trimpath", "-o", sup, "github.com/chitin-sh/chitin/cmd/chitin-sup")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			return sup, cmd.Run()
		}})
	if st := e.Status(t.Context()); !st.Available {
		if os.Getenv("CI") == "true" || os.Getenv("CHITIN_REQUIRE_DOCKER") == "1" {
			t.Fatalf("no engine answers: %s", st.Reason)
		}
		t.Skipf("no engine answers: %s", st.Reason)
	}
	return e
}

// TestSandboxInside attacks from inside a live box. A script that prints OPEN
// got through.
func TestSandboxInside(t *testing.T) {
	e := sandboxEngine(t)
	t.Setenv("CANARY_TOKEN", "canary-f11-7f3a")
	state := t.TempDir()
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{e}})
	b, err := m.BoxFor(t.Context(), sandbox.SessionRef{Agent: "main", Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Recreate("*", nil)
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, c := range append(insideCases(), []insideCase{
		{"F11", "CVE-2026-24222", `(env; tr '\0' '\n' </proc/1/environ; cat /proc/*/environ) 2>/dev/null | grep -aq canary-f11 && echo OPEN`},
		{"H8", "GHSA-mgvr-6gvw-3rgr", `perl -e 'use Socket; for my $a ("169.254.169.254","172.17.0.1","10.0.0.1","192.168.0.1"){ socket(my $s,AF_INET,SOCK_DGRAM,0) or next; print "OPEN" if connect($s,pack_sockaddr_in(80,inet_aton($a))) }'`},
		{"H9", "CVE-2026-65093", `(echo x >> /.chitin/sup || rm -f /.chitin/sup || mv /.chitin/sup /tmp/x || kill -STOP 1) 2>/dev/null; cat /proc/1/status | grep -q '^State:.*stopped' && echo OPEN; touch /.chitin/x 2>/dev/null && echo OPEN`},
		{"H9b", "supervisor memory", `(cat /proc/1/mem || cat /proc/1/maps || ls /proc/1/fd) >/dev/null 2>&1 && echo OPEN`},
		{"H15", "CVE-2024-21626", `ls -l /proc/self/fd /proc/$$/fd 2>/dev/null | grep -qE '/sys/fs/cgroup|/var/lib' && echo OPEN`},
		{"H16", "CVE-2025-31133", `for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do n=$(head -c 64 $f 2>/dev/null | wc -c); [ $n -gt 0 ] && echo OPEN; done; true`},
		{"H18", "CVE-2025-52881", `for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/self/attr/current; do (: > $f) 2>/dev/null && [ $f != /proc/self/attr/current ] && echo OPEN; done; true`},
		{"H19", "GHSA-g2j6-57v7-gm8c", `[ "$(stat -f -c %T /proc)" = proc ] || echo OPEN`},
		{"H20", "CVE-2025-9074", `for p in 2375 2376; do (exec 3<>/dev/tcp/192.168.65.7/$p) 2>/dev/null && echo OPEN; done; true`},
		{"control", "the control socket", `ls /.chitin/c/s 2>/dev/null && echo OPEN`},
	}...) {
		t.Run(c.id+" "+c.ref, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var out bytes.Buffer
			p, err := b.Start(ctx, sandbox.Cmd{Argv: []string{"bash", "-c", c.script}, Stdin: sandbox.NoStdin, Stdout: &out, Timeout: 15 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "OPEN") {
				t.Errorf("the attack gets through: %q", out.String())
			}
		})
	}
}

// TestSandboxTenants gives two tenants everything that could make them share:
// GHSA class H25, a claimed box that keeps another's state.
func TestSandboxTenants(t *testing.T) {
	e := sandboxEngine(t)
	state := t.TempDir()
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{e},
		ConfigFor: func(string) sandbox.Config { return sandbox.Config{Scope: "shared"} }})
	t.Cleanup(func() {
		m.Recreate("*", nil)
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	run := func(tenant, script string) string {
		b, err := m.BoxFor(t.Context(), sandbox.SessionRef{Agent: "main", Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		p, err := b.Start(t.Context(), sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out.String())
	}
	if got := run("a", "echo secret | tee f /tmp/f /dev/shm/f; cat f"); !strings.Contains(got, "secret") {
		t.Fatalf("%q", got)
	}
	if got := run("b", "cat f /tmp/f /dev/shm/f 2>/dev/null; ls -A"); got != "" {
		t.Errorf("tenant b sees %q", got)
	}
	if len(m.List("a")) != 1 || len(m.List("b")) != 1 || m.List("a")[0].ID == m.List("b")[0].ID {
		t.Error("tenants share")
	}
}
