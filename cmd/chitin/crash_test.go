package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how often the gateway is killed; CHITIN_KILLS raises it.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("CHITIN_KILLS")); err == nil {
		return n
	}
	return 20
}

// crashing is one state directory whose gateway keeps being killed.
type crashing struct {
	t     *testing.T
	state string
	port  string
	token string
}

func (c *crashing) start() *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "chitin"), "serve")
	cmd.Env = append(os.Environ(), "CHITIN_STATE_DIR="+c.state, "CHITIN_GATEWAY_PORT="+c.port, "CHITIN_GATEWAY_TOKEN="+c.token)
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	for range 2000 {
		if strings.Contains(out.String(), "ready ") {
			return cmd
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("the gateway never got ready: %s", out.String())
	return nil
}

func (c *crashing) exec(ctx context.Context, command string) (string, error) {
	body := fmt.Sprintf(`{"tool":"exec","args":{"command":%q}}`, command)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+c.port+"/tools/invoke", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// containers lists those of a state directory, running or not.
func containers(state string) []string {
	ids, err := exec.Command("docker", "ps", "-aq", "--filter", "label=chitin.sandbox=1").Output()
	if err != nil {
		return nil
	}
	var out []string
	for _, id := range strings.Fields(string(ids)) {
		b, err := exec.Command("docker", "inspect", id).Output()
		if err == nil && bytes.Contains(b, []byte(state)) {
			out = append(out, id)
		}
	}
	return out
}

// sweep removes what a scope-agent box legitimately keeps.
func sweep(state string) {
	if ids := containers(state); len(ids) > 0 {
		_ = exec.Command("docker", append([]string{"rm", "-f"}, ids...)...).Run()
	}
}

// TestKilledDuringExec kills the gateway with SIGKILL at random moments of an
// exec: nothing runs twice, nothing is left behind, the journal holds.
func TestKilledDuringExec(t *testing.T) {
	if ok, err := condition("docker"); err != nil || !ok {
		if err != nil {
			t.Fatal(err)
		}
		t.Skip("needs a Docker Engine")
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	c := &crashing{t, filepath.Join(t.TempDir(), "state"), port, "crash-test-token-0123456789abcdef"}
	t.Cleanup(func() { sweep(c.state) })
	for i := range kills() {
		gw := c.start()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.exec(context.Background(), fmt.Sprintf("echo run-%d >> log; sleep 0.3", i))
		}()
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		if err := gw.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = gw.Wait()
		<-done
	}
	gw := c.start()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := c.exec(ctx, "sort log 2>/dev/null | uniq -d; echo end")
	if err != nil || !strings.Contains(answer, `"text":"end"`) {
		t.Errorf("after the last kill: %s, %v; want no run twice", answer, err)
	}
	// The box of the agent, and at most one kept warm.
	deadline := time.Now().Add(20 * time.Second)
	for len(containers(c.state)) > 2 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	if n := len(containers(c.state)); n > 2 {
		t.Errorf("%d containers are there after the next start", n)
	}
	if err := gw.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = gw.Wait()
	verify := exec.Command(filepath.Join(bin, "chitin"), "journal", "verify", "--state", c.state)
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("journal verify: %v: %s", err, out)
	}
}
