package sandbox

import "maps"

// Config is agents.defaults.sandbox, and with only the fields that differ also
// agents.entries.<id>.sandbox. A zero field is absent; Resolve fills in the
// defaults, all of them the safe ones.
type Config struct {
	Mode            string       `yaml:"mode,omitempty" json:"mode,omitempty" doc:"Which sessions run in a sandbox: off none, non-main only sub-agents and background work, all every session." enum:"off,non-main,all" default:"all"`
	Scope           string       `yaml:"scope,omitempty" json:"scope,omitempty" doc:"Who shares one sandbox: each session, each agent, or everything of one tenant. Tenants never share." enum:"session,agent,shared" default:"agent"`
	WorkspaceAccess string       `yaml:"workspaceAccess,omitempty" json:"workspaceAccess,omitempty" doc:"The agent's workspace inside the sandbox: none gives an own empty directory, ro mounts it read-only, rw writable." enum:"none,ro,rw" default:"none"`
	Backend         string       `yaml:"backend,omitempty" json:"backend,omitempty" doc:"What isolates: auto takes the first that answers here and reaches minTier, a container engine before what is built in." enum:"auto,docker,podman,gvisor,namespace" default:"auto"`
	MinTier         string       `yaml:"minTier,omitempty" json:"minTier,omitempty" doc:"Weakest isolation that may be used; a call is refused rather than run below it." enum:"namespace,container,gvisor" default:"namespace"`
	DurableWrites   *bool        `yaml:"durableWrites,omitempty" json:"durableWrites,omitempty" doc:"Whether what the file tools write is synced to the disk before they answer. Without it a change is still atomic and survives the gateway's end, but a machine that loses power may lose the last seconds." default:"false"`
	Docker          DockerConfig `yaml:"docker,omitempty" json:"docker,omitzero" doc:"How a sandbox is made. These options and no others; whatever else an engine knows is refused."`
	Tools           ToolsConfig  `yaml:"tools,omitempty" json:"tools,omitzero" doc:"Which tools a sandboxed session may use."`
	Prune           PruneConfig  `yaml:"prune,omitempty" json:"prune,omitzero" doc:"When unused sandboxes are removed."`
	Pool            PoolConfig   `yaml:"pool,omitempty" json:"pool,omitzero" doc:"Sandboxes started ahead of need."`
}

// Override is one agent's differences from the defaults.
type Override = Config

// DockerConfig is the allow-list of container options.
type DockerConfig struct {
	Image           string            `yaml:"image,omitempty" json:"image,omitempty" doc:"Image of the sandbox, best pinned as name@sha256:…; absent means the default image that chitin sandbox image build makes."`
	Network         string            `yaml:"network,omitempty" json:"network,omitempty" doc:"none has no network at all; egress reaches only chitin's filtering proxy; another name is an engine network. host is always refused." default:"none"`
	Egress          []string          `yaml:"egress,omitempty" json:"egress" doc:"Hosts that network egress reaches, as names or *.example.org; absent means every public host, an empty list none. Private and local addresses are never reached."`
	User            string            `yaml:"user,omitempty" json:"user,omitempty" doc:"uid:gid inside, never 0; absent picks one that is nobody on the host."`
	Memory          string            `yaml:"memory,omitempty" json:"memory,omitempty" doc:"Memory limit, swap included, as a number with k, m or g." default:"512m"`
	PidsLimit       int64             `yaml:"pidsLimit,omitempty" json:"pidsLimit,omitempty" doc:"Most processes and threads at a time." default:"256"`
	CPUs            float64           `yaml:"cpus,omitempty" json:"cpus,omitempty" doc:"Processor share, 1.5 being one and a half cores; never more than the machine has." default:"2"`
	Ulimits         map[string]string `yaml:"ulimits,omitempty" json:"ulimits,omitempty" doc:"Resource limits such as nofile: 1024:4096 (soft:hard) or fsize in bytes."`
	Tmpfs           []string          `yaml:"tmpfs,omitempty" json:"tmpfs,omitempty" doc:"Scratch directories in memory, as path or path:size=64m,nr_inodes=4096; absent means /tmp, /var/tmp, /run and /dev/shm."`
	DiskLimit       string            `yaml:"diskLimit,omitempty" json:"diskLimit,omitempty" doc:"Most that the sandbox's own workspace may hold; beyond it everything inside is stopped." default:"1g"`
	Binds           []string          `yaml:"binds,omitempty" json:"binds,omitempty" doc:"Extra host directories as /host/path:/inside/path:ro (or rw)."`
	Env             map[string]string `yaml:"env,omitempty" json:"env,omitempty" doc:"Environment of every command inside; the host's own is never passed."`
	SeccompProfile  string            `yaml:"seccompProfile,omitempty" json:"seccompProfile,omitempty" doc:"Absolute path of a system-call filter that replaces the built-in one; unconfined is refused."`
	ApparmorProfile string            `yaml:"apparmorProfile,omitempty" json:"apparmorProfile,omitempty" doc:"Name of a loaded AppArmor profile; unconfined is refused."`
	Runtime         string            `yaml:"runtime,omitempty" json:"runtime,omitempty" doc:"The engine's runtime, such as runsc; absent means its default."`

	DangerouslyAllowReservedContainerTargets bool `yaml:"dangerouslyAllowReservedContainerTargets,omitempty" json:"dangerouslyAllowReservedContainerTargets,omitempty" doc:"Dangerous: binds may cover /workspace, /agent and the supervisor's own directory stays refused."`
	DangerouslyAllowExternalBindSources      bool `yaml:"dangerouslyAllowExternalBindSources,omitempty" json:"dangerouslyAllowExternalBindSources,omitempty" doc:"Dangerous: binds may come from outside the workspaces."`
	DangerouslyAllowContainerNamespaceJoin   bool `yaml:"dangerouslyAllowContainerNamespaceJoin,omitempty" json:"dangerouslyAllowContainerNamespaceJoin,omitempty" doc:"Dangerous: network may be container:<name>, sharing another container's network."`
}

