package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// kills is how often the gateway is killed; CHITIN_KILLS raises it.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("CHITIN_KILLS")); err == nil {
		return n
	}
	return 16
}

// crashing is one state directory whose gateway keeps being killed.
type crashing struct {
	t     *testing.T
	state string
	port  string
	token string
	out   *lockedBuffer
	seen  map[string]bool // every container there was
}

const crashConfig = `agents:
  defaults:
    sandbox:
      scope: session
      pool: {ready: 1, max: 2}
`

func (c *crashing) launch() *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "chitin"), "serve")
	cmd.Env = append(os.Environ(), "CHITIN_STATE_DIR="+c.state, "CHITIN_GATEWAY_PORT="+c.port, "CHITIN_GATEWAY_TOKEN="+c.token)
	c.out = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = c.out, c.out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return cmd
}

func (c *crashing) ready() {
	c.t.Helper()
	for range 2000 {
		if strings.Contains(c.out.String(), "ready ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("the gateway never got ready: %s", c.out.String())
}

// post sends one request; "" is an answer that never came.
func (c *crashing) post(path, body string) string {
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+c.port+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return ""
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

// run is the i-th command in a session. Its idempotency key is its own, so
// that it may be sent again.
func (c *crashing) run(session string, i int) string {
	return c.post("/tools/invoke", fmt.Sprintf(`{"tool":"exec","args":{"command":"echo run-%d >> log; sleep 0.2; echo did-%d"},"sessionKey":%q,"idempotencyKey":"key-%s-%d"}`,
		i, i, "agent:main:"+session, session, i))
}

func (c *crashing) end(session string) string {
	return c.post("/sessions/"+url.PathEscape("agent:main:"+session)+"/kill", "{}")
}

// containers lists those of a state directory, running or not.
func containers(state string) []string {
	id, err := os.ReadFile(filepath.Join(state, "sandbox", "id"))
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(state); err == nil {
		state = real
	}
	sum := sha256.Sum256([]byte(state + "\x00" + string(id)))
	out, err := exec.Command("docker", "ps", "-aq", "--no-trunc", "--filter", "label=chitin.state="+hex.EncodeToString(sum[:8])).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// sweep removes what a scope-agent box legitimately keeps.
func sweep(state string) {
	if ids := containers(state); len(ids) > 0 {
		_ = exec.Command("docker", append([]string{"rm", "-f"}, ids...)...).Run()
	}
}

// containers lists what there is and remembers it.
func (c *crashing) containers() []string {
	ids := containers(c.state)
	for _, id := range ids {
		c.seen[id] = true
	}
	return ids
}

// round starts the gateway, gives it work of every kind and kills it.
func (c *crashing) round(i int) (answered int) {
	gw := c.launch()
	var wg sync.WaitGroup
	var mu sync.Mutex
	limit := 120 // milliseconds: while it starts and adopts
	if i%4 != 0 {
		c.ready()
		limit = 700
		work := func(f func() string, want string) {
			wg.Go(func() {
				if strings.Contains(f(), want) {
					mu.Lock()
					answered++
					mu.Unlock()
				}
			})
		}
		last := max(i-1, 0)
		work(func() string { return c.run("keep", i) }, fmt.Sprint("did-", i))
		work(func() string { return c.run("keep", last) }, fmt.Sprint("did-", last)) // again, as a client would
		work(func() string { return c.run(fmt.Sprint("new", i), i) }, fmt.Sprint("did-", i))
		work(func() string { return c.end(fmt.Sprint("new", last)) }, "ok")
	}
	time.Sleep(time.Duration(rand.IntN(limit)) * time.Millisecond)
	if err := gw.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = gw.Wait()
	wg.Wait()
	c.containers()
	return answered
}

// TestKilledGateway kills the gateway with SIGKILL at random moments of its
// start and of making, using and removing sandboxes: nothing runs twice,
// nothing is left behind, the journal holds.
func TestKilledGateway(t *testing.T) {
	needDocker(t)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &crashing{t: t, state: filepath.Join(dir, "state"), port: port, token: "crash-test-token-0123456789abcdef", seen: map[string]bool{}}
	t.Cleanup(func() { sweep(c.state) })
	if err := os.Mkdir(c.state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.state, "chitin.yml"), []byte(crashConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	answered := 0
	for i := range kills() {
		answered += c.round(i)
	}
	t.Logf("%d kills, %d calls answered, %d containers seen", kills(), answered, len(c.seen))
	if answered == 0 {
		t.Error("no call was answered between the kills")
	}
	gw := c.launch()
	c.ready()
	if got := c.run("keep", 1_000_000); !strings.Contains(got, "did-1000000") {
		t.Errorf("after the last kill: %s", got)
	}
	c.once()
	c.settled()
	for i := range kills() - 5 { // some are left for the gateway's own end
		c.end(fmt.Sprint("new", i))
	}
	if err := gw.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = gw.Wait()
	c.nothingLeft()
	verify := exec.Command(filepath.Join(bin, "chitin"), "journal", "verify", "--state", c.state)
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("journal verify: %v: %s", err, out)
	}
}

// settled waits until the gateway has taken over what it can and removed the
// rest: the number of containers stands still.
func (c *crashing) settled() {
	last, since := -1, time.Now()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && time.Since(since) < 3*time.Second; time.Sleep(200 * time.Millisecond) {
		if n := len(c.containers()); n != last {
			last, since = n, time.Now()
		}
	}
	c.t.Logf("%d containers live on", last)
}

// once looks for commands that ran twice, in every workspace there is.
func (c *crashing) once() {
	found := map[string]int{}
	err := filepath.WalkDir(filepath.Join(c.state, "sandbox"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "log" {
			return nil // may vanish meanwhile
		}
		b, err := os.ReadFile(p)
		box := filepath.Dir(p)
		for id := range strings.FieldsSeq(string(b)) {
			found[box+" "+id]++
		}
		return err
	})
	if err != nil || len(found) == 0 {
		c.t.Errorf("no logs: %v", err)
	}
	for id, n := range found {
		if n > 1 {
			c.t.Errorf("%s ran %d times", id, n)
		}
	}
}

// nothingLeft looks for containers, directories, sockets, mounts and control
// groups after a gateway whose sandboxes are those of sessions has stopped.
func (c *crashing) nothingLeft() {
	if ids := c.containers(); len(ids) > 0 {
		c.t.Errorf("%d containers leaked", len(ids))
	}
	if left, err := os.ReadDir(filepath.Join(c.state, "sandbox", "boxes")); err != nil || len(left) > 0 {
		c.t.Errorf("directories leaked: %v, %v", left, err)
	}
	if err := filepath.WalkDir(c.state, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSocket != 0 {
			c.t.Errorf("a socket leaked: %s", p)
		}
		return err
	}); err != nil {
		c.t.Error(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), c.state) {
		c.t.Errorf("mounts leaked, %v", err)
	}
	for id := range c.seen {
		for _, pattern := range []string{"/sys/fs/cgroup/*/docker/", "/sys/fs/cgroup/docker/", "/sys/fs/cgroup/system.slice/docker-"} {
			if groups, err := filepath.Glob(pattern + id + "*"); err != nil || len(groups) > 0 {
				c.t.Errorf("control groups leaked: %v %v", groups, err)
			}
		}
	}
}
