package secretscmd

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets/helper"
)

func helperCommand(env *cliutil.Env) *cobra.Command {
	var o helper.Options
	var timeoutMs int
	cmd := &cobra.Command{
		Use:   "exec-helper " + strings.Join(helper.Kinds(), "|"),
		Short: "Answer an exec provider on behalf of vals, vault, op, pass or age",
		Long: `Reads {"protocolVersion":1,"ids":[…]} from standard input, asks the program that
you have installed, and writes the values to standard output. Configure it as
an exec provider whose command is chitin itself:

  secrets:
    providers:
      pass:
        source: exec
        command: /usr/local/bin/chitin
        args: [secrets, exec-helper, pass]
        passEnv: [HOME, PATH, GNUPGHOME]

Ids: vals "awssecrets://prod/db#password" (without ref+); vault "secret/app#field";
op "vault/item/field"; pass "entry" or "entry#field"; age a key of the decrypted
file, with --file and --identity.`,
		Example:   `  echo '{"protocolVersion":1,"ids":["mail"]}' | chitin secrets exec-helper pass`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: helper.Kinds(),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Timeout = time.Duration(timeoutMs) * time.Millisecond
			if err := helper.Run(cmd.Context(), args[0], o, env.In, env.Out); err != nil {
				return cliutil.WithHint(err, "chitin secrets exec-helper --help")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Program, "program", "", "the program to call, by path or name")
	f.StringVar(&o.File, "file", "", "age: the encrypted file, an absolute path")
	f.StringVar(&o.Identity, "identity", "", "age: the identity file, an absolute path")
	f.IntVar(&timeoutMs, "timeout-ms", 10_000, "longest time for one call, in milliseconds")
	return cmd
}
