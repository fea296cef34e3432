package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"sync"

	"github.com/chitin-sh/chitin/bench/figure"
	"github.com/chitin-sh/chitin/sandbox"
)

// bare is the baseline of every comparison with the host: a fork and exec with
// the output captured.
func bare(argv ...string) figure.Method {
	return figure.Method{Name: "host: fork, exec, output captured", Do: func() error { return onHost(argv...) }}
}

func (b *bench) live(ctx context.Context, argv ...string) figure.Method {
	return figure.Method{Name: "live sandbox", Do: func() error { return inBox(ctx, b.box, argv...) }}
}

func (b *bench) engine(every int, argv ...string) figure.Method {
	return figure.Method{Name: "docker exec", Every: every, Do: func() error {
		return onHost(append([]string{"docker", "exec", b.cid}, argv...)...)
	}}
}

func (b *bench) warmExec(ctx context.Context, rounds int) error {
	p50, err := figure.Interleave(os.Stdout, "exec true, nothing else between", rounds*2, bare("/bin/true"), b.live(ctx, "true"))
	if err != nil {
		return err
	}
	b.table.AtMost("exec true inside the gateway / captured fork and exec", p50[1]/p50[0], 1.3, "x")
	p50, err = figure.Interleave(os.Stdout, "exec true, docker exec between", rounds, bare("/bin/true"), b.live(ctx, "true"), b.engine(10, "true"))
	if err != nil {
		return err
	}
	b.table.AtLeast("docker exec / exec true inside the gateway", p50[2]/p50[1], 40, "x")
	return nil
}

func (b *bench) files(ctx context.Context, rounds int) error {
	f := b.box.Files()
	data := bytes.Repeat([]byte("x"), 4096)
	if _, err := f.Write(ctx, "file", data); err != nil {
		return err
	}
	p50, err := figure.Interleave(os.Stdout, "4 KiB files", rounds,
		figure.Method{Name: "read", Do: func() error { _, _, err := f.Read(ctx, "file", 1<<20); return err }},
		figure.Method{Name: "write", Do: func() error { _, err := f.Write(ctx, "file", data); return err }},
		b.engine(20, "cat", "/workspace/file"))
	if err != nil {
		return err
	}
	b.table.AtMost("read of 4 KiB", p50[0], 0.2, "ms")
	b.table.AtMost("atomic write of 4 KiB", p50[1], 0.6, "ms")
	return nil
}

// discard is not io.Discard, which would be read into without a copy.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

var bulkArgs = []string{"head", "-c", "104857600", "/dev/zero"}

func onHostBulk() error {
	c := exec.Command(bulkArgs[0], bulkArgs[1:]...)
	c.Stdout = discard{}
	return c.Run()
}

func (b *bench) inBoxBulk(ctx context.Context) error {
	p, err := b.box.Start(ctx, sandbox.Cmd{Argv: bulkArgs, Stdin: sandbox.NoStdin, Stdout: discard{}})
	if err != nil {
		return err
	}
	_, err = p.Wait(ctx)
	return err
}

func (b *bench) bulk(ctx context.Context, rounds int) error {
	p50, err := figure.Interleave(os.Stdout, "100 MiB of output", max(rounds/5, 15),
		figure.Method{Name: "host: pipe", Do: onHostBulk},
		figure.Method{Name: "live sandbox", Do: func() error { return b.inBoxBulk(ctx) }})
	if err != nil {
		return err
	}
	b.table.AtMost("100 MiB of output / the host's pipe", p50[1]/p50[0], 1.2, "x")
	return nil
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
	fifty := func(m figure.Method, every int) figure.Method {
		one := m.Do
		return figure.Method{Name: m.Name, Every: every, Do: func() error { return batch(50, one) }}
	}
	p50, err := figure.Interleave(os.Stdout, "50 at once", max(rounds/8, 8), fifty(bare("/bin/true"), 0), fifty(b.live(ctx, "true"), 0), fifty(b.engine(0, "true"), 8))
	if err != nil {
		return err
	}
	b.table.AtLeast("50 at once in one sandbox: rate / docker exec's", p50[2]/p50[1], 50, "x")
	return nil
}
