// Command gateway measures a running gateway over loopback against a bare
// net/http handler that decodes the same calls and answers the same JSON, in
// turns, because machines are shared: read the ratios.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/chitin-sh/chitin/bench/figure"
	"github.com/chitin-sh/chitin/bench/lean"
)

func main() {
	chitin := flag.String("chitin", "bin/chitin", "the gateway's program")
	rounds := flag.Int("rounds", 5, "how often each side is measured")
	conns := flag.Int("conns", 64, "connections at once")
	span := flag.Duration("span", time.Second, "how long each measurement takes")
	silent := flag.Int("half-open", 10_000, "sockets that never send anything, for the last step; 0 leaves it out")
	answers := flag.String("bare", "", "be the bare handler with these answers")
	flag.Parse()
	if *answers != "" {
		if err := serveBare(*answers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	b := &bench{rounds: *rounds, conns: *conns, span: *span}
	if err := b.run(context.Background(), *chitin, *silent); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if b.table.Print(os.Stdout) > 0 {
		fmt.Println("\nA busy machine misses: look at the ratios again on a quiet one.")
	}
}

type bench struct {
	rounds, conns int
	span          time.Duration
	table         figure.Table
	gateway, bare *process
}

// kind is one kind of request.
type kind struct {
	name, tool string
	known      bool    // with the token
	code       int     // that is answered
	want       float64 // of the bare handler's requests per second
	half       time.Duration
}

var kinds = []kind{
	{name: "refused", tool: "agents_list", code: 401, want: 0.8},
	{name: "denied", tool: "sessions_spawn", known: true, code: 404, want: 0.7, half: 2 * time.Millisecond},
	{name: "allowed", tool: "agents_list", known: true, code: 200, want: 0.5, half: 2 * time.Millisecond},
}

func (b *bench) run(ctx context.Context, program string, silent int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "chitin-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if b.gateway, err = startGateway(ctx, program, dir); err != nil {
		return err
	}
	defer b.gateway.stop()
	answers := map[string]answer{}
	for _, k := range kinds {
		if answers[k.name], err = ask(b.gateway.addr, k); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	if b.bare, err = startBare(ctx, string(raw)); err != nil {
		return err
	}
	defer b.bare.stop()
	for _, k := range kinds {
		if err := b.compare(k); err != nil {
			return err
		}
	}
	if err := b.sameTime(); err != nil {
		return err
	}
	b.table.AtMost("resident at most, under load", b.gateway.peak(), 60, "MB")
	if silent > 0 {
		return b.halfOpen(silent)
	}
	return nil
}

// compare takes turns between gateway and bare handler at full rate, then at
// half of what the gateway could do.
func (b *bench) compare(k kind) error {
	mine, other := request(b.gateway.addr, k), requestTo(b.bare.addr, "/"+k.name, k)
	var ratios, rates, cpu, bareCPU []float64
	for range b.rounds {
		bare, used, err := b.full(b.bare, other, k.code)
		if err != nil {
			return err
		}
		bareCPU = append(bareCPU, used)
		rate, used, err := b.full(b.gateway, mine, k.code)
		if err != nil {
			return err
		}
		cpu, rates, ratios = append(cpu, used), append(rates, rate), append(ratios, rate/bare)
	}
	rate := median(rates)
	var half, bareHalf []time.Duration
	for range b.rounds {
		some, err := pace(b.bare.addr, other, k.code, b.conns, rate/2, b.span)
		if err != nil {
			return err
		}
		bareHalf = append(bareHalf, some...)
		if some, err = pace(b.gateway.addr, mine, k.code, b.conns, rate/2, b.span); err != nil {
			return err
		}
		half = append(half, some...)
	}
	p50, p99 := figure.Quantile(half, 0.5), figure.Quantile(half, 0.99)
	fmt.Printf("%-8s %7.0f requests/s, %.2f of bare; %4.1f µs of processor time each, bare %4.1f; at half the rate p50 %.2f ms, p99 %.2f ms, bare p99 %.2f ms\n",
		k.name, rate, median(ratios), median(cpu), median(bareCPU), p50, p99, figure.Quantile(bareHalf, 0.99))
	b.table.AtLeast(k.name+": requests per second / bare handler (x 100)", 100*median(ratios), 100*k.want, "")
	if k.half > 0 {
		b.table.AtMost(k.name+": p99 at half of the maximum rate", p99, float64(k.half.Microseconds())/1000, "ms")
	}
	return nil
}

// full is requests per second and processor time per request in µs.
func (b *bench) full(p *process, req []byte, code int) (rate, cpu float64, err error) {
	before, start := p.processorTime(), time.Now()
	count, err := load(p.addr, req, code, b.conns, b.span)
	if err != nil {
		return 0, 0, err
	}
	n := float64(count)
	return n / time.Since(start).Seconds(), float64((p.processorTime() - before).Microseconds()) / n, nil
}

// sameTime takes turns between a denied tool and one that does not exist.
func (b *bench) sameTime() error {
	denied, unknown := kinds[1], kinds[1]
	unknown.tool = "sessions_spoon"
	var took [2][]time.Duration
	c, err := lean.Dial(b.gateway.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for range 5000 {
		for i, k := range []kind{denied, unknown} {
			start := time.Now()
			if err := c.Call(request(b.gateway.addr, k), k.code); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	ratio := figure.Quantile(took[0], 0.5) / figure.Quantile(took[1], 0.5)
	b.table.AtMost("denied / unknown tool, whichever is slower", max(ratio, 1/ratio), 1.05, "x")
	return nil
}

// halfOpen is what sockets that never send anything do to everybody else.
func (b *bench) halfOpen(n int) error {
	const rate = 1000
	req := request(b.gateway.addr, kinds[2])
	before, err := pace(b.gateway.addr, req, 200, b.conns, rate, 4*b.span)
	if err != nil {
		return err
	}
	drop, err := silence(b.gateway.addr, n)
	if err != nil {
		return err
	}
	defer drop()
	with, err := pace(b.gateway.addr, req, 200, b.conns, rate, 4*b.span)
	if err != nil {
		return err
	}
	p, q := figure.Quantile(before, 0.99), figure.Quantile(with, 0.99)
	fmt.Printf("p99 at %d requests/s: %.2f ms, with %d half-open sockets %.2f ms\n", rate, p, n, q)
	b.table.AtMost("p99 with half-open sockets / without", q/p, 2, "x")
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
