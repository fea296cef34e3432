package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/server/mcpapi"
	"github.com/chitin-sh/chitin/server/mcpapi/conformance"
)

// npm runs scripts/npm-tests with a deadline and returns its output and exit
// code.
func npm(t *testing.T, limit time.Duration, env []string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	script, err := filepath.Abs("../../scripts/npm-tests")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, script, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return string(out) + "\nstopped after " + limit.String(), 75
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		return err.Error(), 75
	}
	return string(out), 0
}

// needNPM installs what a test drives from npm, or skips and says why: these
// programs are not ours, and where npm is not reachable there is nothing to do.
func needNPM(t *testing.T, set string) {
	t.Helper()
	if testing.Short() || os.Getenv("CHITIN_NPM") == "off" {
		t.Skip("SKIP: programs from npm are switched off")
	}
	if out, code := npm(t, 170*time.Second, nil, "prepare", set); code != 0 {
		t.Skipf("SKIP: %s", strings.TrimSpace(out))
	}
}

// conformanceGateway is a whole gateway with the suite's tools. The suite sends
// no credential, so one is added on the way; Host and Origin stay its own.
func conformanceGateway(t *testing.T) string {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(state, "chitin.yml")
	if err := os.WriteFile(conf, []byte("gateway:\n  auth:\n    token: "+gatewayToken+"\ntools:\n  sandbox:\n    tools:\n      alsoAllow: [\"test_*\", \"json_*\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{
		StateDir: state, ConfigPath: conf, Getenv: func(k string) string { return map[string]string{"CHITIN_GATEWAY_PORT": port}[k] }, Log: t.Output(),
		Tools: conformance.Tools(),
		MCP:   func(d *mcpapi.Deps) { d.Extend, d.Complete = conformance.Extend, conformance.Complete },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = a.Stop(ctx)
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(a.URL())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+gatewayToken)
	}})
	t.Cleanup(front.Close)
	return front.URL + "/mcp"
}

var scenarioLine = regexp.MustCompile(`(?m)^(✓|✗) (\S+): (\d+) passed, (\d+) failed`)

// conformant runs every scenario of one side of the official suite and wants
// at least so many to pass, and the suite itself to be content.
func conformant(t *testing.T, limit time.Duration, want int, args ...string) {
	t.Helper()
	args = append([]string{"conformance"}, append(args, "--suite", "all", "--output-dir", t.TempDir())...)
	out, code := npm(t, limit, nil, args...)
	if code == 75 {
		t.Skip("SKIP: " + out)
	}
	passed := 0
	for _, m := range scenarioLine.FindAllStringSubmatch(out, -1) {
		t.Log(m[0])
		if m[1] == "✓" {
			passed++
		}
	}
	if code != 0 || passed < want {
		t.Errorf("%d scenarios passed, exit code %d\n%s", passed, code, out)
	}
}

// TestConformanceServer runs the official suite, unmodified, against a gateway
// with the suite's tools.
func TestConformanceServer(t *testing.T) {
	needNPM(t, "mcp")
	conformant(t, 100*time.Second, 30, "server", "--url", conformanceGateway(t))
}

// toolsOf are the names of a tools/list as the inspector prints it.
func toolsOf(t *testing.T, out string) string {
	t.Helper()
	var l struct{ Tools []struct{ Name string } }
	at := strings.Index(out, "{")
	if at < 0 || json.Unmarshal([]byte(out[at:]), &l) != nil {
		t.Fatalf("the inspector printed %.2000s", out)
	}
	var names []string
	for _, tl := range l.Tools {
		names = append(names, tl.Name)
	}
	return strings.Join(names, " ")
}

