//go:build linux

package embedded

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded/embeddedtest"
)

// envGateway makes this test binary a gateway that makes and ends boxes until
// it is killed.
const envGateway = "CHITIN_ATTACK_GATEWAY"

func TestGatewayUnderAttack(t *testing.T) {
	name := os.Getenv(envGateway)
	if name == "" {
		return // only as a child of the test below
	}
	be := backends(t, os.Getenv("CHITIN_ATTACK_STATE"))[name]
	_, _ = os.Stdout.WriteString("ready\n")
	for i := 0; ; i++ {
		box, err := be.Create(context.Background(), embeddedtest.Request(t, be, "box"+strconv.Itoa(i), "none"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := box.Start(context.Background(), sandbox.Cmd{Argv: []string{"sh", "-c", "setsid sleep 61 & sleep 61 & wait"}, Stdin: sandbox.NoStdin})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Signal(int(syscall.SIGKILL))
		if err := box.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// A microVM outlived its killed orchestrator (e2b #1568). Kill the gateway at
// random points: every process of its boxes goes with it, and a sweep removes
// the control groups.
func TestKilledGatewayLeavesNothing(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, rounds := range map[string]int{"namespace": 40, "gvisor": 8} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			be := backends(t, state)[name]
			if st := be.Status(t.Context()); !st.Available {
				t.Fatal(st.Reason)
			}
			before := mounts(t)
			for range rounds {
				killOnce(t, self, name, state)
			}
			if _, err := be.Sweep(t.Context(), func(string) bool { return false }); err != nil {
				t.Errorf("sweep: %v", err)
			}
			if n, err := be.Sweep(t.Context(), func(string) bool { return false }); n != 0 || err != nil {
				t.Errorf("a second sweep still found %d, %v", n, err)
			}
			if after := mounts(t); after != before {
				t.Errorf("mounts leaked: %q", after)
			}
		})
	}
}

func killOnce(t *testing.T, self, name, state string) {
	t.Helper()
	cmd := exec.Command(self, "-test.run", "^TestGatewayUnderAttack$")
	cmd.Env = append(os.Environ(), envGateway+"="+name, "CHITIN_ATTACK_STATE="+state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	// Orphans come to us; those that died need only be collected.
	deadline := time.Now().Add(10 * time.Second)
	for {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
		left := children(t)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left after the gateway's death: %v", left)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// children lists what has this process as its parent.
func children(t *testing.T) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			out = append(out, string(b[:min(len(b), 40)]))
		}
	}
	return out
}

// mounts are the machine's, without what other programs do to them meanwhile:
// only lines that name a box's directories.
func mounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "/ws") || strings.Contains(line, ".chitin") || strings.Contains(line, ".host") {
			out.WriteString(line)
		}
	}
	return out.String()
}