// ToolsConfig is the tool policy of sandboxed sessions. A nil list is absent
// and means the default; an empty one is what it says.
type ToolsConfig struct {
	Allow []string `yaml:"allow,omitempty" json:"allow,omitempty" doc:"Tools that a sandboxed session may use; absent means the coding and session tools."`
	Deny  []string `yaml:"deny,omitempty" json:"deny,omitempty" doc:"Tools that it may not; absent means browser, canvas, nodes, cron, gateway and every messaging channel."`
}

// PruneConfig says when a sandbox is removed.
type PruneConfig struct {
	IdleHours  *int `yaml:"idleHours,omitempty" json:"idleHours,omitempty" doc:"Hours without a call; 0 never." default:"24"`
	MaxAgeDays *int `yaml:"maxAgeDays,omitempty" json:"maxAgeDays,omitempty" doc:"Days since it was made; 0 never." default:"7"`
}

// PoolConfig sizes the warm pool.
type PoolConfig struct {
	Ready *int `yaml:"ready,omitempty" json:"ready,omitempty" doc:"Sandboxes kept started per profile after its first use; 0 turns the pool off." default:"1"`
	Max   *int `yaml:"max,omitempty" json:"max,omitempty" doc:"Most unassigned sandboxes over all profiles." default:"4"`
}

// DefaultToolsAllow and DefaultToolsDeny are the sandbox's tool policy.
func DefaultToolsAllow() []string {
	return []string{"exec", "process", "read", "write", "edit", "apply_patch", "image",
		"sessions_list", "sessions_history", "sessions_send", "sessions_spawn", "subagents", "session_status"}
}

// DefaultToolsDeny denies what reaches past a sandbox: the browser, other
// machines, the control plane and every way of messaging people.
func DefaultToolsDeny() []string {
	return []string{"browser", "canvas", "nodes", "cron", "gateway",
		"telegram", "whatsapp", "discord", "irc", "googlechat", "slack", "signal", "imessage",
		"feishu", "line", "matrix", "mattermost", "msteams", "nextcloud-talk", "nostr", "synology-chat",
		"tlon", "twitch", "webchat", "zalo", "zalouser", "whatsapp_login", "message", "group:messaging"}
}

