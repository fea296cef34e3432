package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/bench/figure"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/gvisor"
	"github.com/chitin-sh/chitin/sandbox/namespace"
)

// liveWant and coldWant are the milliseconds that a backend should need at most.
var (
	liveWant = map[string]float64{gvisor.Name: 10}
	coldWant = map[string]float64{gvisor.Name: 250, namespace.Name: 12}
)

func bare(argv ...string) figure.Method {
	return figure.Method{Name: "host: fork, exec, output captured", Do: func() error { return captured(argv...) }}
}

// live measures a command in a box that is there already.
func (b *bench) live(ctx context.Context, rounds int) error {
	m := []figure.Method{bare("/bin/true")}
	for _, t := range b.tiers {
		m = append(m, figure.Method{Name: t.be.Name(), Do: func() error { return inside(ctx, t.box, io.Discard, "/bin/true") }})
	}
	p50, err := figure.Interleave(os.Stdout, "exec true in a live box", rounds, m...)
	if err != nil {
		return err
	}
	for i, t := range b.tiers {
		if want := liveWant[t.be.Name()]; want > 0 {
			b.table.AtMost(t.label("exec true"), p50[i+1], want, "ms")
		} else {
			b.table.AtMost(t.label("exec true / captured fork and exec"), p50[i+1]/p50[0], 1.3, "x")
		}
	}
	return nil
}

// cold measures from nothing to the end of the first command.
func (b *bench) cold(ctx context.Context, rounds int) error {
	m := []figure.Method{bare("/bin/true")}
	var boxes []sandbox.Box
	empty := func() { // not part of the time to a first answer
		for _, box := range boxes {
			_ = box.Close(context.WithoutCancel(ctx))
		}
		boxes = nil
	}
	defer empty()
	for _, t := range b.tiers {
		m = append(m, figure.Method{Name: t.label("create and true"), Before: empty, Do: func() error {
			box, err := b.create(ctx, t.be)
			if err != nil {
				return err
			}
			boxes = append(boxes, box)
			return inside(ctx, box, io.Discard, "/bin/true")
		}})
	}
	p50, err := figure.Interleave(os.Stdout, "cold: make a box and run true", rounds, m...)
	if err != nil {
		return err
	}
	for i, t := range b.tiers {
		b.table.AtMost(t.label("make a box and run true"), p50[i+1], coldWant[t.be.Name()], "ms")
	}
	return nil
}

// bulk measures 100 MiB of output.
func (b *bench) bulk(ctx context.Context, rounds int) error {
	argv := []string{"head", "-c", "104857600", "/dev/zero"}
	m := []figure.Method{{Name: "host: pipe", Do: func() error {
		c := exec.Command(argv[0], argv[1:]...)
		c.Stdout = discard{}
		return c.Run()
	}}}
	for _, t := range b.tiers {
		m = append(m, figure.Method{Name: t.be.Name(), Do: func() error { return inside(ctx, t.box, discard{}, argv...) }})
	}
	p50, err := figure.Interleave(os.Stdout, "100 MiB of output", rounds, m...)
	if err != nil {
		return err
	}
	for i, t := range b.tiers {
		if t.be.Name() == namespace.Name { // no descriptor passes into gVisor's kernel
			b.table.AtMost(t.label("100 MiB of output / the host's pipe"), p50[i+1]/p50[0], 1.2, "x")
		}
	}
	return nil
}

// discard is not io.Discard, which would be read into without a copy.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// cancel measures from the end of a context to the end of the process group.
func (b *bench) cancel(ctx context.Context, rounds int) error {
	for _, t := range b.tiers {
		var times []time.Duration
		for range rounds {
			d, err := cancelled(ctx, t.box)
			if err != nil {
				return err
			}
			times = append(times, d)
		}
		b.table.AtMost(t.label("cancel to the reported end of the group"), figure.Quantile(times, 0.5), 5, "ms")
	}
	return nil
}

