package host

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

// label finds the subject's own containers.
func label(s *audit.Subject) string {
	if s.Kind == audit.OpenClaw {
		return "openclaw.sandbox=1"
	}
	return "chitin.sandbox"
}

type containersKey struct{}

func containers(s *audit.Subject) []audit.Container {
	return audit.Memo(s, containersKey{}, func() []audit.Container {
		if s.Probes.Engine == nil {
			return nil
		}
		list, err := s.Probes.Engine.Containers(s.Context(), label(s))
		if err != nil {
			s.Disk.Skip("containers", err.Error())
		}
		return list
	})
}

// fake is an engine for examples.
type fake struct {
	info audit.EngineInfo
	list []audit.Container
}

func (f fake) Info(context.Context) (audit.EngineInfo, error) { return f.info, nil }
func (f fake) Containers(context.Context, string) ([]audit.Container, error) {
	return f.list, nil
}

// sound is a container as chitin makes it.
func sound() audit.Container {
	return audit.Container{
		Name: "box", Image: "img@sha256:aa", User: "1000:1000", State: "running", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges", "seccomp={}"},
		NetworkMode: "none", IpcMode: "private", ReadonlyRootfs: true, Memory: 512 << 20, NanoCPUs: 1e9, PidsLimit: 256,
	}
}

func one(change func(*audit.Container)) []audit.Example {
	c := sound()
	if change != nil {
		change(&c)
	}
	return []audit.Example{{Config: `{}`, Probes: audit.Probes{Engine: fake{list: []audit.Container{c}}}}}
}

// box makes a check of every container: bad says what is wrong with one.
func box(id, sev, title, why, remedy, cwe string, bad func(c audit.Container) string, fires func(*audit.Container)) audit.Check {
	return audit.Check{
		ID: "container." + id, Layer: audit.LayerSandbox, On: audit.Both, Severity: sev, Deep: true, Title: title, Why: why, Remedy: remedy, Refs: []string{cwe},
		Run: func(s *audit.Subject) []audit.Hit {
			var out []audit.Hit
			for _, c := range containers(s) {
				if msg := bad(c); msg != "" {
					out = append(out, audit.Hit{Detail: "Container " + audit.Show(c.Name) + ": " + msg + "."})
				}
			}
			return out
		},
		Fires: one(fires), Quiet: one(nil),
	}
}

func when(cond bool, msg string) string {
	if cond {
		return msg
	}
	return ""
}

func opt(c audit.Container, want string) bool {
	for _, o := range c.SecurityOpt {
		if strings.HasPrefix(o, want) {
			return true
		}
	}
	return false
}

const recreate = "Recreate it: chitin sandbox recreate."

// Containers lists the checks of sandboxes as the engine really made them.
func Containers() []audit.Check {
	return append(isolation(), reach()...)
}

