// Package mcpclient is what chitin knows of MCP servers that it uses itself:
// how they are configured, what their tools are called here, and when what
// they say of a tool may be believed. Package link talks to one, package hub
// keeps them running, package pins remembers what was approved.
package mcpclient

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets"
)

// Config is the key "mcp".
type Config struct {
	Servers map[string]Server `yaml:"servers,omitempty" doc:"MCP servers by name. A tool of one is called <name>__<tool>."`
}

// Server is one MCP server. A zero field is absent and means the safe default.
type Server struct {
	Enabled   *bool  `yaml:"enabled,omitempty" default:"true" doc:"false keeps the entry and never starts the server."`
	Transport string `yaml:"transport,omitempty" enum:"stdio,http,sse" doc:"stdio runs command in a sandbox of its own, http is streamable HTTP, sse the older HTTP transport. Absent: stdio with command, http with url."`

	Command string                   `yaml:"command,omitempty" doc:"Program to start, found inside the sandbox's image."`
	Args    []string                 `yaml:"args,omitempty" doc:"Its arguments."`
	Env     map[string]secrets.Field `yaml:"env,omitempty" doc:"Its environment: texts or references to secrets. The gateway's own environment is never passed."`
	Cwd     string                   `yaml:"cwd,omitempty" doc:"Absolute directory inside the sandbox to start in. Absent: /workspace."`
	Network string                   `yaml:"network,omitempty" enum:"none,egress" default:"none" doc:"none has no network at all; egress reaches public hosts through chitin's filtering proxy."`
	Egress  []string                 `yaml:"egress,omitempty" doc:"Hosts that network egress reaches, as names or *.example.org; absent means every public host, an empty list none."`
	Sandbox Box                      `yaml:"sandbox,omitempty" doc:"Where the command runs. What is absent is as in agents.defaults.sandbox."`

	URL          string                   `yaml:"url,omitempty" doc:"Endpoint of an http or sse server."`
	Headers      map[string]secrets.Field `yaml:"headers,omitempty" doc:"Headers of every request to it: texts or references to secrets."`
	OAuth        OAuth                    `yaml:"oauth,omitempty" doc:"Logs in at the server's authorization server with the client credentials grant."`
	AllowPrivate bool                     `yaml:"allowPrivate,omitempty" doc:"Lets url lead to the loopback or a private network."`

	Tools          Tools    `yaml:"tools,omitempty" doc:"Which of the server's tools exist here at all. The policy under tools decides about those."`
	Pin            string   `yaml:"pin,omitempty" enum:"approve,first-use" default:"approve" doc:"approve: a tool can be used after chitin mcp approve. first-use: what the server offers at its first contact is approved unless it looks like an attack. A tool that is new later or has changed waits for approval either way."`
	Agents         []string `yaml:"agents,omitempty" doc:"Agents whose sessions may use it. Absent: all; an empty list: none."`
	Tenants        []string `yaml:"tenants,omitempty" doc:"Tenants that may use it, each with a process and approvals of its own; * is all. Absent: only the tenant default."`
	TimeoutMs      int      `yaml:"timeoutMs,omitempty" default:"60000" doc:"How long one call may take, in milliseconds."`
	StartTimeoutMs int      `yaml:"startTimeoutMs,omitempty" default:"60000" doc:"How long the server may take to start and list its tools, in milliseconds."`
	MaxResultBytes int      `yaml:"maxResultBytes,omitempty" default:"1048576" doc:"Most that one result may hold; the rest is cut."`
	IdleMinutes    *int     `yaml:"idleMinutes,omitempty" default:"60" doc:"Minutes without a call after which the server is stopped until the next one; 0 never."`
}

// OAuth is a client that is registered at a server's authorization server.
type OAuth struct {
	ClientID     string        `yaml:"clientId,omitempty" doc:"Its id there."`
	ClientSecret secrets.Field `yaml:"clientSecret,omitempty" doc:"Its secret, as a reference."`
}

// Tools filters a server's tools by their own names, * standing for any part.
type Tools struct {
	Allow []string `yaml:"allow,omitempty" doc:"Tools that exist here. Absent: all; an empty list: none."`
	Deny  []string `yaml:"deny,omitempty" doc:"Tools that do not."`
}

// Box is what may differ for a stdio server's sandbox.
type Box struct {
	Backend   string   `yaml:"backend,omitempty" enum:"auto,docker,podman,gvisor,namespace" doc:"What isolates."`
	MinTier   string   `yaml:"minTier,omitempty" enum:"namespace,container,gvisor" doc:"Weakest isolation that may be used."`
	Image     string   `yaml:"image,omitempty" doc:"Image that holds the command, best pinned as name@sha256:…."`
	User      string   `yaml:"user,omitempty" doc:"uid:gid inside, never 0."`
	Memory    string   `yaml:"memory,omitempty" doc:"Memory limit, as a number with k, m or g."`
	PidsLimit int64    `yaml:"pidsLimit,omitempty" doc:"Most processes and threads at a time."`
	CPUs      float64  `yaml:"cpus,omitempty" doc:"Processor share."`
	DiskLimit string   `yaml:"diskLimit,omitempty" doc:"Most that its own workspace may hold."`
	Tmpfs     []string `yaml:"tmpfs,omitempty" doc:"Scratch directories in memory."`
	Binds     []string `yaml:"binds,omitempty" doc:"Host directories below a workspace, as /host/path:/inside/path:ro (or rw)."`
}

