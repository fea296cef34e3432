package probe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/audit"
)

const browserLabel = "openclaw.sandboxBrowser=1"

// browser lists the peer's browser containers: through the engine's socket, or
// through a `docker` that is a script, such as podman's or one for a remote
// engine, since only the script knows where its engine is.
func browser(getenv func(string) string, subject string) func(context.Context) ([]audit.BrowserContainer, error) {
	return func(ctx context.Context) ([]audit.BrowserContainer, error) {
		if script := wrapper(getenv("PATH"), subject); script != "" {
			return viaScript(ctx, script, getenv)
		}
		e, ok := NewEngine(getenv)
		if !ok {
			return nil, nil
		}
		cs, err := e.Containers(ctx, browserLabel)
		if ctx.Err() != nil || os.IsTimeout(err) {
			return nil, context.DeadlineExceeded
		}
		var out []audit.BrowserContainer
		for _, c := range cs {
			b := audit.BrowserContainer{Name: c.Name, ConfigHash: c.Labels["openclaw.configHash"], ConfigEpoch: c.Labels["openclaw.browserConfigEpoch"]}
			for _, p := range c.Ports {
				host := p.HostIP
				if strings.Contains(host, ":") {
					host = "[" + host + "]"
				}
				b.Ports = append(b.Ports, fmt.Sprintf("%d/tcp -> %s:%d", p.Private, host, p.HostPort))
			}
			sort.Strings(b.Ports)
			out = append(out, b)
		}
		return out, nil
	}
}

// wrapper finds the first `docker` on PATH and gives it only when it is a
// script that nobody but its owner or root can change and that is not part of
// the subject.
func wrapper(path, subject string) string {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		p := filepath.Join(dir, "docker")
		st, err := os.Stat(p)
		if err != nil || !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 {
			continue
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		own := ok && (sys.Uid == 0 || int(sys.Uid) == os.Geteuid())
		real, err := filepath.EvalSymlinks(p)
		if err != nil || !own || st.Mode().Perm()&0o022 != 0 || subject != "" && strings.HasPrefix(real, subject+"/") {
			return ""
		}
		f, err := os.Open(real)
		if err != nil {
			return ""
		}
		head := make([]byte, 2)
		_, err = f.Read(head)
		_ = f.Close()
		if err == nil && string(head) == "#!" {
			return real
		}
		return ""
	}
	return ""
}

func viaScript(ctx context.Context, script string, getenv func(string) string) ([]audit.BrowserContainer, error) {
	names, err := runScript(ctx, script, getenv, "ps", "-a", "--filter", "label="+browserLabel, "--format", "{{.Names}}")
	if err != nil {
		return nil, err
	}
	var out []audit.BrowserContainer
	for _, name := range names[:min(len(names), 100)] {
		if strings.HasPrefix(name, "-") {
			continue
		}
		labels, err := runScript(ctx, script, getenv, "inspect", "-f", `{{ index .Config.Labels "openclaw.configHash" }}`+"\t"+`{{ index .Config.Labels "openclaw.browserConfigEpoch" }}`, name)
		if err != nil {
			return out, err
		}
		b := audit.BrowserContainer{Name: name}
		if len(labels) > 0 {
			hash, epoch, _ := strings.Cut(labels[0], "\t")
			b.ConfigHash, b.ConfigEpoch = label(hash), label(epoch)
		}
		if b.Ports, err = runScript(ctx, script, getenv, "port", name); err != nil {
			return out, err
		}
		out = append(out, b)
	}
	return out, nil
}

func label(v string) string {
	if v = strings.TrimSpace(v); v == "<no value>" {
		return ""
	}
	return v
}

// runScript gives the lines of a command's output. A failure is an empty
// answer, as with an engine that is not there; only a timeout is an error.
func runScript(ctx context.Context, script string, getenv func(string) string, args ...string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, script, args...)
	cmd.Env = []string{"PATH=" + getenv("PATH"), "HOME=" + getenv("HOME")}
	for _, k := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR", "CONTAINER_HOST"} {
		if v := getenv(k); v != "" {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	cmd.WaitDelay = 200 * time.Millisecond
	var buf bytes.Buffer
	cmd.Stdout = &limited{buf: &buf, left: 1 << 20}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, context.DeadlineExceeded
	}
	if err != nil {
		return nil, nil
	}
	var lines []string
	sc := bufio.NewScanner(&buf)
	for sc.Scan() {
		if t := strings.TrimRight(sc.Text(), "\r"); strings.TrimSpace(t) != "" {
			lines = append(lines, t)
		}
	}
	return lines, nil
}

type limited struct {
	buf  *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.buf.Write(p[:n])
	return len(p), nil
}