func isolation() []audit.Check {
	return []audit.Check{
		box("privileged", "critical", "A sandbox is privileged", "It has every capability and device: it is the host.", recreate, "CWE-250",
			func(c audit.Container) string { return when(c.Privileged, "privileged") }, func(c *audit.Container) { c.Privileged = true }),
		box("cap_added", "critical", "A sandbox was given capabilities", "Each added capability is part of known ways out.", recreate, "CWE-250",
			func(c audit.Container) string { return when(len(c.CapAdd) > 0, "added "+kit.List(c.CapAdd, 10)) }, func(c *audit.Container) { c.CapAdd = []string{"SYS_ADMIN"} }),
		box("cap_not_dropped", "warn", "A sandbox keeps default capabilities", "Raw sockets and mknod are not needed to run commands.", recreate, "CWE-250",
			func(c audit.Container) string {
				for _, d := range c.CapDrop {
					if strings.EqualFold(d, "ALL") {
						return ""
					}
				}
				return "not all capabilities are dropped"
			}, func(c *audit.Container) { c.CapDrop = nil }),
		box("new_privileges", "warn", "A sandbox may gain privileges", "A setuid program inside makes its caller root inside.", recreate, "CWE-269",
			func(c audit.Container) string {
				return when(!opt(c, "no-new-privileges") || opt(c, "no-new-privileges=false") || opt(c, "no-new-privileges:false"), "no-new-privileges is not set")
			}, func(c *audit.Container) { c.SecurityOpt = []string{"seccomp={}"} }),
		box("seccomp_unconfined", "critical", "A sandbox has no system-call filter", "Every system call is open, also those that escapes are made of.", recreate, "CWE-693",
			func(c audit.Container) string {
				return when(opt(c, "seccomp=unconfined") || opt(c, "seccomp:unconfined"), "seccomp is unconfined")
			}, func(c *audit.Container) {
				c.SecurityOpt = []string{"no-new-privileges", "seccomp=unconfined"}
			}),
		box("apparmor_unconfined", "critical", "A sandbox has no AppArmor profile", "It may write to kernel interfaces that the engine's profile closes.", recreate, "CWE-693",
			func(c audit.Container) string {
				return when(opt(c, "apparmor=unconfined") || opt(c, "apparmor:unconfined"), "apparmor is unconfined")
			}, func(c *audit.Container) {
				c.SecurityOpt = append(c.SecurityOpt, "apparmor=unconfined")
			}),
		box("host_pid", "critical", "A sandbox sees the host's processes", "It can read other processes' environments, and signal those of its uid.", recreate, "CWE-653",
			func(c audit.Container) string { return when(c.PidMode == "host", "pid mode host") }, func(c *audit.Container) { c.PidMode = "host" }),
		box("host_ipc", "critical", "A sandbox shares the host's memory segments", "It reads and changes what other programs share.", recreate, "CWE-653",
			func(c audit.Container) string { return when(c.IpcMode == "host", "ipc mode host") }, func(c *audit.Container) { c.IpcMode = "host" }),
		box("host_userns", "warn", "A sandbox opted out of user mapping", "Root inside is root outside.", recreate, "CWE-250",
			func(c audit.Container) string { return when(c.UsernsMode == "host", "userns mode host") }, func(c *audit.Container) { c.UsernsMode = "host" }),
		box("host_cgroup", "warn", "A sandbox sees the host's control groups", "It learns about, and with a bug changes, other groups' limits.", recreate, "CWE-653",
			func(c audit.Container) string { return when(c.CgroupnsMode == "host", "cgroup namespace host") }, func(c *audit.Container) { c.CgroupnsMode = "host" }),
		box("root_user", "warn", "A sandbox runs as root", "Root inside is root outside the moment anything is shared.", recreate, "CWE-250",
			func(c audit.Container) string {
				user := c.User
				if user == "" {
					user = c.ImageUser
				}
				name, _, _ := strings.Cut(user, ":")
				return when(name == "" || name == "0" || name == "root", "the user is root")
			}, func(c *audit.Container) { c.User = "" }),
		box("writable_root", "warn", "A sandbox's own system is writable", "What a command plants in /usr stays.", recreate, "CWE-732",
			func(c audit.Container) string { return when(!c.ReadonlyRootfs, "the root file system is writable") }, func(c *audit.Container) { c.ReadonlyRootfs = false }),
	}
}

