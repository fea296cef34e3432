//go:build linux

package embedded

import (
	"errors"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
)

func TestUser(t *testing.T) {
	for in, ok := range map[string]bool{"64000:64000": true, "1000": true, "": false, "0:0": false, "0": false, "1000:0": false,
		"0:1000": false, "-1:5": false, "root:root": false, "99999999999:1": false, "1:2:3": false} {
		if uid, gid, err := User(in); (err == nil) != ok || ok && (uid <= 0 || gid <= 0) {
			t.Errorf("%q: %d:%d %v", in, uid, gid, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	good := func() sandbox.Spec {
		return sandbox.Spec{User: "64000:64000", Workspace: "/srv/ws", Network: "none",
			Limits: sandbox.Limits{Memory: 512 << 20, Pids: 256, NanoCPUs: 1e9}, Tmpfs: []sandbox.Tmpfs{{Path: "/tmp", Size: 1 << 20, Inodes: 100}}}
	}
	if err := Check(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sandbox.Spec){
		"root":               func(s *sandbox.Spec) { s.User = "0:0" },
		"no memory limit":    func(s *sandbox.Spec) { s.Limits.Memory = 0 },
		"no process limit":   func(s *sandbox.Spec) { s.Limits.Pids = 0 },
		"no processor limit": func(s *sandbox.Spec) { s.Limits.NanoCPUs = 0 },
		"boundless scratch":  func(s *sandbox.Spec) { s.Tmpfs[0].Size = 0 },
		"endless inodes":     func(s *sandbox.Spec) { s.Tmpfs[0].Inodes = 0 },
		"scratch over proc":  func(s *sandbox.Spec) { s.Tmpfs[0].Path = "/proc" },
		"network":            func(s *sandbox.Spec) { s.Network = "" },
		"engine network":     func(s *sandbox.Spec) { s.Network = "bridge" },
		"host etc":           func(s *sandbox.Spec) { s.Mounts = []sandbox.Mount{{Source: "/etc", Target: "/x"}} },
		"over the program":   func(s *sandbox.Spec) { s.Mounts = []sandbox.Mount{{Source: "/srv", Target: "/.chitin"}} },
		"image name":         func(s *sandbox.Spec) { s.Image = "debian" },
	} {
		s := good()
		change(&s)
		if err := Check(s); !errors.Is(err, sandbox.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenFilesSyncsWhereTheSpecSaysSo(t *testing.T) {
	for _, want := range []bool{false, true} {
		f, err := OpenFiles(sandbox.Request{Spec: sandbox.Spec{User: "64000:64000", Access: "none", Workspace: t.TempDir(), Durable: want}})
		if err != nil {
			t.Fatal(err)
		}
		d, ok := f.(interface{ Durable() bool })
		if !ok || d.Durable() != want {
			t.Errorf("asked for %v", want)
		}
		if created, err := f.Write(t.Context(), "dir/file", []byte("x")); err != nil || !created {
			t.Errorf("%v: %v %v", want, created, err)
		}
	}
}

func TestLackingNamesEachLimit(t *testing.T) {
	got := Lacking(nil)
	if len(got) != 3 || !strings.Contains(got[2], "no processor quota") {
		t.Errorf("%q", got)
	}
}
