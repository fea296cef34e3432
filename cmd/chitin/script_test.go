package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands are what scripts can do beside running programs.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"serve":  serveCmd,
	"stop":   stopCmd,
	"http":   httpCmd,
	"canary": canaryCmd,
	"boxes":  boxesCmd,
	"mode":   modeCmd,
}

// condition [docker] holds when an engine answers. Where one is required its
// absence is an error, so that nothing is skipped silently.
func condition(cond string) (bool, error) {
	if cond != "docker" {
		return false, fmt.Errorf("unknown condition %s", cond)
	}
	err := exec.Command("docker", "info").Run()
	if err != nil && (os.Getenv("CHITIN_REQUIRE_DOCKER") == "1" || os.Getenv("CI") == "true") {
		return false, fmt.Errorf("no Docker Engine answers and one is required: run scripts/docker-up")
	}
	return err == nil, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	return port, l.Close()
}

type gatewayKey struct{}

// gateway is the one a script started.
type gateway struct {
	cmd  *exec.Cmd
	done chan struct{}
	out  lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes output of the gateway.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is the output so far.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (g *gateway) kill() {
	if g.cmd != nil {
		_ = g.cmd.Process.Kill()
		<-g.done
	}
}

// serve [args…] starts chitin serve and waits for its ready line; its output
// so far becomes the script's stdout. ! serve wants it to exit by itself.
func serveCmd(ts *testscript.TestScript, neg bool, args []string) {
	g := ts.Value(gatewayKey{}).(*gateway)
	*g = gateway{done: make(chan struct{})}
	g.cmd = exec.Command(filepath.Join(bin, "chitin"), append([]string{"serve"}, args...)...)
	g.cmd.Dir = ts.Getenv("WORK")
	for _, k := range []string{"PATH", "HOME", "CHITIN_STATE_DIR", "CHITIN_GATEWAY_PORT", "CHITIN_GATEWAY_TOKEN", "CHITIN_CONFIG", "CANARY"} {
		if v := ts.Getenv(k); v != "" {
			g.cmd.Env = append(g.cmd.Env, k+"="+v)
		}
	}
	g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.out
	ts.Check(g.cmd.Start())
	go func() { _ = g.cmd.Wait(); close(g.done) }()
	ready := regexp.MustCompile(`(?m)^ready `)
	deadline := time.After(20 * time.Second)
	for !ready.MatchString(g.out.String()) {
		select {
		case <-g.done:
			_, _ = ts.Stdout().Write([]byte(g.out.String()))
			_, _ = fmt.Fprintf(ts.Stdout(), "exit %d\n", g.cmd.ProcessState.ExitCode())
			if !neg {
				ts.Fatalf("the gateway ended: %s", g.out.String())
			}
			g.cmd = nil
			return
		case <-deadline:
			ts.Fatalf("the gateway never got ready: %s", g.out.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	if neg {
		ts.Fatalf("the gateway started")
	}
	time.Sleep(50 * time.Millisecond) // what it prints behind the ready line
	_, _ = ts.Stdout().Write([]byte(g.out.String()))
}

// stop [signal] ends the gateway and waits for it; its whole output becomes
// the script's stdout.
func stopCmd(ts *testscript.TestScript, neg bool, args []string) {
	g := ts.Value(gatewayKey{}).(*gateway)
	sig := syscall.SIGTERM
	if len(args) == 1 && args[0] == "KILL" {
		sig = syscall.SIGKILL
	}
	ts.Check(g.cmd.Process.Signal(sig))
	select {
	case <-g.done:
	case <-time.After(20 * time.Second):
		ts.Fatalf("the gateway did not stop")
	}
	_, _ = ts.Stdout().Write([]byte(g.out.String()))
	g.cmd = nil
}

// http [-token T|-] [-header 'K: V'] METHOD PATH [BODY|@FILE] prints the
// status, the headers and the body. "-" is the generated token.
func httpCmd(ts *testscript.TestScript, neg bool, args []string) {
	h := http.Header{}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-token":
			t := args[1]
			if t == "-" {
				t = strings.TrimSpace(ts.ReadFile(filepath.Join(ts.Getenv("STATE"), "gateway.token")))
			}
			h.Set("Authorization", "Bearer "+t)
		case "-header":
			k, v, _ := strings.Cut(args[1], ": ")
			h.Set(k, v)
		}
		args = args[2:]
	}
	var body io.Reader
	if len(args) > 2 {
		text := args[2]
		if name, ok := strings.CutPrefix(text, "@"); ok {
			text = ts.ReadFile(name)
		}
		body = strings.NewReader(text)
	}
	req, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], body)
	ts.Check(err)
	req.Header = h
	if host := h.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, _ = fmt.Fprintf(ts.Stdout(), "status %d\n", resp.StatusCode)
	ts.Check(resp.Header.Write(ts.Stdout()))
	_, _ = ts.Stdout().Write(append(b, '\n'))
}

