// Package secretscmd is "chitin secrets": the encrypted store, the audit for
// secrets in plain text, and the way from there to references.
package secretscmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/store"
)

// New is the command with its subcommands.
func New(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Keep secrets, refer to them, and find those in plain text",
		Long: `Secrets live in an encrypted store in the state directory, in a program such as
Vault or pass, in the keyring, in 0600 files or in the environment; the
configuration only refers to them.`,
		Example: "  chitin secrets set mail.password\n  chitin secrets audit --check",
	}
	cmd.AddCommand(auditCommand(env), setCommand(env), getCommand(env), listCommand(env), rmCommand(env), importCommand(env), rotateCommand(env), migrateCommand(env), helperCommand(env))
	return cmd
}

// storeConfig is the secrets.store key; the defaults when the configuration
// is invalid, which other commands report.
func storeConfig(env *cliutil.Env) secrets.StoreConfig {
	path, err := env.ConfigPath()
	if err != nil {
		return secrets.StoreConfig{}
	}
	l, err := config.Load(path)
	if err != nil {
		return secrets.StoreConfig{}
	}
	return l.Secrets.Store
}

func openStore(ctx context.Context, env *cliutil.Env) (*store.Store, error) {
	dir, err := env.StateDir()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, store.Options{Dir: dir, Config: storeConfig(env), Getenv: env.Getenv})
	if err != nil {
		return nil, cliutil.WithHint(fmt.Errorf("secret store: %w", err), "look at secrets.store in chitin.yml and at the files in "+dir)
	}
	return s, nil
}

// withStore runs f with the open store.
func withStore(cmd *cobra.Command, env *cliutil.Env, f func(ctx context.Context, s *store.Store) error) (err error) {
	s, err := openStore(cmd.Context(), env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(cmd.Context(), s)
}

// readValue reads a secret from a terminal without echo, or all of a pipe.
// It is never taken from the command line, which others can see.
func readValue(env *cliutil.Env, prompt string) (secrets.Value, error) {
	if f, ok := env.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(env.Err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(env.Err)
		if err != nil {
			return secrets.Value{}, fmt.Errorf("read the value: %w", err)
		}
		return checked(string(b))
	}
	b, err := io.ReadAll(io.LimitReader(bufio.NewReader(env.In), secrets.MaxValueBytes+2))
	if err != nil {
		return secrets.Value{}, fmt.Errorf("read the value: %w", err)
	}
	return checked(strings.TrimRight(string(b), "\r\n"))
}

func checked(s string) (secrets.Value, error) {
	switch {
	case s == "":
		return secrets.Value{}, cliutil.Usage("the value is empty", "pipe it in: chitin secrets set NAME < file")
	case len(s) > secrets.MaxValueBytes:
		return secrets.Value{}, cliutil.Usage(fmt.Sprintf("the value is longer than %d bytes", secrets.MaxValueBytes), "keep large files as files and refer to them")
	}
	return secrets.NewValue(s), nil
}

// storeError gives a store's error its exit code and hint.
func storeError(err error, name string) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return cliutil.WithHint(fmt.Errorf("the store has no %s", cliutil.Plain(name)), "chitin secrets list")
	case errors.Is(err, store.ErrWriteOnly):
		return cliutil.Usage(cliutil.Plain(name)+" is a secret: it goes in and is used, it does not come out", "set it again with --variable if it may be shown: chitin secrets rm "+cliutil.Plain(name))
	case err != nil:
		return cliutil.WithHint(err, "chitin secrets list")
	}
	return nil
}
