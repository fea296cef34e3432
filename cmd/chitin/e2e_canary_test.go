package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// planted are the secrets of a sweep, by what they are for.
type planted struct {
	values map[string]string
	n      int
}

func (p *planted) plant(what string) string {
	p.n++
	v := fmt.Sprintf("cnry%02dQx7Lw9Zt3Vb5Nm1Kd8Hf4Gs6Jp2%02d", p.n, 99-p.n)
	p.values[what] = v
	return v
}

// find fails for every planted value in a text, also encoded.
func (p *planted) find(t *testing.T, where string, text []byte) {
	t.Helper()
	for what, v := range p.values {
		for form, s := range map[string]string{"plain": v, "base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(v)), "="), "url": url.QueryEscape(v)} {
			if bytes.Contains(text, []byte(s)) {
				t.Errorf("%s (%s) is in %s", what, form, where)
				break
			}
		}
	}
}

// plantAll makes sources of every kind, and a configuration that refers to
// them. The files that may hold a value are all in dir.
func plantAll(t *testing.T, p *planted, dir string) (conf string, env []string) {
	t.Helper()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	single := write("gateway", p.plant("gateway token")+"\n", 0o600)
	hook := write("hook", p.plant("hook token")+"\n", 0o600)
	models := ""
	model := func(ref string) {
		models += fmt.Sprintf("    m%d: {api: openai, baseUrl: \"http://127.0.0.1:9/v1\", apiKey: %s}\n", strings.Count(models, "\n"), ref)
	}
	var doc []string
	for i := range 6 {
		doc = append(doc, fmt.Sprintf("%q: %q", fmt.Sprint("k", i), p.plant(fmt.Sprint("json file ", i))))
		model(fmt.Sprintf("{source: file, provider: doc, id: /k%d}", i))
	}
	docPath := write("doc.json", "{"+strings.Join(doc, ",")+"}", 0o600)
	for i := range 6 {
		env = append(env, fmt.Sprintf("PLANTED_%d=%s", i, p.plant(fmt.Sprint("variable ", i))))
		model(fmt.Sprintf("\"${PLANTED_%d}\"", i))
	}
	var values []string
	for i := range 5 {
		values = append(values, fmt.Sprintf("\"e%d\":%q", i, p.plant(fmt.Sprint("program ", i))))
		model(fmt.Sprintf("{source: exec, provider: prog, id: e%d}", i))
	}
	prog := write("prog", "#!/bin/sh\ncat >/dev/null\necho '{\"protocolVersion\":1,\"values\":{"+strings.Join(values, ",")+"}}'\n", 0o700)
	for i := range 6 {
		p.plant(fmt.Sprint("store ", i))
		model(fmt.Sprintf("{source: store, id: s%d}", i))
	}
	return fmt.Sprintf(`gateway:
  auth:
    token: {source: file, provider: tok, id: value}
hooks: {enabled: true, token: {source: file, provider: hook, id: value}}
logging: {level: debug}
agents: {defaults: {model: m0/x}}
models:
  providers:
%ssecrets:
  providers:
    tok: {source: file, mode: singleValue, path: %s}
    hook: {source: file, mode: singleValue, path: %s}
    doc: {source: file, mode: json, path: %s}
    prog: {source: exec, command: %s}
`, models, single, hook, docPath, prog), env
}

