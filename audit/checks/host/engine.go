package host

import (
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

type infoKey struct{}

type answered struct {
	audit.EngineInfo
	ok  bool
	err error
}

func engine(s *audit.Subject) answered {
	return audit.Memo(s, infoKey{}, func() answered {
		if s.Probes.Engine == nil {
			return answered{}
		}
		info, err := s.Probes.Engine.Info(s.Context())
		return answered{info, err == nil, err}
	})
}

// healthy is an engine without findings.
func healthy() audit.EngineInfo {
	return audit.EngineInfo{
		Endpoint: "unix:///var/run/docker.sock", Version: "29.0.1", Runc: "1.3.4", Containerd: "2.2.0", CgroupVersion: "2",
		SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns"},
		Runtimes:        map[string]string{"runc": ""}, DefaultRuntime: "runc", MemoryLimit: true, PidsLimit: true, CPUCfsQuota: true, SocketMode: 0o660,
	}
}

func about(change func(*audit.EngineInfo)) []audit.Example {
	i := healthy()
	if change != nil {
		change(&i)
	}
	return []audit.Example{{As: audit.Own, Config: `{}`, Probes: audit.Probes{Engine: fake{info: i}}}}
}

// eng makes a check of the engine: bad says what is wrong with it.
func eng(id, sev, title, why, remedy, cwe string, bad func(e audit.EngineInfo) string, fires func(*audit.EngineInfo)) audit.Check {
	return audit.Check{
		ID: "engine." + id, Layer: layer, On: audit.Own, Severity: sev, Deep: true, Title: title, Why: why, Remedy: remedy, Refs: []string{cwe},
		Run: func(s *audit.Subject) []audit.Hit {
			e := engine(s)
			if !e.ok {
				return nil
			}
			if msg := bad(e.EngineInfo); msg != "" {
				return []audit.Hit{{Detail: msg + "."}}
			}
			return nil
		},
		Fires: about(fires), Quiet: about(nil),
	}
}

func security(e audit.EngineInfo, name string) bool {
	for _, o := range e.SecurityOptions {
		if strings.HasPrefix(o, "name="+name) {
			return true
		}
	}
	return false
}

// Engine lists the checks of the container engine.
func Engine() []audit.Check {
	return append([]audit.Check{
		eng("tcp_plain", "critical", "The engine is reached over plain TCP", "Whoever is on the path, or reaches the port, is root on the engine's host.", "Use the Unix socket, ssh, or TLS with client certificates.", "CWE-306",
			func(e audit.EngineInfo) string {
				return when(!strings.HasPrefix(e.Endpoint, "unix:") && !e.TLS, "the endpoint is "+audit.Show(e.Endpoint))
			}, func(e *audit.EngineInfo) { e.Endpoint = "tcp://10.0.0.1:2375" }),
		eng("socket_world", "critical", "Everybody may use the engine's socket", "Every account on this host is root.", "chmod 660 the socket and keep its group small.", "CWE-732",
			func(e audit.EngineInfo) string {
				return when(e.SocketMode&0o006 != 0, fmt.Sprintf("the socket's mode is %03o", e.SocketMode))
			}, func(e *audit.EngineInfo) { e.SocketMode = 0o666 }),
		eng("seccomp_missing", "critical", "The engine has no system-call filter", "Every system call is open to every container.", "Use a kernel and engine with seccomp.", "CWE-693",
			func(e audit.EngineInfo) string { return when(!security(e, "seccomp"), "seccomp is not available") }, func(e *audit.EngineInfo) { e.SecurityOptions = []string{"name=userns", "name=apparmor"} }),
		eng("seccomp_unconfined", "critical", "The engine's default filter is switched off", "Containers without a profile of their own have none.", "Remove seccomp-profile: unconfined from the engine's configuration.", "CWE-693",
			func(e audit.EngineInfo) string {
				for _, o := range e.SecurityOptions {
					if strings.Contains(o, "seccomp") && strings.Contains(o, "unconfined") {
						return "the default profile is unconfined"
					}
				}
				return ""
			}, func(e *audit.EngineInfo) { e.SecurityOptions = []string{"name=seccomp,profile=unconfined"} }),
		eng("lsm_missing", "info", "The engine has neither AppArmor nor SELinux", "One boundary fewer between a container and the kernel's interfaces.", "Enable AppArmor or SELinux on this host.", "CWE-693",
			func(e audit.EngineInfo) string {
				return when(!security(e, "apparmor") && !security(e, "selinux"), "no such module")
			}, func(e *audit.EngineInfo) { e.SecurityOptions = []string{"name=seccomp", "name=userns"} }),
		eng("userns_off", "info", "Container users are not mapped", "uid 0 inside is uid 0 outside wherever something is shared.", "Use rootless mode or userns-remap, or let chitin choose the user.", "CWE-250",
			func(e audit.EngineInfo) string {
				return when(!security(e, "userns") && !security(e, "rootless"), "neither userns-remap nor rootless mode is on")
			}, func(e *audit.EngineInfo) { e.SecurityOptions = []string{"name=seccomp", "name=apparmor"} }),
		eng("cgroup_v1", "info", "The engine uses control groups version 1", "Version 1 lets a release agent run programs on the host, and limits hold less.", "Boot with the unified hierarchy.", "CWE-1104",
			func(e audit.EngineInfo) string { return when(e.CgroupVersion == "1", "version 1") }, func(e *audit.EngineInfo) { e.CgroupVersion = "1" }),
		eng("limits_unavailable", "warn", "The engine cannot limit memory or processes", "A limit in the configuration is then a wish.", "Enable the memory and pids controllers in the kernel.", "CWE-770",
			func(e audit.EngineInfo) string {
				return when(!e.MemoryLimit || !e.PidsLimit, "the memory or pids controller is missing")
			}, func(e *audit.EngineInfo) { e.PidsLimit = false }),
		eng("insecure_registry", "warn", "The engine fetches images without checking who sends them", "Whoever is on the path chooses what runs.", "Remove the registries from insecure-registries.", "CWE-295",
			func(e audit.EngineInfo) string {
				return when(len(e.InsecureRegistries) > 0, "insecure: "+kit.List(e.InsecureRegistries, 10))
			}, func(e *audit.EngineInfo) { e.InsecureRegistries = []string{"10.0.0.0/8"} }),
		eng("experimental", "info", "The engine runs with experimental features", "They change and are looked at less.", "Remove experimental from the engine's configuration.", "CWE-1188",
			func(e audit.EngineInfo) string { return when(e.Experimental, "experimental") }, func(e *audit.EngineInfo) { e.Experimental = true }),
		{ID: "engine.unreachable", Layer: layer, On: audit.Own, Severity: "info", Deep: true, Title: "The container engine did not answer",
			Why: "Containers and their limits could not be looked at.", Remedy: "Start the engine, or give this account access to its socket.", Refs: []string{"CWE-1059"},
			Run: func(s *audit.Subject) []audit.Hit {
				if e := engine(s); e.err != nil {
					return []audit.Hit{{Detail: audit.Show(e.err.Error())}}
				}
				return nil
			}, Fires: []audit.Example{{As: audit.Own, Config: `{}`, Probes: audit.Probes{Engine: deadEngine{}}}}, Quiet: about(nil)},
		{ID: "engine.gvisor_outdated", Layer: layer, On: audit.Own, Severity: "warn", Deep: true, Title: "gVisor is more than a year old",
			Why: "Its kernel is the boundary; a year of fixes is missing.", Remedy: "Update runsc.", Refs: []string{"CWE-1104"},
			Run: func(s *audit.Subject) []audit.Hit {
				v := engine(s).Runtimes["runsc"]
				day, err := time.Parse("20060102", strings.SplitN(strings.TrimPrefix(v, "release-"), ".", 2)[0])
				if err != nil || s.Now.Sub(day) < 365*24*time.Hour {
					return nil
				}
				return []audit.Hit{{Detail: "runsc is " + audit.Show(v) + "."}}
			}, Fires: about(func(e *audit.EngineInfo) { e.Runtimes = map[string]string{"runsc": "release-20240101.0"} }), Quiet: about(func(e *audit.EngineInfo) { e.Runtimes = map[string]string{"runsc": "release-20260401.0"} })},
	}, vulnerable()...)
}
