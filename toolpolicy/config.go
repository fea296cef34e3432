package toolpolicy

import "github.com/chitin-sh/chitin/internal/problem"

// Config is the top-level tools key: what every agent and caller may use.
type Config struct {
	Policy        *Policy          `yaml:"policy,omitempty" json:"policy,omitempty" doc:"The plain global list: allow and deny."`
	Profile       string           `yaml:"profile,omitempty" json:"profile,omitempty" enum:"minimal,coding,messaging,full" doc:"A named starting point. Absent means no restriction by a profile."`
	Allow         []string         `yaml:"allow,omitempty" json:"allow,omitempty" doc:"Tools that may be used, beside tools.policy: names, globs with *, groups. Absent means no restriction; an empty list means none."`
	AlsoAllow     []string         `yaml:"alsoAllow,omitempty" json:"alsoAllow,omitempty" doc:"Adds tools to the profile. Cannot be combined with allow."`
	Deny          []string         `yaml:"deny,omitempty" json:"deny,omitempty" doc:"Tools that may not be used; deny wins over every allow."`
	ByProvider    map[string]Layer `yaml:"byProvider,omitempty" json:"byProvider,omitempty" doc:"Further limits for a model provider, by provider or provider/model; the longer key wins."`
	ByGroup       map[string]Layer `yaml:"byGroup,omitempty" json:"byGroup,omitempty" doc:"Further limits for a group or channel. A group that is not listed gets the limits of all of them together, unless * is listed."`
	ToolsBySender map[string]Layer `yaml:"toolsBySender,omitempty" json:"toolsBySender,omitempty" doc:"Further limits for the sender of a message, by typed key: channel:<channel>:<id>, id:, e164:, username:, name: or *. Names that a sender can change only add limits."`
	Sandbox       SandboxConfig    `yaml:"sandbox,omitempty" json:"sandbox,omitzero" doc:"Limits for sessions that run in a sandbox."`
	Subagents     SubagentConfig   `yaml:"subagents,omitempty" json:"subagents,omitzero" doc:"Limits for sub-agents, on top of what they never get."`
	Elevated      *Elevated        `yaml:"elevated,omitempty" json:"elevated,omitempty" doc:"The explicit way for exec out of the sandbox to the host. Off by default."`
	Exec          ExecConfig       `yaml:"exec,omitempty" json:"exec,omitzero" doc:"How exec runs commands and which it asks about."`
	FS            FSConfig         `yaml:"fs,omitempty" json:"fs,omitzero" doc:"Boundaries of the file tools."`
	Sessions      SessionsConfig   `yaml:"sessions,omitempty" json:"sessions,omitzero" doc:"Which sessions the session tools reach."`
	Rules         RulesConfig      `yaml:"rules,omitempty" json:"rules,omitzero" doc:"Cedar rules over principal, tool, arguments, surface, session and time."`
	Approvals     ApprovalsConfig  `yaml:"approvals,omitempty" json:"approvals,omitzero" doc:"How a call that needs a human's yes waits for it."`
}

// AgentConfig is agents.entries.<id>.tools.
type AgentConfig struct {
	Profile       string           `yaml:"profile,omitempty" json:"profile,omitempty" enum:"minimal,coding,messaging,full" doc:"Replaces the global profile for this agent."`
	Policy        *Policy          `yaml:"policy,omitempty" json:"policy,omitempty" doc:"The agent's plain list: allow and deny."`
	Allow         []string         `yaml:"allow,omitempty" json:"allow,omitempty" doc:"Tools that this agent may use, of those allowed globally."`
	AlsoAllow     []string         `yaml:"alsoAllow,omitempty" json:"alsoAllow,omitempty" doc:"Adds tools to the profile; replaces the global alsoAllow."`
	Deny          []string         `yaml:"deny,omitempty" json:"deny,omitempty" doc:"Tools that this agent may not use."`
	ByProvider    map[string]Layer `yaml:"byProvider,omitempty" json:"byProvider,omitempty" doc:"Further limits for a model provider."`
	ByGroup       map[string]Layer `yaml:"byGroup,omitempty" json:"byGroup,omitempty" doc:"Replaces the global byGroup for this agent."`
	ToolsBySender map[string]Layer `yaml:"toolsBySender,omitempty" json:"toolsBySender,omitempty" doc:"Senders listed here replace the global entry for this agent."`
	Sandbox       SandboxConfig    `yaml:"sandbox,omitempty" json:"sandbox,omitzero" doc:"Limits for this agent's sandboxed sessions; each list replaces the global one."`
	Elevated      *Elevated        `yaml:"elevated,omitempty" json:"elevated,omitempty" doc:"Narrows tools.elevated for this agent; cannot widen it."`
	Exec          *AgentExec       `yaml:"exec,omitempty" json:"exec,omitempty" doc:"Stricter exec rules for this agent; the stricter of both holds."`
}

