package toolpolicy

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Source is everything a policy is compiled from.
type Source struct {
	Config  Config                 // the tools key
	Gateway Policy                 // gateway.tools: what HTTP reopens to owners, and what network surfaces never get
	Agents  map[string]AgentConfig // agents.entries.<id>.tools
	// SandboxTools is the sandbox.tools of an agent, by id; "" is that of
	// agents.defaults.
	SandboxTools map[string]*Policy
	KnownTools   []string // every registered tool
	Servers      []string // configured MCP servers, whose tools may not be known yet
	// Line finds the line of a config path, such as tools.policy.deny[2]; nil
	// or 0 means unknown.
	Line func(path string) int
	// Commands understands shell command lines for exec's allow list and for
	// rules. Nil understands none.
	Commands Commands
	// ReadFile reads a rule file; nil means that rule files are an error.
	ReadFile func(name string) ([]byte, error)
	// Workdir is the workspace's path inside a sandbox, which argument rules
	// see as the root of relative paths. Empty means /workspace.
	Workdir string
	// Now is the clock that rules see; nil means time.Now.
	Now func() time.Time
	// Mutate switches guards off in tests of the guards.
	Mutate mutate.Guards
}

// Commands understands command lines. Package shell implements it.
type Commands interface {
	// Split gives the simple commands of a line in order, each as its words
	// after quotes are removed, and whether the line is fully understood: no
	// expansions, substitutions, redirections, wrappers or inline code.
	Split(line string) (commands [][]string, understood bool)
	// Allowed reports whether every command of the line is on the list that
	// the implementation was made with, or the reason why not. On the host the
	// programs must also come from directories that only root can write.
	Allowed(line string, host bool) (bool, string)
}

// Engine is a compiled policy. It is safe for concurrent use and never
// changes; a new configuration makes a new one.
type Engine struct {
	voc      *vocabulary
	traits   []trait
	agents   map[string]*agentTable
	rest     *agentTable // agents without an entry
	rules    *ruleSet
	commands Commands
	line     func(string) int
	gateway  *list // gateway.tools.deny
	reopen   Policy
	sessions string // visibility
	boxOnly  bool   // tools.exec.host: sandbox
	workdir  string
	now      func() time.Time
	off      mutate.Guards
	whys     sync.Map // whyKey → knownWhy, filled by refusals
}

// agentTable is the policy of one agent: every layer that depends on the
// agent alone is already joined into static.
type agentTable struct {
	static   bits
	fixed    []*layerSet // the layers in static, in order
	provider []map[string]*layerSet
	groups   map[string]*layerSet
	noGroup  *layerSet // an unlisted group
	senders  map[string]*layerSet
	sandbox  *layerSet // what models get
	operator *layerSet // the configured part, which binds an owner's own hands as well
	subagent *layerSet
	elevated []*Elevated
	exec     execMode
	execKey  string
}

// layerSet is one layer: the lists that must all pass.
type layerSet struct {
	layer layer
	pass  bits
	parts []*list
}

func newLayerSet(l layer, parts ...*list) *layerSet {
	parts = slices.DeleteFunc(parts, func(p *list) bool { return p == nil })
	if len(parts) == 0 {
		return nil
	}
	s := &layerSet{layer: l, pass: parts[0].pass, parts: parts}
	for _, p := range parts[1:] {
		s.pass = s.pass.and(p.pass)
	}
	return s
}

// Compile builds the engine. Problems that are not warnings mean that the
// engine must not be used; it is returned all the same and denies everything.
func Compile(src Source) (*Engine, []problem.Problem) {
	c := &compiler{src: src, e: &Engine{
		voc: newVocabulary(src.KnownTools), commands: src.Commands, line: src.Line,
		agents: map[string]*agentTable{}, off: src.Mutate, sessions: src.Config.Sessions.Visibility,
		boxOnly: src.Config.Exec.Host == "sandbox",
		workdir: strings.TrimSuffix(src.Workdir, "/"), now: src.Now,
	}}
	c.e.voc.addServers(src.Servers)
	if c.e.workdir == "" {
		c.e.workdir = "/workspace"
	}
	if c.e.now == nil {
		c.e.now = time.Now
	}
	c.validate()
	c.traits()
	c.e.rest = c.table("", AgentConfig{})
	for id, a := range src.Agents {
		c.e.agents[id] = c.table(id, a)
	}
	c.e.rules, c.found = compileRules(src, c.e.voc, c.found)
	if slices.ContainsFunc(c.found, func(p problem.Problem) bool { return !p.Warning }) {
		c.e.closed()
	}
	return c.e, c.found
}

// closed makes the engine deny everything.
func (e *Engine) closed() {
	none := newBits(len(e.voc.names))
	e.agents = map[string]*agentTable{}
	e.rest = &agentTable{static: none, fixed: []*layerSet{{layer: layerPolicy, pass: none, parts: []*list{{
		pass: none, policy: Policy{Allow: []string{}}, key: "tools",
	}}}}}
}

type compiler struct {
	src   Source
	e     *Engine
	found []problem.Problem
}