// canary VALUE searches the state directory, the gateway's output, arguments
// and environment for a planted value and fails when it is anywhere but in
// the files named after it.
func canaryCmd(ts *testscript.TestScript, neg bool, args []string) {
	g := ts.Value(gatewayKey{}).(*gateway)
	want := []byte(args[0])
	var found []string
	look := func(name string, b []byte) {
		if bytes.Contains(b, want) {
			found = append(found, name)
		}
	}
	look("output", []byte(g.out.String()))
	if g.cmd != nil {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(g.cmd.Process.Pid), "cmdline"))
		ts.Check(err)
		look("cmdline", b)
	}
	err := filepath.Walk(ts.Getenv("STATE"), func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		for _, allowed := range args[1:] {
			if filepath.Base(path) == allowed {
				return nil
			}
		}
		b, err := os.ReadFile(path)
		look(path, b)
		return err
	})
	ts.Check(err)
	if len(found) > 0 {
		ts.Fatalf("the canary is in %v", found)
	}
}

// boxes prints one line for each container of the script's state directory,
// with the settings that harden it.
func boxesCmd(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	for _, id := range containers(ts.Getenv("STATE")) {
		b, err := exec.Command("docker", "inspect", id).Output()
		if err != nil {
			continue // gone meanwhile
		}
		var cs []struct {
			Config struct {
				User   string
				Env    []string
				Labels map[string]string
			}
			HostConfig struct {
				ReadonlyRootfs               bool
				CapAdd, CapDrop, SecurityOpt []string
				NetworkMode                  string
				PidsLimit                    int64
				Memory                       int64
				Tmpfs                        map[string]string
				Privileged                   bool
			}
		}
		ts.Check(json.Unmarshal(b, &cs))
		c := cs[0]
		n++
		_, _ = fmt.Fprintf(ts.Stdout(), "readonly=%t capdrop=%v capadd=%v nonewprivs=%t network=%s pids=%t memory=%t tmpfs=%t user=%s privileged=%t\n",
			c.HostConfig.ReadonlyRootfs, c.HostConfig.CapDrop, c.HostConfig.CapAdd, strings.Contains(strings.Join(c.HostConfig.SecurityOpt, " "), "no-new-privileges"),
			c.HostConfig.NetworkMode, c.HostConfig.PidsLimit > 0, c.HostConfig.Memory > 0, len(c.HostConfig.Tmpfs) > 0, c.Config.User, c.HostConfig.Privileged)
	}
	_, _ = fmt.Fprintf(ts.Stdout(), "boxes %d\n", n)
}

// mode PATH prints a file's permission bits.
func modeCmd(ts *testscript.TestScript, neg bool, args []string) {
	for _, p := range args {
		st, err := os.Stat(ts.MkAbs(p))
		ts.Check(err)
		_, _ = fmt.Fprintf(ts.Stdout(), "%s %04o\n", filepath.Base(p), st.Mode().Perm())
	}
}
