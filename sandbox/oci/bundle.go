//go:build linux && (amd64 || arm64)

package oci

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/seccomp"
)

// Bundle says how a runtime is to run a box. Paths of sources are where the
// runtime sees them.
type Bundle struct {
	Root     string // directory of the view, mounted read-only
	UID, GID int    // inside
	HostUID  int    // what they are for the runtime
	HostGID  int
	Argv     []string
	Env      []string
	Mounts   []sandbox.Mount
	Tmpfs    []sandbox.Tmpfs
	Limits   sandbox.Limits
	// Groups shows the box's control groups, which the runtime sees where a
	// box expects them.
	Groups bool
}

const cgroupDir = "/sys/fs/cgroup"

// Config is the bundle's config.json.
func (b Bundle) Config() ([]byte, error) {
	none := []string{}
	s := specs.Spec{
		Version:  specs.Version,
		Hostname: Hostname,
		Root:     &specs.Root{Path: b.Root, Readonly: true},
		Process: &specs.Process{
			Args: b.Argv, Env: b.Env, Cwd: "/", NoNewPrivileges: true,
			User: specs.User{UID: uint32(b.UID), GID: uint32(b.GID)},
			Capabilities: &specs.LinuxCapabilities{Bounding: none, Effective: none, Inheritable: none,
				Permitted: none, Ambient: none},
			Rlimits: b.rlimits(),
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace}, {Type: specs.UserNamespace}},
			UIDMappings:   []specs.LinuxIDMapping{{ContainerID: uint32(b.UID), HostID: uint32(b.HostUID), Size: 1}},
			GIDMappings:   []specs.LinuxIDMapping{{ContainerID: uint32(b.GID), HostID: uint32(b.HostGID), Size: 1}},
			MaskedPaths:   Masked(),
			ReadonlyPaths: ReadOnly(),
			Seccomp:       seccomp.OCI(),
		},
	}
	s.Mounts = b.mounts()
	out, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("oci: %w", err)
	}
	return out, nil
}

func (b Bundle) mounts() []specs.Mount {
	out := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "mode=755", "size=64k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "nodev", "noexec", "ro"}},
	}
	if b.Groups {
		out = append(out, specs.Mount{Destination: cgroupDir, Type: "bind", Source: cgroupDir,
			Options: []string{"rbind", "nosuid", "nodev", "noexec", "ro"}})
	}
	for _, t := range b.Tmpfs {
		o := []string{"nosuid", "nodev", "mode=" + tmpfsMode(t.Path), fmt.Sprintf("size=%d", t.Size), fmt.Sprintf("nr_inodes=%d", t.Inodes)}
		if t.NoExec {
			o = append(o, "noexec")
		}
		out = append(out, specs.Mount{Destination: t.Path, Type: "tmpfs", Source: "tmpfs", Options: o})
	}
	for _, m := range b.Mounts {
		mode := "rw"
		if m.ReadOnly {
			mode = "ro"
		}
		out = append(out, specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source,
			Options: []string{"rbind", "nosuid", "nodev", mode}})
	}
	return out
}

// tmpfsMode lets anybody write to scratch; in a runtime of its own kernel the
// file system belongs to root there, so /run too.
func tmpfsMode(string) string { return "1777" }

func (b Bundle) rlimits() []specs.POSIXRlimit {
	names := map[string]string{"nofile": "RLIMIT_NOFILE", "nproc": "RLIMIT_NPROC", "core": "RLIMIT_CORE", "fsize": "RLIMIT_FSIZE",
		"memlock": "RLIMIT_MEMLOCK", "cpu": "RLIMIT_CPU", "data": "RLIMIT_DATA", "stack": "RLIMIT_STACK",
		"msgqueue": "RLIMIT_MSGQUEUE", "sigpending": "RLIMIT_SIGPENDING", "as": "RLIMIT_AS"}
	limits := map[string][2]int64{}
	if b.Limits.Pids > 0 {
		limits["nproc"] = [2]int64{b.Limits.Pids, b.Limits.Pids}
	}
	if b.Limits.Memory > 0 {
		// A process that takes too much fails by itself; the control group
		// would end the runtime with every process in it.
		limits["data"] = [2]int64{b.Limits.Memory, b.Limits.Memory}
	}
	for k, v := range b.Limits.Ulimits {
		limits[k] = v
	}
	var out []specs.POSIXRlimit
	for _, k := range sortedNames(limits) {
		if n := names[k]; n != "" && limits[k][0] >= 0 && limits[k][1] >= limits[k][0] {
			out = append(out, specs.POSIXRlimit{Type: n, Soft: uint64(limits[k][0]), Hard: uint64(limits[k][1])})
		}
	}
	return out
}
