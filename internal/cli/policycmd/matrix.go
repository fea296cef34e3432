package policycmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// cell is one entry of the table.
type cell struct {
	Principal string             `json:"principal"`
	Owner     bool               `json:"owner"`
	Tool      string             `json:"tool"`
	Surface   toolpolicy.Surface `json:"surface"`
	Verdict   string             `json:"verdict"`
	Visible   bool               `json:"visible"`
	Layer     string             `json:"layer"`
	Reason    string             `json:"reason"`
}

func matrix(env *cliutil.Env, load Load) *cobra.Command {
	var o question
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Print the effective table of principals, tools and surfaces",
		Long: "Each cell is what a plain call without arguments would get. Tools that rules or exec's list\n" +
			"decide by their arguments can differ: chitin policy explain TOOL --args … tells.",
		Example: "  chitin policy matrix\n  chitin policy matrix --principal token:ci --not-owner --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := loaded(cmd.Context(), env, load)
			if err != nil {
				return err
			}
			who, q, err := o.query("", l)
			if err != nil {
				return err
			}
			people := []toolpolicy.Subject{who}
			if o.principal == "" {
				people = principals(l)
			}
			var cells []cell
			for _, p := range people {
				cells = append(cells, row(l, p, q)...)
			}
			if asJSON {
				return writeJSON(env, cells)
			}
			return printMatrix(env, cells)
		},
	}
	o.flags(cmd)
	_ = cmd.Flags().MarkHidden("surface") // every surface is a column
	_ = cmd.Flags().MarkHidden("args")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// principals are the configured ones, or one of each usual kind.
func principals(l *Loaded) []toolpolicy.Subject {
	if len(l.Principals) > 0 {
		return l.Principals
	}
	base := toolpolicy.Subject{Kind: gateway.KindToken, Tenant: gateway.DefaultTenant}
	owner, operator, reader := base, base, base
	owner.ID, owner.Scopes, owner.Owner = "owner", gateway.AllScopes, true
	operator.ID, operator.Scopes = "operator", gateway.ScopeWrite.Closure()
	reader.ID, reader.Scopes = "reader", gateway.ScopeRead.Closure()
	return []toolpolicy.Subject{owner, operator, reader}
}

func row(l *Loaded, who toolpolicy.Subject, base *toolpolicy.Query) []cell {
	var out []cell
	for _, tool := range l.Tools {
		for _, sf := range surfaces {
			q, s := *base, *base.Session
			s.Tenant = who.Tenant
			q.Tool, q.Surface, q.Session = tool, sf, &s
			x := l.Engine.ExplainAs(who, &q)
			out = append(out, cell{x.Principal, x.Owner, tool, sf, x.Verdict, x.Visible, x.Layer, x.Reason})
		}
	}
	return out
}

func printMatrix(env *cliutil.Env, cells []cell) error {
	var b strings.Builder
	last := ""
	for i, c := range cells {
		if c.Principal != last {
			last = c.Principal
			if i > 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "%s\n  %-22s", cliutil.Plain(c.Principal), "")
			for _, sf := range surfaces {
				fmt.Fprintf(&b, " %-9s", sf)
			}
		}
		if i%len(surfaces) == 0 {
			fmt.Fprintf(&b, "\n  %-22s", c.Tool)
		}
		word := c.Verdict
		if !c.Visible {
			word = "·"
		} else if word == "deny" {
			word = "by args"
		}
		fmt.Fprintf(&b, " %-9s", word)
		if i%len(surfaces) == len(surfaces)-1 && (i+1 == len(cells) || cells[i+1].Principal != last) {
			b.WriteString("\n")
		}
	}
	b.WriteString("\n· is denied and hidden; by args depends on the call's arguments\n")
	_, err := env.Out.Write([]byte(b.String()))
	return err
}
