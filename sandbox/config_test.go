package sandbox

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestDefaultsAreTheSafeOnes(t *testing.T) {
	c := Config{}.Resolve()
	if c.Mode != "all" || c.Scope != "agent" || c.WorkspaceAccess != "none" || c.Docker.Network != "none" || *c.Prune.IdleHours != 24 || *c.Prune.MaxAgeDays != 7 {
		t.Fatalf("%+v", c)
	}
	for _, tool := range []string{"browser", "canvas", "nodes", "cron", "gateway", "telegram", "whatsapp", "discord", "slack", "signal", "imessage"} {
		if !slices.Contains(c.Tools.Deny, tool) {
			t.Errorf("%s is not denied", tool)
		}
	}
	for _, tool := range strings.Fields("exec process read write edit apply_patch image sessions_list sessions_history sessions_send sessions_spawn subagents session_status") {
		if !slices.Contains(c.Tools.Allow, tool) {
			t.Errorf("%s is not allowed", tool)
		}
	}
	if !c.Sandboxed(true) || !(Config{Mode: "nonsense"}).Sandboxed(true) {
		t.Error("an unknown mode must mean a sandbox")
	}
	if ps := (Config{}).Validate(); len(ps) != 0 {
		t.Errorf("the defaults have problems: %v", ps)
	}
}

// TestOnlyListedOptions decodes every option that engines know and we do not
// want; strict decoding must refuse each.
func TestOnlyListedOptions(t *testing.T) {
	for o := range strings.FieldsSeq(`privileged capAdd cap_add CapAdd capDrop devices Devices deviceCgroupRules deviceRequests gpus
		pid pidMode PidMode ipc ipcMode uts utsMode userns usernsMode UsernsMode cgroupParent cgroupns groupAdd group_add volumes
		volumesFrom VolumesFrom volumeDriver mounts Mounts binds2 securityOpt security_opt SecurityOpt sysctls Sysctls links publish
		ports portBindings publishAllPorts extraHosts dns dnsSearch dnsOptions hostname domainname mac macAddress networkMode
		networkAliases entrypoint command cmd workingDir workdir init restart restartPolicy autoRemove oomKillDisable oomScoreAdj
		memorySwap memorySwappiness kernelMemory cpusetCpus cpuShares blkioWeight logConfig logDriver logOpt readonlyRootfs readOnlyRoot
		maskedPaths readonlyPaths shmSize storageOpt isolation annotations labels stopSignal healthcheck attach tty stdinOpen
		setupCommand containerPrefix noNewPrivileges seccomp apparmor runtimeOptions containerIDFile platform pull user_ns`) {
		var c Config
		if err := yaml.UnmarshalWithOptions([]byte("docker:\n  "+o+": x\n"), &c, yaml.Strict()); err == nil {
			t.Errorf("docker.%s was accepted", o)
		}
	}
}

func TestDangerousValuesAreRefused(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	cases := map[string]DockerConfig{}
	for _, n := range []string{"host", "HOST", " host", "container:abc", "container:", "ns:/proc/1/ns/net", "none --privileged", "-x", "a/b"} {
		cases["network "+n] = DockerConfig{Network: n}
	}
	for _, u := range []string{"0", "root", "0:0", "1000", "1000:0", "0:1000", "-1:1", "1000:1000:1", "a:b"} {
		cases["user "+u] = DockerConfig{User: u}
	}
	for _, p := range []string{"unconfined", "Unconfined", "UNCONFINED", " unconfined ", "unconfined=x", "none", "disable"} {
		cases["seccomp "+p] = DockerConfig{SeccompProfile: p}
		cases["apparmor "+p] = DockerConfig{ApparmorProfile: p}
	}
	cases["relative seccomp"] = DockerConfig{SeccompProfile: "profile.json"}
	for _, k := range []string{"LD_PRELOAD", "ld_preload", "Ld_Library_Path", "BASH_ENV", "NODE_OPTIONS", "CHITIN_SUP_NONCE", "A=B", "", "1A", "A B", "PERL5OPT"} {
		cases["env "+k] = DockerConfig{Env: map[string]string{k: "x"}}
	}
	for _, x := range []string{"/", "/proc", "/proc/self", "/sys", "/dev", "/dev/pts", "/.chitin", "/.chitin/c", "/workspace", "/workspace/x", "relative", "/tmp:exec", "/tmp:size=0", "/tmp:mode=4777", "/tmp:size=99999999999g"} {
		cases["tmpfs "+x] = DockerConfig{Tmpfs: []string{x}}
	}
	for _, m := range []string{"0", "-1", "1k", "x", "9999999999g"} {
		cases["memory "+m] = DockerConfig{Memory: m}
	}
	cases["pids"] = DockerConfig{PidsLimit: -1}
	cases["pids without end"] = DockerConfig{PidsLimit: 1 << 40}
	cases["cpus"] = DockerConfig{CPUs: -1}
	cases["ulimit"] = DockerConfig{Ulimits: map[string]string{"rtprio": "99"}}
	cases["ulimit soft above hard"] = DockerConfig{Ulimits: map[string]string{"nofile": "10:5"}}
	cases["image option"] = DockerConfig{Image: "--privileged"}
	cases["runtime path"] = DockerConfig{Runtime: "/tmp/evil"}
	for name, d := range cases {
		bad := false
		for _, p := range (Config{Docker: d}).Validate() {
			bad = bad || !p.Warning
		}
		if !bad {
			t.Errorf("%s was accepted", name)
		}
		if _, err := BuildSpec(Config{Docker: d}, "docker", "", nil); err == nil {
			t.Errorf("%s was built", name)
		}
	}
}

