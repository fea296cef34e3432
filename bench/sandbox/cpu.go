package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/internal/embedded"
)

// processor compares the processor time of a call, which neighbours distort
// far less than its duration: of this process, its children and everything in
// the container.
func (b *bench) processor(ctx context.Context, rounds int) error {
	err := b.processorOf("exec true", rounds, func() error { return onHost("/bin/true") }, func() error { return inBox(ctx, b.box, "true") })
	if err != nil {
		return err
	}
	err = b.processorOf("100 MiB of output", 8, func() error { return onHostBulk() }, func() error { return b.inBoxBulk(ctx) })
	if err != nil {
		return err
	}
	return b.supervisor()
}

func (b *bench) processorOf(what string, rounds int, onHost, inBox func() error) error {
	inside, err := b.cgroup()
	if err != nil {
		fmt.Printf("\nprocessor time of %s is left out: %v\n", what, err)
		return nil
	}
	var host, ours time.Duration
	for range 4 { // alternating, to meet the same neighbours
		for range max(rounds/4, 1) {
			d, err := spent(nil, onHost)
			if err != nil {
				return err
			}
			host += d
			if d, err = spent(inside, inBox); err != nil {
				return err
			}
			ours += d
		}
	}
	n := time.Duration(4 * max(rounds/4, 1))
	fmt.Printf("\nprocessor time of %s: host %v, live sandbox %v, %.2fx\n", what, host/n, ours/n, float64(ours)/float64(host))
	return nil
}

// spent is the processor time that f costs here and in the container.
func spent(inside func() (time.Duration, error), f func() error) (time.Duration, error) {
	var extra time.Duration
	if inside != nil {
		d, err := inside()
		if err != nil {
			return 0, err
		}
		extra -= d
	}
	own := own()
	if err := f(); err != nil {
		return 0, err
	}
	own = ownSince(own)
	if inside != nil {
		d, err := inside()
		if err != nil {
			return 0, err
		}
		extra += d
	}
	return own + extra, nil
}

// own is the processor time of this process and its ended children.
func own() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) == nil {
			sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	return sum
}

func ownSince(before time.Duration) time.Duration { return own() - before }

// supervisor measures the program that every box has.
func (b *bench) supervisor() error {
	path, err := embedded.Supervisor(b.state)()
	if err != nil {
		return err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	b.table.AtMost("the supervisor's program", float64(fi.Size())/1e6, 3, "MB")
	out, err := exec.Command("docker", "inspect", "-f", "{{.State.Pid}}", b.cid).Output()
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // it is idle
	data, err := os.ReadFile("/proc/" + strings.TrimSpace(string(out)) + "/status")
	if err != nil {
		return nil // the engine is on another machine
	}
	for l := range strings.Lines(string(data)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				return err
			}
			b.table.AtMost("the supervisor of an idle sandbox, resident", float64(n)/1024, 4, "MiB")
		}
	}
	return nil
}

// cgroup finds where the kernel counts the container's processor time.
func (b *bench) cgroup() (func() (time.Duration, error), error) {
	paths, err := filepath.Glob("/sys/fs/cgroup/cpuacct/docker/" + b.cid + "*/cpuacct.usage")
	if err != nil || len(paths) == 0 {
		return nil, errors.New("no accounting of the container's processor time was found")
	}
	return func() (time.Duration, error) {
		d, err := os.ReadFile(paths[0])
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(d)), 10, 64)
		return time.Duration(n), err
	}, nil
}
