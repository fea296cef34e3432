// Package securitycmd is `chitin security`: the audit of our own set-up and of
// an OpenClaw installation.
package securitycmd

import (
	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

// New makes the command.
func New(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "security",
		Short: "Look for what is set up unsafely",
		Long:  "Looks at the configuration, the state directory, the container engine and this host, and says what is set up unsafely.",
		Example: "  chitin security audit\n" +
			"  chitin security audit --openclaw ~/.openclaw",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAudit(env))
	return cmd
}
