// Package gatewaytool is the tool that lets the owner read and change the
// gateway's configuration: values come redacted, a change is validated, shown
// as a difference and only then written.
package gatewaytool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
)

// Admin reads and changes the configuration. Nothing it returns holds a
// secret's value.
type Admin interface {
	// Get returns the value at a dotted path, the whole configuration for "",
	// and the hash of the file it was read from.
	Get(ctx context.Context, path string) (value any, hash string, err error)
	// Lookup returns the schema at a dotted path.
	Lookup(ctx context.Context, path string) (schema any, err error)
	// Patch merges patch (JSON merge patch) into the file and returns the
	// difference. With dryRun nothing is written; a base that is not the
	// file's hash is ErrChanged.
	Patch(ctx context.Context, by gateway.Caller, p Patch) (Outcome, error)
}

// Patch is one change.
type Patch struct {
	Merge  json.RawMessage
	Base   string // hash from Get; empty: whatever is there
	DryRun bool
	Note   string
}

// Outcome is what a patch did or would do.
type Outcome struct {
	Diff     string   `json:"diff"`
	Changed  bool     `json:"changed"`
	Applied  bool     `json:"applied"`
	Restart  []string `json:"restartNeeded,omitempty"` // keys that only a restart picks up
	Hash     string   `json:"hash,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Errors of an Admin that the caller is told about.
var (
	ErrChanged  = errors.New("the configuration changed meanwhile")
	ErrNotFound = errors.New("no such configuration key")
)

// InvalidError says why a patch is not a valid configuration.
type InvalidError struct{ Problems []string }

// Error lists the problems.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("the configuration would be invalid: %d problem(s)", len(e.Problems))
}

// Tool is gateway.
type Tool struct{ admin Admin }

var _ tool.Tool = (*Tool)(nil)

// New makes the tool; without an admin it answers that it is not available.
func New(a Admin) *Tool { return &Tool{admin: a} }

// Spec describes gateway.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "gateway",
		Title:       "Gateway configuration",
		Description: "For the owner: read the gateway's configuration, look its schema up, and change it with validation and a diff.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Control: true},
	}
}

const schema = `{"type":"object","required":["action"],"properties":{
"action":{"type":"string","enum":["config.get","config.schema.lookup","config.patch"]},
"path":{"type":"string","maxLength":512,"description":"Dotted key, such as gateway.bind."},
"patch":{"type":"object","description":"JSON merge patch for config.patch; null removes a key."},
"baseHash":{"type":"string","description":"Hash from config.get; the patch is refused when the file changed since."},
"dryRun":{"type":"boolean","description":"Only show what the patch would change."},
"note":{"type":"string","maxLength":500,"description":"Why, for the journal."}}}`

type args struct {
	Action   string          `json:"action"`
	Path     string          `json:"path"`
	Patch    json.RawMessage `json:"patch"`
	BaseHash string          `json:"baseHash"`
	DryRun   bool            `json:"dryRun"`
	Note     string          `json:"note"`
}

const (
	maxPatch = 1 << 20
	maxPath  = 512
)

// Run answers one action. That only the owner gets here is the policy's work;
// it is checked again because this tool can undo the policy.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	switch {
	case a.Action == "":
		return tool.Result{}, tool.Missing("action")
	case len(a.Path) > maxPath || len(a.Patch) > maxPatch:
		return tool.Result{}, tool.Input("The path or the patch is too long.")
	case !c.Grant.Valid() || !c.Caller().Owner():
		return tool.Result{}, tool.Forbidden("gateway is for the owner only.")
	case t.admin == nil:
		return tool.Result{}, tool.Unavailable("This gateway's configuration cannot be changed by a tool.", nil)
	}
	switch a.Action {
	case "config.get":
		value, hash, err := t.admin.Get(ctx, a.Path)
		if err != nil {
			return tool.Result{}, adminError(a.Path, err)
		}
		return tool.JSON(got{OK: true, Path: a.Path, Hash: hash, Config: value})
	case "config.schema.lookup":
		found, err := t.admin.Lookup(ctx, a.Path)
		if err != nil {
			return tool.Result{}, adminError(a.Path, err)
		}
		return tool.JSON(looked{OK: true, Path: a.Path, Schema: found})
	case "config.patch":
		return t.patch(ctx, c, a)
	}
	return tool.Result{}, tool.Input("Invalid gateway action. Expected one of: config.get, config.schema.lookup, config.patch")
}

type got struct {
	OK     bool   `json:"ok"`
	Path   string `json:"path,omitempty"`
	Hash   string `json:"hash"`
	Config any    `json:"config"`
}

type looked struct {
	OK     bool   `json:"ok"`
	Path   string `json:"path,omitempty"`
	Schema any    `json:"schema"`
}

type patched struct {
	OK bool `json:"ok"`
	Outcome
}

func (t *Tool) patch(ctx context.Context, c *tool.Call, a args) (tool.Result, error) {
	if len(a.Patch) == 0 {
		return tool.Result{}, tool.Missing("patch")
	}
	if a.Patch[0] != '{' {
		return tool.Result{}, tool.Input("Invalid parameter: patch must be an object.")
	}
	out, err := t.admin.Patch(ctx, c.Caller(), Patch{Merge: a.Patch, Base: a.BaseHash, DryRun: a.DryRun, Note: a.Note})
	if err != nil {
		return tool.Result{}, adminError(a.Path, err)
	}
	return tool.JSON(patched{OK: true, Outcome: out})
}

func adminError(path string, err error) error {
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid):
		msg := "The configuration would be invalid; nothing was changed."
		for _, p := range invalid.Problems {
			msg += "\n- " + p
		}
		return tool.InputCode("INVALID_CONFIG", msg, err)
	case errors.Is(err, ErrChanged):
		return tool.InputCode("CONFLICT", "The configuration changed meanwhile. Read it again with config.get, then retry.", err)
	case errors.Is(err, ErrNotFound):
		return tool.InputCode("ENOENT", "No such configuration key: "+path+".", err)
	}
	return tool.Failed("The configuration could not be read or changed.", err)
}
