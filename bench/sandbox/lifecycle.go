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

	"github.com/chitin-sh/chitin/bench/figure"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
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
	p50, err := figure.Interleave(os.Stdout, "cold start to first output", 15,
		figure.Method{Name: "engine: create and start", Do: engine, Before: b.empty},
		figure.Method{Name: "sandbox: create, start, first output", Do: ours, Before: b.empty})
	if err != nil {
		return err
	}
	b.table.AtMost("cold start to first output / the engine's create and start", p50[1]/p50[0], 1.15, "x")
	return nil
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
	b.table.AtMost("claim from the warm pool to first output", figure.Quantile(times, 0.5), 4, "ms")
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
	b.table.AtMost("cancel to the reported end of the group", figure.Quantile(times, 0.5), 5, "ms")
	return nil
}

// density starts idle boxes and counts what they hold: every process of the
// machine that appeared, and the latency beside them. Times before and after
// are compared by their ratio to the host's, for the machine changes meanwhile.
func (b *bench) density(ctx context.Context, rounds int) error {
	if b.idle <= 0 {
		return nil
	}
	alone, err := figure.Interleave(os.Stdout, "exec true with one sandbox", rounds, bare("/bin/true"), b.live(ctx, "true"))
	if err != nil {
		return err
	}
	before, pbefore := available(), proportional()
	var boxes []sandbox.Box
	defer func() {
		for _, x := range boxes {
			_ = x.Close(context.WithoutCancel(ctx))
		}
	}()
	for range b.idle {
		x, err := b.create(ctx)
		if err != nil {
			return err
		}
		boxes = append(boxes, x)
		if err := inBox(ctx, x, "true"); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Second)
	n := float64(b.idle)
	gone, pss := float64(before-available())/1024/n, float64(proportional()-pbefore)/1024/n
	fmt.Printf("\n%d idle sandboxes: %.2f MiB of the machine's memory each, %.2f MiB resident\n", b.idle, gone, pss)
	beside, err := figure.Interleave(os.Stdout, fmt.Sprintf("exec true with %d idle sandboxes", b.idle), rounds, bare("/bin/true"), b.live(ctx, "true"),
		figure.Method{Name: "a random one of them", Do: func() error { return inBox(ctx, boxes[rand.IntN(len(boxes))], "true") }})
	if err != nil {
		return err
	}
	b.table.AtMost(fmt.Sprintf("%d idle sandboxes: resident memory of all processes, each", b.idle), pss, 8, "MiB")
	one := alone[1] / alone[0]
	b.table.AtMost(fmt.Sprintf("exec true beside %d idle sandboxes / with one alone", b.idle), beside[1]/beside[0]/one, 1.2, "x")
	b.table.AtMost(fmt.Sprintf("exec true in any of %d idle sandboxes / in a busy one", b.idle), beside[2]/beside[1], 1.2, "x")
	return nil
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
