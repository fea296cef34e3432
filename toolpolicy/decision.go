// Package toolpolicy is layer 2: it decides which tools a caller may use on
// which surface and hands out the Grant ticket. It is compiled once per
// configuration; a decision is a lookup.
package toolpolicy

import "github.com/chitin-sh/chitin/gateway"

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
func (v Verdict) String() string { return [...]string{"deny", "allow", "ask"}[min(v, 2)] }

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
	Sender    string
	Provider  string            // model provider/model of an agent turn
	Inherited map[string]Policy // parent's restrictions, by layer name
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
}

// Step is one line of a decision's trace.
type Step struct {
	Layer   string  `json:"layer"`
	Verdict Verdict `json:"-"`
	Effect  string  `json:"effect"` // allow, deny, ask, pass
	Rule    string  `json:"rule,omitempty"`
	Key     string  `json:"key,omitempty"`  // config key
	Line    int     `json:"line,omitempty"` // line in the config file, 0 if built in
}

// Decision is what the gate answered and why.
type Decision struct {
	Verdict Verdict
	Layer   string // layer that decided
	Rule    string
	Key     string
	Line    int
	Reason  string
}

// Grant is the ticket of layer 2: permission for one call. Its zero value is
// refused everywhere. Only Decide and package approval make one.
type Grant struct {
	ok      bool
	tool    string
	surface Surface
	caller  gateway.Caller
	host    bool // elevated: the call may touch the host
}

// Valid reports whether the grant permits anything.
func (g Grant) Valid() bool { return g.ok }

// Tool is the one tool that the grant permits.
func (g Grant) Tool() string { return g.tool }

// Surface is where the granted call came in.
func (g Grant) Surface() Surface { return g.surface }

// Caller is whom the grant was given to.
func (g Grant) Caller() gateway.Caller { return g.caller }

// Host reports whether the call may run on the host (elevated).
func (g Grant) Host() bool { return g.ok && g.host }
