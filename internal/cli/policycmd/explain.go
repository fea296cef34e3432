package policycmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/toolpolicy"
)

func explain(env *cliutil.Env, load Load) *cobra.Command {
	var o question
	var asJSON, check bool
	cmd := &cobra.Command{
		Use:   "explain TOOL",
		Short: "Say what the policy decides about a call, why, and what would change it",
		Long: "Prints the verdict, the layer and rule that gave it with the configuration key and line, the\n" +
			"answer of every layer, and the smallest change that would turn the verdict round.\n" +
			"Exits 0 whatever the verdict; with --check it exits 3 unless the call is allowed.",
		Example: "  chitin policy explain cron\n" +
			"  chitin policy explain exec --surface agent --args '{\"command\":\"git status\"}'\n" +
			"  chitin policy explain write --principal token:ci --not-owner --scopes operator.write --json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := loaded(cmd.Context(), env, load)
			if err != nil {
				return err
			}
			who, q, err := o.query(args[0], l)
			if err != nil {
				return err
			}
			x := l.Engine.ExplainAs(who, q)
			if asJSON {
				err = writeJSON(env, x)
			} else {
				err = printExplanation(env, &x)
			}
			if err == nil && check && x.Verdict != "allow" {
				return cliutil.Exit(cliutil.ExitFound)
			}
			return err
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&check, "check", false, "exit 3 unless the call is allowed")
	return cmd
}

func printExplanation(env *cliutil.Env, x *toolpolicy.Explanation) error {
	var b strings.Builder
	owner, box := "", "without a sandbox"
	if x.Owner {
		owner = " (owner)"
	}
	if x.Sandboxed {
		box = "in a sandbox"
	}
	fmt.Fprintf(&b, "%s: %s\n", strings.ToUpper(x.Verdict), x.Reason)
	fmt.Fprintf(&b, "  call      %s over %s by %s%s, session %s %s\n", cliutil.Plain(x.Tool), x.Surface, cliutil.Plain(x.Principal), owner, cliutil.Plain(x.Session), box)
	fmt.Fprintf(&b, "  decided   %s\n", where(x.Layer, x.Rule, x.Key, x.Line))
	if !x.Visible {
		b.WriteString("  listing   hidden from this caller\n")
	}
	for i, f := range x.Flip {
		label := "          "
		if i == 0 {
			label = "to change "
		}
		fmt.Fprintf(&b, "  %s%s\n", label, cliutil.Plain(f))
	}
	b.WriteString("\n")
	for _, s := range x.Trace {
		note := cliutil.Plain(s.Reason)
		if s.Key != "" {
			note = strings.TrimSpace(note + "  [" + where("", s.Rule, s.Key, s.Line) + "]")
		}
		fmt.Fprintf(&b, "  %-5s %-13s %s\n", s.Effect, s.Layer, note)
	}
	_, err := env.Out.Write([]byte(strings.ReplaceAll(b.String(), " \n", "\n")))
	return err
}

// where is a layer, rule, key and line on one line.
func where(layer, rule, key string, line int) string {
	parts := []string{}
	for _, p := range []string{layer, cliutil.Plain(rule)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if key != "" && !strings.HasPrefix(rule, key) {
		if line > 0 {
			key = fmt.Sprintf("%s line %d", key, line)
		}
		parts = append(parts, key)
	}
	return strings.Join(parts, ", ")
}
