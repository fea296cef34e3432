package probe

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/probe/inside"
)

// good is what a sound box reports.
func good() string {
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	for _, s := range []string{"uid 64000", "euid 64000", "gid 64000", "groups 64000", "uid_map 0:0:4294967295", "nnp 1", "seccomp 2",
		"cap.inh " + noCaps, "cap.prm " + noCaps, "cap.eff " + noCaps, "cap.bnd " + noCaps, "cap.amb " + noCaps,
		"pid1.environ EACCES", "pid1.mem EACCES", "pid1.root EACCES", "kthreads false", "oom.lower EACCES", "fds ", "env.secret ", "devices ", "sockets ",
		"mount / overlay ro,relatime rw", "mount /tmp tmpfs rw,nosuid,nodev size=1", "mount /proc proc rw rw", "fs /tmp 67108864 8192",
		"rlimit.nofile 4096", "cg.memory 536870912", "cg.pids 256", "cg.cpu 200000",
		"route.public ENETUNREACH", "route.metadata ENETUNREACH", "route.private ENETUNREACH", "route.public6 EADDRNOTAVAIL"} {
		line(s)
	}
	for _, c := range refusedCalls() {
		line("sys." + c + " EPERM")
	}
	for _, s := range []string{"raw", "packet", "vsock", "alg", "bluetooth", "can", "xdp", "key", "nfc", "tipc", "rds"} {
		line("socket." + s + " EAFNOSUPPORT")
	}
	for _, d := range []string{"/", "/usr", "/usr/bin", "/etc", "/proc/sys/kernel", "/sys/fs/cgroup", "/.chitin"} {
		line("write " + d + " EROFS")
	}
	line("end 1")
	return b.String()
}

func expectation() Expectation {
	return Expect(sandbox.Spec{User: "64000:64000", Network: "none", Tmpfs: []sandbox.Tmpfs{{Path: "/tmp", Size: 64 << 20, Inodes: 8192}},
		Limits: sandbox.Limits{Memory: 512 << 20, Pids: 256, NanoCPUs: 1, Ulimits: map[string][2]int64{"nofile": {1024, 4096}}}})
}

func TestEveryFactCounts(t *testing.T) {
	f, err := Parse([]byte(good()))
	if err != nil {
		t.Fatal(err)
	}
	if bad := Check(f, expectation()); len(bad) != 0 {
		t.Fatalf("a sound box is refused: %v", bad)
	}
	for _, l := range strings.Split(strings.TrimSpace(good()), "\n") {
		name, _, _ := strings.Cut(l, " ")
		if name == "end" || name == "uid_map" || name == "fs" || l == "mount /tmp tmpfs rw,nosuid,nodev size=1" || l == "mount /proc proc rw rw" || l == "mount / overlay ro,relatime rw" || name == "groups" {
			continue
		}
		without, err := Parse([]byte(strings.Replace(good(), l+"\n", "", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if len(Check(without, expectation())) == 0 {
			t.Errorf("%q may be missing", l)
		}
		open := map[string]string{"nnp": "0", "seccomp": "0", "kthreads": "true", "fds": "7", "env.secret": "API_KEY", "devices": "sda", "sockets": "/run/docker.sock",
			"rlimit.nofile": "1048576", "cg.memory": "9223372036854771712", "cg.pids": "max", "cg.cpu": "-1", "uid": "0", "euid": "0", "gid": "0"}[name]
		switch {
		case strings.HasPrefix(name, "cap."):
			open = "00000000a80425fb"
		case name == "write":
			open = strings.Fields(l)[1] + " OK"
		case open == "":
			open = "OK"
		}
		weak, err := Parse([]byte(strings.Replace(good(), l+"\n", name+" "+open+"\n", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if len(Check(weak, expectation())) == 0 {
			t.Errorf("%s %s is not noticed", name, open)
		}
	}
	for _, extra := range []string{"mount /host ext4 rw rw", "mount /var tmpfs rw rw", "masked /proc/kcore false", "openw /proc/sysrq-trigger OK", "sys.iopl OK", "mount x"} {
		f, err := Parse([]byte(extra + "\n" + good()))
		if err != nil {
			t.Fatal(err)
		}
		if len(Check(f, expectation())) == 0 {
			t.Errorf("%s is not noticed", extra)
		}
	}
}

func TestIncompleteFactsAreRefused(t *testing.T) {
	for _, s := range []string{"", "end 0\n", strings.TrimSuffix(good(), "end 1\n"), "novalue\nend 1\n"} {
		if _, err := Parse([]byte(s)); err == nil {
			t.Errorf("%q was accepted", s[:min(len(s), 40)])
		}
	}
}

// TestOutsideABox runs the inside half on the host, which is no sandbox.
func TestOutsideABox(t *testing.T) {
	var b bytes.Buffer
	if code := inside.Run(&b, []string{os.TempDir()}); code != 0 {
		t.Fatal(code)
	}
	f, err := Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if bad := Check(f, expectation()); len(bad) < 10 {
		t.Errorf("the host passes for a sandbox but for %v", bad)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good()))
	f.Add([]byte("uid\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := Parse(b)
		if err != nil {
			return
		}
		if len(Check(facts, expectation())) == 0 && !strings.Contains(string(b), "uid 64000") {
			t.Fatal("facts without an identity passed")
		}
	})
}
