// Package sandboxtest is the exam that every backend passes: what a Box
// promises, tried on a real one.
package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// Suite is one backend's exam.
type Suite struct {
	// New makes the backend for a state directory. It is called once for each
	// part that needs a state directory of its own.
	New func(t testing.TB, stateDir string) sandbox.Backend
	// Config is laid under every spec: an image, say.
	Config sandbox.Config
	// Skip names parts that cannot apply to this backend, with the reason.
	Skip map[string]string
	// Adopts says that boxes outlive their gateway.
	Adopts bool
}

// world is one part's surroundings.
type world struct {
	t     testing.TB
	s     Suite
	state string
	be    sandbox.Backend
	n     int
}

// Run runs the exam.
func (s Suite) Run(t *testing.T) {
	shared := s.world(t)
	box := shared.box("none", nil)
	for _, p := range parts() {
		t.Run(p.name, func(t *testing.T) {
			if why := s.Skip[p.name]; why != "" {
				t.Logf("does not apply: %s", why)
				return
			}
			p.run(t, box)
		})
	}
	for _, p := range ownParts() {
		t.Run(p.name, func(t *testing.T) {
			if why := s.Skip[p.name]; why != "" {
				t.Logf("does not apply: %s", why)
				return
			}
			p.run(t, s.world(t))
		})
	}
}

func (s Suite) world(t testing.TB) *world {
	state := t.TempDir()
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	be := s.New(t, state)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if st := be.Status(ctx); !st.Available || st.Refuse != "" {
		t.Fatalf("the backend cannot serve: %s%s", st.Reason, st.Refuse)
	}
	return &world{t: t, s: s, state: state, be: be}
}

// request prepares a box's directories and spec.
func (w *world) request(access string, change func(*sandbox.Config)) sandbox.Request {
	w.t.Helper()
	w.n++
	id := fmt.Sprintf("box%d", w.n)
	cfg := sandbox.Merge(w.s.Config, &sandbox.Config{WorkspaceAccess: access, Backend: w.be.Name()})
	if change != nil {
		change(&cfg)
	}
	dir, ws := filepath.Join(w.state, id), filepath.Join(w.state, id+"-ws")
	must(w.t, os.Mkdir(dir, 0o700))
	must(w.t, os.Mkdir(ws, 0o755))
	spec, err := sandbox.BuildSpec(cfg, w.be.Name(), ws, []string{w.state})
	must(w.t, err)
	if os.Getuid() == 0 && access != "ro" {
		must(w.t, os.Chown(ws, sandbox.DefaultUID, sandbox.DefaultUID))
	}
	return sandbox.Request{ID: id, Owner: sandbox.Owner{Tenant: "t", Scope: "agent", Key: "agent:" + id}, Spec: spec, Dir: dir, Prove: true}
}

func (w *world) box(access string, change func(*sandbox.Config)) sandbox.Box {
	w.t.Helper()
	return w.create(w.request(access, change))
}

func (w *world) create(r sandbox.Request) sandbox.Box {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	b, err := w.be.Create(ctx, r)
	must(w.t, err)
	w.t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// result is a finished command.
type result struct {
	out, err string
	exit     sandbox.Exit
	fail     error
}

// run runs a shell script to its end.
func run(t testing.TB, b sandbox.Box, script string) result {
	t.Helper()
	return runCmd(t, b, sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin})
}

func runCmd(t testing.TB, b sandbox.Box, c sandbox.Cmd) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errb bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &out
	}
	if c.Stderr == nil {
		c.Stderr = &errb
	}
	p, err := b.Start(ctx, c)
	if err != nil {
		return result{fail: err}
	}
	x, err := p.Wait(ctx)
	return result{out: out.String(), err: errb.String(), exit: x, fail: err}
}

// expect fails unless the script ends with code and prints out.
func expect(t testing.TB, b sandbox.Box, script, out string, code int) {
	t.Helper()
	r := run(t, b, script)
	if r.fail != nil || r.exit.Code != code || strings.TrimSpace(r.out) != out {
		t.Fatalf("%s: printed %q and %q, exit %+v, error %v; want %q and %d", script, r.out, r.err, r.exit, r.fail, out, code)
	}
}

// eventually waits for a condition that another process brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}
