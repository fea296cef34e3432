package docker

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
	supclient "github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

const (
	egressName = "e" // the proxy's socket in the control directory
	ctlDir     = sandbox.ControlDir + "/c"
	// oomAdj makes the kernel prefer a box over anything of the host.
	oomAdj = 500
)

// plan is everything that one container is made from.
type plan struct {
	r      sandbox.Request
	state  string
	image  string
	sup    string
	ctl    string
	nonce  string
	attach bool // no socket: speak over the attached streams
	filter string
	// filterFile holds the filter for an engine that takes it by path; "" is
	// one that takes its text.
	filterFile string
	linger     int
	labels     map[string]string
	limits     sandbox.Limits // the spec's, and what a kernel of its own needs on top
	keepID     bool           // the box's user is the gateway's own, under a Podman without root
}

// options are the container as the engine is asked for it. The list is
// complete: verify refuses whatever is not on it.
func (p plan) options() client.ContainerCreateOptions {
	s := p.r.Spec
	return client.ContainerCreateOptions{
		Name:       containerName(p.state, p.r.ID),
		Config:     p.config(),
		HostConfig: p.host(s),
	}
}

func containerName(state, id string) string { return "chitin-" + state[:8] + "-" + id }

func (p plan) config() *container.Config {
	s := p.r.Spec
	env := []string{supervisor.EnvNonce + "=" + p.nonce, supervisor.EnvLinger + "=" + strconv.Itoa(p.linger)}
	if !p.attach {
		env = append(env, supervisor.EnvSocket+"="+ctlDir+"/"+supclient.SocketName)
	}
	if s.Network == "egress" && !p.attach {
		env = append(env, supervisor.EnvEgress+"="+ctlDir+"/"+egressName)
	}
	labels := map[string]string{
		labelMark: "1", labelState: p.state, labelBox: p.r.ID, labelTenant: p.r.Owner.Tenant,
		labelKey: p.r.Owner.Key, labelScope: p.r.Owner.Scope, labelHash: s.Hash(),
	}
	for k, v := range p.labels {
		labels[k] = v
	}
	return &container.Config{
		Hostname: "sandbox", User: s.User, Env: env, Image: p.image, WorkingDir: "/",
		Entrypoint: []string{supervisor.Path, "supervise"}, Labels: labels, StopSignal: "SIGKILL",
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
		OpenStdin:   p.attach, StdinOnce: p.attach, AttachStdin: p.attach, AttachStdout: p.attach,
		NetworkDisabled: s.Network == "none" || s.Network == "egress",
	}
}

func (p plan) host(s sandbox.Spec) *container.HostConfig {
	no := false
	h := &container.HostConfig{
		AutoRemove:     true,
		LogConfig:      container.LogConfig{Type: "none"},
		NetworkMode:    container.NetworkMode(s.Network),
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges", "seccomp=" + cmp.Or(p.filterFile, p.filter)},
		ReadonlyRootfs: true,
		IpcMode:        "private",
		CgroupnsMode:   "private",
		OomScoreAdj:    oomAdj,
		Init:           &no,
		Runtime:        s.Runtime,
		Tmpfs:          map[string]string{},
		Mounts:         p.mounts(s),
		MaskedPaths:    maskedPaths(),
		ReadonlyPaths:  []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		Resources: container.Resources{
			Memory: p.limits.Memory, MemorySwap: p.limits.Memory, NanoCPUs: p.limits.NanoCPUs, PidsLimit: &p.limits.Pids,
		},
	}
	if s.Network == "egress" {
		h.NetworkMode = "none" // the way out is chitin's proxy, not a route
	}
	if p.keepID {
		h.UsernsMode = keepID
	}
	if s.AppArmor != "" {
		h.SecurityOpt = append(h.SecurityOpt, "apparmor="+s.AppArmor)
	}
	for _, t := range s.Tmpfs {
		h.Tmpfs[t.Path] = tmpfsOptions(t, p.filterFile != "")
	}
	for _, name := range sortedKeys(p.limits.Ulimits) {
		l := p.limits.Ulimits[name]
		h.Ulimits = append(h.Ulimits, &container.Ulimit{Name: name, Soft: l[0], Hard: l[1]})
	}
	return h
}

// tmpfsOptions are a scratch directory's. Podman knows no limit of files; the
// memory limit, which they count against, has to do there.
func tmpfsOptions(t sandbox.Tmpfs, podman bool) string {
	if podman {
		exec := "exec"
		if t.NoExec {
			exec = "noexec"
		}
		return fmt.Sprintf("rw,nosuid,nodev,%s,size=%d,mode=1777,notmpcopyup", exec, t.Size)
	}
	exec := "exec"
	if t.NoExec {
		exec = "noexec"
	}
	return fmt.Sprintf("rw,nosuid,nodev,%s,size=%d,nr_inodes=%d,mode=1777", exec, t.Size, t.Inodes)
}

func (p plan) mounts(s sandbox.Spec) []mount.Mount {
	bind := func(src, dst string, ro bool) mount.Mount {
		return mount.Mount{Type: mount.TypeBind, Source: src, Target: dst, ReadOnly: ro,
			BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate}}
	}
	out := []mount.Mount{bind(p.sup, supervisor.Path, true)}
	if !p.attach {
		out = append(out, bind(p.ctl, ctlDir, true))
	}
	if s.Workspace != "" {
		out = append(out, bind(s.Workspace, sandbox.Workdir, s.ReadOnly()))
	}
	for _, m := range s.Mounts {
		out = append(out, bind(m.Source, m.Target, m.ReadOnly))
	}
	return out
}

// maskedPaths are Docker's own and what has since proved to say too much.
func maskedPaths() []string {
	return []string{"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/proc/kallsyms", "/proc/modules",
		"/sys/firmware", "/sys/devices/virtual/powercap", "/sys/kernel/debug", "/sys/kernel/security"}
}
