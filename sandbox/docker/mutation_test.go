package docker

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
)

// weakening is one setting made weaker.
type weakening struct {
	name string
	// red is a word of the probe's complaint.
	red string
	do  func(o *client.ContainerCreateOptions)
}

func weakenings() []weakening {
	edit := func(f func(c *container.Config, h *container.HostConfig)) func(*client.ContainerCreateOptions) {
		return func(o *client.ContainerCreateOptions) { f(o.Config, o.HostConfig) }
	}
	filter := func(from, to string) func(*client.ContainerCreateOptions) {
		return edit(func(_ *container.Config, h *container.HostConfig) {
			for i, s := range h.SecurityOpt {
				if strings.HasPrefix(s, "seccomp=") {
					h.SecurityOpt[i] = strings.Replace(s, from, to, 1)
				}
			}
		})
	}
	allow := func(call string) func(*client.ContainerCreateOptions) {
		return filter(`"syscalls":[`, `"syscalls":[{"names":["`+call+`"],"action":"SCMP_ACT_ALLOW"},`)
	}
	list := []weakening{
		{"a capability", "cap.", edit(func(_ *container.Config, h *container.HostConfig) { h.CapAdd = []string{"NET_RAW"} })},
		{"Docker's capabilities", "cap.", edit(func(_ *container.Config, h *container.HostConfig) { h.CapDrop = nil })},
		{"privileged", "cap.", edit(func(_ *container.Config, h *container.HostConfig) { h.CapAdd = []string{"SYS_ADMIN"} })},
		{"new privileges", "nnp", edit(func(_ *container.Config, h *container.HostConfig) {
			h.SecurityOpt = slices.DeleteFunc(h.SecurityOpt, func(s string) bool { return s == "no-new-privileges" })
		})},
		{"no filter", "seccomp", edit(func(_ *container.Config, h *container.HostConfig) {
			h.SecurityOpt = []string{"no-new-privileges", "seccomp=unconfined"}
		})},
		{"the engine's own filter", "sys.", edit(func(_ *container.Config, h *container.HostConfig) { h.SecurityOpt = []string{"no-new-privileges"} })},
		{"a filter that permits by default", "sys.", filter(`"defaultAction":"SCMP_ACT_ERRNO"`, `"defaultAction":"SCMP_ACT_ALLOW"`)},
		{"root", "uid", edit(func(c *container.Config, _ *container.HostConfig) { c.User = "0:0" })},
		{"group 0", "gid", edit(func(c *container.Config, _ *container.HostConfig) { c.User = "64000:0" })},
		{"another group 0", "groups", edit(func(_ *container.Config, h *container.HostConfig) { h.GroupAdd = []string{"0"} })},
		{"writable root", "mount", edit(func(_ *container.Config, h *container.HostConfig) { h.ReadonlyRootfs = false })},
		{"a network", "route", edit(func(c *container.Config, h *container.HostConfig) {
			c.NetworkDisabled, h.NetworkMode = false, "bridge"
		})},
		{"the host's network", "route", edit(func(c *container.Config, h *container.HostConfig) {
			c.NetworkDisabled, h.NetworkMode = false, "host"
		})},
		{"the host's processes", "", edit(func(_ *container.Config, h *container.HostConfig) { h.PidMode = "host" })},
		{"no memory limit", "cg.memory", edit(func(_ *container.Config, h *container.HostConfig) { h.Memory, h.MemorySwap = 0, 0 })},
		{"no process limit", "cg.pids", edit(func(_ *container.Config, h *container.HostConfig) { h.PidsLimit = nil })},
		{"no processor limit", "cg.cpu", edit(func(_ *container.Config, h *container.HostConfig) { h.NanoCPUs = 0 })},
		{"more descriptors", "nofile", edit(func(_ *container.Config, h *container.HostConfig) {
			h.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 1 << 19, Hard: 1 << 19}}
		})},
		{"unbounded scratch", "fs", edit(func(_ *container.Config, h *container.HostConfig) { h.Tmpfs["/tmp"] = "rw,nosuid,nodev" })},
		{"scratch without an inode limit", "fs", edit(func(_ *container.Config, h *container.HostConfig) { h.Tmpfs["/tmp"] = "rw,nosuid,nodev,size=67108864" })},
		{"scratch with set-uid files", "mount", edit(func(_ *container.Config, h *container.HostConfig) {
			h.Tmpfs["/tmp"] = "rw,suid,nodev,size=67108864,nr_inodes=8192,mode=1777"
		})},
		{"a device", "devices", edit(func(_ *container.Config, h *container.HostConfig) {
			h.Devices = []container.DeviceMapping{{PathOnHost: "/dev/loop-control", PathInContainer: "/dev/loop-control", CgroupPermissions: "rwm"}}
		})},
		{"another mount", "mount", edit(func(_ *container.Config, h *container.HostConfig) {
			h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: "/etc", Target: "/host-etc", ReadOnly: true})
		})},
		{"the engine's socket", "sockets", edit(func(_ *container.Config, h *container.HostConfig) {
			h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: "/var/run/docker.sock", Target: "/run/docker.sock"})
		})},
		{"another workspace than was checked", "at", edit(func(_ *container.Config, h *container.HostConfig) {
			for i, m := range h.Mounts {
				if m.Target == sandbox.Workdir {
					h.Mounts[i].Source = filepath.Dir(m.Source)
				}
			}
		})},
		{"nothing masked", "masked", edit(func(_ *container.Config, h *container.HostConfig) { h.MaskedPaths = []string{} })},
	}
	for _, call := range []string{"bpf", "io_uring_setup", "keyctl", "add_key", "userfaultfd", "unshare", "setns", "ioctl", "clone3"} {
		list = append(list, weakening{"filter allows " + call, "sys.", allow(call)})
	}
	return append(list, weakening{"filter allows every socket", "socket", allow("socket")})
}

