package secretscmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/audit"
)

func auditCommand(env *cliutil.Env) *cobra.Command {
	var asJSON, asSARIF, check, allowExec bool
	var format string
	cmd := &cobra.Command{
		Use:   "audit [PATH…]",
		Short: "Find secrets in plain text and references that lead nowhere",
		Long: `Without a path, looks at our own configuration and state directory. A path may
be a file, a directory, or an OpenClaw state directory. Reads YAML, JSON,
JSON5, TOML, .env, shell and source; findings never show a secret.

Codes: PLAINTEXT_FOUND, REF_UNRESOLVED, REF_SHADOWED, LEGACY_RESIDUE,
PLACEHOLDER_VALUE, STORE_PLAINTEXT_RESIDUE.

Exit codes: 0 looked (and, with --check, found nothing), 3 findings with
--check, 2 wrong command line, 1 could not look.`,
		Example: "  chitin secrets audit --check\n  chitin secrets audit ~/.openclaw --json\n  chitin secrets audit . --sarif > secrets.sarif",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case asJSON:
				format = "json"
			case asSARIF:
				format = "sarif"
			}
			o, err := auditOptions(cmd.Context(), env, args)
			if err != nil {
				return err
			}
			o.AllowExec = allowExec
			report, err := audit.Run(cmd.Context(), o)
			if err != nil {
				return cliutil.WithHint(err, "check the paths: chitin secrets audit PATH")
			}
			if err := render(env, report, format); err != nil {
				return err
			}
			if check && report.Status != "clean" {
				return cliutil.Exit(cliutil.ExitFound)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.BoolVar(&asSARIF, "sarif", false, "print SARIF 2.1.0")
	f.StringVar(&format, "format", "text", "text, json or sarif")
	f.BoolVar(&check, "check", false, "exit with 3 when there are findings")
	f.BoolVar(&allowExec, "allow-exec", false, "run exec providers to see whether their references resolve")
	return cmd
}

func render(env *cliutil.Env, report *audit.Report, format string) error {
	switch format {
	case "json":
		return report.JSON(env.Out)
	case "sarif":
		return report.SARIF(env.Out)
	case "text":
		return report.Text(env.Out)
	}
	return cliutil.Usage(fmt.Sprintf("%q is not a format", format), "use text, json or sarif")
}

func auditOptions(ctx context.Context, env *cliutil.Env, paths []string) (audit.Options, error) {
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			return audit.Options{}, cliutil.WithHint(err, "chitin secrets audit PATH, with a path that exists")
		}
	}
	dir, err := env.StateDir()
	if err != nil {
		return audit.Options{}, err
	}
	conf, err := env.ConfigPath()
	if err != nil {
		return audit.Options{}, err
	}
	lookup := func(name string) (string, bool) { v := env.Getenv(name); return v, v != "" }
	return audit.Options{Paths: paths, Config: conf, StateDir: dir, LookupEnv: lookup, Stored: stored(ctx, env, dir)}, nil
}

// stored are the values of the store, when there is one that opens: the audit
// does without rather than make one.
func stored(ctx context.Context, env *cliutil.Env, dir string) []secrets.Value {
	if _, err := os.Stat(filepath.Join(dir, "chitin.db")); err != nil {
		return nil
	}
	s, err := openStore(ctx, env)
	if err != nil {
		return nil
	}
	defer func() { _ = s.Close() }()
	values, err := s.Values(ctx, "")
	if err != nil {
		return nil
	}
	return values
}
