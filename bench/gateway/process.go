package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a server in a process of its own.
type process struct {
	cmd  *exec.Cmd
	addr string
}

func startGateway(ctx context.Context, program, dir string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", "--state", filepath.Join(dir, "state"), "--port", port)
	cmd.Env = append(os.Environ(), "CHITIN_GATEWAY_TOKEN="+bearer)
	p, _, err := start(cmd, "ready")
	if err != nil {
		return nil, fmt.Errorf("the gateway did not start (make build?): %w", err)
	}
	p.addr = addr
	return p, nil
}

func startBare(ctx context.Context, answers string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, line, err := start(exec.CommandContext(ctx, self, "-bare", answers), "bare")
	if err != nil {
		return nil, err
	}
	p.addr = strings.Fields(line)[1]
	return p, nil
}

// start waits for the line that begins with a word.
func start(cmd *exec.Cmd, word string) (*process, string, error) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, "", errors.Join(err, cmd.Wait())
		}
		if f := strings.Fields(line); len(f) > 1 && f[0] == word {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return &process{cmd: cmd}, line, nil
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// tick is the kernel's unit of processor time in /proc.
const tick = 10 * time.Millisecond

// processorTime is user and system time so far; 0 where /proc does not say.
func (p *process) processorTime() time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, uerr := strconv.Atoi(f[11])
	system, serr := strconv.Atoi(f[12])
	if uerr != nil || serr != nil {
		return 0
	}
	return time.Duration(user+system) * tick
}

// peak is the most memory that was resident, in MB.
func (p *process) peak() float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	var kb float64
	_, _ = fmt.Sscan(rest, &kb)
	return kb / 1024
}

// serveBare answers each path's calls with its JSON: what a gateway that does
// nothing else would cost.
func serveBare(text string) error {
	var answers map[string]struct {
		Code int `json:"code"`
		Body any `json:"body"`
	}
	if err := json.Unmarshal([]byte(text), &answers); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("bare", l.Addr())
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Tool string         `json:"tool"`
			Args map[string]any `json:"args"`
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a := answers[strings.TrimPrefix(r.URL.Path, "/")]
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(a.Code)
		_ = json.NewEncoder(w).Encode(a.Body)
	})}
	return srv.Serve(l)
}
