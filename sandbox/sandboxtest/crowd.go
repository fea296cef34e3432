package sandboxtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// maxCancel is what cancelling may take at the median: 5 ms on a machine of
// its own, which the benchmarks show, and more on one that is shared.
const maxCancel = 25 * time.Millisecond

// cancelAtOnce cancels one call after the other. When the end of each is told,
// nothing of its group may be alive.
func cancelAtOnce(t *testing.T, b sandbox.Box) {
	var took []time.Duration
	for range 15 {
		ctx, cancel := context.WithCancel(t.Context())
		p, _ := started(t, b, ctx, "sleep 1010 & sleep 1010 & sleep 1010 & echo up; wait")
		began := time.Now()
		cancel()
		x, err := p.Wait(context.Background())
		took = append(took, time.Since(began))
		if x.Signal != int(syscall.SIGKILL) {
			t.Fatalf("%+v %v", x, err)
		}
		if left := alive(t, b, "sleep"); left != "" {
			t.Fatalf("the end was told while these lived: %s", left)
		}
	}
	slices.Sort(took)
	t.Logf("median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > maxCancel {
		t.Errorf("cancelling took %v at the median", took[len(took)/2])
	}
}

// alive lists the processes of a name that have not ended, zombies not counted.
func alive(t *testing.T, b sandbox.Box, name string) string {
	t.Helper()
	r := run(t, b, `for f in /proc/[0-9]*/stat; do read -r l <"$f" 2>/dev/null || continue; case "$l" in *"(`+name+`) Z "*) ;; *"(`+name+`)"*) echo "$l";; esac; done`)
	if r.fail != nil {
		t.Fatalf("%+v", r)
	}
	return r.out
}

// crowd runs ten calls in each of several boxes at once: every answer must come
// from the box that was asked. CHITIN_BOXES says in how many.
func crowd(t *testing.T, w *world) {
	n := 5
	if v, err := strconv.Atoi(os.Getenv("CHITIN_BOXES")); err == nil && v > 0 {
		n = v
	}
	boxes := make([]sandbox.Box, n)
	for i := range boxes {
		boxes[i] = w.box("none", nil)
		expect(t, boxes[i], fmt.Sprintf("echo box%d > me; echo ok", i), "ok", 0)
	}
	var wg sync.WaitGroup
	for i, b := range boxes {
		for j := range 10 {
			wg.Go(func() {
				got, err := say(b, fmt.Sprintf("echo $(cat me)-%d", j))
				if want := fmt.Sprintf("box%d-%d", i, j); err != nil || got != want {
					t.Errorf("asked for %s, got %q, %v", want, got, err)
				}
			})
		}
	}
	wg.Wait()
}

// say runs a script off the test's own goroutine.
func say(b sandbox.Box, script string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	p, err := b.Start(ctx, sandbox.Cmd{Argv: []string{"sh", "-c", script}, Stdin: sandbox.NoStdin, Stdout: &out})
	if err != nil {
		return "", err
	}
	x, err := p.Wait(ctx)
	if err == nil && x.Code != 0 {
		err = fmt.Errorf("exit %+v", x)
	}
	return strings.TrimSpace(out.String()), err
}
