package tokencmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/gateway/password"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

const maxPassword = 1024

func hashPassword(env *cliutil.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Turn a password into the hash to keep instead of it",
		Long: `Reads a password from standard input and prints its Argon2id hash, which may
stand wherever gateway.auth.password points.`,
		Example: "  chitin token hash-password < password.txt",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			line, err := bufio.NewReader(io.LimitReader(env.In, maxPassword+1)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			pw := strings.TrimRight(line, "\r\n")
			if len(pw) < 8 || len(pw) > maxPassword {
				return cliutil.Usage("a password has 8 to 1024 characters", "echo it into chitin token hash-password")
			}
			h, err := password.Hash(pw)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.Out, h)
			return err
		},
	}
}