// TestCanarySweep plants secrets of every kind, uses every surface, and looks
// for them everywhere but at their sources.
func TestCanarySweep(t *testing.T) {
	needDocker(t)
	p, dir := &planted{values: map[string]string{}}, t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	conf, env := plantAll(t, p, dir)
	g := gatewayOn(t, conf, env...)
	if p.n < 25 {
		t.Fatalf("only %d planted", p.n)
	}
	for i := range 6 {
		cmd := exec.Command(filepath.Join(bin, "chitin"), "secrets", "set", fmt.Sprint("s", i))
		cmd.Env, cmd.Stdin = g.env, strings.NewReader(p.values[fmt.Sprint("store ", i)])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("secrets set: %v: %s", err, out)
		}
	}
	g.end(syscall.SIGTERM)
	g.start()
	g.token = p.values["gateway token"]

	answers := everySurface(t, g, p)
	for where, text := range answers {
		p.find(t, where, []byte(text))
	}
	sweepProcesses(t, g, p)
	if err := g.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // a panic's stacks
		t.Fatal(err)
	}
	<-g.done
	g.start()
	g.end(syscall.SIGKILL)
	p.find(t, "the log", []byte(g.out.String()))
	sweepFiles(t, p, filepath.Dir(g.state))
}

// everySurface says every secret to every surface and returns what comes back.
func everySurface(t *testing.T, g *running, p *planted) map[string]string {
	t.Helper()
	out := map[string]string{}
	sock := g.socket(g.token)
	for what, v := range p.values {
		name := strings.ReplaceAll(what, " ", "-")
		half := len(v) / 2
		_, out["http result "+name] = g.tool(g.token, "exec", "", map[string]any{"command": "printf '%s' " + v[:half] + "; printf '%s\\n' " + v[half:] + "; echo " + v + " | base64 -w0; exit 3"})
		_, out["http error "+name] = g.tool(g.token, "read", "", map[string]any{"path": "/nope/" + v})
		_, out["http absent "+name] = g.tool(g.token, "no_such_tool_"+v, "agent:main:x", map[string]any{})
		out["ws "+name] = sock.invoke("exec", "", map[string]any{"command": "echo " + v})
		out["mcp "+name] = g.mcp(g.token, "", "read", map[string]any{"path": v})
	}
	_, out["metrics"] = g.do("GET", "/metrics", g.token, "")
	_, out["history"] = g.do("GET", "/sessions/agent:main:main/history", g.token, "")
	_, out["hook"] = g.do("POST", "/hooks/wake", p.values["hook token"], `{"text":"hello `+p.values["program 1"]+`"}`)
	_, out["hook turn"] = g.do("POST", "/hooks/agent", p.values["hook token"], `{"message":"hello `+p.values["store 1"]+`"}`)
	out["ws journal"] = sock.call("journal.tail", map[string]any{"limit": 1000})
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"secrets", "audit", "--json"}, {"secrets", "list"}, {"security", "audit", "--json"}, {"journal", "tail", "-n", "1000", "--json"}, {"token", "list"}, {"doctor"}, {"call", "exec", "--args", `{"command":"env"}`}} {
		text, _ := g.chitin(args...)
		if len(text) < 3 {
			t.Errorf("%v says nothing", args)
		}
		out["chitin "+strings.Join(args, " ")] = text
	}
	return out
}

// sweepProcesses looks at what others can see of the sandboxes and of the
// gateway's arguments.
func sweepProcesses(t *testing.T, g *running, p *planted) {
	t.Helper()
	cmdlines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range cmdlines {
		if b, err := os.ReadFile(path); err == nil {
			p.find(t, path, b)
		}
	}
	boxes := containers(g.state)
	if len(boxes) == 0 {
		t.Error("no sandbox to look at")
	}
	for _, id := range boxes {
		b, err := exec.Command("docker", "inspect", id).Output()
		if err != nil {
			continue // a warm one that ended meanwhile
		}
		p.find(t, "docker inspect", b)
		pids, _ := exec.Command("docker", "top", id, "-eo", "pid").Output()
		for _, pid := range strings.Fields(string(pids))[1:] {
			if b, err := os.ReadFile("/proc/" + pid + "/environ"); err == nil {
				p.find(t, "the environment of a sandbox", b)
			}
		}
	}
}

// sweepFiles looks at every file that the gateway left.
func sweepFiles(t *testing.T, p *planted, root string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			n++
			p.find(t, path, b)
		}
		return nil
	})
	if err != nil || n < 5 {
		t.Errorf("%d files looked at: %v", n, err)
	}
}
