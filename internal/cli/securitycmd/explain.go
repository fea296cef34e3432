package securitycmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/render"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

func newExplain(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "explain CHECK",
		Short:   "Say what a check looks for, why, and what to do",
		Long:    "Prints the text of one check, the same that the documentation has.",
		Example: "  chitin security audit explain gateway.bind_no_auth",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			checks := all.Checks()
			c, ok := audit.Lookup(checks, args[0])
			if !ok {
				return cliutil.Usage(fmt.Sprintf("no check %q", args[0]), nearest(checks, args[0]))
			}
			if asJSON {
				return render.JSON(env.Out, describe(c))
			}
			return render.Explain(env.Out, c)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// nearest names a check that shares the most with the id.
func nearest(checks []audit.Check, id string) string {
	last := id[strings.LastIndexByte(id, '.')+1:]
	for i := range checks {
		if strings.HasPrefix(checks[i].ID, id) || last != "" && strings.HasSuffix(checks[i].ID, last) {
			return "chitin security audit explain " + checks[i].ID
		}
	}
	return "chitin security audit list"
}

type description struct {
	ID       string   `json:"checkId"`
	Severity string   `json:"severity"`
	Layer    string   `json:"layer"`
	Subject  string   `json:"subject"`
	Title    string   `json:"title"`
	Why      string   `json:"why"`
	Remedy   string   `json:"remediation"`
	Refs     []string `json:"refs,omitempty"`
	Deep     bool     `json:"deep,omitempty"`
	Fix      bool     `json:"fix,omitempty"`
}

func describe(c *audit.Check) description {
	return description{c.ID, c.Severity, string(c.Layer), c.On.String(), c.Title, c.Why, c.Remedy, c.Refs, c.Deep, c.Repair != nil}
}

func newList(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List every check",
		Long:    "Lists every check with its severity, its subject and its title.",
		Example: "  chitin security audit list --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			checks := all.Checks()
			if asJSON {
				out := make([]description, len(checks))
				for i := range checks {
					out[i] = describe(&checks[i])
				}
				return render.JSON(env.Out, out)
			}
			for i := range checks {
				c := &checks[i]
				if _, err := fmt.Fprintf(env.Out, "%-9s %-9s %-60s %s\n", c.Default(), c.On, c.ID, c.Title); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