// Transports and pin modes.
const (
	Stdio = "stdio"
	HTTP  = "http"
	SSE   = "sse"

	PinApprove  = "approve"
	PinFirstUse = "first-use"
)

// DefaultTenant is who may use a server that names no tenants.
const DefaultTenant = "default"

// On reports whether the server is enabled.
func (s Server) On() bool { return s.Enabled == nil || *s.Enabled }

// Kind is the transport with its default.
func (s Server) Kind() string {
	switch {
	case s.Transport != "":
		return s.Transport
	case s.Command != "":
		return Stdio
	}
	return HTTP
}

// Serves reports whether a tenant may use the server.
func (s Server) Serves(tenant string) bool {
	if s.Tenants == nil {
		return tenant == DefaultTenant
	}
	return tenant != "" && (slices.Contains(s.Tenants, tenant) || slices.Contains(s.Tenants, "*"))
}

// ServesAgent reports whether an agent's sessions may use the server.
func (s Server) ServesAgent(agent string) bool {
	return s.Agents == nil || slices.Contains(s.Agents, agent)
}

// Timeout bounds one call.
func (s Server) Timeout() time.Duration { return millis(s.TimeoutMs, 60_000) }

// StartTimeout bounds start and first list.
func (s Server) StartTimeout() time.Duration { return millis(s.StartTimeoutMs, 60_000) }

// Idle is how long the server lives without a call; 0 is for ever.
func (s Server) Idle() time.Duration {
	if s.IdleMinutes == nil {
		return time.Hour
	}
	return time.Duration(*s.IdleMinutes) * time.Minute
}

// ResultLimit is the most bytes of one result.
func (s Server) ResultLimit() int {
	if s.MaxResultBytes == 0 {
		return 1 << 20
	}
	return s.MaxResultBytes
}

// FirstUse reports whether the first contact approves.
func (s Server) FirstUse() bool { return s.Pin == PinFirstUse }

func millis(n, otherwise int) time.Duration {
	if n == 0 {
		n = otherwise
	}
	return time.Duration(n) * time.Millisecond
}

// Offers reports whether a tool of the server exists here, by its own name.
func (t Tools) Offers(name string) bool {
	if slices.ContainsFunc(t.Deny, func(p string) bool { return glob(p, name) }) {
		return false
	}
	return t.Allow == nil || slices.ContainsFunc(t.Allow, func(p string) bool { return glob(p, name) })
}

// glob matches * against any run of characters and everything else exactly.
func glob(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(name, rest)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}

// BoxConfig is the sandbox of a stdio server: as the operator has it for
// agents, but with a box per tenant, no workspace of anybody, no network unless
// declared, and nothing of the agents' own binds and variables.
func (s Server) BoxConfig(base sandbox.Config) sandbox.Config {
	c := sandbox.Config{Mode: "all", Scope: "session", WorkspaceAccess: "none", Backend: base.Backend, MinTier: base.MinTier}
	b, d := s.Sandbox, base.Docker
	c.Docker = sandbox.DockerConfig{
		Image: d.Image, User: d.User, Memory: d.Memory, PidsLimit: d.PidsLimit, CPUs: d.CPUs, DiskLimit: d.DiskLimit, Tmpfs: d.Tmpfs,
		Ulimits: maps.Clone(d.Ulimits), SeccompProfile: d.SeccompProfile, ApparmorProfile: d.ApparmorProfile, Runtime: d.Runtime,
	}
	over := &sandbox.Override{Backend: b.Backend, MinTier: b.MinTier, Docker: sandbox.DockerConfig{
		Image: b.Image, User: b.User, Memory: b.Memory, PidsLimit: b.PidsLimit, CPUs: b.CPUs, DiskLimit: b.DiskLimit, Tmpfs: b.Tmpfs, Binds: b.Binds,
	}}
	c = sandbox.Merge(c, over)
	c.Docker.Network, c.Docker.Egress = "none", nil
	if s.Network == "egress" {
		c.Docker.Network, c.Docker.Egress = "egress", s.Egress
	}
	never := 0
	c.Prune = sandbox.PruneConfig{IdleHours: &never, MaxAgeDays: &never} // the hub ends it
	c.Pool = sandbox.PoolConfig{Ready: &never, Max: &never}
	return c
}

// BoxAgent is the name under which the sandbox manager finds the server's
// configuration. No agent can have it.
func BoxAgent(server string) string { return "mcp:" + server }
