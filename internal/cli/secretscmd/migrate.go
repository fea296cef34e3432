package secretscmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/migrate"
	"github.com/chitin-sh/chitin/secrets/store"
)

func migrateCommand(env *cliutil.Env) *cobra.Command {
	var apply, asJSON bool
	var to string
	cmd := &cobra.Command{
		Use:   "migrate [FILE]",
		Short: "Turn secrets in a configuration into references",
		Long: `Plans how the secrets that stand in a configuration become references, and
shows the plan and a diff in which no secret stands. With --apply, stores the
values, writes the file with only those values changed, and leaves a backup
(FILE.bak) in which the secrets are marked, not kept. The file is our own
configuration unless another is named; --to env is for configurations of
programs that read a .env beside them.

Exit codes: 0 planned or done, 1 failure, 2 wrong command line.`,
		Example: "  chitin secrets migrate\n  chitin secrets migrate --apply",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := env.ConfigPath()
			if len(args) == 1 {
				file, err = filepath.Abs(args[0])
			}
			if err != nil {
				return err
			}
			target := migrate.Target(to)
			if to == "" {
				target = migrate.TargetFor(file)
			}
			if target != migrate.Store && target != migrate.Env {
				return cliutil.Usage(fmt.Sprintf("%q is no place to migrate to", to), "use --to store or --to env")
			}
			return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
				return runMigrate(ctx, env, s, file, target, apply, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "do it, not only show it")
	cmd.Flags().StringVar(&to, "to", "", "store, or env for a .env beside the file; by the file's name when empty")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	return cmd
}

const maxConfig = 4 << 20

func runMigrate(ctx context.Context, env *cliutil.Env, s *store.Store, file string, target migrate.Target, apply, asJSON bool) error {
	st, err := os.Stat(file)
	if err != nil {
		return cliutil.WithHint(err, "chitin secrets migrate FILE")
	}
	if st.Size() > maxConfig {
		return cliutil.Usage(file+" is larger than 4 MiB", "name a configuration file")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return cliutil.WithHint(err, "chitin secrets migrate FILE")
	}
	plan, err := migrate.Make(file, data, target, func(name string, v secrets.Value) bool {
		have, err := s.Lease(ctx, "", name)
		return target == migrate.Store && err == nil && !have.Equal(v)
	})
	if err != nil {
		return cliutil.WithHint(err, "chitin secrets audit "+file)
	}
	if err := show(env, plan, asJSON); err != nil || !apply || len(plan.Items) == 0 {
		return err
	}
	return applyPlan(ctx, env, s, plan)
}

func show(env *cliutil.Env, plan *migrate.Plan, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(env.Out).Encode(plan)
	}
	for _, it := range plan.Items {
		fmt.Fprintf(env.Out, "line %d: %s → %s %s\n", it.Line, it.Path, plan.Target, it.Name)
	}
	for _, m := range plan.Manual {
		fmt.Fprintf(env.Out, "by hand: %s\n", m)
	}
	if len(plan.Items) == 0 {
		_, err := fmt.Fprintln(env.Out, "nothing to migrate")
		return err
	}
	diff, err := plan.Diff()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "\n%s", diff)
	return err
}

// applyPlan stores the values first: a crash on the way loses nothing.
func applyPlan(ctx context.Context, env *cliutil.Env, s *store.Store, plan *migrate.Plan) error {
	if conf, err := env.ConfigPath(); err == nil && conf == plan.File {
		if _, err := config.Parse(plan.File, plan.New); err != nil {
			return cliutil.WithHint(errors.New("the configuration would not be valid with references there"), "chitin config validate, then migrate field by field")
		}
	}
	switch plan.Target {
	case migrate.Store:
		for _, it := range plan.Items {
			if err := s.Set(ctx, "", it.Name, store.Secret, it.Value); err != nil {
				return storeError(err, it.Name)
			}
		}
	case migrate.Env:
		if err := appendEnv(filepath.Join(filepath.Dir(plan.File), ".env"), plan.Items); err != nil {
			return err
		}
	}
	if err := securefile.Write(plan.File+".bak", plan.Backup); err != nil {
		return err
	}
	if err := securefile.Write(plan.File, plan.New); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Out, "%d migrated; backup without secrets in %s.bak\n", len(plan.Items), plan.File)
	return err
}

// appendEnv adds NAME=value lines to a 0600 file.
func appendEnv(path string, items []migrate.Item) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	have, err := doc.Parse(doc.Env, old)
	if err != nil {
		return err
	}
	for _, it := range items {
		if c := have.Child(it.Name); c != nil && c.Value != it.Value.Reveal() {
			return cliutil.WithHint(fmt.Errorf("%s has another %s already", path, it.Name), "rename it there first")
		}
		old = append(old, it.Name+"='"+it.Value.Reveal()+"'\n"...)
	}
	return securefile.Write(path, old)
}
