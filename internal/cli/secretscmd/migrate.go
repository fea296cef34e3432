package secretscmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

func migrateCommand(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Short: "x", RunE: func(*cobra.Command, []string) error { fmt.Fprintln(env.Out); return nil }}
	return cmd
}
