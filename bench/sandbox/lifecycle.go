package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/supervisor/livebox"
)

// cold compares a new sandbox up to its first output with what the engine
// itself needs to create and start a container as hardened.
func (b *bench) cold(ctx context.Context, _ int) error {
	api, err := b.e.API(ctx)
	if err != nil {
		return err
	}
	pids := int64(256)
	engine := func() error {
		made, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{
			Config: &container.Config{Image: image.Maker{}.Name(), Cmd: []string{"sleep", "60"}, User: "64000:64000"},
			HostConfig: &container.HostConfig{NetworkMode: "none", ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
				LogConfig: container.LogConfig{Type: "none"}, Tmpfs: map[string]string{"/tmp": "size=64m"},
				Resources: container.Resources{Memory: 512 << 20, PidsLimit: &pids}},
		})
		if err != nil {
			return err
		}
		b.trash = append(b.trash, func() {
			_, _ = api.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true})
		})
		_, err = api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
		return err
	}
	ours := func() error {
		box, err := b.create(ctx)
		if err != nil {
			return err
		}
		b.trash = append(b.trash, func() { _ = box.Close(ctx) })
		return inBox(ctx, box, "echo", "first")
	}
	defer b.empty()
	return interleave("cold start to first output (target <= 1.15x)", 20,
		method{name: "engine: create and start", every: 1, do: engine, before: b.empty},
		method{name: "sandbox: create, start, first output", every: 1, do: ours, before: b.empty},
	)
}

// empty removes what a measured step left.
func (b *bench) empty() {
	for _, f := range b.trash {
		f()
	}
	b.trash = nil
}

// claim measures a session's first output out of the warm pool.
func (b *bench) claim(ctx context.Context, _ int) error {
	one := 2
	m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: b.state, Backends: []sandbox.Backend{b.e}, ConfigFor: func(string) sandbox.Config {
		return sandbox.Config{Scope: "session", Pool: sandbox.PoolConfig{Ready: &one, Max: &one}}
	}})
	defer func() { _ = m.Shutdown(ctx) }()
	var times []time.Duration
	for i := range 20 {
		if err := m.Warm(ctx, "main"); err != nil {
			return err
		}
		for end := time.Now().Add(10 * time.Second); m.Warmed() == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("the pool was not filled")
			}
		}
		t0 := time.Now()
		box, err := m.BoxFor(ctx, sandbox.SessionRef{Key: fmt.Sprint("s", i), Agent: "main", Tenant: "bench"})
		if err != nil {
			return err
		}
		if err := inBox(ctx, box, "echo", "first"); err != nil {
			return err
		}
		times = append(times, time.Since(t0))
		m.EndSession("bench", fmt.Sprint("s", i))
	}
	fmt.Printf("\nclaim from the warm pool to first output (target <= 4 ms)\n  p50 %.2f ms  p95 %.2f ms  n %d\n", ms64(quantile(times, 0.5)), ms64(quantile(times, 0.95)), len(times))
	return nil
}

// cancel measures how long a cancelled call's process group takes to be
// killed and reported.
func (b *bench) cancel(ctx context.Context, rounds int) error {
	var times []time.Duration
	for range rounds {
		cctx, stop := context.WithCancel(ctx)
		p, err := b.box.Start(cctx, sandbox.Cmd{Argv: []string{"sh", "-c", "sleep 100 & sleep 100"}, Stdin: sandbox.NoStdin})
		if err != nil {
			stop()
			return err
		}
		time.Sleep(10 * time.Millisecond)
		t0 := time.Now()
		stop()
		if x, _ := p.Wait(ctx); x.Signal != 9 {
			return fmt.Errorf("cancelled, but %+v", x)
		}
		times = append(times, time.Since(t0))
	}
	fmt.Printf("\ncancel to reported end of the group (target <= 5 ms)\n  p50 %.2f ms  p95 %.2f ms  n %d\n", ms64(quantile(times, 0.5)), ms64(quantile(times, 0.95)), len(times))
	return nil
}

// density starts idle boxes and counts what they hold: every process of the
// machine that appeared, and the latency beside them.
func (b *bench) density(ctx context.Context, n int) error {
	before, pbefore := available(), proportional()
	var boxes []sandbox.Box
	defer func() {
		for _, x := range boxes {
			_ = x.Close(ctx)
		}
	}()
	for range n {
		x, err := b.create(ctx)
		if err != nil {
			return err
		}
		boxes = append(boxes, x)
	}
	time.Sleep(3 * time.Second)
	after, pafter := available(), proportional()
	sup := 0.0
	for _, x := range boxes {
		if l, ok := x.(*livebox.Box); ok && l.Active() == 0 {
			sup++
		}
	}
	fmt.Printf("\n%d idle sandboxes (target <= 8 MiB each, all processes counted)\n  memory gone %.2f MiB each; resident, shared parts divided, %.2f MiB each; %.0f answer\n",
		n, float64(before-after)/1024/float64(n), float64(pafter-pbefore)/1024/float64(n), sup)
	return interleave("exec true beside them (target <= 1.2x of one)", 200,
		method{name: "the same sandbox", every: 1, do: func() error { return inBox(ctx, b.box, "true") }},
		method{name: "a random one", every: 1, do: func() error { return inBox(ctx, boxes[rand.IntN(len(boxes))], "true") }},
	)
}

// available is MemAvailable in KiB.
func available() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(data)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "MemAvailable:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// proportional is the sum of PSS over engine processes and supervisors, KiB.
func proportional() int64 {
	var sum int64
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	for _, d := range dirs {
		comm, err := os.ReadFile(d + "/comm")
		if err != nil {
			continue
		}
		switch strings.TrimSpace(string(comm)) {
		case "sup", "containerd-shim", "dockerd", "containerd":
		default:
			continue
		}
		data, err := os.ReadFile(d + "/smaps_rollup")
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(data)) {
			if f := strings.Fields(l); len(f) > 1 && f[0] == "Pss:" {
				n, err := strconv.ParseInt(f[1], 10, 64)
				if err == nil {
					sum += n
				}
			}
		}
	}
	return sum
}
