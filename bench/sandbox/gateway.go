package main

import (
	"bufio"
	"context"
	"errors"
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
	call := func() error { return invoke(ctx, url) }
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

func invoke(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/tools/invoke",
		strings.NewReader(`{"tool":"exec","args":{"command":"true"},"sessionKey":"agent:main:bench"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", res.StatusCode, body)
	}
	return err
}