// AgentExec is the part of exec that an agent may tighten.
type AgentExec struct {
	Mode string `yaml:"mode,omitempty" json:"mode,omitempty" enum:"deny,allowlist,ask,full" doc:"Which commands run without asking."`
}

// Layer is one further limit.
type Layer struct {
	Profile   string   `yaml:"profile,omitempty" json:"profile,omitempty" enum:"minimal,coding,messaging,full" doc:"A profile that must allow the tool as well."`
	Allow     []string `yaml:"allow,omitempty" json:"allow,omitempty" doc:"Tools that may be used."`
	AlsoAllow []string `yaml:"alsoAllow,omitempty" json:"alsoAllow,omitempty" doc:"Adds tools to this layer's profile. Cannot be combined with allow."`
	Deny      []string `yaml:"deny,omitempty" json:"deny,omitempty" doc:"Tools that may not be used."`
}

// SandboxConfig is tools.sandbox.
type SandboxConfig struct {
	Tools *SandboxTools `yaml:"tools,omitempty" json:"tools,omitempty" doc:"The tools of a sandboxed session."`
}

// SandboxTools is the tools list of a sandboxed session.
type SandboxTools struct {
	Allow     []string `yaml:"allow,omitempty" json:"allow,omitempty" doc:"Replaces the built-in list; an empty list means none."`
	AlsoAllow []string `yaml:"alsoAllow,omitempty" json:"alsoAllow,omitempty" doc:"Adds to allow or to the built-in list."`
	Deny      []string `yaml:"deny,omitempty" json:"deny,omitempty" doc:"Replaces the built-in deny list."`
}

// SubagentConfig is tools.subagents.
type SubagentConfig struct {
	Tools *Policy `yaml:"tools,omitempty" json:"tools,omitempty" doc:"Tools of sub-agents, on top of the built-in limits."`
}

// Elevated opens the host to exec for named principals.
type Elevated struct {
	Enabled   bool                `yaml:"enabled,omitempty" json:"enabled,omitempty" doc:"Lets the principals of allowFrom run exec on the host."`
	AllowFrom map[string][]string `yaml:"allowFrom,omitempty" json:"allowFrom,omitempty" doc:"Who, by kind of caller: token, password, trusted-proxy, unix, oidc, mtls or tailscale, each with exact identities. No wildcards; absent means nobody."`
	Level     string              `yaml:"level,omitempty" json:"level,omitempty" enum:"ask,full" default:"ask" doc:"ask waits for a human before every elevated command; full does not."`
}

// ExecConfig is tools.exec.
type ExecConfig struct {
	Host             string   `yaml:"host,omitempty" json:"host,omitempty" enum:"auto,sandbox" default:"auto" doc:"auto follows the session; sandbox refuses to run anywhere else."`
	Mode             string   `yaml:"mode,omitempty" json:"mode,omitempty" enum:"deny,allowlist,ask,full" doc:"Which commands run without asking. Absent means full inside the sandbox and ask on the host."`
	Security         string   `yaml:"security,omitempty" json:"security,omitempty" enum:"deny,allowlist,full" doc:"Older form of mode, together with ask."`
	Ask              string   `yaml:"ask,omitempty" json:"ask,omitempty" enum:"off,on-miss,always" doc:"Older form of mode, together with security."`
	Allowlist        []string `yaml:"allowlist,omitempty" json:"allowlist,omitempty" doc:"Commands that run without asking in modes allowlist and ask: words with * standing for any one argument and a final ** for any number."`
	SafeBins         []string `yaml:"safeBins,omitempty" json:"safeBins,omitempty" doc:"Filters that run without an entry when they only read standard input. Absent means cut, uniq, head, tail, tr and wc; grep and sort can be added."`
	TrustedDirs      []string `yaml:"trustedDirs,omitempty" json:"trustedDirs,omitempty" doc:"Directories in which a bare command name is looked up. Absent means /usr/local/bin, /usr/bin and /bin."`
	StrictInlineEval bool     `yaml:"strictInlineEval,omitempty" json:"strictInlineEval,omitempty" doc:"Accepted so that older configurations load: shells, interpreters and wrappers always ask, whatever is listed."`
	TimeoutSeconds   int      `yaml:"timeoutSeconds,omitempty" json:"timeoutSeconds,omitempty" default:"1800" doc:"How long a command may run, in seconds."`
	YieldMs          int      `yaml:"yieldMs,omitempty" json:"yieldMs,omitempty" default:"10000" doc:"After how long a foreground command moves to the background, in milliseconds."`
	ApplyPatch       struct {
		WorkspaceOnly *bool `yaml:"workspaceOnly,omitempty" json:"workspaceOnly,omitempty" default:"true" doc:"Keeps apply_patch inside the workspace. Cannot be switched off here: false is refused."`
	} `yaml:"applyPatch,omitempty" json:"applyPatch,omitzero" doc:"Boundaries of apply_patch."`
}

