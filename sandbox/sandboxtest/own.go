package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

func noNetwork(t *testing.T, b sandbox.Box) {
	r := run(t, b, "cat /proc/net/route | tail -n +2; ls /sys/class/net 2>/dev/null")
	for f := range strings.FieldsSeq(r.out) {
		if f != "lo" {
			t.Fatalf("interfaces or routes: %q", r.out)
		}
	}
}

func obvious(t *testing.T, b sandbox.Box) {
	for _, s := range []string{
		"mount -t tmpfs none /mnt", "touch /usr/bin/x", "touch /etc/x", "echo 1 > /proc/sys/kernel/sysrq", "cat /proc/1/environ", "ls /proc/1/root",
		"ls /proc/1/fd", "touch /.chitin/x", "echo x > /.chitin/sup", "unshare -U true", "mknod /tmp/d c 1 1",
	} {
		if r := run(t, b, s); r.exit.Code == 0 && r.fail == nil {
			t.Errorf("%s succeeded: %q", s, r.out)
		}
	}
	// Nobody inside can end the supervisor or take its place.
	run(t, b, "kill -9 1; kill -STOP 1; kill -TERM 1; kill -INT 1; kill -HUP 1; kill -QUIT 1")
	expect(t, b, "echo alive", "alive", 0)
	for _, p := range []string{"/var/run/docker.sock", "/run/containerd/containerd.sock"} {
		expect(t, b, "test -e "+p+" && echo there || echo absent", "absent", 0)
	}
}

func processLimit(t *testing.T, b sandbox.Box) {
	r := run(t, b, "(i=0; while [ $i -lt 400 ]; do sleep 30 & i=$((i+1)); echo $i > /tmp/forks; done) 2>/dev/null; kill -9 0")
	eventually(t, "an answer after a fork bomb", func() bool { return run(t, b, "echo ok").out == "ok\n" })
	eventually(t, "the end of the fork bomb", func() bool { return run(t, b, "cat /proc/[0-9]*/comm 2>/dev/null | grep -cx sleep").out == "0\n" })
	if n := strings.TrimSpace(run(t, b, "cat /tmp/forks").out); n == "400" || n == "" {
		t.Fatalf("%q processes were started (%+v)", n, r)
	}
}

func memoryLimit(t *testing.T, b sandbox.Box) {
	r := run(t, b, `perl -e 'my @a; push @a, "x" x (32<<20) for 1..64; print "all"'`)
	if strings.Contains(r.out, "all") {
		t.Fatal("2 GiB were taken")
	}
	// Either the limit killed it and the box says so, or it was refused the
	// memory and said so itself.
	if !r.exit.OOM && !strings.Contains(r.err, "Out of memory") {
		t.Errorf("nothing says why: %+v", r)
	}
	if r.exit.OOM && (r.exit.Memory != 512<<20 || !strings.Contains(r.exit.MemoryNote(), "512 MiB")) {
		t.Errorf("the limit is %d", r.exit.Memory)
	}
	if r := run(t, b, "kill -9 $$"); r.exit.OOM {
		t.Error("somebody else's kill counts as the memory limit's")
	}
	expect(t, b, "echo alive", "alive", 0)
}

func scratch(t *testing.T, b sandbox.Box) {
	r := run(t, b, "head -c 300000000 /dev/zero > /tmp/fill; s=$?; rm -f /tmp/fill; exit $s")
	if r.exit.Code == 0 && r.exit.Signal == 0 {
		t.Fatal("300 MB were written to /tmp")
	}
}

func scratchFiles(t *testing.T, b sandbox.Box) {
	r := run(t, b, `mkdir /tmp/n; (cd /tmp/n && i=0; while [ $i -lt 20000 ]; do : > $i; i=$((i+1)); done) 2>/dev/null; ls /tmp/n | wc -l; rm -rf /tmp/n`)
	if strings.TrimSpace(r.out) == "20000" {
		t.Fatal("20000 files in /tmp")
	}
}

