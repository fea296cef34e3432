package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/server/httpapi"
)

const serverEnv = "CHITIN_TEST_SERVER"

// TestMain can also be a server in a process of its own: ten thousand
// connections need more descriptors than one process may have for both ends.
func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) == "" {
		os.Exit(m.Run())
	}
	t := &outside{}
	g := guardtest.New(t, guardtest.Options{})
	ls, err := gateway.Listen(context.Background(), gateway.Config{Port: -1}, gateway.ListenOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(ls[0].Addr())
	srv := httpapi.New(httpapi.Deps{Guard: g, Invoke: quiet{}}).Server()
	go func() { _ = srv.Serve(ls[0]) }()
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent goes away
}

// outside is a testing.TB for a process that is no test.
type outside struct{ testing.TB }

func (*outside) Helper()                   {}
func (*outside) Cleanup(func())            {}
func (*outside) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

type child struct {
	addr string
	pid  int
}

func startChild(t testing.TB) child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return child{strings.TrimSpace(line), cmd.Process.Pid}
}

// resident is the memory of a process in MB.
func (c child) resident() float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	var kb float64
	_, _ = fmt.Sscan(rest, &kb)
	return kb / 1024
}

// halfOpen opens connections that never send a request.
func halfOpen(t testing.TB, addr string, n int) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur < uint64(n)+200 {
		t.Fatalf("%d descriptors are not enough (ulimit -n)", lim.Cur)
	}
	for range n {
		c, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}

// BenchmarkHalfOpen is what 10,000 connections that never send a request do to
// the latency of the others and to memory.
func BenchmarkHalfOpen(b *testing.B) {
	c := startChild(b)
	req := benchCases()[3]
	n := max(b.N, 4000)
	const rate = 1000
	load(b, c.addr, req.request, req.code, 16, n, rate)
	before := load(b, c.addr, req.request, req.code, 16, n, rate)
	b.ReportMetric(c.resident(), "MB-before")
	halfOpen(b, c.addr, 10_000)
	b.ReportMetric(c.resident(), "MB-with")
	after := load(b, c.addr, req.request, req.code, 16, n, rate)
	b.ReportMetric(float64(before[len(before)*99/100].Microseconds()), "p99-before-µs")
	b.ReportMetric(float64(after[len(after)*99/100].Microseconds()), "p99-with-µs")
}
