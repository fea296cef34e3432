package secretscmd

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/store"
)

const maxImport = 4 << 20

func importCommand(env *cliutil.Env) *cobra.Command {
	var tenant string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Put the values of a .env or JSON file into the store",
		Long: `Reads NAME=value lines, or a JSON object whose strings are the values, from a
file or (with -) from standard input. Prints the names, never the values, and
leaves the file alone: delete it when everything works.`,
		Example: "  chitin secrets import .env --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := readImport(env, args[0])
			if err != nil {
				return err
			}
			return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
				n := 0
				for _, c := range leaves(root) {
					if c.Value == "" {
						continue
					}
					if !store.ValidName(c.Path) {
						return cliutil.Usage("a name in the file cannot be the name of a secret", "use letters, digits, dot, - and _")
					}
					if !dryRun {
						if err := s.Set(ctx, tenant, c.Path, store.Secret, secrets.NewValue(c.Value)); err != nil {
							return storeError(err, c.Path)
						}
					}
					n++
					fmt.Fprintln(env.Out, c.Path)
				}
				word := "stored"
				if dryRun {
					word = "would be stored"
				}
				_, err := fmt.Fprintf(env.Err, "%d %s\n", n, word)
				return err
			})
		},
	}
	tenantFlag(cmd, &tenant)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "name what would be stored")
	return cmd
}

func readImport(env *cliutil.Env, name string) (*doc.Node, error) {
	in := env.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, cliutil.WithHint(fmt.Errorf("import: %w", err), "chitin secrets import FILE")
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if len(data) > maxImport {
		return nil, cliutil.Usage("the file is larger than 4 MiB", "import a file with secrets only")
	}
	format := doc.Env
	for _, c := range data {
		if c == '{' {
			format = doc.JSON
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
	}
	root, err := doc.Parse(format, data)
	if err != nil {
		return nil, cliutil.Usage("the file is "+err.Error(), "use NAME=value lines or a JSON object")
	}
	return root, nil
}

// leaves are the strings of a document.
func leaves(root *doc.Node) []*doc.Node {
	var out []*doc.Node
	root.Walk(func(n *doc.Node) bool {
		if n.Kind == doc.String {
			out = append(out, n)
		}
		return true
	})
	return out
}
