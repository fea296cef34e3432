//go:build linux

package gvisor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded/embeddedtest"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

func backend(t testing.TB) *Backend {
	t.Helper()
	b := New(Options{StateDir: t.TempDir(), Program: embeddedtest.Program, Runsc: embeddedtest.Runsc(t)})
	if st := b.Status(context.Background()); !st.Available {
		t.Fatalf("not available: %s", st.Reason)
	}
	return b
}

func TestConformance(t *testing.T) {
	sandboxtest.Suite{New: func(t testing.TB, state string) sandbox.Backend {
		return New(Options{StateDir: state, Program: embeddedtest.Program, Runsc: embeddedtest.Runsc(t)})
	}}.Run(t)
}

// A stock runsc would leave out what the proof asks for, so it is not used.
func TestForeignRunscIsRefused(t *testing.T) {
	p := filepath.Join(t.TempDir(), "runsc")
	if err := os.WriteFile(p, []byte("#!/bin/sh\necho runsc version release-20230101.0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := New(Options{StateDir: t.TempDir(), Program: embeddedtest.Program, Runsc: p})
	if st := b.Status(context.Background()); st.Available || !strings.Contains(st.Reason, "make runsc") {
		t.Errorf("%+v", st)
	}
}

func TestUnprivileged(t *testing.T) {
	embeddedtest.AsNobody(t, "^TestKernelIsNotTheHosts$", map[string]string{"CHITIN_RUNSC": embeddedtest.Runsc(t)})
}

// The kernel that answers must be gVisor's, not the host's.
func TestKernelIsNotTheHosts(t *testing.T) {
	b := backend(t)
	box := embeddedtest.Create(t, b, embeddedtest.Request(t, b, "kernel", "none"))
	inside, _ := embeddedtest.Run(t, box, "cat /proc/version; uname -r")
	host, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(inside, strings.TrimSpace(string(host))) || !strings.Contains(inside, "gvisor") {
		t.Errorf("inside: %q", inside)
	}
	if i := box.Info(); i.Tier != string(sandbox.TierGVisor) || i.Backend != Name {
		t.Errorf("%+v", i)
	}
}

func TestOrphansLeaveNoZombie(t *testing.T) {
	b := backend(t)
	box := embeddedtest.Create(t, b, embeddedtest.Request(t, b, "orphans", "none"))
	out, x := embeddedtest.Run(t, box, `i=0; while [ $i -lt 1000 ]; do (true &) ; i=$((i+1)); done; for n in 1 2 3 4 5 6 7 8; do sleep 0.5; grep -ql '^State:.Z' /proc/[0-9]*/status || exit 0; done; grep -l '^State:.Z' /proc/[0-9]*/status; true`)
	if x.Code != 0 || strings.Contains(out, "/proc/") {
		t.Errorf("zombies after 1000 orphans: %q %+v", out, x)
	}
}

func TestFindRunsc(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"plain": 0o644, "everybody": 0o777, "good": 0o755} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		if got, err := find(p); (err == nil) != (name == "good") {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for _, p := range []string{"runsc", "./runsc", filepath.Join(dir, "absent"), dir} {
		if got, err := find(p); err == nil {
			t.Errorf("%q accepted as %q", p, got)
		}
	}
}

func TestWithoutRunsc(t *testing.T) {
	b := New(Options{StateDir: t.TempDir(), Program: embeddedtest.Program, Runsc: "/nonexistent/runsc"})
	if st := b.Status(context.Background()); st.Available || st.Reason == "" {
		t.Errorf("%+v", st)
	}
	if _, err := b.Create(context.Background(), embeddedtest.Request(t, b, "x", "none")); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// What runsc is told must hold back everything, whatever the spec.
func TestBundle(t *testing.T) {
	b := New(Options{StateDir: t.TempDir(), Program: embeddedtest.Program})
	r := embeddedtest.Request(t, b, "bundle", "ro")
	bp, _, err := draw(r.Spec, "/sup", "/opt/runsc", "nonce", nil)
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	for _, f := range bp.View.Files {
		if f.Path == bundleDir+"/config.json" {
			if err := json.Unmarshal([]byte(f.Content), &spec); err != nil {
				t.Fatal(err)
			}
		}
	}
	if spec.Process == nil || !spec.Process.NoNewPrivileges || spec.Process.User.UID == 0 || len(spec.Process.Capabilities.Bounding) != 0 {
		t.Errorf("process: %+v", spec.Process)
	}
	if !spec.Root.Readonly || spec.Linux.Seccomp == nil || spec.Linux.Seccomp.DefaultAction != specs.ActErrno {
		t.Errorf("root %+v", spec.Root)
	}
	for _, m := range spec.Mounts {
		if m.Destination == sandbox.Workdir && !slices.Contains(m.Options, "ro") {
			t.Errorf("the workspace is %v", m.Options)
		}
	}
	for _, want := range []string{"--network=none", "--host-uds=none", "--host-fifo=none", "--overlay2=none", "--oci-seccomp"} {
		if !slices.Contains(bp.Run.Argv, want) {
			t.Errorf("%s is missing", want)
		}
	}
}
