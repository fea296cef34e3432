package policycmd

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/toolpolicy/ruletest"
)

func test(env *cliutil.Env, load Load) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test [FILE…]",
		Short: "Run the policy's unit tests",
		Long: "A file holds a list of cases: a call and the answer that the policy must give. Without a FILE\n" +
			"those of tools.rules.tests run. Exits 0 when all hold, 3 when one does not.\n\n" +
			"  cases:\n" +
			"    - name: reports only\n" +
			"      tool: write\n" +
			"      args: {path: reports/a.md, content: x}\n" +
			"      expect: allow\n" +
			"    - tool: write\n" +
			"      args: {path: reports/../secret, content: x}\n" +
			"      expect: deny\n" +
			"      layer: rules",
		Example: "  chitin policy test\n  chitin policy test policy.test.yml --json",
		RunE: func(cmd *cobra.Command, files []string) error {
			l, err := loaded(cmd.Context(), env, load)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				files = l.Tests
			}
			if len(files) == 0 {
				return cliutil.Usage("there are no cases to run", "name a file, or list files under tools.rules.tests")
			}
			var all []ruletest.Result
			for _, f := range files {
				text, err := readFile(f)
				if err != nil {
					return err
				}
				cases, err := ruletest.Parse(filepath.Base(f), text)
				if err != nil {
					return cliutil.WithHint(err, "chitin policy test --help shows the form of a case")
				}
				all = append(all, ruletest.Run(l.Engine, filepath.Base(f), cases)...)
			}
			return report(env, all, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// report prints what failed and how many held.
func report(env *cliutil.Env, all []ruletest.Result, asJSON bool) error {
	failed := 0
	var b strings.Builder
	for _, r := range all {
		if !r.OK {
			failed++
			fmt.Fprintf(&b, "FAIL %s: %s: %s\n", r.File, cliutil.Plain(r.Name), cliutil.Plain(r.Why))
		}
	}
	if asJSON {
		if err := writeJSON(env, all); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(&b, "%d cases, %d failed\n", len(all), failed)
		if _, err := env.Out.Write([]byte(b.String())); err != nil {
			return err
		}
	}
	if failed > 0 {
		return cliutil.Exit(cliutil.ExitFound)
	}
	return nil
}
