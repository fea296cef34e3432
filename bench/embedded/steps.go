package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// live measures a command in a box that is there already.
func (b *bench) live(ctx context.Context, rounds int) error {
	m := []method{{"host captured", func() error { return captured("/bin/true") }}}
	for _, t := range b.tiers {
		m = append(m, method{t.label(""), func() error { return inside(ctx, t.box, io.Discard, "/bin/true") }})
	}
	return measure("exec true in a live box", rounds, m)
}

// cold measures from nothing to the end of the first command.
func (b *bench) cold(ctx context.Context, rounds int) error {
	m := []method{{"host captured", func() error { return captured("/bin/true") }}}
	var boxes []sandbox.Box
	for _, t := range b.tiers {
		m = append(m, method{t.label("create + true"), func() error {
			box, err := b.create(ctx, t.be)
			if err != nil {
				return err
			}
			boxes = append(boxes, box)
			return inside(ctx, box, io.Discard, "/bin/true")
		}})
	}
	// Closing is not part of the time to a first answer; it follows untimed.
	err := measure("cold: make a box and run true", rounds, m)
	t0 := time.Now()
	for _, box := range boxes {
		_ = box.Close(ctx)
	}
	if n := len(boxes); n > 0 {
		fmt.Printf("closing one: %.1f ms\n", ms(time.Since(t0)/time.Duration(n)))
	}
	return err
}

// bulk measures 100 MiB of output.
func (b *bench) bulk(ctx context.Context, rounds int) error {
	argv := []string{"head", "-c", "104857600", "/dev/zero"}
	m := []method{{"host pipe", func() error {
		c := exec.Command(argv[0], argv[1:]...)
		c.Stdout = struct{ io.Writer }{io.Discard}
		return c.Run()
	}}}
	for _, t := range b.tiers {
		m = append(m, method{t.label(""), func() error { return inside(ctx, t.box, io.Discard, argv...) }})
	}
	return measure("100 MiB of output", rounds, m)
}

// cancel measures from the end of a context to the end of the process group.
func (b *bench) cancel(ctx context.Context, rounds int) error {
	for _, t := range b.tiers {
		var sum, worst time.Duration
		for range rounds {
			cctx, stop := context.WithCancel(ctx)
			r, w := io.Pipe()
			p, err := t.box.Start(cctx, sandbox.Cmd{Argv: []string{"sh", "-c", "sleep 60 & sleep 60 & echo up; wait"},
				Stdin: sandbox.NoStdin, Stdout: w})
			if err != nil {
				stop()
				return err
			}
			if _, err := r.Read(make([]byte, 8)); err != nil {
				stop()
				return err
			}
			t0 := time.Now()
			stop()
			_, _ = p.Wait(context.WithoutCancel(ctx))
			d := time.Since(t0)
			sum, worst = sum+d, max(worst, d)
		}
		fmt.Printf("\n%s: cancel to the end of the group: mean %.2f ms, worst %.2f ms (%d)\n",
			t.be.Name(), ms(sum/time.Duration(rounds)), ms(worst), rounds)
	}
	return nil
}

// density measures what idle boxes cost, every process counted, and whether a
// command gets slower beside them.
func (b *bench) density(ctx context.Context, n int) error {
	for _, t := range b.tiers {
		before, private, err := availableAfter(ctx, b, t, n)
		if err != nil {
			return err
		}
		fmt.Printf("\n%s: %d idle boxes: %.2f MiB each of the machine's memory, %.2f MiB of it private to their processes\n",
			t.be.Name(), n, before, private)
	}
	return nil
}

func availableAfter(ctx context.Context, b *bench, t *tier, n int) (each, private float64, err error) {
	free, mine := available(), privateKiB()
	var boxes []sandbox.Box
	defer func() {
		for _, box := range boxes {
			_ = box.Close(ctx)
		}
	}()
	for range n {
		box, err := b.create(ctx, t.be)
		if err != nil {
			return 0, 0, err
		}
		boxes = append(boxes, box)
		if err := inside(ctx, box, io.Discard, "/bin/true"); err != nil {
			return 0, 0, err
		}
	}
	time.Sleep(time.Second)
	each = float64(free-available()) / 1024 / float64(n)
	private = float64(privateKiB()-mine) / 1024 / float64(n)
	return each, private, measure(fmt.Sprintf("exec true with %d boxes of %s", n, t.be.Name()), 100, []method{
		{"host captured", func() error { return captured("/bin/true") }},
		{t.label("first box"), func() error { return inside(ctx, t.box, io.Discard, "/bin/true") }},
	})
}

// available is the machine's free memory in KiB.
func available() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// privateKiB sums the private memory of every descendant of this process.
func privateKiB() int64 {
	var sum int64
	for _, pid := range descendants(os.Getpid()) {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "Private_") {
				n, _ := strconv.ParseInt(f[1], 10, 64)
				sum += n
			}
		}
	}
	return sum
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
