package secretscmd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/store"
)

func tenantFlag(cmd *cobra.Command, tenant *string) {
	cmd.Flags().StringVar(tenant, "tenant", "", "whose secret; the installation's own when empty")
}

func setCommand(env *cliutil.Env) *cobra.Command {
	var tenant string
	var variable bool
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Put a secret into the store",
		Long: `Reads the value from the terminal without showing it, or from standard input,
and stores it encrypted. A secret is write-only: references use it, no command
shows it again. With --variable it can be read back.

Exit codes: 0 stored, 1 failure, 2 wrong command line or empty value.`,
		Example: "  chitin secrets set mail.password\n  pass show mail | chitin secrets set mail.password",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := readValue(env, "value of "+cliutil.Plain(args[0])+": ")
			if err != nil {
				return err
			}
			kind := store.Secret
			if variable {
				kind = store.Variable
			}
			return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
				if err := s.Set(ctx, tenant, args[0], kind, v); err != nil {
					return storeError(err, args[0])
				}
				fmt.Fprintf(env.Out, "stored; refer to it with {source: store, provider: default, id: %s}\n", args[0])
				return nil
			})
		},
	}
	tenantFlag(cmd, &tenant)
	cmd.Flags().BoolVar(&variable, "variable", false, "not a secret: get may show it")
	return cmd
}

func getCommand(env *cliutil.Env) *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:     "get NAME",
		Short:   "Show a variable of the store; secrets are refused",
		Long:    "Exit codes: 0 shown, 1 there is none, 2 it is write-only.",
		Example: "  chitin secrets get mail.user",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
				v, err := s.Get(ctx, tenant, args[0])
				if err != nil {
					return storeError(err, args[0])
				}
				_, err = fmt.Fprintln(env.Out, v.Reveal())
				return err
			})
		},
	}
	tenantFlag(cmd, &tenant)
	return cmd
}

func listCommand(env *cliutil.Env) *cobra.Command {
	var tenant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Name the secrets of the store",
		Long:    "Names, kinds and times; never values.",
		Example: "  chitin secrets list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
				items, err := s.List(ctx, tenant)
				if err != nil {
					return storeError(err, "")
				}
				if asJSON {
					if items == nil {
						items = []store.Item{}
					}
					return json.NewEncoder(env.Out).Encode(items)
				}
				w := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
				for _, it := range items {
					fmt.Fprintf(w, "%s\t%s\t%s\n", it.Name, it.Kind, it.Updated.Format(time.RFC3339))
				}
				return w.Flush()
			})
		},
	}
	tenantFlag(cmd, &tenant)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func rmCommand(env *cliutil.Env) *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:     "rm NAME…",
		Short:   "Remove secrets from the store",
		Long:    "Exit codes: 0 removed, 1 one of them was not there.",
		Example: "  chitin secrets rm mail.password",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
				for _, name := range args {
					if err := s.Remove(ctx, tenant, name); err != nil {
						return storeError(err, name)
					}
				}
				return nil
			})
		},
	}
	tenantFlag(cmd, &tenant)
	return cmd
}

func rotateCommand(env *cliutil.Env) *cobra.Command {
	var tenant string
	var generate bool
	cmd := &cobra.Command{
		Use:   "rotate [NAME]",
		Short: "Replace a secret, or the key of the store",
		Long: `With a name, replaces that secret by a value from standard input, or with
--generate by a random one of 26 characters. Without a name, encrypts
everything in the store with a new key. A running gateway takes the new values
on its next reload and ends what was allowed under the old ones.`,
		Example: "  chitin secrets rotate\n  chitin secrets rotate hooks.token --generate",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
					if err := s.RotateKey(ctx); err != nil {
						return storeError(err, "")
					}
					_, err := fmt.Fprintln(env.Out, "the store has a new key")
					return err
				})
			}
			return rotateOne(cmd, env, tenant, args[0], generate)
		},
	}
	tenantFlag(cmd, &tenant)
	cmd.Flags().BoolVar(&generate, "generate", false, "make a random value")
	return cmd
}

func rotateOne(cmd *cobra.Command, env *cliutil.Env, tenant, name string, generate bool) (err error) {
	v := secrets.NewValue(rand.Text())
	if !generate {
		if v, err = readValue(env, "new value of "+cliutil.Plain(name)+": "); err != nil {
			return err
		}
	}
	return withStore(cmd, env, func(ctx context.Context, s *store.Store) error {
		items, err := s.List(ctx, tenant)
		if err != nil {
			return storeError(err, name)
		}
		for _, it := range items {
			if it.Name == name {
				if err := s.Set(ctx, tenant, name, it.Kind, v); err != nil {
					return storeError(err, name)
				}
				_, err := fmt.Fprintf(env.Out, "%s has a new value\n", name)
				return err
			}
		}
		return storeError(store.ErrNotFound, name)
	})
}
