// Package contentcmd is "chitin content": it looks for orders hidden in text
// from outside, and wraps such text for a model.
package contentcmd

import (
	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

// New is the command content with its sub-commands.
func New(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "content",
		Short: "Scan and wrap text from outside",
		Long: "Mail, pages and hook payloads are data, never instructions. scan says whether a text\n" +
			"tries to give orders; wrap puts it behind a border that it cannot forge.",
		Example: "  chitin content scan mail.txt\n  chitin content wrap --source email --from anna@example.com < mail.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cliutil.Usage("content needs a sub-command", "chitin content scan --help")
		},
	}
	cmd.AddCommand(newScan(env), newWrap(env))
	return cmd
}
