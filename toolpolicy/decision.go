// Package toolpolicy is layer 2: it decides which tools a caller may use on
// which surface and hands out the Grant ticket. It is compiled once per
// configuration; a decision is a lookup.
//
// A call must pass every layer: the caller's scopes and tenant, profile, lists,
// provider, agent, group, sender, sandbox, sub-agent, inherited limits, the
// floor of the surface, owner-only tools, what gateway.tools denies, the host,
// elevated exec, exec's mode, and rules. No layer opens what another closed.
//
// # Rules
//
// Rules are Cedar policies in tools.rules. The principal is
// Principal::"kind:id" with the parents Role::"owner" (of owners),
// Kind::"<kind>" and Tenant::"<tenant>" and the attributes id, kind, tenant,
// owner and scopes. The action is Action::"call". The resource is
// Tool::"<name>" with the parents Group::"<group>". The context holds surface;
// args, the arguments; session {key, agent, sandboxed, readOnly, depth, label,
// tainted, group, sender, provider}; now, hour and weekday; and for exec
// program and argv.
//
// Forbid is final. A permit with @ask puts the call before a human. Where some
// permit is about a tool, what no permit allows is denied; a tool that no
// permit is about is left to the other layers. A forbid that cannot be
// evaluated denies.
//
// Paths in args are cleaned and relative to the workspace before a rule sees
// them; links inside the workspace are not followed. A patch is judged once for
// each path that it touches, as args.path, and images one by one, as args.image.
// A command line is judged once for each of its commands, as args.command,
// program and argv; where the line is not fully understood these are absent.
package toolpolicy

import (
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mint"
)

// Surface is where a call came in.
type Surface string

// The surfaces. Each has its own floor that no configuration can open.
const (
	SurfaceHTTP      Surface = "http"
	SurfaceWebSocket Surface = "websocket"
	SurfaceMCP       Surface = "mcp"
	SurfaceACP       Surface = "acp"
	SurfaceAgent     Surface = "agent"
	SurfaceHook      Surface = "hook"
	SurfaceCron      Surface = "cron"
	SurfaceSubagent  Surface = "subagent"
	SurfaceCLI       Surface = "cli"
)

// Verdict is the outcome of a decision. The zero value denies.
type Verdict uint8

// The verdicts.
const (
	Deny Verdict = iota
	Allow
	Ask
)

// String is the verdict's name as the journal writes it.
func (v Verdict) String() string { return [...]string{"deny", "allow", "ask"}[min(v, Ask)] }

// Session is what a decision needs to know of the session a call belongs to.
type Session struct {
	Key       string // agent:<id>:<name>
	Agent     string
	Tenant    string
	Sandboxed bool   // the session's tools run in a sandbox
	ReadOnly  bool   // workspaceAccess ro: write tools refuse
	Depth     int    // 0 for a main session, n for a sub-agent
	Leaf      bool   // a sub-agent that may spawn no more
	Label     string // integrity label joined so far: "" trusted, else untrusted source
	Group     string
	Sender    string // typed identity of a message's sender: channel:<channel>:<id>, id:<id>, …
	// SenderNames are identities that the sender can change, such as
	// username:<name>; limits on them only add up.
	SenderNames []string
	Provider    string            // model provider/model of an agent turn
	Inherited   map[string]Policy // parent's restrictions, by layer name
}

// Policy is one allow/deny pair as configured.
type Policy struct {
	Allow []string `yaml:"allow,omitempty" json:"allow,omitempty" doc:"Tools that may be used: names, globs with *, groups such as group:fs. Absent means no restriction by this layer; an empty list means none."`
	Deny  []string `yaml:"deny,omitempty" json:"deny,omitempty" doc:"Tools that may not be used; deny wins over allow."`
}

// Query asks whether one call may happen.
type Query struct {
	Tool    string
	Args    []byte // JSON object, for argument rules; may be nil when only listing
	Surface Surface
	Session *Session
	Now     time.Time // what rules see as the time; zero means the engine's clock
}

// Step is one line of a decision's trace.
type Step struct {
	Layer   string  `json:"layer"`
	Verdict Verdict `json:"-"`
	Effect  string  `json:"effect"` // allow, deny, ask, pass
	Rule    string  `json:"rule,omitempty"`
	Key     string  `json:"key,omitempty"`  // config key
	Line    int     `json:"line,omitempty"` // line in the config file, 0 if built in
	Reason  string  `json:"reason,omitempty"`
}

// Decision is what the gate answered and why.
type Decision struct {
	Verdict Verdict
	Layer   string // layer that decided
	Rule    string
	Key     string
	Line    int
	Reason  string
	// Flip is the smallest change that would let the call through, where one
	// is known. Only Explain fills it for allowed calls.
	Flip     string
	petition Petition
}

// Petition is what a human would be asked: present exactly when the verdict is
// Ask. Approvals are made from it, so that nothing can be put before a human
// that Decide had not let through up to that point.
func (d Decision) Petition() Petition { return d.petition }

// Petition is a call that waits for a human's yes. Its zero value is none.
type Petition struct {
	ok       bool
	caller   gateway.Caller
	tool     string
	surface  Surface
	session  string
	host     bool
	elevated bool
	tainted  bool
	reason   string
}

// Valid reports whether there is something to ask.
func (p Petition) Valid() bool { return p.ok }

// Caller is who asks.
func (p Petition) Caller() gateway.Caller { return p.caller }

// Tool is the tool that would run.
func (p Petition) Tool() string { return p.tool }

// Surface is where the call came in.
func (p Petition) Surface() Surface { return p.surface }

// Session is the key of the session that the call belongs to.
func (p Petition) Session() string { return p.session }

// Host reports whether the call would touch the host.
func (p Petition) Host() bool { return p.host }

// Reason is why a human is asked.
func (p Petition) Reason() string { return p.reason }

// Tainted reports whether the session holds text from outside.
func (p Petition) Tainted() bool { return p.tainted }

// Elevated reports whether the call asks to leave its sandbox.
func (p Petition) Elevated() bool { return p.elevated }

// Grant is the ticket of layer 2: permission for one call. Its zero value is
// refused everywhere. Only Decide and package approval make one.
type Grant struct {
	ok      bool
	tool    string
	surface Surface
	caller  gateway.Caller
	host    bool // the call may touch the host
	plan    string
	consent string
}

// Approved turns a human's yes into a Grant. A proof can only be made inside
// the policy's folder; the zero proof gives a refused grant.
func Approved(p mint.Proof) Grant {
	c, ok := p.Claims()
	if !ok || c.Tool == "" || c.Plan == "" || c.Caller.Anonymous() {
		return Grant{}
	}
	return Grant{
		ok: true, tool: c.Tool, surface: Surface(c.Surface), caller: c.Caller,
		host: c.Host, plan: c.Plan, consent: c.Approval,
	}
}

// Plan is the digest of the exact plan that a human approved, or "" when no
// human was asked. Whoever runs the call checks it once more.
func (g Grant) Plan() string { return g.plan }

// Approval is the id of the approval behind the grant, or "".
func (g Grant) Approval() string { return g.consent }

// Valid reports whether the grant permits anything.
func (g Grant) Valid() bool { return g.ok }

// Tool is the one tool that the grant permits.
func (g Grant) Tool() string { return g.tool }

// Surface is where the granted call came in.
func (g Grant) Surface() Surface { return g.surface }

// Caller is whom the grant was given to.
func (g Grant) Caller() gateway.Caller { return g.caller }

// Host reports whether the call may touch the host: elevated, or in a session
// without a sandbox. Such calls are always journaled as such.
func (g Grant) Host() bool { return g.ok && g.host }