func workspaceFiles(t *testing.T, b sandbox.Box) {
	ctx := t.Context()
	f := b.Files()
	created, err := f.Write(ctx, "dir/a.txt", []byte("from the host"))
	if err != nil || !created {
		t.Fatal(created, err)
	}
	expect(t, b, "cat dir/a.txt", "from the host", 0)
	expect(t, b, "echo more >> dir/a.txt && echo done", "done", 0)
	got, info, err := f.Read(ctx, sandbox.Workdir+"/dir/a.txt", 1<<20)
	if err != nil || string(got) != "from the hostmore\n" || info.Size != int64(len(got)) {
		t.Fatalf("%q %+v %v", got, info, err)
	}
	expect(t, b, "mkfifo p; ln -s /etc/passwd l; ln -s "+sandbox.Workdir+"/dir/a.txt abs; echo ok", "ok", 0)
	if _, _, err := f.Read(ctx, "p", 10); err == nil {
		t.Fatal("a pipe was read")
	}
	if got, _, err := f.Read(ctx, "l", 1<<20); err == nil {
		host, herr := os.ReadFile("/etc/passwd")
		if herr == nil && bytes.Equal(got, host) {
			t.Fatal("a link led to the host's file")
		}
	}
	if _, _, err := f.Read(ctx, "../../../etc/shadow", 1<<20); err == nil {
		t.Fatal("a path left the workspace")
	}
	must(t, f.Remove(ctx, "dir/a.txt"))
	if _, err := f.Stat(ctx, "dir/a.txt"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func insideFiles(t *testing.T, b sandbox.Box) {
	ctx := t.Context()
	f := b.Files()
	if _, err := f.Write(ctx, "/tmp/in/side.txt", []byte("scratch")); err != nil {
		t.Fatal(err)
	}
	expect(t, b, "cat /tmp/in/side.txt", "scratch", 0)
	got, info, err := f.Read(ctx, "/tmp/in/side.txt", 100)
	if err != nil || string(got) != "scratch" || info.Name != "side.txt" {
		t.Fatalf("%q %+v %v", got, info, err)
	}
	list, err := f.List(ctx, "/tmp/in", 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := f.Write(ctx, "/usr/bin/x", []byte("x")); err == nil {
		t.Fatal("the root was written")
	}
	if _, _, err := f.Read(ctx, "/tmp/absent", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	must(t, f.Remove(ctx, "/tmp/in/side.txt"))
}

type ownPart struct {
	name string
	run  func(t *testing.T, w *world)
}

// ownParts make boxes of their own.
func ownParts() []ownPart {
	return []ownPart{
		{"read-only workspace", readOnly}, {"writable workspace", writable}, {"boxes are apart", apart}, {"close ends everything", closeEnds},
		{"cancelled creation", cancelledCreation}, {"adoption", adoption}, {"sweep", sweep}, {"undeclared options", undeclared},
		{"many boxes at once", crowd},
	}
}

func readOnly(t *testing.T, w *world) {
	r := w.request("ro", nil)
	must(t, os.WriteFile(filepath.Join(r.Spec.Workspace, "given"), []byte("x"), 0o644))
	b := w.create(r)
	expect(t, b, "cat given", "x", 0)
	expect(t, b, "touch new 2>/dev/null && echo written || echo refused", "refused", 0)
	if _, err := b.Files().Write(t.Context(), "new", []byte("x")); !errors.Is(err, sandbox.ErrReadOnly) {
		t.Fatal(err)
	}
	if !b.Files().ReadOnly() {
		t.Fatal("does not say that it is read-only")
	}
}

func writable(t *testing.T, w *world) {
	r := w.request("rw", nil)
	b := w.create(r)
	expect(t, b, "echo made > inside && echo ok", "ok", 0)
	got, err := os.ReadFile(filepath.Join(r.Spec.Workspace, "inside"))
	if err != nil || string(got) != "made\n" {
		t.Fatalf("%q %v", got, err)
	}
}

func apart(t *testing.T, w *world) {
	a, b := w.box("none", nil), w.box("none", nil)
	expect(t, a, "echo secret > /tmp/s; echo secret > s; sleep 1007 >/dev/null 2>&1 & echo ok", "ok", 0)
	expect(t, b, "ls /tmp/s s 2>/dev/null | wc -l", "0", 0)
	r := run(t, b, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
	if strings.Contains(r.out, "1007") {
		t.Fatal("one box sees another's processes")
	}
}

func closeEnds(t *testing.T, w *world) {
	b := w.box("none", nil)
	p, _ := started(t, b, t.Context(), "echo up; sleep 1008")
	must(t, b.Close(context.Background()))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := p.Wait(ctx)
	wantErr(t, err, sandbox.ErrGone)
	_, err = b.Start(t.Context(), sandbox.Cmd{Argv: []string{"true"}})
	wantErr(t, err, sandbox.ErrGone)
	must(t, b.Close(context.Background()))
}

func cancelledCreation(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.be.Create(ctx, w.request("none", nil)); err == nil {
		t.Fatal("created for a caller that had gone")
	}
	n, err := w.be.Sweep(context.Background(), func(string) bool { return false })
	if err != nil || n != 0 {
		t.Fatalf("%d left, %v", n, err)
	}
}

func adoption(t *testing.T, w *world) {
	r := w.request("none", nil)
	b := w.create(r)
	expect(t, b, "echo kept > /tmp/kept; sleep 1009 >/dev/null 2>&1 & echo ok", "ok", 0)
	d, ok := b.(interface{ Detach() })
	if !w.s.Adopts || !ok {
		if w.s.Adopts {
			t.Fatal("boxes cannot be let go")
		}
		_, err := w.be.Adopt(t.Context(), r)
		wantErr(t, err, sandbox.ErrGone)
		return
	}
	d.Detach()
	other := w.s.New(t, w.state) // as a restarted gateway sees it
	a, err := other.Adopt(t.Context(), r)
	must(t, err)
	t.Cleanup(func() { _ = a.Close(context.Background()) })
	expect(t, a, "cat /tmp/kept", "kept", 0)
	gone(t, a, "sleep 1009")
	r.Spec.Env = append(r.Spec.Env, "X=1")
	_, err = other.Adopt(t.Context(), r)
	wantErr(t, err, sandbox.ErrGone)
}

func sweep(t *testing.T, w *world) {
	a, b := w.box("none", nil), w.box("none", nil)
	foreign := w.s.New(t, t.TempDir()) // another state directory
	if n, err := foreign.Sweep(t.Context(), func(string) bool { return false }); err != nil || n != 0 {
		t.Fatalf("another state directory's sweep took %d, %v", n, err)
	}
	n, err := w.be.Sweep(t.Context(), func(id string) bool { return id == a.Info().ID })
	if err != nil || n != 1 {
		t.Fatalf("swept %d, %v", n, err)
	}
	expect(t, a, "echo alive", "alive", 0)
	eventually(t, "the end of the other", func() bool {
		_, err := b.Start(t.Context(), sandbox.Cmd{Argv: []string{"true"}})
		return errors.Is(err, sandbox.ErrGone)
	})
}

// undeclared options must be refused by the backend too, not only by whoever
// built the spec.
func undeclared(t *testing.T, w *world) {
	for name, change := range map[string]func(*sandbox.Spec){
		"root":                func(s *sandbox.Spec) { s.User = "0:0" },
		"no limit":            func(s *sandbox.Spec) { s.Limits.Pids = 0 },
		"no memory limit":     func(s *sandbox.Spec) { s.Limits.Memory = 0 },
		"supervisor hidden":   func(s *sandbox.Spec) { s.Mounts = []sandbox.Mount{{Source: "/tmp", Target: "/.chitin/c"}} },
		"the host's network":  func(s *sandbox.Spec) { s.Network = "host" },
		"unconfined AppArmor": func(s *sandbox.Spec) { s.AppArmor = "unconfined" },
	} {
		r := w.request("none", nil)
		change(&r.Spec)
		b, err := w.be.Create(t.Context(), r)
		if err == nil {
			_ = b.Close(context.Background())
			t.Errorf("%s: a box was made", name)
		}
	}
}