func cancelled(ctx context.Context, box sandbox.Box) (time.Duration, error) {
	cctx, stop := context.WithCancel(ctx)
	defer stop()
	r, w := io.Pipe()
	p, err := box.Start(cctx, sandbox.Cmd{Argv: []string{"sh", "-c", "sleep 60 & sleep 60 & echo up; wait"}, Stdin: sandbox.NoStdin, Stdout: w})
	if err != nil {
		return 0, err
	}
	if _, err := r.Read(make([]byte, 8)); err != nil {
		return 0, err
	}
	time.Sleep(5 * time.Millisecond) // the shell has come to its wait
	t0 := time.Now()
	stop()
	if x, _ := p.Wait(context.WithoutCancel(ctx)); x.Signal != int(syscall.SIGKILL) {
		return 0, fmt.Errorf("cancelled, but %+v", x)
	}
	return time.Since(t0), nil
}

// density measures what idle boxes cost, every process counted, and whether a
// command gets slower beside them.
func (b *bench) density(ctx context.Context, n int) error {
	for _, t := range b.tiers {
		if err := b.crowd(ctx, t, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) crowd(ctx context.Context, t *tier, n int) error {
	alone, err := b.relative(ctx, t, 0)
	if err != nil {
		return err
	}
	free, before := available(), resident()
	var boxes []sandbox.Box
	defer func() {
		for _, box := range boxes {
			_ = box.Close(context.WithoutCancel(ctx))
		}
	}()
	for range n {
		box, err := b.create(ctx, t.be)
		if err != nil {
			return err
		}
		boxes = append(boxes, box)
		if err := inside(ctx, box, io.Discard, "/bin/true"); err != nil {
			return err
		}
	}
	time.Sleep(4 * time.Second)
	after := resident()
	each := func(kib int64) float64 { return float64(kib) / 1024 / float64(n) }
	pss := each(after.shared - before.shared)
	fmt.Printf("\n%s: %d idle boxes, all processes of each: %.2f MiB resident with what they share divided (PSS), %.2f MiB with it counted in every process (RSS); %.2f MiB less available on the machine for each\n",
		t.be.Name(), n, pss, each(after.full-before.full), each(free-available()))
	b.table.AtMost(t.label(fmt.Sprintf("%d idle boxes: resident memory (PSS) of all processes, each", n)), pss, 8, "MiB")
	beside, err := b.relative(ctx, t, n)
	if err != nil {
		return err
	}
	b.table.AtMost(t.label(fmt.Sprintf("exec true beside %d boxes / beside none", n)), beside/alone, 1.2, "x")
	return nil
}

// relative is how long a command takes beside n boxes, in bare forks.
func (b *bench) relative(ctx context.Context, t *tier, n int) (float64, error) {
	p50, err := figure.Interleave(os.Stdout, fmt.Sprintf("exec true beside %d boxes of %s", n, t.be.Name()), 100, bare("/bin/true"),
		figure.Method{Name: "the first box", Do: func() error { return inside(ctx, t.box, io.Discard, "/bin/true") }})
	if err != nil {
		return 0, err
	}
	return p50[1] / p50[0], nil
}

// available is the machine's free memory in KiB.
func available() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// memory is resident memory in KiB.
type memory struct {
	shared int64 // PSS: shared pages divided among those who share them
	full   int64 // RSS: shared pages counted for each of them
}

// resident sums the memory of every descendant of this process. Processes
// that have one address space, as gVisor's stubs do, are counted once.
func resident() memory {
	var sum memory
	var seen []int
	for _, pid := range descendants(os.Getpid()) {
		if slices.ContainsFunc(seen, func(other int) bool { return sameMemory(pid, other) }) {
			continue
		}
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
		if err != nil {
			continue
		}
		seen = append(seen, pid)
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != "Pss:" && f[0] != "Rss:" {
				continue
			}
			n, err := strconv.ParseInt(f[1], 10, 64)
			switch {
			case err != nil:
			case f[0] == "Pss:":
				sum.shared += n
			default:
				sum.full += n
			}
		}
	}
	return sum
}

// sameMemory asks the kernel whether two processes have one address space.
func sameMemory(a, b int) bool {
	const kcmpVM = 1
	r, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpVM, 0, 0, 0)
	return errno == 0 && r == 0
}

func descendants(pid int) []int {
	var out []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		for f := range strings.FieldsSeq(string(b)) {
			if c, err := strconv.Atoi(f); err == nil {
				out = append(append(out, c), descendants(c)...)
			}
		}
	}
	return out
}