func reach() []audit.Check {
	return []audit.Check{
		box("no_memory_limit", "warn", "A sandbox has no memory limit", "The kernel kills somebody else's process on the shared host.", recreate, "CWE-770",
			func(c audit.Container) string { return when(c.Memory <= 0, "no limit") }, func(c *audit.Container) { c.Memory = 0 }),
		box("no_pids_limit", "warn", "A sandbox has no process limit", "A fork bomb takes the host's process table.", recreate, "CWE-770",
			func(c audit.Container) string { return when(c.PidsLimit <= 0, "no limit") }, func(c *audit.Container) { c.PidsLimit = 0 }),
		box("no_cpu_limit", "info", "A sandbox has no processor limit", "One loop slows everybody on the host.", recreate, "CWE-770",
			func(c audit.Container) string { return when(c.NanoCPUs <= 0 && c.CPUQuota <= 0, "no limit") }, func(c *audit.Container) { c.NanoCPUs = 0 }),
		box("host_network", "critical", "A sandbox uses the host's network", "It reaches everything that listens on this host's loopback, the gateway included.", recreate, "CWE-653",
			func(c audit.Container) string {
				return when(c.NetworkMode == "host" || strings.HasPrefix(c.NetworkMode, "container:"), "network mode "+audit.Show(c.NetworkMode))
			}, func(c *audit.Container) { c.NetworkMode = "host" }),
		box("unfiltered_network", "warn", "A sandbox has an unfiltered network", "It reaches the internet, the private network and the cloud's metadata service.", recreate, "CWE-918",
			func(c audit.Container) string {
				return when(c.NetworkMode == "bridge" || c.NetworkMode == "default", "network mode "+audit.Show(c.NetworkMode))
			}, func(c *audit.Container) { c.NetworkMode = "bridge" }),
		box("published_port", "critical", "A sandbox publishes a port beyond loopback", "What a command starts inside is reachable from the network.", recreate, "CWE-668",
			func(c audit.Container) string {
				for _, p := range c.Ports {
					if p.HostIP != "127.0.0.1" && p.HostIP != "::1" {
						return fmt.Sprintf("port %d on %s", p.HostPort, audit.Show(p.HostIP))
					}
				}
				return ""
			}, func(c *audit.Container) { c.Ports = []audit.Port{{HostIP: "0.0.0.0", HostPort: 80}} }),
		box("engine_socket", "critical", "A sandbox holds the engine's socket", "Whoever has it is root on the host.", recreate, "CWE-250",
			func(c audit.Container) string {
				for _, m := range c.Mounts {
					if b := path.Base(m.Source); b == "docker.sock" || b == "podman.sock" || b == "containerd.sock" {
						return "mounts " + audit.Show(m.Source)
					}
				}
				return ""
			}, func(c *audit.Container) {
				c.Mounts = []audit.Mount{{Source: "/run/docker.sock", Target: "/s", Type: "bind"}}
			}),
		box("system_mount", "critical", "A sandbox mounts a system directory", "System directories and credentials turn a container into the host.", recreate, "CWE-668",
			func(c audit.Container) string {
				for _, m := range c.Mounts {
					for _, d := range []string{"/etc", "/proc", "/sys", "/dev", "/root", "/boot", "/run", "/var/run", "/var/lib/docker"} {
						if m.Type == "bind" && (m.Source == "/" || m.Source == d || strings.HasPrefix(m.Source, d+"/") && path.Ext(m.Source) != ".sock" && !strings.HasPrefix(m.Source, "/run/chitin") && !strings.HasPrefix(m.Source, "/run/user")) {
							return "mounts " + audit.Show(m.Source)
						}
					}
				}
				return ""
			}, func(c *audit.Container) {
				c.Mounts = []audit.Mount{{Source: "/etc", Target: "/e", Type: "bind"}}
			}),
		box("device", "critical", "A sandbox has a host device", "A device is a way past every other boundary.", recreate, "CWE-250",
			func(c audit.Container) string { return when(len(c.Devices) > 0, "has "+kit.List(c.Devices, 5)) }, func(c *audit.Container) { c.Devices = []string{"/dev/mem"} }),
		box("secret_in_env", "critical", "A sandbox has a secret in its environment", "Every command inside reads it, and anybody who may ask the engine does.", recreate, "CWE-526",
			func(c audit.Container) string {
				for _, kv := range c.Env {
					k, v, _ := strings.Cut(kv, "=")
					if secretName(k) && v != "" {
						return "has " + audit.Show(k)
					}
				}
				return ""
			}, func(c *audit.Container) { c.Env = []string{"AWS_SECRET_ACCESS_KEY=x"} }),
		box("restarts", "info", "A sandbox restarts by itself", "A sandbox that nobody asked for comes back after every reboot.", recreate, "CWE-459",
			func(c audit.Container) string {
				return when(c.RestartPolicy != "" && c.RestartPolicy != "no", "restart policy "+audit.Show(c.RestartPolicy))
			}, func(c *audit.Container) { c.RestartPolicy = "always" }),
		box("image_unpinned", "info", "A sandbox's image is named by a tag", "What runs inside can change under its name.", "Pin docker.image by digest.", "CWE-494",
			func(c audit.Container) string {
				return when(!strings.Contains(c.Image, "sha256:"), "image "+audit.Show(c.Image))
			}, func(c *audit.Container) { c.Image = "debian:latest" }),
	}
}

func secretName(k string) bool {
	k = strings.ToUpper(k)
	for _, end := range []string{"TOKEN", "SECRET", "PASSWORD", "API_KEY", "PRIVATE_KEY", "ACCESS_KEY"} {
		if strings.HasSuffix(k, end) {
			return true
		}
	}
	return false
}