// TestInspector lists and calls tools with the inspector's command line.
func TestInspector(t *testing.T) {
	needNPM(t, "mcp")
	g := gatewayOn(t, "")
	base := []string{"inspector", "http://127.0.0.1:" + g.port + "/mcp", "--transport", "http", "--header", "Authorization: Bearer " + g.token}
	out, code := npm(t, time.Minute, nil, append(base, "--method", "tools/list")...)
	if code != 0 {
		t.Fatalf("tools/list: exit code %d\n%s", code, out)
	}
	if names := toolsOf(t, out); !strings.Contains(names, "agents_list") || !strings.Contains(names, "exec") {
		t.Errorf("the inspector lists %s", names)
	}
	out, code = npm(t, time.Minute, nil, append(base, "--method", "tools/call", "--tool-name", "agents_list")...)
	if code != 0 || !strings.Contains(out, "requester") {
		t.Errorf("tools/call: exit code %d\n%s", code, out)
	}
	stdio := []string{"inspector", filepath.Join(bin, "chitin"), "mcp", "--method", "tools/call", "--tool-name", "agents_list"}
	for _, kv := range g.env {
		if strings.HasPrefix(kv, "CHITIN_") {
			stdio = append(stdio, "-e", kv)
		}
	}
	if out, code = npm(t, time.Minute, nil, stdio...); code != 0 || !strings.Contains(out, "requester") {
		t.Errorf("tools/call on stdio: exit code %d\n%s", code, out)
	}
}

// seen is what scripts/npm/client.mjs prints.
type seen struct {
	Server    string
	Tools     []string
	Resources []string
	Updated   int
	Asked     []string
	Error     string
	Journal   string
	Result    struct {
		IsError bool
		Content []struct{ Text string }
	}
}

func npmClient(t *testing.T, g *running, args ...string) seen {
	t.Helper()
	out, code := npm(t, time.Minute, nil, append([]string{"client", "http://127.0.0.1:" + g.port + "/mcp", g.token}, args...)...)
	var s seen
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || json.Unmarshal([]byte(lines[len(lines)-1]), &s) != nil {
		t.Fatalf("exit code %d\n%s\n%s", code, out, g.out.String())
	}
	return s
}

// TestThirdPartyClient drives the TypeScript SDK's client through /mcp to an
// exec in Docker.
func TestThirdPartyClient(t *testing.T) {
	needDocker(t)
	needNPM(t, "mcp")
	g := gatewayOn(t, "agents:\n  defaults:\n    sandbox:\n      backend: docker\n")
	s := npmClient(t, g, "exec", `{"command":"echo from-$((40+2)); test -f /.dockerenv && echo in-docker"}`)
	if s.Server != "chitin" || len(s.Result.Content) == 0 || s.Result.IsError || !strings.Contains(s.Result.Content[0].Text, "from-42\nin-docker") {
		t.Fatalf("%+v", s)
	}
	if s.Updated == 0 || len(s.Resources) < 2 || !strings.Contains(s.Journal, `"tool":"exec"`) {
		t.Errorf("resources %v, %d updates, journal %.300s", s.Resources, s.Updated, s.Journal)
	}
}

// TestOpenClawCLI is OpenClaw's own command line against our gateway.
func TestOpenClawCLI(t *testing.T) {
	needNPM(t, "openclaw")
	g := gatewayOn(t, "")
	home := t.TempDir()
	env := []string{"HOME=" + home, "OPENCLAW_STATE_DIR=" + filepath.Join(home, "state"), "CHITIN_NPM_CACHE=" + npmCache(t)}
	call := func(method string, more ...string) string {
		args := append([]string{"openclaw", "gateway", "call", method, "--json", "--url", "ws://127.0.0.1:" + g.port, "--token", g.token}, more...)
		out, code := npm(t, 45*time.Second, env, args...)
		if code != 0 {
			t.Fatalf("%s: exit code %d\n%s\n%s", method, code, out, g.out.String())
		}
		return out
	}
	for method, want := range map[string]string{"health": `"ok": true`, "status": `"version"`} {
		if out := call(method); !strings.Contains(out, want) {
			t.Errorf("%s: %s", method, out)
		}
	}
	if out := call("tools.invoke", "--params", `{"name":"agents_list","args":{}}`); !strings.Contains(out, `"requester": "main"`) {
		t.Errorf("tools.invoke: %s", out)
	}
}

// npmCache is where the programs are when HOME is another.
func npmCache(t *testing.T) string {
	t.Helper()
	if c := os.Getenv("CHITIN_NPM_CACHE"); c != "" {
		return c
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	return filepath.Join(dir, "chitin-npm")
}