// validate gathers the problems of every part with their full paths.
func (c *compiler) validate() {
	add := func(prefix string, ps []problem.Problem) {
		for _, p := range ps {
			p.Path = join(prefix, p.Path)
			c.found = append(c.found, p)
		}
	}
	add("tools", c.src.Config.Validate())
	for _, id := range sortedKeys(c.src.Agents) {
		add("agents.entries."+id+".tools", c.src.Agents[id].Validate())
	}
	var v checker
	v.policy("gateway.tools", &c.src.Gateway)
	v.names(c.e.voc, "gateway.tools.allow", c.src.Gateway.Allow)
	v.names(c.e.voc, "gateway.tools.deny", c.src.Gateway.Deny)
	for _, id := range sortedKeys(c.src.SandboxTools) {
		if p := c.src.SandboxTools[id]; p != nil {
			v.policy(sandboxKey(id), p)
		}
	}
	c.found = append(c.found, v.found...)
}

// traits joins the built-in facts about each tool with gateway.tools.
func (c *compiler) traits() {
	e := c.e
	e.gateway = e.voc.compileList(Policy{Deny: c.src.Gateway.Deny}, "gateway.tools")
	e.reopen = Policy{Allow: entries(c.src.Gateway.Allow)}
	e.traits = make([]trait, len(e.voc.names))
	for i, name := range e.voc.names {
		t := fixedTraits(namesOf(name))
		if !e.gateway.pass.has(int32(i)) {
			t |= traitGatewayDeny
		}
		never := slices.ContainsFunc(namesOf(name), func(n string) bool { return slices.Contains(neverHTTP, n) })
		if t&traitHTTPFloor != 0 && !never && len(e.reopen.Allow) > 0 {
			if ok, _ := e.voc.decide(e.reopen, name); ok {
				t |= traitReopened
			}
		}
		e.traits[i] = t
	}
}

// list compiles one allow/deny scope and warns of unknown names; nil when the
// scope says nothing.
func (c *compiler) list(p Policy, key string) *list {
	if p.Allow == nil && p.Deny == nil {
		return nil
	}
	var v checker
	v.names(c.e.voc, key+".allow", p.Allow)
	v.names(c.e.voc, key+".deny", p.Deny)
	c.found = append(c.found, v.found...)
	l := c.e.voc.compileList(p, key)
	c.warnPartialWrite(l, key)
	return l
}

// warnPartialWrite speaks up when write is denied and its relatives are not:
// each is a tool of its own.
func (c *compiler) warnPartialWrite(l *list, key string) {
	if !slices.Contains(l.policy.Deny, "write") {
		return
	}
	var left []string
	for _, n := range []string{"edit", "apply_patch"} {
		if i, ok := c.e.voc.lookup(n); ok && l.pass.has(i) {
			left = append(left, n)
		}
	}
	if len(left) > 0 {
		c.found = append(c.found, problem.Problem{
			Path: key + ".deny", Warning: true,
			Message: "write is denied but " + strings.Join(left, " and ") + " still change files",
			Hint:    "deny " + strings.Join(left, ", ") + " as well",
		})
	}
}

// profile compiles a named profile with what alsoAllow adds to it.
func (c *compiler) profile(name string, also []string, key, alsoKey string) *list {
	members, ok := profiles()[name]
	if !ok {
		if name == "" {
			return nil
		}
		return c.e.voc.compileList(Policy{Allow: []string{}}, key)
	}
	var v checker
	v.names(c.e.voc, alsoKey, also)
	c.found = append(c.found, v.found...)
	l := c.e.voc.compileList(Policy{Allow: append(slices.Clone(members), also...)}, key)
	l.profile = name
	return l
}

// layer compiles one further limit.
func (c *compiler) layer(id layer, l Layer, key string) *layerSet {
	s := newLayerSet(id,
		c.profile(l.Profile, l.AlsoAllow, key+".profile", key+".alsoAllow"),
		c.list(Policy{Allow: l.Allow, Deny: l.Deny}, key))
	if s == nil { // says nothing, which still replaces a wider entry
		all := &list{pass: fullBits(len(c.e.voc.names)), key: key}
		s = newLayerSet(id, all)
	}
	return s
}

func (c *compiler) layers(id layer, m map[string]Layer, key string) map[string]*layerSet {
	out := make(map[string]*layerSet, len(m))
	for _, k := range sortedKeys(m) {
		out[k] = c.layer(id, m[k], key+"."+k)
	}
	return out
}

// providers registers every spelling of a provider's name.
func (c *compiler) providers(m map[string]Layer, key string) map[string]*layerSet {
	out := map[string]*layerSet{}
	for k, s := range c.layers(layerProvider, m, key) {
		name, model, full := strings.Cut(strings.ToLower(strings.TrimSpace(k)), "/")
		for _, spelled := range providerNames(name) {
			if full {
				spelled += "/" + model
			}
			out[spelled] = s
		}
	}
	return out
}

// senders keys every entry by its typed identity; id: is also what an untyped
// key means.
func (c *compiler) senders(global, agent map[string]Layer, key string) map[string]*layerSet {
	out := c.layers(layerSender, global, "tools.toolsBySender")
	maps.Copy(out, c.layers(layerSender, agent, key))
	for k, s := range maps.Clone(out) {
		switch kind, id, typed := strings.Cut(k, ":"); {
		case k == "*":
		case !typed:
			out["id:"+k] = s
		case kind == "id":
			out[id] = s
		}
	}
	return out
}
