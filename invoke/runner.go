package invoke

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Policy is layer 2 as the corridor sees it.
type Policy interface {
	Decide(gateway.Caller, *toolpolicy.Query) (toolpolicy.Grant, toolpolicy.Decision)
	Trace(gateway.Caller, *toolpolicy.Query) []toolpolicy.Step
	Visible(gateway.Caller, *toolpolicy.Query) bool
}

// Places is layer 3 as the corridor sees it.
type Places interface {
	// Facts says, without side effects, how a session's tools would run.
	Facts(agent string, main bool) (sandboxed, readOnly bool)
	Choose(ctx context.Context, g toolpolicy.Grant, s session.Session, needBox bool) (sandbox.Place, error)
}

// Approvals asks a human. It returns when somebody decided, the time is up or
// ctx ends; the grant is valid only after a yes to exactly this call.
type Approvals interface {
	Ask(ctx context.Context, q Question) (g toolpolicy.Grant, id string, err error)
}

// Question is one call that needs a human's yes.
type Question struct {
	Call    string
	Caller  gateway.Caller
	Query   *toolpolicy.Query
	Reason  string
	Session session.Session
}

// Sealer is layer 5: it wraps a text from outside and names its label.
type Sealer interface {
	Seal(source, text string) (wrapped, label string, flagged []string)
}

// Redactor is layer 4's last word on whatever leaves.
type Redactor interface {
	Bytes([]byte) []byte
	String(string) string
}

// Sessions is the session store as the corridor sees it.
type Sessions interface {
	Open(ctx context.Context, tenant string, key session.Key, creator string) (session.Session, error)
	Taint(ctx context.Context, tenant, key, label string) error
}

// Recorder is the journal as the corridor sees it.
type Recorder interface {
	Begin(*journal.Entry) (durable func() error, err error)
	Write(*journal.Entry) (uint64, error)
	Append(*journal.Entry) (uint64, error)
	Put(*journal.Entry) (uint64, error)
	Note(*journal.Entry) (uint64, error)
}

// Agents knows which agents are configured.
type Agents interface {
	Default() string
	Known(id string) bool
}

// Deps is what the corridor runs through. Approvals may be nil: then every
// ask is a no.
type Deps struct {
	Tools     *tool.Registry
	Mounts    Mounts // may be nil
	Policy    Policy
	Places    Places
	Approvals Approvals
	Sealer    Sealer
	Redactor  Redactor
	Sessions  Sessions
	Journal   Recorder
	Agents    Agents
	Once      *Once // idempotency; may be nil
	Log       *slog.Logger
	Limits    Limits
	argless   *sync.Map // tools whose schema takes no arguments at all
}

// Limits bound one gateway's work.
type Limits struct {
	Timeout  time.Duration // of one call, all rooms included
	InFlight int           // calls at once
	Output   int           // bytes of text in one result
}

// DefaultLimits are used where a limit is 0.
var DefaultLimits = Limits{Timeout: 35 * time.Minute, InFlight: 1024, Output: 1 << 20}

// Runner is the corridor.
type Runner struct {
	deps atomic.Pointer[Deps]
	busy atomic.Int64
	ids  callIDs
}

// New makes a corridor through deps.
func New(deps Deps) *Runner {
	r := &Runner{ids: newCallIDs()}
	r.Swap(deps)
	return r
}

// Swap takes new rooms into use for the calls that begin after it.
func (r *Runner) Swap(deps Deps) {
	l := &deps.Limits
	if l.Timeout <= 0 {
		l.Timeout = DefaultLimits.Timeout
	}
	if l.InFlight <= 0 {
		l.InFlight = DefaultLimits.InFlight
	}
	if l.Output <= 0 {
		l.Output = DefaultLimits.Output
	}
	deps.argless = new(sync.Map)
	r.deps.Store(&deps)
}

// InFlight is how many calls are under way.
func (r *Runner) InFlight() int { return int(r.busy.Load()) }
