//go:build linux

package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded/embeddedtest"
	"github.com/chitin-sh/chitin/sandbox/gvisor"
	"github.com/chitin-sh/chitin/sandbox/namespace"
)

// backends makes both for a state directory.
func backends(t testing.TB, state string) map[string]sandbox.Backend {
	t.Helper()
	return map[string]sandbox.Backend{
		namespace.Name: namespace.New(namespace.Options{StateDir: state, Program: embeddedtest.Program}),
		gvisor.Name:    gvisor.New(gvisor.Options{StateDir: state, Program: embeddedtest.Program, Runsc: embeddedtest.Runsc(t)}),
	}
}

// each runs an attack in a proved box of each backend.
func each(t *testing.T, access string, attack func(t *testing.T, box sandbox.Box)) {
	for name, be := range backends(t, t.TempDir()) {
		t.Run(name, func(t *testing.T) {
			r := embeddedtest.Request(t, be, "attack", access)
			r.Prove = true
			attack(t, embeddedtest.Create(t, be, r))
		})
	}
}

// CVE-2026-24222: the host's environment was not scrubbed.
func TestHostEnvironmentStaysOutside(t *testing.T) {
	t.Setenv("CHITIN_CANARY_TOKEN", "canary-7f3a")
	each(t, "none", func(t *testing.T, box sandbox.Box) {
		out, _ := embeddedtest.Run(t, box, "env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
		if strings.Contains(out, "canary-7f3a") || !strings.Contains(out, "PATH=") {
			t.Errorf("%q", out)
		}
	})
}

// CVE-2024-21626: a descriptor of the host leaked into the container.
func TestNoInheritedDescriptor(t *testing.T) {
	each(t, "none", func(t *testing.T, box sandbox.Box) {
		out, _ := embeddedtest.Run(t, box, `for f in /proc/self/fd/*; do readlink $f; done; ls /proc/1/cwd/../ 2>&1`)
		for line := range strings.Lines(out) {
			if l := strings.TrimSpace(line); strings.HasPrefix(l, "/") && !strings.HasPrefix(l, "/proc") && !strings.HasPrefix(l, "/dev") {
				t.Errorf("inherited %s", l)
			}
		}
	})
}

// CVE-2026-65093: the workload influenced the supervisor.
func TestSupervisorIsImmutable(t *testing.T) {
	each(t, "rw", func(t *testing.T, box sandbox.Box) {
		out, _ := embeddedtest.Run(t, box, `
			(echo x > /.chitin/sup) 2>/dev/null && echo written
			mv /.chitin /.gone 2>/dev/null && echo moved
			rm -f /.chitin/sup 2>/dev/null && echo removed
			ln -sf /bin/sh /.chitin/sup 2>/dev/null && echo linked
			chmod 777 /.chitin/sup 2>/dev/null && echo chmod
			(echo x > /proc/1/mem) 2>/dev/null && echo memory
			(echo x > /proc/1/fd/1) 2>/dev/null && echo channel
			kill -9 1 2>/dev/null; kill -STOP 1 2>/dev/null; echo alive`)
		if strings.TrimSpace(out) != "alive" {
			t.Errorf("%q", out)
		}
		if out, _ := embeddedtest.Run(t, box, "echo again"); out != "again\n" {
			t.Errorf("after the attack: %q", out)
		}
	})
}

// CVE-2025-31133, GHSA-g2j6-57v7-gm8c: an image with links in the place of
// /dev/null and /proc.
func TestImageWithLinksForKernelDirectories(t *testing.T) {
	usr, err := os.Lstat("/bin")
	if err != nil || usr.Mode()&os.ModeSymlink == 0 {
		t.Log("this host's programs are not all below /usr; the image is made of them")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"proc": "tmp", "dev": "tmp", "sys": "/", "tmp": "/etc", "run": "/usr",
		"etc/passwd": "/workspace/passwd", "bin": "usr/bin"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	each(t, "none", func(t *testing.T, _ sandbox.Box) {
		be := backends(t, t.TempDir())[filepath.Base(t.Name())]
		r := embeddedtest.Request(t, be, "image", "none")
		r.Spec.Image = dir
		box := embeddedtest.Create(t, be, r)
		p, err := box.Start(t.Context(), sandbox.Cmd{Argv: []string{"/.chitin/sup", "file", "stat", "/dev/null"}, Dir: "/", Stdin: sandbox.NoStdin})
		if err != nil {
			t.Fatal(err)
		}
		if x, err := p.Wait(t.Context()); err != nil || x.Code != 0 {
			t.Errorf("/dev is not the box's own: %+v %v", x, err)
		}
		fi, err := box.Files().Stat(t.Context(), "/proc/self/status")
		if err != nil || fi.IsDir {
			t.Errorf("/proc is not the kernel's: %+v %v", fi, err)
		}
	})
}

// What one box leaves in its scratch must not be there for the next.
func TestScratchIsNotInherited(t *testing.T) {
	for name, be := range backends(t, t.TempDir()) {
		t.Run(name, func(t *testing.T) {
			first := embeddedtest.Create(t, be, embeddedtest.Request(t, be, "first", "none"))
			embeddedtest.Run(t, first, "echo secret > /tmp/left; echo secret > /dev/shm/left; echo secret > left")
			second := embeddedtest.Create(t, be, embeddedtest.Request(t, be, "second", "none"))
			if out, _ := embeddedtest.Run(t, second, "cat /tmp/left /dev/shm/left left 2>/dev/null"); out != "" {
				t.Errorf("%q", out)
			}
		})
	}
}
