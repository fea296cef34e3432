// Package cli is the command line: noun-verb commands that act on a state
// directory or talk to a running gateway.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/version"
	"github.com/spf13/cobra"
)

// Main runs one command line and returns the exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := &cliutil.Env{In: in, Out: out, Err: errOut, Getenv: os.Getenv}
	root := Root(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return cliutil.ExitOK
	}
	return fail(env, root, err)
}

// fail prints an error and what to type next.
func fail(env *cliutil.Env, root *cobra.Command, err error) int {
	var e *cliutil.Error
	if !errors.As(err, &e) {
		if usage(err) {
			e = &cliutil.Error{Code: cliutil.ExitUsage, Err: err, Hint: root.Name() + " --help"}
		} else {
			e = &cliutil.Error{Code: cliutil.ExitFailure, Err: err}
		}
	}
	if e.Err != nil {
		_, _ = fmt.Fprintln(env.Err, "chitin: "+err.Error())
	}
	if e.Hint != "" {
		_, _ = fmt.Fprintln(env.Err, "  try: "+e.Hint)
	}
	return e.Code
}

// usage tells cobra's own complaints about the command line from failures of
// a command; cobra has no type for them.
func usage(err error) bool {
	for _, p := range []string{"unknown command", "unknown flag", "unknown shorthand", "flag needs an argument", "invalid argument", "accepts ", "requires ", "required flag", "if any flags in the group", "bad flag syntax"} {
		if strings.HasPrefix(err.Error(), p) {
			return true
		}
	}
	return false
}

// Root is the command tree. Documents and completions are made from it.
func Root(env *cliutil.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "chitin",
		Short: "A hard shell between agents and a machine that others share",
		Long: "chitin stands between whatever calls tools and the machine they run on: it knows who is\n" +
			"calling, decides what may be called, runs it in a sandbox, keeps secrets out of reach, treats\n" +
			"text from outside as data, and audits how all of that is set up.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong command line, 3 an audit or check found something,\n" +
			"78 serve refused its configuration.",
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cliutil.Usage("unknown command "+cliutil.Plain(args[0]), suggestion(cmd, args[0]))
			}
			return cmd.Help()
		},
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	p := root.PersistentFlags()
	p.StringVar(&env.State, "state", "", "state directory (default $CHITIN_STATE_DIR or ~/.chitin)")
	p.StringVar(&env.Config, "config", "", "configuration file (default $CHITIN_CONFIG or chitin.yml in the state directory)")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "layers", Title: "The layers:"},
		&cobra.Group{ID: "keep", Title: "Keep:"},
	)
	root.SetHelpCommandGroupID("keep")
	root.SetCompletionCommandGroupID("keep")
	add(root, env)
	return root
}

func suggestion(cmd *cobra.Command, arg string) string {
	if s := cmd.SuggestionsFor(arg); len(s) > 0 {
		return "chitin " + s[0]
	}
	return "chitin --help"
}