// TestWeakenedSettingsAreSeen makes one setting weaker at a time. The second
// pair of eyes must refuse the request, and when it is bypassed the probes
// inside must see the difference.
func TestWeakenedSettingsAreSeen(t *testing.T) {
	needEngine(t)
	state := t.TempDir()
	e := testEngine(t, state)
	for i, w := range weakenings() {
		t.Run(w.name, func(t *testing.T) {
			ws := filepath.Join(state, "ws"+strconv.Itoa(i))
			dir := filepath.Join(state, "box"+strconv.Itoa(i))
			for _, d := range []string{ws, dir} {
				if err := os.Mkdir(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if os.Getuid() == 0 {
				if err := os.Chown(ws, sandbox.DefaultUID, sandbox.DefaultUID); err != nil {
					t.Fatal(err)
				}
			}
			spec, err := sandbox.BuildSpec(sandbox.Config{}, "docker", ws, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := sandbox.Request{ID: "m" + strconv.Itoa(i), Owner: sandbox.Owner{Tenant: "t", Key: "k"}, Spec: spec, Dir: dir, Prove: true}
			changed := ""
			own, err := filterJSON()
			if err != nil {
				t.Fatal(err)
			}
			e.weaken = func(o *client.ContainerCreateOptions) {
				w.do(o)
				if err := verify(*o, plan{r: r, limits: r.Spec.Limits, filter: own, sup: o.HostConfig.Mounts[0].Source, ctl: o.HostConfig.Mounts[1].Source}); err != nil {
					changed = err.Error()
				}
			}
			b, err := e.Create(t.Context(), r)
			if err == nil {
				_ = b.Close(t.Context())
				t.Fatal("the box was handed out")
			}
			var pe *sandbox.ProofError
			switch {
			case errors.As(err, &pe):
				if !strings.Contains(strings.Join(pe.Mismatches, "\n"), w.red) {
					t.Errorf("the probes complain of %v, not of %s", pe.Mismatches, w.red)
				}
			default:
				t.Logf("refused before the probes: %v", err)
			}
			if changed == "" {
				t.Error("the second pair of eyes saw nothing")
			}
		})
	}
}
