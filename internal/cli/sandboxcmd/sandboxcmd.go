// Package sandboxcmd is "chitin sandbox": what runs, why, and the images it
// runs in.
package sandboxcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/all"
)

// Deps are what the commands need from the rest of the program; every field
// may be nil.
type Deps struct {
	// Config is the effective sandbox configuration of an agent.
	Config func(agent string) (sandbox.Config, error)
	// Backends lists the backends of a state directory.
	Backends func(stateDir string) []sandbox.Backend
}

type command struct {
	env    *cliutil.Env
	d      Deps
	asJSON bool
}

// New is the command.
func New(env *cliutil.Env, d Deps) *cobra.Command {
	c := &command{env: env, d: d}
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "See and manage the sandboxes of this state directory",
		Long: "Sandboxes belong to one state directory; those of another are neither shown nor touched. The\n" +
			"commands work with and without a running gateway.",
		Example: "  chitin sandbox explain\n  chitin sandbox list --json\n  chitin sandbox image build",
	}
	cmd.PersistentFlags().BoolVar(&c.asJSON, "json", false, "print JSON")
	cmd.AddCommand(c.list(), c.explain(), c.recreate(), c.prune(), c.probe(), c.image())
	return cmd
}

// manager looks at the state directory without taking anything over.
func (c *command) manager() (*sandbox.Manager, error) {
	state, err := c.env.StateDir()
	if err != nil {
		return nil, err
	}
	backends := all.Backends
	if c.d.Backends != nil {
		backends = c.d.Backends
	}
	return sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: backends(state), Ephemeral: true,
		BindRoots: func() []string { return []string{filepath.Join(state, "workspaces")} },
		OnEvent: func(e sandbox.Event) {
			if e.Kind == "progress" {
				_, _ = fmt.Fprintln(c.env.Err, "chitin:", e.Text)
			}
		}}), nil
}

// config is one agent's effective configuration.
func (c *command) config(agent string) (sandbox.Config, error) {
	if c.d.Config != nil {
		return c.d.Config(agent)
	}
	path, err := c.env.ConfigPath()
	if err != nil {
		return sandbox.Config{}, err
	}
	l, err := config.Load(path)
	if err != nil {
		return sandbox.Config{}, cliutil.WithHint(err, "chitin config validate")
	}
	if agent == "" {
		agent = l.DefaultAgent()
	}
	return l.SandboxOf(agent), nil
}

func (c *command) print(v any, text func(w io.Writer)) error {
	if c.asJSON {
		e := json.NewEncoder(c.env.Out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.env.Out, 0, 4, 2, ' ', 0)
	text(w)
	return w.Flush()
}

func (c *command) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the sandboxes",
		Long:    "Lists every sandbox of the state directory: whose it is, what it runs in, and since when it was not used.",
		Example: "  chitin sandbox list\n  chitin sandbox list --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			m, err := c.manager()
			if err != nil {
				return err
			}
			boxes := m.Recorded()
			if boxes == nil {
				boxes = []sandbox.Recorded{}
			}
			return c.print(boxes, func(w io.Writer) {
				if len(boxes) == 0 {
					_, _ = fmt.Fprintln(w, "no sandboxes")
					return
				}
				_, _ = fmt.Fprintln(w, "ID\tBACKEND\tTENANT\tKEY\tACCESS\tAGE\tIDLE")
				for _, b := range boxes {
					key := b.Key
					if key == "" {
						key = "(warm)"
					}
					_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.ID, b.Backend, b.Tenant, key, b.Access, since(b.Created), since(b.LastUsed))
				}
			})
		},
	}
}

func since(t time.Time) string { return time.Since(t).Round(time.Second).String() }

func (c *command) explain() *cobra.Command {
	return &cobra.Command{
		Use:     "explain [AGENT]",
		Short:   "Say what an agent's commands would run in, and why",
		Long:    "Shows the effective configuration, every backend with what it says of this machine, the one that\nwould be used and the reason. Makes nothing. Exits 1 when no sandbox can be made.",
		Example: "  chitin sandbox explain\n  chitin sandbox explain main --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			agent := ""
			if len(args) == 1 {
				agent = args[0]
			}
			cfg, err := c.config(agent)
			if err != nil {
				return err
			}
			m, err := c.explainer(cfg)
			if err != nil {
				return err
			}
			e := m.Explain(cmd.Context(), agent)
			if err := c.print(e, func(w io.Writer) { explainText(w, e) }); err != nil {
				return err
			}
			if e.Backend == "" && e.Sandboxed {
				return cliutil.Exit(cliutil.ExitFailure)
			}
			return nil
		},
	}
}

