// Command embedded measures the backends that need no daemon, everything
// interleaved in one run on one machine: each method once a round, in random
// order. What counts are the ratios; absolute times measure the neighbours.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/bench/figure"
	programs "github.com/chitin-sh/chitin/internal/embedded"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/gvisor"
	"github.com/chitin-sh/chitin/sandbox/namespace"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func main() {
	supervisor.MaybeRun()
	launch.MaybeRun()
	rounds := flag.Int("n", 200, "rounds of the measurements in a live box")
	cold := flag.Int("cold", 25, "rounds of the measurements that make a box")
	idle := flag.Int("idle", 100, "idle boxes for the density measurement")
	runsc := flag.String("runsc", "bin/runsc", "gVisor's runtime; without it gVisor is left out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds, *cold, *idle, *runsc); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// tier is one backend with a live box.
type tier struct {
	be  sandbox.Backend
	box sandbox.Box
}

// bench is one run's surroundings.
type bench struct {
	state string
	table figure.Table
	tiers []*tier
	n     int
}

func run(ctx context.Context, rounds, cold, idle int, runsc string) error {
	state, err := os.MkdirTemp("", "chitin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	if runsc, err = filepath.Abs(runsc); err != nil {
		return err
	}
	b := &bench{state: state}
	sup := programs.Supervisor(state)
	for _, be := range []sandbox.Backend{
		namespace.New(namespace.Options{StateDir: state, Program: sup}),
		gvisor.New(gvisor.Options{StateDir: state, Program: sup, Runsc: runsc}),
	} {
		if st := be.Status(ctx); !st.Available {
			fmt.Printf("%s is left out: %s\n", be.Name(), st.Reason)
			continue
		}
		t := &tier{be: be}
		if t.box, err = b.create(ctx, be); err != nil {
			return err
		}
		defer t.box.Close(context.WithoutCancel(ctx))
		b.tiers = append(b.tiers, t)
	}
	if len(b.tiers) == 0 {
		return errors.New("no backend serves here")
	}
	for _, step := range []func() error{
		func() error { return b.live(ctx, rounds) },
		func() error { return b.cold(ctx, cold) },
		func() error { return b.bulk(ctx, max(cold/4, 5)) },
		func() error { return b.cancel(ctx, cold) },
		func() error { return b.density(ctx, idle) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if n := b.table.Print(os.Stdout); n > 0 {
		fmt.Printf("%d missed here; a busy machine distorts, repeat on a quiet one\n", n)
	}
	return nil
}

// create makes a box with the default limits on a directory of its own.
func (b *bench) create(ctx context.Context, be sandbox.Backend) (sandbox.Box, error) {
	b.n++
	id := fmt.Sprintf("bench%d", b.n)
	dir := filepath.Join(b.state, id)
	ws := filepath.Join(dir, "ws")
	if err := os.MkdirAll(ws, 0o755); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if err := os.Chown(ws, sandbox.DefaultUID, sandbox.DefaultUID); err != nil {
			return nil, err
		}
	}
	spec, err := sandbox.BuildSpec(sandbox.Config{}, be.Name(), ws, nil)
	if err != nil {
		return nil, err
	}
	return be.Create(ctx, sandbox.Request{ID: id, Spec: spec, Dir: dir,
		Owner: sandbox.Owner{Tenant: "bench", Scope: "session", Key: id}})
}

// inside runs a command to its end in a box.
func inside(ctx context.Context, box sandbox.Box, out io.Writer, argv ...string) error {
	p, err := box.Start(ctx, sandbox.Cmd{Argv: argv, Stdin: sandbox.NoStdin, Stdout: out, Stderr: out})
	if err != nil {
		return err
	}
	x, err := p.Wait(ctx)
	if err == nil && (x.Code != 0 || x.Signal != 0) {
		err = fmt.Errorf("%v: %+v", argv, x)
	}
	return err
}

// captured is the baseline: a bare fork and exec with its output collected.
func captured(argv ...string) error {
	var out, errb bytes.Buffer
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdout, c.Stderr = &out, &errb
	return c.Run()
}

// label names a method of a tier.
func (t *tier) label(what string) string { return strings.TrimSpace(t.be.Name() + " " + what) }
