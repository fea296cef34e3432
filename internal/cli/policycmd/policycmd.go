// Package policycmd is "chitin policy": ask the tool policy what it would
// decide and why, see it as a table, and run its unit tests.
package policycmd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Loaded is the effective policy with what the commands need to know of the
// configuration around it.
type Loaded struct {
	Engine *toolpolicy.Engine
	Tools  []string // registered tools; empty means those the engine knows
	// Facts says how an agent's sessions run; nil means in a read-write sandbox.
	Facts func(agent string, main bool) (sandboxed, readOnly bool)
	// Tests are the files of tools.rules.tests, as absolute paths.
	Tests []string
	// Principals are the configured ones, for the matrix; empty means an
	// owner, an operator and a reader.
	Principals []toolpolicy.Subject
	// Warnings are what the policy's compiler found odd, such as unknown names
	// with the nearest known; they are printed beside the answer.
	Warnings []string
}

// Load finds the effective policy.
type Load func(ctx context.Context) (*Loaded, error)

// New is the command.
func New(env *cliutil.Env, load Load) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Explain, list and test what may be called",
		Long: "A call must pass every layer of the policy: profile, lists, agent, group, sender, sandbox,\n" +
			"sub-agent, surface, owner-only tools and rules. These commands ask the same engine that the\n" +
			"gateway uses; none of them runs a tool.",
	}
	cmd.AddCommand(explain(env, load), matrix(env, load), test(env, load), list(env, load))
	return cmd
}

// question is the flags that describe one call.
type question struct {
	surface, args, session, agent, principal, tenant string
	label, group, sender, provider, sandboxed        string
	scopes                                           []string
	notOwner, leaf                                   bool
	depth                                            int
}

func (o *question) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.surface, "surface", "http", "where the call comes in: http, websocket, mcp, acp, agent, hook, cron, subagent, cli")
	f.StringVar(&o.args, "args", "", "the call's arguments as a JSON object")
	f.StringVar(&o.session, "session", "", "session key; default agent:<agent>:main")
	f.StringVar(&o.agent, "agent", "main", "agent of the session")
	f.StringVar(&o.principal, "principal", "", "who calls, as kind:id; default is the user of this process")
	f.StringVar(&o.tenant, "tenant", "", "the principal's tenant")
	f.StringSliceVar(&o.scopes, "scopes", nil, "scopes of the principal; default all")
	f.BoolVar(&o.notOwner, "not-owner", false, "the principal is no owner")
	f.StringVar(&o.sandboxed, "sandboxed", "auto", "whether the session has a sandbox: auto, yes, no")
	f.IntVar(&o.depth, "depth", 0, "0 for a main session, more for a sub-agent")
	f.BoolVar(&o.leaf, "leaf", false, "a sub-agent that may spawn no more")
	f.StringVar(&o.label, "label", "", "integrity label of the session, such as untrusted:email")
	f.StringVar(&o.group, "group", "", "group of the session")
	f.StringVar(&o.sender, "sender", "", "sender of the message, as a typed key")
	f.StringVar(&o.provider, "provider", "", "model provider, or provider/model")
}

var surfaces = []toolpolicy.Surface{
	toolpolicy.SurfaceHTTP, toolpolicy.SurfaceWebSocket, toolpolicy.SurfaceMCP, toolpolicy.SurfaceACP,
	toolpolicy.SurfaceAgent, toolpolicy.SurfaceSubagent, toolpolicy.SurfaceHook, toolpolicy.SurfaceCron, toolpolicy.SurfaceCLI,
}

func knownSurface(s string) bool {
	for _, k := range surfaces {
		if string(k) == s {
			return true
		}
	}
	return false
}

// query turns the flags into the engine's words.
func (o *question) query(tool string, l *Loaded) (toolpolicy.Subject, *toolpolicy.Query, error) {
	who := toolpolicy.SubjectOf(gateway.Process())
	if !knownSurface(o.surface) {
		return who, nil, cliutil.Usage("unknown surface "+o.surface, "use http, websocket, mcp, acp, agent, subagent, hook, cron or cli")
	}
	if o.principal == "anonymous" {
		who = toolpolicy.Subject{}
	} else if o.principal != "" {
		s, ok := toolpolicy.ParseSubject(o.principal)
		if !ok {
			return who, nil, cliutil.Usage("--principal "+o.principal+" is not kind:id", "write it as the journal does, such as token:laptop or unix:1000")
		}
		who.Kind, who.ID = s.Kind, s.ID
	}
	who.Owner = who.Owner && !o.notOwner
	if o.tenant != "" {
		who.Tenant = o.tenant
	}
	if len(o.scopes) > 0 {
		sc, err := gateway.ParseScopes(o.scopes)
		if err != nil {
			return who, nil, cliutil.Usage(err.Error(), "for instance --scopes operator.write,operator.approvals")
		}
		who.Scopes = sc
	}
	if o.args != "" && !json.Valid([]byte(o.args)) {
		return who, nil, cliutil.Usage("--args is not JSON", `write an object, such as --args '{"command":"git status"}'`)
	}
	s := &toolpolicy.Session{
		Key: o.session, Agent: o.agent, Tenant: who.Tenant, Sandboxed: true, Depth: o.depth, Leaf: o.leaf,
		Label: o.label, Group: o.group, Sender: o.sender, Provider: o.provider,
	}
	if s.Key == "" {
		s.Key = "agent:" + o.agent + ":main"
	}
	if l.Facts != nil {
		s.Sandboxed, s.ReadOnly = l.Facts(o.agent, o.depth == 0)
	}
	switch o.sandboxed {
	case "yes":
		s.Sandboxed = true
	case "no":
		s.Sandboxed = false
	case "auto":
	default:
		return who, nil, cliutil.Usage("--sandboxed takes auto, yes or no", "leave it out to follow the configuration")
	}
	return who, &toolpolicy.Query{Tool: tool, Args: []byte(o.args), Surface: toolpolicy.Surface(o.surface), Session: s}, nil
}

func writeJSON(env *cliutil.Env, v any) error {
	enc := json.NewEncoder(env.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func loaded(ctx context.Context, env *cliutil.Env, load Load) (*Loaded, error) {
	l, err := load(ctx)
	if err != nil {
		return nil, err
	}
	if len(l.Tools) == 0 {
		l.Tools = l.Engine.Tools()
	}
	for _, w := range l.Warnings {
		if _, err := fmt.Fprintln(env.Err, "warning: "+cliutil.Plain(w)); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readFile reads a file of cases that the user named.
func readFile(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, cliutil.WithHint(fmt.Errorf("read cases: %w", err), "name a YAML file with a list of cases")
	}
	return b, nil
}
