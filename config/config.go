// Package config gathers the rooms' configurations into chitin.yml: it loads
// the file with the place of every key, validates all of it at once, shows it
// without secrets, and makes schema, reference and starter file from the same
// struct tags.
package config

import (
	"maps"
	"slices"

	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/server/hooks"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Config is the whole of chitin.yml. Its zero value is a safe gateway.
type Config struct {
	Gateway  Gateway           `yaml:"gateway,omitempty" doc:"Layer 1: who is calling, and where the gateway listens."`
	Tools    toolpolicy.Config `yaml:"tools,omitempty" doc:"Layer 2: which tools may be used."`
	Agents   Agents            `yaml:"agents,omitempty" doc:"The agents and, with their sandboxes, layer 3: where tools run."`
	MCP      mcpclient.Config  `yaml:"mcp,omitempty" doc:"MCP servers whose tools are offered here."`
	Models   Models            `yaml:"models,omitempty" doc:"Who serves the models of agent turns."`
	Secrets  secrets.Config    `yaml:"secrets,omitempty" doc:"Layer 4: where references to secrets are resolved."`
	External external.Config   `yaml:"external,omitempty" doc:"Layer 5: how text from outside is marked and looked at."`
	Hooks    hooks.Config      `yaml:"hooks,omitempty" doc:"Webhooks under /hooks."`
	Security Security          `yaml:"security,omitempty" doc:"Layer 6: the security audit."`
	Logging  Logging           `yaml:"logging,omitempty" doc:"Logs and redaction."`
}

// Gateway is the key "gateway".
type Gateway struct {
	gateway.Config `yaml:",inline"`
	Tools          toolpolicy.Policy `yaml:"tools,omitempty" doc:"Names that the HTTP surface may open for owners (allow) or closes (deny)."`
}

// Agents is the key "agents".
type Agents struct {
	Defaults Agent            `yaml:"defaults,omitempty" doc:"What holds for every agent."`
	Entries  map[string]Agent `yaml:"entries,omitempty" doc:"The agents by id; what an entry sets replaces the default."`
}

// Agent is one agent's configuration.
type Agent struct {
	Default   bool                   `yaml:"default,omitempty" doc:"The agent of calls that name none. Without any, the agent main."`
	Workspace string                 `yaml:"workspace,omitempty" doc:"Absolute directory that workspaceAccess ro or rw gives to the sandbox. Absent: one in the state directory."`
	Model     string                 `yaml:"model,omitempty" doc:"Model of agent turns, as provider/model."`
	Sandbox   sandbox.Config         `yaml:"sandbox,omitempty" doc:"Where the agent's tools run."`
	Tools     toolpolicy.AgentConfig `yaml:"tools,omitempty" doc:"Tools of this agent, within those allowed globally."`
	Secrets   []string               `yaml:"secrets,omitempty" doc:"Names of models.providers whose keys the agent's turns may use. Absent means all; an empty list means none."`
	Context   AgentContext           `yaml:"context,omitempty" doc:"What a model gets of a session."`
}

// AgentContext bounds what a model gets of a session.
type AgentContext struct {
	Tokens    int    `yaml:"tokens,omitempty" default:"100000" doc:"Most tokens of one request, as estimated. What does not fit is compacted: old results become stubs first."`
	Summarize string `yaml:"summarize,omitempty" enum:"off,on" default:"off" doc:"on lets the agent's model summarize what still does not fit; off leaves it out with a notice. A summary carries the session's label."`
	Images    string `yaml:"images,omitempty" enum:"on,off" default:"on" doc:"Whether images that tools show are handed to the model; off for models that take none."`
}

// over fills what is absent from the defaults.
func (c AgentContext) over(def AgentContext) AgentContext {
	if c.Tokens == 0 {
		c.Tokens = def.Tokens
	}
	if c.Summarize == "" {
		c.Summarize = def.Summarize
	}
	if c.Images == "" {
		c.Images = def.Images
	}
	return c
}

// Models is the key "models".
type Models struct {
	Providers map[string]ModelProvider `yaml:"providers,omitempty" doc:"Endpoints by name; a model is written as <name>/<model>."`
}

// ModelProvider is one endpoint.
type ModelProvider struct {
	API     string        `yaml:"api,omitempty" enum:"anthropic,openai" default:"anthropic" doc:"Wire protocol: anthropic (Messages) or openai (Chat Completions, which many servers speak)."`
	BaseURL string        `yaml:"baseUrl,omitempty" doc:"Where it is. Absent: the vendor's own address."`
	APIKey  secrets.Field `yaml:"apiKey,omitempty" doc:"Its key, as a reference."`
}

// Security is the key "security".
type Security struct {
	Audit Audit `yaml:"audit,omitempty" doc:"Waivers and severities of the security audit."`
}

// Audit is the key "security.audit". The audit reads it from the file itself.
type Audit struct {
	Waivers  []Waiver            `yaml:"waivers,omitempty" doc:"Findings that were looked at and accepted."`
	Severity map[string]Severity `yaml:"severity,omitempty" doc:"Severities that differ here, by check id."`
}

// Waiver accepts one finding.
type Waiver struct {
	CheckID string `yaml:"checkId" doc:"Check whose findings are waived."`
	Match   string `yaml:"match,omitempty" doc:"Only findings whose title or detail contains this."`
	Reason  string `yaml:"reason" doc:"Why this is acceptable."`
	Owner   string `yaml:"owner,omitempty" doc:"Who answers for it."`
	Until   string `yaml:"until,omitempty" doc:"Last day of the waiver, as 2026-12-31."`
}

// Severity overrides a check's severity.
type Severity struct {
	Severity string `yaml:"severity" enum:"critical,warn,info" doc:"The severity to report."`
	Reason   string `yaml:"reason" doc:"Why it differs here."`
}

// Logging is the key "logging".
type Logging struct {
	Level           string `yaml:"level,omitempty" enum:"debug,info,warn,error" default:"info" doc:"Least severe line to log."`
	Format          string `yaml:"format,omitempty" enum:"text,json" default:"text" doc:"How lines are written."`
	File            string `yaml:"file,omitempty" doc:"File to log to, made 0600. Absent: standard error."`
	RedactSensitive string `yaml:"redactSensitive,omitempty" enum:"tools,off" default:"tools" doc:"tools redacts whatever looks like a secret in logs, results and the journal. off leaves only resolved secrets redacted, and is a finding of the audit."`
}

// DefaultAgent is the agent of calls that name none.
const DefaultAgent = "main"

// Agent is the effective configuration of an agent; ok is false when nobody
// configured it and it is not the default.
func (c *Config) Agent(id string) (a Agent, ok bool) {
	a, ok = c.Agents.Entries[id]
	if !ok && id != c.DefaultAgent() {
		return Agent{}, false
	}
	if a.Workspace == "" {
		a.Workspace = c.Agents.Defaults.Workspace
	}
	if a.Model == "" {
		a.Model = c.Agents.Defaults.Model
	}
	if a.Secrets == nil {
		a.Secrets = c.Agents.Defaults.Secrets
	}
	a.Context = a.Context.over(c.Agents.Defaults.Context)
	return a, true
}

// DefaultAgent is the agent marked default, else main, else the first by id.
func (c *Config) DefaultAgent() string {
	ids := slices.Sorted(maps.Keys(c.Agents.Entries))
	for _, id := range ids {
		if c.Agents.Entries[id].Default {
			return id
		}
	}
	if len(ids) == 0 || slices.Contains(ids, DefaultAgent) {
		return DefaultAgent
	}
	return ids[0]
}

// SandboxOf is an agent's effective sandbox configuration, defaults filled in.
func (c *Config) SandboxOf(id string) sandbox.Config {
	over := c.Agents.Entries[id].Sandbox
	return sandbox.Merge(c.Agents.Defaults.Sandbox, &over).Resolve()
}

// AgentIDs lists the configured agents and the default one, sorted.
func (c *Config) AgentIDs() []string {
	ids := map[string]bool{c.DefaultAgent(): true}
	for id := range c.Agents.Entries {
		ids[id] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