// FSConfig is tools.fs.
type FSConfig struct {
	WorkspaceOnly *bool `yaml:"workspaceOnly,omitempty" json:"workspaceOnly,omitempty" default:"true" doc:"Keeps read, write and edit inside the workspace. Cannot be switched off here: false is refused."`
}

// SessionsConfig is tools.sessions.
type SessionsConfig struct {
	Visibility string `yaml:"visibility,omitempty" json:"visibility,omitempty" enum:"self,tree,agent,all" default:"tree" doc:"Which of a principal's own sessions the session tools reach: the calling one, its tree, the agent's, or all. Another principal's never."`
}

// RulesConfig is tools.rules.
type RulesConfig struct {
	Files  []string `yaml:"files,omitempty" json:"files,omitempty" doc:"Cedar files, relative to the configuration file."`
	Inline string   `yaml:"inline,omitempty" json:"inline,omitempty" doc:"Cedar policies, in place."`
	Tests  []string `yaml:"tests,omitempty" json:"tests,omitempty" doc:"Files with cases for chitin policy test, relative to the configuration file."`
}

// ApprovalsConfig is tools.approvals.
type ApprovalsConfig struct {
	TimeoutSeconds int    `yaml:"timeoutSeconds,omitempty" json:"timeoutSeconds,omitempty" default:"1800" doc:"How long a call waits for a human, in seconds; then it is denied."`
	MaxPending     int    `yaml:"maxPending,omitempty" json:"maxPending,omitempty" default:"100" doc:"How many calls of one tenant may wait at once; more are denied."`
	AllowSelf      bool   `yaml:"allowSelf,omitempty" json:"allowSelf,omitempty" doc:"Lets whoever asked approve the call. Off, it takes a second principal."`
	Elicitation    string `yaml:"elicitation,omitempty" json:"elicitation,omitempty" enum:"off,on" default:"off" doc:"on lets the user of an MCP client decide about a call of that client, by elicitation: only with a credential that has operator.approvals, inside the sandbox, once and for exactly the plan that was shown. That a human answered is the client's word. off: another approver decides."`
}

// Validate reports what is wrong with the configuration by itself. Names of
// tools are checked by Compile, which knows them.
func (c Config) Validate() []problem.Problem {
	var v checker
	v.scope("", c.Profile, c.Allow, c.AlsoAllow, c.Deny)
	v.policy("policy", c.Policy)
	v.layers("byProvider", c.ByProvider)
	v.layers("byGroup", c.ByGroup)
	v.senders("toolsBySender", c.ToolsBySender)
	if t := c.Sandbox.Tools; t != nil {
		v.scope("sandbox.tools", "", nil, t.AlsoAllow, t.Deny)
		v.entries("sandbox.tools.allow", t.Allow)
	}
	v.policy("subagents.tools", c.Subagents.Tools)
	v.elevated("elevated", c.Elevated)
	v.exec(c.Exec)
	v.boundary("fs.workspaceOnly", c.FS.WorkspaceOnly)
	v.oneOf("sessions.visibility", c.Sessions.Visibility, "self", "tree", "agent", "all")
	v.atLeast("approvals.timeoutSeconds", c.Approvals.TimeoutSeconds)
	v.atLeast("approvals.maxPending", c.Approvals.MaxPending)
	v.oneOf("approvals.elicitation", c.Approvals.Elicitation, "off", "on")
	return v.found
}

// Validate reports what is wrong with an agent's tools.
func (c AgentConfig) Validate() []problem.Problem {
	var v checker
	v.scope("", c.Profile, c.Allow, c.AlsoAllow, c.Deny)
	v.policy("policy", c.Policy)
	v.layers("byProvider", c.ByProvider)
	v.layers("byGroup", c.ByGroup)
	v.senders("toolsBySender", c.ToolsBySender)
	if t := c.Sandbox.Tools; t != nil {
		v.scope("sandbox.tools", "", nil, t.AlsoAllow, t.Deny)
		v.entries("sandbox.tools.allow", t.Allow)
	}
	v.elevated("elevated", c.Elevated)
	if c.Exec != nil {
		v.oneOf("exec.mode", c.Exec.Mode, execModes...)
	}
	return v.found
}
