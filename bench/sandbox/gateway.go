package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/bench/figure"
	"github.com/chitin-sh/chitin/bench/lean"
)

const bearer = "bench-2b5f0c7e9a4d41d8b6c3"

// overHTTP measures a whole call: a gateway of its own with its defaults, one
// client, one call after the other.
func (b *bench) overHTTP(ctx context.Context, rounds int) error {
	if _, err := os.Stat(b.prog); err != nil {
		fmt.Printf("\nexec true over HTTP is left out: %v; make build\n", err)
		return nil
	}
	state := filepath.Join(b.state, "gateway")
	if err := os.Mkdir(state, 0o700); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.prog, "serve", "--state", state, "--port", port)
	cmd.Env = append(os.Environ(), "CHITIN_GATEWAY_TOKEN="+bearer)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	url, err := readyURL(out)
	if err != nil {
		return err
	}
	addr := strings.TrimPrefix(url, "http://")
	c, err := lean.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	req := lean.Post(addr, "/tools/invoke", bearer, `{"tool":"exec","args":{"command":"true"},"sessionKey":"agent:main:bench"}`)
	call := func() error { return c.Call(req, http.StatusOK) }
	if err := call(); err != nil { // makes the sandbox
		return err
	}
	p50, err := figure.Interleave(os.Stdout, "exec true over HTTP", rounds, bare("/bin/true"),
		figure.Method{Name: "POST /tools/invoke", Do: call}, b.engine(10, "true"))
	if err != nil {
		return err
	}
	b.table.AtMost("exec true over HTTP / captured fork and exec", p50[1]/p50[0], 1.7, "x")
	b.table.AtLeast("docker exec / exec true over HTTP", p50[2]/p50[1], 20, "x")
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// readyURL waits for the gateway's first line; the rest is swallowed.
func readyURL(out io.Reader) (string, error) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("the gateway did not start: %w", err)
		}
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "ready" {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return strings.TrimRight(f[1], "/"), nil
		}
	}
}