func TestBinds(t *testing.T) {
	root := t.TempDir()
	home := filepath.Join(root, "home", "somebody")
	ws := filepath.Join(root, "ws")
	for _, d := range []string{home + "/.ssh", home + "/.aws", home + "/project", ws + "/in", root + "/other"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, at string) {
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	link("/etc", ws+"/etc")
	link(home, ws+"/home")
	link("/no/such", ws+"/dangling")
	link(ws+"/in", ws+"/inlink")
	rules := BindRules{Roots: []string{ws}, Homes: []string{home}}
	open := rules
	open.AllowExternal, open.AllowReserved = true, true
	for _, b := range []string{"/:/x", "/etc:/x", "/etc/ssl:/x", "/proc:/x", "/proc/1:/x", "/sys:/x", "/dev:/x", "/dev/null:/x", "/root:/x", "/root/x:/x",
		"/boot:/x", "/run:/x", "/var/run:/x", "/var/run/docker.sock:/x", "/run/user/1000/docker.sock:/x", "/var:/x", "/var/lib:/x", "/var/lib/docker:/x",
		"/private/etc:/x", home + ":/x", filepath.Dir(home) + ":/x", home + "/.ssh:/x", home + "/.aws/credentials:/x", home + "/.config:/x", ws + "/etc:/x",
		ws + "/etc/ssl:/x", ws + "/home:/x", ws + "/home/.ssh:/x", ws + "/dangling:/x", ws + "/dangling/leaf:/x", ws + "/home/.ssh/missing:/x", "relative:/x", ws + "/in:relative",
		ws + "/in:/", ws + "/in:/proc", ws + "/in:/proc/sys", ws + "/in:/sys", ws + "/in:/dev", ws + "/in:/.chitin", ws + "/in:/.chitin/sup", ws + "/in:/x:rw,exec",
		ws + "/in:/x:shared", ws + "/in", ws + "/in:/x:ro:z", ws + "/missing:/x", ws + "/../home/somebody/.ssh:/x"} {
		if m, err := CheckBind(b, open); err == nil {
			t.Errorf("%s passed as %+v even for somebody who allows much", b, m)
		}
	}
	for _, b := range []string{root + "/other:/x", home + "/project:/x", ws + "/in:/workspace", ws + "/in:/workspace/sub", ws + "/in:/agent"} {
		if _, err := CheckBind(b, rules); err == nil {
			t.Errorf("%s passed", b)
		}
		if _, err := CheckBind(b, open); err != nil {
			t.Errorf("%s: %v, though it is allowed", b, err)
		}
	}
	m, err := CheckBind(ws+"/inlink:/data", rules)
	if err != nil || m.Source != ws+"/in" || m.Target != "/data" || !m.ReadOnly {
		t.Errorf("%+v %v", m, err)
	}
	if m, err := CheckBind(ws+"/in:/data:rw", rules); err != nil || m.ReadOnly {
		t.Errorf("%+v %v", m, err)
	}
}

func TestWorkspaceMayNotHoldTheMachine(t *testing.T) {
	state := t.TempDir()
	for _, d := range []string{"workspaces/t/a", "sandbox/boxes/1/ws", "other"} {
		if err := os.MkdirAll(filepath.Join(state, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []string{"/", "/etc", "/root", "/home", "/usr/lib", "/proc/self", "/var", state, state + "/other", filepath.Dir(state), state + "/sandbox"} {
		if CheckWorkspace(w, state) == nil {
			t.Errorf("%s may be a workspace", w)
		}
	}
	for _, w := range []string{state + "/workspaces/t/a", state + "/sandbox/boxes/1/ws", t.TempDir()} {
		if err := CheckWorkspace(w, state); err != nil {
			t.Errorf("%s: %v", w, err)
		}
	}
}

// TestEveryFieldIsInTheHash changes one field at a time: none may leave the
// hash as it was, and the order of lists counts.
func TestEveryFieldIsInTheHash(t *testing.T) {
	base := Spec{Env: []string{"A=1", "B=2"}, Mounts: []Mount{{"/a", "/b", true}, {"/c", "/d", true}}, Limits: Limits{Ulimits: map[string][2]int64{"nofile": {1, 2}}}}
	seen := map[string]string{base.Hash(): "base"}
	try := func(name string, s Spec) {
		if was, dup := seen[s.Hash()]; dup {
			t.Errorf("%s has the hash of %s", name, was)
		}
		seen[s.Hash()] = name
	}
	rt := reflect.TypeFor[Spec]()
	for i := range rt.NumField() {
		s := base
		f := reflect.ValueOf(&s).Elem().Field(i)
		if f.Kind() == reflect.String {
			f.SetString("changed")
			try(rt.Field(i).Name, s)
		}
	}
	s := base
	s.Env = []string{"B=2", "A=1"}
	try("order of the environment", s)
	s = base
	s.Mounts = []Mount{{"/c", "/d", true}, {"/a", "/b", true}}
	try("order of mounts", s)
	s = base
	s.Mounts = []Mount{{"/a", "/b", false}, {"/c", "/d", true}}
	try("a writable mount", s)
	s = base
	s.Tmpfs = []Tmpfs{{Path: "/tmp"}}
	try("scratch", s)
	s = base
	s.Limits = Limits{Ulimits: map[string][2]int64{"nofile": {1, 3}}}
	try("a limit", s)
	s = base
	s.Workspace = "/elsewhere"
	if s.Profile() != base.Profile() {
		t.Error("the workspace changes the profile")
	}
}

func TestMerge(t *testing.T) {
	base := Config{Mode: "all", Docker: DockerConfig{Binds: []string{"/a:/a"}, Memory: "1g", Env: map[string]string{"A": "1", "B": "1"}}, Tools: ToolsConfig{Allow: []string{"exec"}}}
	over := Config{Scope: "session", Docker: DockerConfig{Binds: []string{"/b:/b"}, Env: map[string]string{"B": "2"}}, Tools: ToolsConfig{Allow: []string{}}}
	got := Merge(base, &over)
	if got.Mode != "all" || got.Scope != "session" || got.Docker.Memory != "1g" || !slices.Equal(got.Docker.Binds, []string{"/a:/a", "/b:/b"}) ||
		got.Docker.Env["A"] != "1" || got.Docker.Env["B"] != "2" || got.Tools.Allow == nil || len(got.Tools.Allow) != 0 {
		t.Fatalf("%+v", got)
	}
	if len(base.Docker.Binds) != 1 || base.Docker.Env["B"] != "1" {
		t.Fatal("the base was changed")
	}
	over.Scope = "shared"
	if got := Merge(base, &over); len(got.Docker.Binds) != 1 {
		t.Fatal("a shared sandbox took an agent's binds")
	}
}

func FuzzBind(f *testing.F) {
	for _, s := range []string{"/a:/b", "/a:/b:ro", "/etc:/x:rw", "//etc/../etc:/x", "/proc/self/root:/x", ":", "/a:/b:ro,z"} {
		f.Add(s)
	}
	rules := BindRules{AllowExternal: true, AllowReserved: true, Homes: []string{"/home/u"}}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := CheckBind(s, rules)
		if err != nil {
			return
		}
		for _, b := range blockedPaths {
			if within(m.Source, b) || within(b, m.Source) {
				t.Fatalf("%q gives %+v", s, m)
			}
		}
		if within(m.Target, "/proc") || within(m.Target, ControlDir) || m.Target == "/" {
			t.Fatalf("%q gives %+v", s, m)
		}
	})
}
