// Package approvalscmd is "chitin approvals": see which calls wait for a
// human, and answer them.
package approvalscmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// Client is where the answers go.
type Client interface {
	List(ctx context.Context) ([]approval.Request, error)
	Decide(ctx context.Context, id string, a approval.Answer) error
	Standings(ctx context.Context) ([]approval.Standing, error)
	Revoke(ctx context.Context, id string) error
	Close() error
}

// Connect opens a client.
type Connect func(ctx context.Context) (Client, error)

// New is the command. A nil connect works on the state directory's database,
// which a running gateway watches.
func New(env *cliutil.Env, connect Connect) *cobra.Command {
	if connect == nil {
		connect = func(ctx context.Context) (Client, error) { return Direct(ctx, env) }
	}
	cmd := &cobra.Command{
		Use:   "approvals",
		Short: "See which calls wait for a human, and answer them",
		Long: "A call that the policy asks about waits until somebody with operator.approvals answers, and is\n" +
			"denied when nobody does. A yes is bound to the exact plan that is shown: when a program, script,\n" +
			"directory or variable changes before the call runs, it is void.",
	}
	cmd.AddCommand(list(env, connect), approve(env, connect), deny(env, connect), standing(env, connect), revoke(env, connect))
	return cmd
}

// with runs f on a client and closes it.
func with(ctx context.Context, connect Connect, f func(Client) error) error {
	c, err := connect(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}

func list(env *cliutil.Env, connect Connect) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the calls that wait", Args: cobra.NoArgs,
		Long:    "Shows each waiting call with the exact command, programs and directory that a yes would cover.",
		Example: "  chitin approvals list\n  chitin approvals list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), connect, func(c Client) error {
				rs, err := c.List(cmd.Context())
				if err != nil {
					return explained(err)
				}
				if asJSON {
					return writeJSON(env, rs)
				}
				var b strings.Builder
				for i := range rs {
					show(&b, &rs[i])
				}
				if len(rs) == 0 {
					b.WriteString("nothing waits\n")
				}
				_, err = env.Out.Write([]byte(b.String()))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// show prints one waiting call. Everything that came from outside is made
// visible first.
func show(b *strings.Builder, r *approval.Request) {
	place := "in its sandbox"
	if r.Host {
		place = "ON THE HOST"
	}
	fmt.Fprintf(b, "%s  %s %s, asked by %s over %s, %s left\n", r.ID, r.Tool, place, cliutil.Plain(r.Asker), r.Surface,
		time.Until(r.Expires).Round(time.Second))
	fmt.Fprintf(b, "  runs      %s\n", cliutil.Plain(r.Plan.Summary()))
	if r.Plan.Why != "" {
		fmt.Fprintf(b, "  because   %s\n", cliutil.Plain(r.Plan.Why))
	}
	if r.Plan.Cwd != "" {
		fmt.Fprintf(b, "  in        %s\n", cliutil.Plain(r.Plan.Cwd))
	}
	for _, f := range []struct {
		label string
		files []approval.File
	}{{"program", r.Plan.Programs}, {"script", r.Plan.Scripts}, {"path", r.Plan.Paths}} {
		for _, x := range f.files {
			digest := x.Digest
			if len(digest) > 12 {
				digest = " sha256:" + digest[:12]
			}
			fmt.Fprintf(b, "  %-9s %s%s\n", f.label, cliutil.Plain(x.Path), digest)
		}
	}
	for _, d := range r.Plan.Doubts {
		fmt.Fprintf(b, "  unsure    %s\n", cliutil.Plain(d))
	}
	if r.Session != "" {
		fmt.Fprintf(b, "  session   %s\n", cliutil.Plain(r.Session))
	}
}

func approve(env *cliutil.Env, connect Connect) *cobra.Command {
	var a approval.Answer
	cmd := &cobra.Command{
		Use: "approve ID", Short: "Let a waiting call run", Args: cobra.ExactArgs(1),
		Long: "Without --for the yes covers this one call. With it, the same plan may run again until the time\n" +
			"or the uses are up; with --pattern also other plain commands of the same program.",
		Example: "  chitin approvals approve ap_0f3c\n  chitin approvals approve ap_0f3c --pattern 'git log **' --for 8h --uses 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (a.Pattern != "" || a.Uses != 0) && a.For == 0 {
				return cliutil.Usage("--pattern and --uses need --for", "say how long the yes stands, such as --for 8h")
			}
			a.Allow = true
			return answer(cmd.Context(), env, connect, args[0], a, "approved")
		},
	}
	cmd.Flags().DurationVar(&a.For, "for", 0, "let the yes stand this long")
	cmd.Flags().IntVar(&a.Uses, "uses", 0, "how many further calls it covers (default 10)")
	cmd.Flags().StringVar(&a.Pattern, "pattern", "", "command lines that it covers, such as 'git log **'")
	cmd.Flags().StringVar(&a.Note, "note", "", "why, for the journal")
	return cmd
}

