package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/audit"
)

// socket serves answers by path on a Unix socket and gives its DOCKER_HOST.
func socket(t *testing.T, answers map[string]string) func(string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "e.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, text)
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return func(k string) string { return map[string]string{"DOCKER_HOST": "unix://" + path}[k] }
}

func TestEngine(t *testing.T) {
	getenv := socket(t, map[string]string{
		"/info":            `{"ServerVersion":"29.0.1","CgroupVersion":"2","SecurityOptions":["name=seccomp,profile=builtin"],"PidsLimit":true,"RegistryConfig":{"InsecureRegistryCIDRs":["127.0.0.0/8","10.0.0.0/8"]}}`,
		"/version":         `{"Components":[{"Name":"runc","Version":"1.3.4"},{"Name":"containerd","Version":"2.2.0"}]}`,
		"/containers/json": `[{"Id":"abc"}]`,
		"/containers/abc/json": `{"Id":"abc","Name":"/box","Image":"sha256:i","Config":{"Labels":{"l":"v"}},"HostConfig":{"Privileged":true,"CapDrop":["ALL"],"PidsLimit":7,"NanoCpus":5,"Devices":[{"PathOnHost":"/dev/x"}]},
			"Mounts":[{"Type":"bind","Source":"/a","Destination":"/b","RW":true}],"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}}}`,
		"/images/sha256:i/json": `{"Config":{"User":"1000"}}`,
	})
	e, ok := NewEngine(getenv)
	if !ok {
		t.Fatal("no engine")
	}
	info, err := e.Info(context.Background())
	if err != nil || info.Version != "29.0.1" || info.Runc != "1.3.4" || info.Containerd != "2.2.0" || !info.PidsLimit || len(info.InsecureRegistries) != 1 {
		t.Errorf("%v %+v", err, info)
	}
	list, err := e.Containers(context.Background(), "l")
	if err != nil || len(list) != 1 {
		t.Fatalf("%v %v", err, list)
	}
	c := list[0]
	if c.Name != "box" || !c.Privileged || c.PidsLimit != 7 || c.NanoCPUs != 5 || c.ImageUser != "1000" || c.Devices[0] != "/dev/x" || !c.Mounts[0].ReadWrite || c.Ports[0] != (audit.Port{HostIP: "0.0.0.0", HostPort: 8080, Private: 80}) {
		t.Errorf("%+v", c)
	}
}

func TestNoEngine(t *testing.T) {
	for _, host := range []string{"unix:///no/such/socket", "ssh://host", "nonsense"} {
		if _, ok := NewEngine(func(string) string { return host }); ok {
			t.Errorf("%s gives an engine", host)
		}
	}
}

func TestListeners(t *testing.T) {
	for line, want := range map[string]string{
		"0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1":                                                 "127.0.0.1:18789 1000",
		"1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1":                                                 "0.0.0.0:80 0",
		"2: 00000000000000000000000001000000:4965 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1": "[::1]:18789 1000",
		"3: 0100007F:4965 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 1":                                                 "",
		"sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid":                                                                "",
		"4: zz:4965 00000000:0000 0A x x x 1": "",
	} {
		l, ok := parseListener(line)
		if ok != (want != "") || ok && fmt.Sprintf("%s %d", l.Addr, l.UID) != want {
			t.Errorf("%s: %v %v, want %q", line, ok, l, want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	list, err := Listeners()
	if err != nil {
		t.Fatal(err)
	}
	mine := netip.MustParseAddrPort(l.Addr().String())
	for _, e := range list {
		if e.Addr == mine && e.UID == os.Getuid() {
			return
		}
	}
	t.Errorf("%s is not among %v", mine, list)
}

func TestGateway(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		path   string
		ok     bool
	}{"alive": {200, "/health", true}, "broken": {500, "/health", false}, "redirect": {302, "/health", false}} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" || r.URL.Path != c.path {
				t.Errorf("%s: asked %s with %q", name, r.URL.Path, r.Header.Get("Authorization"))
			}
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(c.status)
		}))
		if err := Gateway(context.Background(), srv.URL); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		srv.Close()
	}
	if Gateway(context.Background(), "http://127.0.0.1:1") == nil {
		t.Error("nobody answers and it is well")
	}
}

// docker makes a program of that name in a directory and gives the directory.
func docker(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "docker"), mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBrowserThroughAScript(t *testing.T) {
	script := "#!/bin/sh\ncase \"$1\" in\nps) echo a; echo b ;;\ninspect) for last; do :; done; [ \"$last\" = a ] && printf '<no value>\\t<no value>\\n' || printf 'h\\te\\n' ;;\nport) [ \"$2\" = a ] && echo '9222/tcp -> 0.0.0.0:1' ;;\nesac\n"
	dir := docker(t, script, 0o755)
	env := func(k string) string { return map[string]string{"PATH": dir + ":/usr/bin:/bin"}[k] }
	list, err := browser(env, "/subject")(context.Background())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v %v", err, list)
	}
	if a, b := list[0], list[1]; a.ConfigHash != "" || b.ConfigHash != "h" || b.ConfigEpoch != "e" || len(a.Ports) != 1 || len(b.Ports) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestWhichScriptsAreAsked(t *testing.T) {
	script := "#!/bin/sh\necho x\n"
	plain := docker(t, script, 0o755)
	for name, c := range map[string]struct {
		path, subject string
		want          bool
	}{
		"script": {plain, "/s", true}, "part of the subject": {plain, filepath.Dir(plain), false}, "a binary": {docker(t, "\x7fELF", 0o755), "/s", false},
		"writable by others": {docker(t, script, 0o777), "/s", false}, "relative": {"bin", "/s", false}, "not executable": {docker(t, script, 0o600), "/s", false},
	} {
		if got := wrapper(c.path, c.subject) != ""; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSilentEngineTimesOut(t *testing.T) {
	dir := docker(t, "#!/bin/sh\nexec sleep 30\n", 0o755)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := viaScript(ctx, filepath.Join(dir, "docker"), func(string) string { return "/bin:/usr/bin" })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestSysctlReadsOnlyTheKernel(t *testing.T) {
	if v, ok := Sysctl("/proc/sys/kernel/ostype"); !ok || !strings.Contains(v, "Linux") {
		t.Errorf("%q %v", v, ok)
	}
	if _, ok := Sysctl("/etc/passwd"); ok {
		t.Error("it reads other files")
	}
}