// Merge lays one agent's override over base, field by field. Binds add up;
// lists and maps that are present replace; with scope shared the agent's own
// docker options do not count, because the sandbox is not its own.
func Merge(base Config, over *Override) Config {
	if over == nil {
		return base
	}
	out := base
	set(&out.Mode, over.Mode)
	set(&out.Scope, over.Scope)
	set(&out.WorkspaceAccess, over.WorkspaceAccess)
	set(&out.Backend, over.Backend)
	set(&out.MinTier, over.MinTier)
	if over.Tools.Allow != nil {
		out.Tools.Allow = over.Tools.Allow
	}
	if over.Tools.Deny != nil {
		out.Tools.Deny = over.Tools.Deny
	}
	setPtr(&out.DurableWrites, over.DurableWrites)
	setPtr(&out.Prune.IdleHours, over.Prune.IdleHours)
	setPtr(&out.Prune.MaxAgeDays, over.Prune.MaxAgeDays)
	setPtr(&out.Pool.Ready, over.Pool.Ready)
	setPtr(&out.Pool.Max, over.Pool.Max)
	if out.Scope != "shared" {
		out.Docker = mergeDocker(out.Docker, over.Docker)
	}
	return out
}

func mergeDocker(b, o DockerConfig) DockerConfig {
	set(&b.Image, o.Image)
	set(&b.Network, o.Network)
	set(&b.User, o.User)
	set(&b.Memory, o.Memory)
	set(&b.PidsLimit, o.PidsLimit)
	set(&b.CPUs, o.CPUs)
	set(&b.DiskLimit, o.DiskLimit)
	set(&b.SeccompProfile, o.SeccompProfile)
	set(&b.ApparmorProfile, o.ApparmorProfile)
	set(&b.Runtime, o.Runtime)
	if o.Egress != nil {
		b.Egress = o.Egress
	}
	if o.Tmpfs != nil {
		b.Tmpfs = o.Tmpfs
	}
	b.Binds = append(append([]string(nil), b.Binds...), o.Binds...)
	b.Ulimits = mergeMap(b.Ulimits, o.Ulimits)
	b.Env = mergeMap(b.Env, o.Env)
	b.DangerouslyAllowReservedContainerTargets = b.DangerouslyAllowReservedContainerTargets || o.DangerouslyAllowReservedContainerTargets
	b.DangerouslyAllowExternalBindSources = b.DangerouslyAllowExternalBindSources || o.DangerouslyAllowExternalBindSources
	b.DangerouslyAllowContainerNamespaceJoin = b.DangerouslyAllowContainerNamespaceJoin || o.DangerouslyAllowContainerNamespaceJoin
	return b
}

func set[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}

func setPtr[T any](dst **T, v *T) {
	if v != nil {
		*dst = v
	}
}

func mergeMap(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// Resolve returns the configuration with every default in place.
func (c Config) Resolve() Config {
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&c.Mode, "all")
	def(&c.Scope, "agent")
	def(&c.WorkspaceAccess, "none")
	def(&c.Backend, "auto")
	def(&c.MinTier, string(TierNamespace))
	def(&c.Docker.Network, "none")
	def(&c.Docker.Memory, "512m")
	def(&c.Docker.DiskLimit, "1g")
	if c.Docker.PidsLimit == 0 {
		c.Docker.PidsLimit = 256
	}
	if c.Docker.CPUs == 0 {
		c.Docker.CPUs = 2
	}
	if c.Docker.Tmpfs == nil {
		c.Docker.Tmpfs = []string{"/tmp", "/var/tmp", "/run", "/dev/shm"}
	}
	if c.Tools.Allow == nil {
		c.Tools.Allow = DefaultToolsAllow()
	}
	if c.Tools.Deny == nil {
		c.Tools.Deny = DefaultToolsDeny()
	}
	defInt(&c.Prune.IdleHours, 24)
	defInt(&c.Prune.MaxAgeDays, 7)
	defInt(&c.Pool.Ready, 1)
	defInt(&c.Pool.Max, 4)
	return c
}

func defInt(p **int, v int) {
	if *p == nil {
		*p = &v
	}
}

// Sandboxed reports whether a session's tools run in a sandbox under the
// configured mode. An unknown mode means yes.
func (c Config) Sandboxed(main bool) bool {
	switch c.Mode {
	case "off":
		return false
	case "non-main":
		return !main
	default:
		return true
	}
}
