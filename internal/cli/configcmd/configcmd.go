// Package configcmd is "chitin config": validate, show and describe chitin.yml.
package configcmd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/yamlconf"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// Load reads a configuration and checks all of it, the policy's rules included.
type Load func(path string) (*config.Loaded, error)

// New is the command; validate checks with check.
func New(env *cliutil.Env, check Load) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Validate, show and describe the configuration",
		Long: "The configuration is chitin.yml in the state directory, or the file named by --config or\n" +
			"$CHITIN_CONFIG. Without a file every default holds.",
	}
	cmd.AddCommand(validate(env, check), show(env), schema(env))
	return cmd
}

func load(env *cliutil.Env, how Load) (*config.Loaded, error) {
	path, err := env.ConfigPath()
	if err != nil {
		return nil, err
	}
	return how(path)
}

func validate(env *cliutil.Env, check Load) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "validate",
		Short:   "Check the configuration and name every mistake with its line",
		Long:    "Exits 0 when the configuration is valid (warnings included), 3 when it is not, 1 when it cannot be read.",
		Example: "  chitin config validate\n  chitin config validate --config ./chitin.yml --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := load(env, check)
			var invalid *config.InvalidError
			if err != nil && !errors.As(err, &invalid) {
				return err
			}
			return report(env, l, invalid, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func report(env *cliutil.Env, l *config.Loaded, invalid *config.InvalidError, asJSON bool) error {
	issues := []yamlconf.Issue{}
	if invalid != nil {
		issues = invalid.Issues
	} else {
		issues = append(issues, l.Warnings...)
	}
	if asJSON {
		if err := json.NewEncoder(env.Out).Encode(map[string]any{"valid": invalid == nil, "issues": issues}); err != nil {
			return err
		}
	} else {
		for _, is := range issues {
			word := "error: "
			if is.Warning {
				word = "warning: "
			}
			_, _ = fmt.Fprintln(env.Out, word+is.String())
		}
	}
	switch {
	case invalid != nil && asJSON:
		return cliutil.Exit(cliutil.ExitFound)
	case invalid != nil:
		return &cliutil.Error{Code: cliutil.ExitFound, Err: fmt.Errorf("%d mistake(s) in the configuration", len(issues)), Hint: "chitin config schema describes every key"}
	case !asJSON && l.Path == "":
		_, _ = fmt.Fprintln(env.Out, "ok: no file, every default holds")
	case !asJSON:
		_, _ = fmt.Fprintln(env.Out, "ok: "+l.Path)
	}
	return nil
}

func show(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Print the configuration with secrets redacted",
		Example: "  chitin config show\n  chitin config show --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := load(env, config.Load)
			if err != nil {
				return cliutil.WithHint(err, "chitin config validate")
			}
			b, err := l.Show()
			if err != nil {
				return err
			}
			if asJSON {
				if b, err = yaml.YAMLToJSON(b); err != nil {
					return err
				}
			}
			_, err = env.Out.Write(b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of YAML")
	return cmd
}

func schema(env *cliutil.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of chitin.yml",
		Example: "  chitin config schema > chitin.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = env.Out.Write(b)
			return err
		},
	}
}
