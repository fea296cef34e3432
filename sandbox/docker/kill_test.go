package docker

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
)

const (
	envGateway = "CHITIN_TEST_GATEWAY" // state directory of a gateway that will be killed
	envSup     = "CHITIN_TEST_SUPERVISOR"
)

// gateway stands in for chitin serve: it adopts what is there and runs
// numbered commands in several boxes, until it is killed.
func gateway(state string) {
	e := New(Options{StateDir: state, Supervisor: func() (string, error) { return os.Getenv(envSup), nil }, Image: image.Maker{}, Labels: map[string]string{"chitin.test": "docker"}})
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{e}, ConfigFor: func(agent string) sandbox.Config {
		c := sandbox.Config{Scope: "agent"}
		if agent == "c" {
			c.Scope = "session"
		}
		return c
	}})
	ctx := context.Background()
	if err := m.Adopt(ctx); err != nil {
		fmt.Println("error", err)
	}
	for n := 0; ; n++ {
		agent := string(rune('a' + n%3))
		s := sandbox.SessionRef{Agent: agent, Tenant: "t", Key: "agent:" + agent + ":" + strconv.Itoa(n%5)}
		b, err := m.BoxFor(ctx, s)
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		id := fmt.Sprintf("%d-%d", os.Getpid(), n)
		fmt.Println("begin", id)
		p, err := b.Start(ctx, sandbox.Cmd{Argv: []string{"sh", "-c", "echo " + id + " >> log; sleep 0.05"}, Stdin: sandbox.NoStdin})
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		if x, err := p.Wait(ctx); err == nil && x.Code == 0 {
			fmt.Println("done", id)
		} else {
			fmt.Println("error", err, x)
		}
		if n%5 == 4 {
			m.EndSession("t", s.Key)
		}
	}
}

// TestKilledGateway kills a gateway at random points of creating, using and
// removing boxes. Nothing may be left behind and no command may run twice.
func TestKilledGateway(t *testing.T) {
	needEngine(t)
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("CHITIN_KILLS")); err == nil {
		kills = n
	}
	sup, err := supervisorBinary()
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	e := testEngine(t, state)
	if err := e.Ready(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	done := map[string]bool{}
	begun := 0
	for i := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envGateway+"="+state, envSup+"="+sup)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wait := time.Duration(rand.IntN(900)) * time.Millisecond
		time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
		for sc := bufio.NewScanner(out); sc.Scan(); {
			word, id, _ := strings.Cut(sc.Text(), " ")
			switch word {
			case "begin":
				begun++
			case "done":
				done[id] = true
			default:
				t.Errorf("after %d kills: %s", i, sc.Text())
			}
		}
		_ = cmd.Wait()
	}
	t.Logf("%d kills, %d commands begun, %d finished", kills, begun, len(done))
	if len(done) == 0 {
		t.Fatal("no command finished between the kills")
	}
	afterKills(t, e, state, done)
}

// afterKills adopts once more and looks for what should not be there.
func afterKills(t *testing.T, e *Engine, state string, done map[string]bool) {
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{e}})
	if err := m.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	logs, err := filepath.Glob(filepath.Join(state, "sandbox", "*", "*", "log"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(state, "sandbox", "boxes", "*", "ws", "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range append(logs, more...) {
		b, err := os.ReadFile(l)
		if err != nil {
			t.Fatal(err)
		}
		for id := range strings.FieldsSeq(string(b)) {
			seen[id]++
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("command %s ran %d times", id, n)
		}
	}
	api, err := e.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	items, err := e.list(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(m.Recorded()); len(items) != want || want > 7 { // two agents and five sessions
		t.Errorf("%d containers for %d records", len(items), want)
	}
	var ids []string
	for _, c := range items {
		ids = append(ids, c.ID)
	}
	if n := m.Recreate("*", nil); n != len(items) {
		t.Errorf("%d of %d containers were taken over", n, len(items))
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := e.Sweep(t.Context(), func(string) bool { return false }); err != nil || n != 0 {
		t.Errorf("%d containers leaked, %v", n, err)
	}
	if left, err := os.ReadDir(filepath.Join(state, "sandbox", "boxes")); err != nil || len(left) != 0 {
		t.Errorf("directories leaked: %v %v", left, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), state) {
		t.Errorf("mounts leaked, %v", err)
	}
	for _, id := range ids {
		groups, err := filepath.Glob("/sys/fs/cgroup/*/docker/" + id)
		if err != nil || len(groups) > 0 {
			t.Errorf("control groups leaked: %v %v", groups, err)
		}
	}
}
