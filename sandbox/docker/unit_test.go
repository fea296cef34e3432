package docker

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/chitin-sh/chitin/sandbox"
)

// TestAllowExceptIsExact compares the permissions with what they stand for,
// for refused values, their neighbours and values with high bits set.
func TestAllowExceptIsExact(t *testing.T) {
	vals := []uint32{0x5412, 0x541c, 0x5423}
	rules := allowExcept("ioctl", 1, vals)
	permitted := func(arg uint64) bool {
		return slices.ContainsFunc(rules, func(r specs.LinuxSyscall) bool {
			return arg&r.Args[0].Value == r.Args[0].ValueTwo
		})
	}
	try := []uint64{0, 1, 0x5401, 0x5413, 0xffffffff}
	for _, v := range vals {
		try = append(try, uint64(v), uint64(v)|1<<32, uint64(v)|0xdead<<32, uint64(v)+1, uint64(v)-1)
		for bit := range 32 {
			try = append(try, uint64(v)^1<<bit)
		}
	}
	for range 10000 {
		try = append(try, rand.Uint64())
	}
	for _, a := range try {
		if got, want := permitted(a), !slices.Contains(vals, uint32(a)); got != want {
			t.Fatalf("%#x permitted: %v", a, got)
		}
	}
}

func TestFilterClosesWhatItMust(t *testing.T) {
	text, err := filterJSON()
	if err != nil {
		t.Fatal(err)
	}
	var f specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	if f.DefaultAction != specs.ActErrno || len(f.Architectures) != 1 {
		t.Fatalf("%v %v", f.DefaultAction, f.Architectures)
	}
	plain := map[string]bool{}
	for _, s := range f.Syscalls {
		for _, n := range s.Names {
			if s.Action == specs.ActAllow && len(s.Args) == 0 {
				plain[n] = true
			}
		}
	}
	for n := range strings.FieldsSeq(`io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key userfaultfd bpf perf_event_open unshare setns
		clone clone3 ioctl socket mount umount2 pivot_root fsopen fsmount open_tree move_mount mount_setattr init_module finit_module delete_module kexec_load
		kexec_file_load reboot swapon swapoff open_by_handle_at acct chroot syslog clock_settime settimeofday iopl ioperm quotactl lookup_dcookie nfsservctl vm86`) {
		if plain[n] {
			t.Errorf("%s is permitted whatever its arguments", n)
		}
	}
	for n := range strings.FieldsSeq("read write openat execve mmap futex wait4 pipe2 dup3 getdents64 connect bind listen accept4 sendmsg recvmsg epoll_wait") {
		if !plain[n] {
			t.Errorf("%s is not permitted, and nothing would run", n)
		}
	}
}

func TestKnownEscapesByVersion(t *testing.T) {
	judge := func(component, version string) (warn []string, refuse string) {
		v := client.ServerVersionResult{Version: "29.0.0", Components: []system.ComponentVersion{{Name: component, Version: version}}}
		return judgeVersions(v, system.Info{SecurityOptions: []string{"name=seccomp"}, KernelVersion: "6.1.0", MemoryLimit: true, PidsLimit: true, CPUCfsQuota: true})
	}
	for _, c := range []struct {
		component, version string
		warn, refuse       bool
	}{
		{"runc", "1.0.0-rc6", true, true}, {"runc", "1.1.5", true, false}, {"runc", "1.1.5+ds1", true, false}, {"runc", "1.1.12", true, false},
		{"runc", "1.2.7", true, false}, {"runc", "1.2.8", false, false}, {"runc", "1.3.2", true, false}, {"runc", "1.3.3", false, false},
		{"runc", "1.4.0", false, false}, {"runc", "1.4.0-rc2", true, false}, {"runc", "2.0.0", false, false},
		{"containerd", "1.6.20~ds1", true, false}, {"containerd", "1.7.27", false, false}, {"containerd", "2.1.0", false, false},
	} {
		warn, refuse := judge(c.component, c.version)
		if (refuse != "") != c.refuse || (len(warn) > 0) != (c.warn && !c.refuse) && !c.refuse {
			t.Errorf("%s %s: warnings %v, refused %q", c.component, c.version, warn, refuse)
		}
	}
	_, refuse := judgeVersions(client.ServerVersionResult{}, system.Info{})
	if refuse == "" {
		t.Error("an engine without seccomp is accepted")
	}
	for _, e := range escapes() {
		if _, err := time.Parse("2006-01-02", e.date); err != nil || e.id == "" || e.what == "" || len(e.fixed) == 0 {
			t.Errorf("%+v is incomplete", e)
		}
	}
}

func TestStateDirectoriesAreApart(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	ida, err := stateID(a)
	if err != nil {
		t.Fatal(err)
	}
	idb, err := stateID(b)
	if err != nil || ida == idb {
		t.Fatal(idb, err)
	}
	if again, err := stateID(a + "/."); err != nil || again != ida {
		t.Fatalf("%s, then %s", ida, again)
	}
	// A copy of a state directory is another one.
	id, err := os.ReadFile(filepath.Join(a, "sandbox", "id"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b, "sandbox", "id"), id, 0o600); err != nil {
		t.Fatal(err)
	}
	if copied, err := stateID(b); err != nil || copied == ida {
		t.Fatal("a copy has the identity of the original")
	}
}