func (c *command) explainer(cfg sandbox.Config) (*sandbox.Manager, error) {
	state, err := c.env.StateDir()
	if err != nil {
		return nil, err
	}
	backends := all.Backends
	if c.d.Backends != nil {
		backends = c.d.Backends
	}
	return sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: backends(state), ConfigFor: func(string) sandbox.Config { return cfg }}), nil
}

func explainText(w io.Writer, e sandbox.Explanation) {
	p := func(k string, v any) { _, _ = fmt.Fprintf(w, "%s\t%v\n", k, v) }
	p("mode", e.Mode)
	p("scope", e.Scope)
	p("workspaceAccess", e.Access)
	p("minTier", e.MinTier)
	switch {
	case !e.Sandboxed:
		p("runs on", "THE HOST: the configuration turns the sandbox off for main sessions")
	case e.Backend == "":
		p("runs in", "nothing: calls that need a sandbox are refused")
	default:
		p("runs in", e.Backend+", tier "+e.Tier)
	}
	p("because", e.Reason)
	if e.Spec != nil {
		p("user", e.Spec.User)
		p("network", e.Spec.Network)
		p("limits", fmt.Sprintf("memory %d MiB, %d processes, %.1f cpus, disk %d MiB", e.Spec.Limits.Memory>>20, e.Spec.Limits.Pids, float64(e.Spec.Limits.NanoCPUs)/1e9, e.Spec.Limits.Disk>>20))
		p("profile", e.Profile)
	}
	for _, n := range e.Notes {
		p("note", n)
	}
	for _, d := range e.Dangerous {
		p("dangerous", d+" is on")
	}
	for _, b := range e.Backends {
		state := "available"
		if !b.Status.Available {
			state = "not available"
		}
		p("backend "+b.Name, fmt.Sprintf("%s, tier %s %s %s%s", state, b.Status.Tier, b.Status.Version, b.Status.Reason, b.Status.Refuse))
		for _, warn := range b.Status.Warnings {
			p("", "warning: "+warn)
		}
	}
}

func (c *command) recreate() *cobra.Command {
	var all bool
	var agent, session string
	cmd := &cobra.Command{
		Use:     "recreate [ID…]",
		Short:   "Remove sandboxes so that the next call makes new ones",
		Long:    "Ends the named sandboxes and what runs in them; files of their workspaces stay. A running gateway\nmakes new ones when they are needed.",
		Example: "  chitin sandbox recreate --all\n  chitin sandbox recreate --agent main\n  chitin sandbox recreate 0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !all && agent == "" && session == "" && len(args) == 0 {
				return cliutil.Usage("which sandboxes?", "chitin sandbox recreate --all")
			}
			want := map[string]bool{}
			for _, a := range args {
				want[a] = true
			}
			return c.remove(cmd.Context(), "removed", func(r sandbox.Recorded) bool {
				return all || want[r.ID] || agent != "" && r.Key == "agent:"+agent || session != "" && r.Key == "session:"+session
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every sandbox of the state directory")
	cmd.Flags().StringVar(&agent, "agent", "", "the sandbox of an agent")
	cmd.Flags().StringVar(&session, "session", "", "the sandbox of a session")
	return cmd
}

func (c *command) prune() *cobra.Command {
	var idle, age time.Duration
	cmd := &cobra.Command{
		Use:     "prune",
		Short:   "Remove sandboxes that are idle or old",
		Long:    "Removes what the configuration's prune.idleHours and prune.maxAgeDays say, or what the flags say.",
		Example: "  chitin sandbox prune\n  chitin sandbox prune --idle 1h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config("")
			if err != nil {
				return err
			}
			cfg = cfg.Resolve()
			if !cmd.Flags().Changed("idle") {
				idle = time.Duration(*cfg.Prune.IdleHours) * time.Hour
			}
			if !cmd.Flags().Changed("age") {
				age = time.Duration(*cfg.Prune.MaxAgeDays) * 24 * time.Hour
			}
			return c.remove(cmd.Context(), "pruned", func(r sandbox.Recorded) bool {
				return idle > 0 && time.Since(r.LastUsed) > idle || age > 0 && time.Since(r.Created) > age
			})
		},
	}
	cmd.Flags().DurationVar(&idle, "idle", 0, "remove what was not used for this long (default as configured)")
	cmd.Flags().DurationVar(&age, "age", 0, "remove what is older than this (default as configured)")
	return cmd
}

func (c *command) remove(ctx context.Context, word string, match func(sandbox.Recorded) bool) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	gone, err := m.Remove(ctx, match)
	if err != nil {
		return cliutil.WithHint(err, "chitin sandbox explain")
	}
	if gone == nil {
		gone = []sandbox.Recorded{}
	}
	return c.print(gone, func(w io.Writer) {
		for _, r := range gone {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", word, r.ID, r.Key)
		}
		_, _ = fmt.Fprintf(w, "%d %s\n", len(gone), word)
	})
}
