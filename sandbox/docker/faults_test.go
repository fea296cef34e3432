package docker

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
)

// managed is a manager over one engine, with what happened to it.
func managed(t *testing.T, e *Engine, state string) (*sandbox.Manager, func() []string) {
	t.Helper()
	kinds := make(chan string, 1000)
	zero := 0
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{e},
		ConfigFor: func(string) sandbox.Config { return sandbox.Config{Pool: sandbox.PoolConfig{Ready: &zero, Max: &zero}} },
		OnEvent:   func(ev sandbox.Event) { kinds <- ev.Kind }})
	t.Cleanup(func() {
		m.Recreate("*", nil)
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m, func() []string {
		var out []string
		for {
			select {
			case k := <-kinds:
				out = append(out, k)
			default:
				return out
			}
		}
	}
}

func exec1(ctx context.Context, b sandbox.Box, script string) (string, error) {
	var out bytes.Buffer
	p, err := b.Start(ctx, sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin, Stdout: &out})
	if err != nil {
		return "", err
	}
	_, err = p.Wait(ctx)
	return strings.TrimSpace(out.String()), err
}

var ref = sandbox.SessionRef{Agent: "main", Tenant: "t"}

// TestRemovedByHand takes the container away under a running command.
func TestRemovedByHand(t *testing.T) {
	needEngine(t)
	state := t.TempDir()
	e := testEngine(t, state)
	m, events := managed(t, e, state)
	for _, how := range []string{"removed", "its supervisor killed"} {
		b, err := m.BoxFor(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := exec1(t.Context(), b, "echo kept >> f; wc -l < f"); err != nil || got == "" {
			t.Fatal(got, err)
		}
		api, err := e.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items, err := e.list(t.Context(), api)
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		failed := make(chan error, 1)
		go func() { _, err := exec1(context.Background(), b, "sleep 60"); failed <- err }()
		time.Sleep(100 * time.Millisecond)
		if how == "removed" {
			_, err = api.ContainerRemove(t.Context(), items[0].ID, client.ContainerRemoveOptions{Force: true})
		} else {
			_, err = api.ContainerKill(t.Context(), items[0].ID, client.ContainerKillOptions{Signal: "KILL"})
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-failed:
			if !errors.Is(err, sandbox.ErrGone) {
				t.Errorf("%s: the call ended with %v", how, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the call hangs", how)
		}
		again, err := m.BoxFor(t.Context(), ref)
		if err != nil || again == b {
			t.Fatalf("%s: no new box: %v", how, err)
		}
		if got, err := exec1(t.Context(), again, "cat f | head -1"); err != nil || got != "kept" {
			t.Errorf("%s: the workspace holds %q, %v", how, got, err)
		}
		if !strings.Contains(strings.Join(events(), " "), "gone") {
			t.Errorf("%s: nobody was told", how)
		}
	}
}

// TestEngineFaults kills, freezes and restarts an engine of its own.
func TestEngineFaults(t *testing.T) {
	d := ownDaemon(t)
	if d == nil {
		return
	}
	d.start()
	d.lend()
	state := t.TempDir()
	e := New(Options{StateDir: state, Host: d.host(), Supervisor: supervisorBinary, Image: image.Maker{}})
	m, _ := managed(t, e, state)
	b, err := m.BoxFor(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	echo := func(when string) {
		t.Helper()
		if got, err := exec1(t.Context(), b, "echo here"); err != nil || got != "here" {
			t.Fatalf("%s: %q %v", when, got, err)
		}
	}
	echo("at first")
	d.signal(syscall.SIGSTOP)
	echo("with a frozen engine")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	e.lost()
	if st := e.Status(ctx); st.Available {
		t.Error("a frozen engine is available")
	}
	cancel()
	d.signal(syscall.SIGCONT)
	d.kill()
	echo("with a killed engine")
	e.lost()
	if _, err := m.BoxFor(t.Context(), sandbox.SessionRef{Agent: "other", Tenant: "t"}); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("a new box without an engine: %v", err)
	}
	d.start() // without live-restore it ends what ran
	e.lost()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if b, err = m.BoxFor(t.Context(), ref); err == nil {
			if _, err = exec1(t.Context(), b, "true"); err == nil {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no box after the restart: %v", err)
		}
	}
	echo("after a restart")
}