// TestFrozenEngine asks an engine that accepts connections and says nothing.
func TestFrozenEngine(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := New(Options{StateDir: t.TempDir(), Host: "unix://" + sock})
	t0 := time.Now()
	st := e.Status(context.Background())
	if st.Available || st.Reason == "" || time.Since(t0) > 8*time.Second {
		t.Fatalf("%+v after %v", st, time.Since(t0))
	}
	if _, err := e.Create(context.Background(), sandbox.Request{}); !errors.Is(err, sandbox.ErrUnavailable) {
		t.Fatal(err)
	}
	absent := New(Options{StateDir: t.TempDir(), Host: "unix:///no/such/socket"})
	if st := absent.Status(context.Background()); st.Available {
		t.Fatal("an absent engine is available")
	}
	remote := New(Options{StateDir: t.TempDir(), Host: "tcp://192.0.2.1:2375"})
	if st := remote.Status(context.Background()); st.Available {
		t.Fatal("a remote engine is available")
	}
}

// TestVerifyKnowsEveryOption sets each field of a request that a plan leaves
// empty: all must be refused.
func TestVerifyKnowsEveryOption(t *testing.T) {
	spec, err := sandbox.BuildSpec(sandbox.Config{}, "docker", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := filterJSON()
	if err != nil {
		t.Fatal(err)
	}
	p := plan{r: sandbox.Request{ID: "x", Spec: spec}, limits: spec.Limits, state: "0123456789", sup: "/sup", ctl: "/ctl", filter: filter, image: "i"}
	if err := verify(p.options(), p); err != nil {
		t.Fatalf("the plan itself is refused: %v", err)
	}
	own := p
	own.keepID = true
	if err := verify(own.options(), own); err != nil {
		t.Fatalf("the plan under a Podman without root is refused: %v", err)
	}
	if err := verify(own.options(), p); err == nil {
		t.Error("a user namespace that nobody planned")
	}
	for name, change := range map[string]func(c *container.Config, h *container.HostConfig){
		"Privileged":   func(_ *container.Config, h *container.HostConfig) { h.Privileged = true },
		"Binds":        func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"/:/x"} },
		"VolumesFrom":  func(_ *container.Config, h *container.HostConfig) { h.VolumesFrom = []string{"x"} },
		"PidMode":      func(_ *container.Config, h *container.HostConfig) { h.PidMode = "host" },
		"UTSMode":      func(_ *container.Config, h *container.HostConfig) { h.UTSMode = "host" },
		"IpcMode":      func(_ *container.Config, h *container.HostConfig) { h.IpcMode = "host" },
		"UsernsMode":   func(_ *container.Config, h *container.HostConfig) { h.UsernsMode = "host" },
		"CgroupnsMode": func(_ *container.Config, h *container.HostConfig) { h.CgroupnsMode = "host" },
		"CgroupParent": func(_ *container.Config, h *container.HostConfig) { h.CgroupParent = "/" },
		"Sysctls":      func(_ *container.Config, h *container.HostConfig) { h.Sysctls = map[string]string{"a": "b"} },
		"StorageOpt":   func(_ *container.Config, h *container.HostConfig) { h.StorageOpt = map[string]string{"size": "1"} },
		"ExtraHosts":   func(_ *container.Config, h *container.HostConfig) { h.ExtraHosts = []string{"a:1.2.3.4"} },
		"PublishAll":   func(_ *container.Config, h *container.HostConfig) { h.PublishAllPorts = true },
		"CapAdd":       func(_ *container.Config, h *container.HostConfig) { h.CapAdd = []string{"ALL"} },
		"CgroupRules":  func(_ *container.Config, h *container.HostConfig) { h.DeviceCgroupRules = []string{"a *:* rwm"} },
		"Devices": func(_ *container.Config, h *container.HostConfig) {
			h.Devices = []container.DeviceMapping{{PathOnHost: "/dev/sda"}}
		},
		"GPUs": func(_ *container.Config, h *container.HostConfig) {
			h.DeviceRequests = []container.DeviceRequest{{Count: -1}}
		},
		"OomKill":    func(_ *container.Config, h *container.HostConfig) { yes := true; h.OomKillDisable = &yes },
		"Restart":    func(_ *container.Config, h *container.HostConfig) { h.ContainerIDFile = "/x" },
		"Volumes":    func(c *container.Config, _ *container.HostConfig) { c.Volumes = map[string]struct{}{"/x": {}} },
		"Cmd":        func(c *container.Config, _ *container.HostConfig) { c.Cmd = []string{"x"} },
		"Entrypoint": func(c *container.Config, _ *container.HostConfig) { c.Entrypoint = []string{"sh", "supervise"} },
		"WorkingDir": func(c *container.Config, _ *container.HostConfig) { c.WorkingDir = "/proc/self/fd/8" },
		"Tty":        func(c *container.Config, _ *container.HostConfig) { c.Tty = true },
		"LogConfig":  func(_ *container.Config, h *container.HostConfig) { h.LogConfig.Type = "json-file" },
		"two filters": func(_ *container.Config, h *container.HostConfig) {
			h.SecurityOpt = append(h.SecurityOpt, "seccomp=unconfined")
		},
		"SELinux": func(_ *container.Config, h *container.HostConfig) {
			h.SecurityOpt = append(h.SecurityOpt, "label=disable")
		},
		"systempaths": func(_ *container.Config, h *container.HostConfig) {
			h.SecurityOpt = append(h.SecurityOpt, "systempaths=unconfined")
		},
	} {
		o := p.options()
		change(o.Config, o.HostConfig)
		if err := verify(o, p); !errors.Is(err, sandbox.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
