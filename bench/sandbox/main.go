// Command sandbox measures the sandbox against what it replaces, everything
// interleaved in one run on one machine: each method once a round, in random
// order. What counts are the ratios; absolute times measure the neighbours.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/internal/embedded"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func main() {
	supervisor.MaybeRun()
	rounds := flag.Int("n", 200, "rounds of the quick measurements")
	idle := flag.Int("idle", 0, "idle boxes for the density measurement (100 takes a minute)")
	only := flag.String("only", "", "one of exec, files, bulk, concurrent, cancel, cold, claim")
	flag.Parse()
	if err := run(context.Background(), *rounds, *idle, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run's surroundings.
type bench struct {
	state string
	e     *docker.Engine
	n     int
	box   sandbox.Box
	cid   string // the container of box
	trash []func()
}

func run(ctx context.Context, rounds, idle int, only string) error {
	state, err := os.MkdirTemp("", "chitin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	b := &bench{state: state, e: docker.New(docker.Options{Name: "docker", StateDir: state, Supervisor: embedded.Supervisor(state), Image: image.Maker{}})}
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
	}{{"exec", b.warmExec}, {"files", b.files}, {"bulk", b.bulk}, {"concurrent", b.concurrent}, {"cancel", b.cancel}, {"cold", b.cold}, {"claim", b.claim}} {
		if only != "" && only != step.name {
			continue
		}
		if err := step.do(ctx, rounds); err != nil {
			return err
		}
	}
	if idle > 0 {
		return b.density(ctx, idle)
	}
	return nil
}

func (b *bench) request() (sandbox.Request, error) {
	b.n++
	id := fmt.Sprintf("bench%d", b.n)
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

// method is one way of doing the same thing.
type method struct {
	name  string
	every int // only each so many rounds
	do    func() error
	// before is done first, outside the measurement; may be nil.
	before func()
}

// interleave measures methods and prints medians, the first being what the
// others are compared with.
func interleave(title string, rounds int, ms ...method) error {
	times := make([][]time.Duration, len(ms))
	for r := range rounds + 5 {
		order := rand.Perm(len(ms))
		for _, i := range order {
			if ms[i].every > 1 && r%ms[i].every != 0 {
				continue
			}
			if ms[i].before != nil {
				ms[i].before()
			}
			t0 := time.Now()
			if err := ms[i].do(); err != nil {
				return fmt.Errorf("%s: %w", ms[i].name, err)
			}
			if r >= 5 {
				times[i] = append(times[i], time.Since(t0))
			}
		}
	}
	fmt.Printf("\n%s\n", title)
	base := quantile(times[0], 0.5)
	for i, m := range ms {
		p50 := quantile(times[i], 0.5)
		fmt.Printf("  %-42s p50 %9.3f ms  p95 %9.3f ms  n %4d  %8.2fx\n", m.name, ms64(p50), ms64(quantile(times[i], 0.95)), len(times[i]), float64(p50)/float64(base))
	}
	return nil
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Clone(d)
	sort.Slice(s, func(i, j int) bool { return s[i] < s[j] })
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

func ms64(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (b *bench) warmExec(ctx context.Context, rounds int) error {
	if err := interleave("exec true, tight (target <= 1.3x)", rounds*2,
		method{name: "host os/exec, output captured", every: 1, do: func() error { return onHost("/bin/true") }},
		method{name: "live sandbox", every: 1, do: func() error { return inBox(ctx, b.box, "true") }},
	); err != nil {
		return err
	}
	return interleave("exec true against docker exec (target >= 40x faster)", rounds,
		method{name: "host os/exec, output captured", every: 1, do: func() error { return onHost("/bin/true") }},
		method{name: "live sandbox", every: 1, do: func() error { return inBox(ctx, b.box, "true") }},
		method{name: "docker exec (CLI)", every: 10, do: func() error { return onHost("docker", "exec", b.cid, "true") }},
	)
}

func (b *bench) files(ctx context.Context, rounds int) error {
	f := b.box.Files()
	data := bytes.Repeat([]byte("x"), 4096)
	if _, err := f.Write(ctx, "file", data); err != nil {
		return err
	}
	return interleave("4 KiB files (targets: read <= 0.2 ms, write <= 0.6 ms)", rounds,
		method{name: "read", every: 1, do: func() error { _, _, err := f.Read(ctx, "file", 1<<20); return err }},
		method{name: "write", every: 1, do: func() error { _, err := f.Write(ctx, "file", data); return err }},
		method{name: "docker exec cat", every: 20, do: func() error { return onHost("docker", "exec", b.cid, "cat", "/workspace/file") }},
	)
}

type discard struct{ n int64 }

func (d *discard) Write(p []byte) (int, error) { d.n += int64(len(p)); return len(p), nil }

func (b *bench) bulk(ctx context.Context, rounds int) error {
	argv := []string{"head", "-c", "104857600", "/dev/zero"}
	return interleave("100 MiB of output (target <= 1.2x)", max(rounds/5, 15),
		method{name: "host pipe", every: 1, do: func() error {
			c := exec.Command(argv[0], argv[1:]...)
			c.Stdout = &discard{}
			return c.Run()
		}},
		method{name: "live sandbox", every: 1, do: func() error {
			p, err := b.box.Start(ctx, sandbox.Cmd{Argv: argv, Stdin: sandbox.NoStdin, Stdout: &discard{}})
			if err != nil {
				return err
			}
			_, err = p.Wait(ctx)
			return err
		}},
	)
}

// batch runs f n times at once.
func batch(n int, f func() error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for range n {
		wg.Go(func() { errs <- f() })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) concurrent(ctx context.Context, rounds int) error {
	return interleave("50 at once (target >= 50x the rate of docker exec)", max(rounds/10, 5),
		method{name: "host os/exec", every: 1, do: func() error { return batch(50, func() error { return onHost("/bin/true") }) }},
		method{name: "live sandbox", every: 1, do: func() error { return batch(50, func() error { return inBox(ctx, b.box, "true") }) }},
		method{name: "docker exec (CLI)", every: 10, do: func() error {
			return batch(50, func() error { return onHost("docker", "exec", b.cid, "true") })
		}},
	)
}
