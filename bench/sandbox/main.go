// Command sandbox measures the sandbox against what it replaces, everything
// interleaved in one run on one machine: each method once a round, in random
// order. What counts are the ratios; absolute times measure the neighbours.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/chitin-sh/chitin/bench/figure"
	"github.com/chitin-sh/chitin/internal/embedded"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func main() {
	supervisor.MaybeRun()
	rounds := flag.Int("n", 200, "rounds of the quick measurements")
	idle := flag.Int("idle", 100, "idle boxes for the density measurement; 0 leaves it out")
	only := flag.String("only", "", "one of exec, http, cpu, files, bulk, concurrent, cancel, cold, claim, idle")
	chitin := flag.String("chitin", "bin/chitin", "the gateway's program, for calls over HTTP")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds, *idle, *only, *chitin); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run's surroundings.
type bench struct {
	state string
	table figure.Table
	e     *docker.Engine
	n     int
	box   sandbox.Box
	cid   string // the container of box
	trash []func()
	prog  string // the gateway's program
	idle  int
}

func run(ctx context.Context, rounds, idle int, only, chitin string) error {
	state, err := os.MkdirTemp("", "chitin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	b := &bench{state: state, prog: chitin, idle: idle,
		e: docker.New(docker.Options{Name: "docker", StateDir: state, Supervisor: embedded.Supervisor(state), Image: image.Maker{}})}
	defer func() { _, _ = b.e.Sweep(context.WithoutCancel(ctx), func(string) bool { return false }) }()
	if st := b.e.Status(ctx); !st.Available {
		return fmt.Errorf("no engine: %s", st.Reason)
	}
	if b.box, err = b.create(ctx); err != nil {
		return err
	}
	out, err := exec.Command("docker", "ps", "-q", "--filter", "label=chitin.box="+b.box.Info().ID).Output()
	if err != nil {
		return err
	}
	b.cid = string(bytes.TrimSpace(out))
	for _, step := range []struct {
		name string
		do   func(context.Context, int) error
	}{{"exec", b.warmExec}, {"http", b.overHTTP}, {"cpu", b.processor}, {"files", b.files}, {"bulk", b.bulk}, {"concurrent", b.concurrent},
		{"cancel", b.cancel}, {"cold", b.cold}, {"claim", b.claim}, {"idle", b.density}} {
		if only != "" && only != step.name {
			continue
		}
		if err := step.do(ctx, rounds); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if n := b.table.Print(os.Stdout); n > 0 {
		fmt.Printf("%d missed here; a busy machine distorts, repeat on a quiet one\n", n)
	}
	return nil
}

func (b *bench) request() (sandbox.Request, error) {
	b.n++
	id := fmt.Sprintf("bench%dn%d", os.Getpid(), b.n) // no other run has it
	dir, ws := filepath.Join(b.state, id), filepath.Join(b.state, id+"ws")
	for _, d := range []string{dir, ws} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return sandbox.Request{}, err
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(ws, sandbox.DefaultUID, sandbox.DefaultUID); err != nil {
			return sandbox.Request{}, err
		}
	}
	spec, err := sandbox.BuildSpec(sandbox.Config{}, "docker", ws, nil)
	return sandbox.Request{ID: id, Owner: sandbox.Owner{Tenant: "bench", Scope: "session", Key: id}, Spec: spec, Dir: dir}, err
}

func (b *bench) create(ctx context.Context) (sandbox.Box, error) {
	r, err := b.request()
	if err != nil {
		return nil, err
	}
	return b.e.Create(ctx, r)
}

// inBox runs a command to its end with its output collected.
func inBox(ctx context.Context, box sandbox.Box, argv ...string) error {
	var out, errs bytes.Buffer
	p, err := box.Start(ctx, sandbox.Cmd{Argv: argv, Stdin: sandbox.NoStdin, Stdout: &out, Stderr: &errs})
	if err != nil {
		return err
	}
	x, err := p.Wait(ctx)
	if err == nil && x.Code != 0 {
		err = fmt.Errorf("%v: exit %+v", argv, x)
	}
	return err
}

func onHost(argv ...string) error {
	var out, errs bytes.Buffer
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdout, c.Stderr = &out, &errs
	return c.Run()
}
