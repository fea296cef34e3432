package audit

import (
	"context"
	"net/netip"
	"time"
)

// Subject is what one run looks at. Checks read it and change nothing.
type Subject struct {
	Kind Kind
	// Root is the configuration after includes and ${VAR}; nil when there is
	// none or it cannot be parsed.
	Root *Node
	// Raw is the text of the main configuration file.
	Raw []byte
	// ConfigPath and StateDir are absolute and may be missing on disk.
	ConfigPath, StateDir, Home string
	// Includes are the files that the configuration pulled in.
	Includes []string
	// Broken are reasons why the subject's own program would refuse the
	// configuration.
	Broken []Issue
	Getenv func(string) string
	// Auth replaces gateway.auth for this run.
	Auth   AuthOverride
	Deep   bool
	Now    time.Time
	Disk   *Disk
	Probes Probes
	// Ctx bounds probes.
	Ctx context.Context
	// Found holds the findings so far; only late checks see it filled.
	Found []Finding
	// Suppressed holds what waivers took out, for late checks.
	Suppressed []Finding
	// Waivers are the waivers of the configuration with their use counted.
	Waivers []*Waiver
	// Rows reads the key-value rows of the peer's state database, as JSON texts
	// by key; nil when there is none.
	Rows func() map[string]string
	// Known reports whether an id belongs to a check of this run.
	Known func(id string) bool

	deep        *Deep
	diagnostics []string
	memo        map[any]any
}

// Issue is a reason why a configuration would be refused.
type Issue struct {
	Path, Message string
}

// AuthOverride replaces the gateway's credentials for one run.
type AuthOverride struct{ Mode, Token, Password string }

// Probes are the live parts of a deep run. A nil one is not there and its
// checks stay quiet.
type Probes struct {
	// Gateway asks the gateway at an address whether it is alive.
	Gateway func(ctx context.Context, url string) error
	// Engine is the container engine.
	Engine Engine
	// Browser lists the sandbox browser containers of the subject.
	Browser func(ctx context.Context) ([]BrowserContainer, error)
	// Listeners are the listening TCP sockets of the host.
	Listeners func() ([]Listener, error)
	// Sysctl reads a file below /proc or /sys, trimmed.
	Sysctl func(path string) (string, bool)
	// Euid is the effective user id of the run.
	Euid func() int
}

// Engine answers questions about containers, read only.
type Engine interface {
	Info(ctx context.Context) (EngineInfo, error)
	// Containers lists containers with a label ("name" or "name=value").
	Containers(ctx context.Context, label string) ([]Container, error)
}

// EngineInfo is what the engine says about itself.
type EngineInfo struct {
	Endpoint                            string // as dialled
	Version, Runc, Containerd, Kernel   string
	CgroupVersion, CgroupDriver         string
	SecurityOptions                     []string
	Runtimes                            map[string]string // name → version, empty when unknown
	DefaultRuntime                      string
	InsecureRegistries                  []string
	MemoryLimit, PidsLimit, CPUCfsQuota bool
	LiveRestore, Experimental           bool
	SocketMode                          uint32 // permission bits of the socket file
	TLS                                 bool
}

// Container is one container of ours as the engine created it.
type Container struct {
	ID, Name, Image, User, State  string
	Labels                        map[string]string
	Privileged                    bool
	CapAdd, CapDrop, SecurityOpt  []string
	NetworkMode, PidMode, IpcMode string
	UsernsMode, CgroupnsMode      string
	ReadonlyRootfs                bool
	Mounts                        []Mount
	Devices                       []string
	Ports                         []Port
	Memory, NanoCPUs, CPUQuota    int64
	PidsLimit                     int64
	Env                           []string
	ImageUser                     string
	Runtime, RestartPolicy        string
	Created                       time.Time
}

// Mount is a host path or volume inside a container.
type Mount struct {
	Source, Target, Type string
	ReadWrite            bool
}

// Port is a published port.
type Port struct {
	HostIP            string
	HostPort, Private int
}

// BrowserContainer is a sandbox browser of the peer.
type BrowserContainer struct {
	Name        string
	ConfigHash  string
	ConfigEpoch string
	// Ports are lines such as "9222/tcp -> 127.0.0.1:49200".
	Ports []string
}

// Listener is one listening TCP socket.
type Listener struct {
	Addr netip.AddrPort
	UID  int
}

// Memo computes a value once a run and keeps it under key, which should be a
// private type of the caller.
func Memo[T any](s *Subject, key any, f func() T) T {
	if v, ok := s.memo[key]; ok {
		return v.(T)
	}
	v := f()
	if s.memo == nil {
		s.memo = map[any]any{}
	}
	s.memo[key] = v
	return v
}

// Env is a variable of the audited environment; empty without one.
func (s *Subject) Env(name string) string {
	if s.Getenv == nil {
		return ""
	}
	return s.Getenv(name)
}

// Diagnose adds a line about a credential that could not be read.
func (s *Subject) Diagnose(line string) {
	for _, d := range s.diagnostics {
		if d == line {
			return
		}
	}
	s.diagnostics = append(s.diagnostics, line)
}

// SetDeep records the answer of the gateway probe.
func (s *Subject) SetDeep(d Deep) { s.deep = &d }

// Context is Ctx, or a background context when a test set none.
func (s *Subject) Context() context.Context {
	if s.Ctx == nil {
		return context.Background()
	}
	return s.Ctx
}