func deny(env *cliutil.Env, connect Connect) *cobra.Command {
	var a approval.Answer
	cmd := &cobra.Command{
		Use: "deny ID", Short: "Refuse a waiting call", Args: cobra.ExactArgs(1),
		Long: "The waiting call fails at once.", Example: "  chitin approvals deny ap_0f3c --note 'not on this machine'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return answer(cmd.Context(), env, connect, args[0], a, "denied")
		},
	}
	cmd.Flags().StringVar(&a.Note, "note", "", "why, for the journal")
	return cmd
}

func answer(ctx context.Context, env *cliutil.Env, connect Connect, id string, a approval.Answer, done string) error {
	return with(ctx, connect, func(c Client) error {
		if err := c.Decide(ctx, id, a); err != nil {
			return explained(err)
		}
		_, err := fmt.Fprintln(env.Out, done, cliutil.Plain(id))
		return err
	})
}

func standing(env *cliutil.Env, connect Connect) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "standing", Short: "List the answers that still cover calls", Args: cobra.NoArgs,
		Long: "Each was given with --for; chitin approvals revoke ends one.", Example: "  chitin approvals standing",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), connect, func(c Client) error {
				ss, err := c.Standings(cmd.Context())
				if err != nil {
					return explained(err)
				}
				if asJSON {
					return writeJSON(env, ss)
				}
				for _, s := range ss {
					what := s.Pattern
					if what == "" {
						what = "the same plan"
					}
					if _, err := fmt.Fprintf(env.Out, "%s  %s for %s: %s, %d uses, until %s\n", s.ID, s.Tool, cliutil.Plain(s.Principal),
						cliutil.Plain(what), s.Uses, s.Expires.Format(time.RFC3339)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func revoke(env *cliutil.Env, connect Connect) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End an answer that still covers calls", Args: cobra.ExactArgs(1),
		Long: "The next call that it would have covered waits for a human again.", Example: "  chitin approvals revoke st_11aa",
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), connect, func(c Client) error {
				if err := c.Revoke(cmd.Context(), args[0]); err != nil {
					return explained(err)
				}
				_, err := fmt.Fprintln(env.Out, "revoked", cliutil.Plain(args[0]))
				return err
			})
		},
	}
}

// explained adds what to do next.
func explained(err error) error {
	switch {
	case errors.Is(err, approval.ErrUnknown):
		return cliutil.WithHint(err, "chitin approvals list")
	case errors.Is(err, approval.ErrSettled):
		return cliutil.WithHint(err, "repeat the call; it asks anew")
	case errors.Is(err, approval.ErrForbidden):
		return cliutil.WithHint(err, "use a second credential that holds operator.approvals")
	}
	return err
}

func writeJSON(env *cliutil.Env, v any) error {
	enc := json.NewEncoder(env.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
