// Package invoke is the corridor: the one ordered path of a tool call through
// the six rooms. Every surface builds a Request and calls Run; nothing else
// runs a tool.
package invoke

import (
	"encoding/json"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Request is one call as a surface hands it in.
type Request struct {
	Caller         gateway.Caller
	Surface        toolpolicy.Surface
	Tool           string
	Args           json.RawMessage // JSON object
	SessionKey     string          // empty means the default agent's main session
	AgentID        string
	IdempotencyKey string
	DryRun         bool // decide and explain, do not run
	Remote         string
	Emit           func(stream string, b []byte)
}

// Response is the outcome. Exactly one of Result and Err is meaningful.
type Response struct {
	CallID   string
	Result   *tool.Result
	Err      *tool.Error
	Decision toolpolicy.Decision
	Trace    []toolpolicy.Step // dryRun only
	Replayed bool              // answered from the idempotency store
	// ApprovalID is set when the decision was ask and nobody answered yet.
	ApprovalID string
}
