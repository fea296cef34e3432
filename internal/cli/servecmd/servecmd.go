// Package servecmd is "chitin serve": the gateway in the foreground.
package servecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets/harden"
	"github.com/spf13/cobra"
)

// drain is how long calls in flight may take to end after SIGTERM.
const drain = 15 * time.Second

// New is the command.
func New(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway in the foreground",
		Long: "Serves HTTP and WebSocket on one port, 18790 on loopback by default, and prints one line that\n" +
			"begins with \"ready \" when it answers. The first start makes the state directory, a token and a\n" +
			"commented chitin.yml. SIGTERM and SIGINT end it after the calls in flight; SIGHUP reads the\n" +
			"configuration again. Exits 78 when the configuration is invalid or unsafe.",
		Example: "  chitin serve\n  chitin serve --state ./state --port 18800",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env) },
	}
	cmd.Flags().IntVar(&env.Port, "port", 0, "port (default $CHITIN_GATEWAY_PORT, gateway.port or 18790)")
	return cmd
}

func run(ctx context.Context, env *cliutil.Env) error {
	state, err := env.StateDir()
	if err != nil {
		return err
	}
	path, err := env.ConfigPath()
	if err != nil {
		return err
	}
	if err := harden.NoCore(); err != nil {
		_, _ = fmt.Fprintln(env.Err, "warning: core dumps cannot be switched off:", err)
	}
	// Before anything else: a reload asked for during the start must not end us.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	a, err := app.New(ctx, app.Options{StateDir: state, ConfigPath: path, Port: env.Port, Getenv: env.Getenv, Log: env.Err})
	if err != nil {
		return refusal(err)
	}
	if err := a.Start(ctx); err != nil {
		return refusal(errors.Join(err, stop(a)))
	}
	a.Hello(env.Out)
	for {
		select {
		case <-reload:
			a.Reload(ctx)
		case err := <-a.Failed():
			return errors.Join(err, stop(a))
		case <-ctx.Done():
			_, _ = fmt.Fprintln(env.Err, "stopping: waiting for calls in flight")
			return stop(a)
		}
	}
}

func stop(a *app.App) error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return a.Stop(ctx)
}

// refusal gives a start that was refused its exit code and its next step.
func refusal(err error) error {
	var invalid *config.InvalidError
	var start *gateway.StartError
	switch {
	case errors.As(err, &invalid):
		return &cliutil.Error{Code: cliutil.ExitConfig, Err: fmt.Errorf("the configuration is invalid\n%w", err), Hint: "chitin config validate"}
	case errors.As(err, &start):
		return &cliutil.Error{Code: start.Code, Err: err, Hint: start.Hint}
	case errors.Is(err, app.ErrLocked):
		return cliutil.WithHint(err, "stop it first, or choose another state directory with --state DIR")
	case errors.Is(err, syscall.EADDRINUSE):
		return cliutil.WithHint(err, "chitin serve --port 18791")
	}
	return err
}
