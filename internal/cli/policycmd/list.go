package policycmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

func list(env *cliutil.Env, load Load) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the names that a policy can use: tools, groups and profiles",
		Long:    "Groups and profiles are shown with their exact members; those that are registered here are marked.",
		Example: "  chitin policy list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := loaded(cmd.Context(), env, load)
			if err != nil {
				return err
			}
			names := l.Engine.Names()
			if asJSON {
				return writeJSON(env, names)
			}
			var b strings.Builder
			fmt.Fprintf(&b, "tools\n  %s\n", strings.Join(names.Tools, " "))
			section(&b, "groups", names.Groups, names.Tools)
			section(&b, "profiles", names.Profiles, names.Tools)
			b.WriteString("\n* is registered here\n")
			_, err = env.Out.Write([]byte(b.String()))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func section(b *strings.Builder, title string, m map[string][]string, tools []string) {
	fmt.Fprintf(b, "\n%s\n", title)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		words := make([]string, len(m[k]))
		for i, n := range m[k] {
			words[i] = n
			if slices.Contains(tools, n) {
				words[i] += "*"
			}
		}
		fmt.Fprintf(b, "  %-17s %s\n", k, strings.Join(words, " "))
	}
}
