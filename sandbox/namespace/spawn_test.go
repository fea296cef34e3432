//go:build linux

package namespace

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/oci"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func TestMain(m *testing.M) {
	supervisor.MaybeRun()
	launch.MaybeRun()
	os.Exit(m.Run())
}

func socketPair(t testing.TB) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "host"), os.NewFile(uintptr(fds[1]), "box")
}

// shell runs a script as process 1 of a box without a supervisor.
func shell(t testing.TB, script string) string {
	t.Helper()
	id := Self(64000, 64000)
	view, err := oci.HostView(id.uid, id.gid)
	if err != nil {
		t.Fatal(err)
	}
	b := &Blueprint{View: view, Run: Program{"/bin/sh", []string{"sh", "-c", script}, []string{sandbox.DefaultEnv}}}
	for _, p := range []string{"/tmp", "/var/tmp", "/run", "/dev/shm"} {
		tm, err := sandbox.ParseTmpfs(p)
		if err != nil {
			t.Fatal(err)
		}
		b.Tmpfs = append(b.Tmpfs, tm)
	}
	if b.Bounds, err = Bounds(sandbox.Limits{Memory: 512 << 20, Pids: 128}, nil); err != nil {
		t.Fatal(err)
	}
	steps, err := b.steps()
	if err != nil {
		t.Fatal(err)
	}
	host, box := socketPair(t)
	defer host.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := spawn(exe, id, box, box, nil, nil, nil)
	box.Close()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.send(ctx, steps, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.running(ctx); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(host)
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	return string(out)
}

func TestShellAsFirstProcess(t *testing.T) {
	out := shell(t, `id -u; hostname; ls -A /; ls -la /dev /etc; cat /proc/self/status | grep -E 'Cap|NoNew|Seccomp'; ls /proc; cat /proc/self/mountinfo; ls -A /.host; echo x > /tmp/x && cat /tmp/x; echo $$; touch /etc/x /usr/x /dev/x`)
	t.Log(out)
	if !strings.HasPrefix(out, "64000\nchitin\n") {
		t.Error("wrong identity")
	}
}
