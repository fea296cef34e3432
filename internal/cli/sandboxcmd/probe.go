package sandboxcmd

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/sandbox"
)

func (c *command) probe() *cobra.Command {
	return &cobra.Command{
		Use:   "probe [AGENT]",
		Short: "Make a sandbox, prove that it holds, and remove it",
		Long: "Makes a sandbox of an agent's profile and tries from inside what must not be possible: capabilities,\n" +
			"system calls, mounts, devices, sockets, routes, limits. Exits 3 when it does not hold what it declares.",
		Example: "  chitin sandbox probe\n  chitin sandbox probe main --json",
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
			m, err := c.manager()
			if err != nil {
				return err
			}
			res, err := m.Prove(cmd.Context(), cfg)
			var pe *sandbox.ProofError
			if err != nil && !errors.As(err, &pe) {
				return cliutil.WithHint(err, "chitin sandbox explain")
			}
			if pe != nil {
				res.Mismatches = pe.Mismatches
			}
			if err := c.print(res, func(w io.Writer) {
				_, _ = fmt.Fprintf(w, "backend\t%s\ntier\t%s\nprofile\t%s\n", res.Backend, res.Tier, res.Profile)
				for _, b := range res.Mismatches {
					_, _ = fmt.Fprintf(w, "OPEN\t%s\n", b)
				}
				if len(res.Mismatches) == 0 {
					_, _ = fmt.Fprintln(w, "holds\twhat the profile declares")
				}
			}); err != nil {
				return err
			}
			if len(res.Mismatches) > 0 {
				return cliutil.Exit(cliutil.ExitFound)
			}
			return nil
		},
	}
}
