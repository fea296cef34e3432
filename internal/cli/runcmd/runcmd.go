// Package runcmd is "chitin run": one command in a fresh sandbox under the
// effective policy, with its streams and exit code passed through.
package runcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/all"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// exitSelf is the exit code when chitin itself could not run the command, so
// that it cannot be taken for the command's own.
const exitSelf = 125

// Deps are what the command needs from the rest of the program.
type Deps struct {
	// Authorize asks the policy for one exec of the given arguments by the
	// person at the terminal; a refusal is an error.
	Authorize func(ctx context.Context, agent string, args []byte) (toolpolicy.Grant, error)
	// Config is the effective sandbox configuration of an agent; nil reads
	// the configuration file.
	Config func(agent string) (sandbox.Config, error)
	// Backends lists the backends of a state directory; nil means all.
	Backends func(stateDir string) []sandbox.Backend
}

type flags struct {
	agent, backend, image, workspace, access, network string
	timeout                                           time.Duration
	tty, quiet                                        bool
}

// New is the command.
func New(env *cliutil.Env, d Deps) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARG…]",
		Short: "Run one command in a fresh sandbox",
		Long: "Makes a sandbox under the effective configuration and policy, runs the command in it, passes its\n" +
			"streams through and removes the sandbox. Exits with the command's code, 128 and the signal's number\n" +
			"when it was killed, 126 or 127 when it could not be started, 125 when no sandbox could be made.",
		Example: "  chitin run -- id\n" +
			"  chitin run --workspace . --access ro -- sh -c 'wc -l *'\n" +
			"  chitin run --backend docker --image debian@sha256:… --network none -- sh",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), env, d, args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&f.agent, "agent", "", "agent whose configuration applies (default the default agent)")
	fl.StringVar(&f.backend, "backend", "", "backend: docker, podman, gvisor, namespace (default as configured)")
	fl.StringVar(&f.image, "image", "", "image to run in (default as configured)")
	fl.StringVar(&f.workspace, "workspace", "", "directory to mount at /workspace (default an empty one of its own)")
	fl.StringVar(&f.access, "access", "", "how the workspace is mounted: none, ro or rw (default ro with --workspace)")
	fl.StringVar(&f.network, "network", "", "network: none or egress (default as configured)")
	fl.DurationVar(&f.timeout, "timeout", 0, "kill the command after this long (default never)")
	fl.BoolVarP(&f.tty, "tty", "t", false, "run on a terminal (default when standard input and output are one)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing about making the sandbox or its image")
	return cmd
}

func (f *flags) run(ctx context.Context, env *cliutil.Env, d Deps, argv []string) error {
	state, err := env.StateDir()
	if err != nil {
		return err
	}
	cfg, ws, err := f.config(env, d)
	if err != nil {
		return err
	}
	args, err := json.Marshal(map[string]any{"command": argv})
	if err != nil {
		return err
	}
	if d.Authorize == nil {
		return failed(errors.New("this build has no policy wired to run"), "chitin version")
	}
	grant, err := d.Authorize(ctx, f.agent, args)
	if err != nil {
		return &cliutil.Error{Code: exitSelf, Err: err, Hint: "chitin policy explain exec --surface cli"}
	}
	if err := securefile.MkdirAll(state); err != nil {
		return failed(err, "name a directory that you may write with --state")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	backends := all.Backends
	if d.Backends != nil {
		backends = d.Backends
	}
	m := sandbox.NewManager(sandbox.ManagerOptions{
		StateDir: state, Backends: backends(state), Ephemeral: true,
		ConfigFor: func(string) sandbox.Config { return cfg },
		BindRoots: func() []string { return []string{filepath.Join(state, "workspaces")} },
		OnEvent:   f.progress(env),
	})
	defer func() { // the sandbox goes whatever happened
		c, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		_ = m.Shutdown(c)
	}()
	m.SweepEphemeral()
	key := fmt.Sprintf("run:%d:%d", os.Getpid(), time.Now().UnixNano())
	place, err := m.Choose(ctx, grant, sandbox.SessionRef{Key: key, Agent: f.agent, Tenant: grant.Caller().Tenant(), WorkspaceDir: ws}, true)
	if err != nil {
		return failed(err, "chitin sandbox explain")
	}
	if place.Box() == nil {
		return failed(errors.New("refused: run never runs on the host"), "chitin sandbox explain")
	}
	defer m.EndSession(grant.Caller().Tenant(), key)
	return f.exec(ctx, env, place.Box(), argv)
}

// config is the effective configuration with the flags laid over it. What
// makes the sandbox of one command different from an agent's is fixed here:
// it is never off, never shared and never pooled.
func (f *flags) config(env *cliutil.Env, d Deps) (sandbox.Config, string, error) {
	load := d.Config
	if load == nil {
		load = func(agent string) (sandbox.Config, error) { return fromFile(env, &f.agent) }
	}
	cfg, err := load(f.agent)
	if err != nil {
		return cfg, "", cliutil.WithHint(err, "chitin config validate")
	}
	zero := 0
	over := sandbox.Config{Mode: "all", Scope: "session", Backend: f.backend, WorkspaceAccess: f.access,
		Docker: sandbox.DockerConfig{Image: f.image, Network: f.network}, Pool: sandbox.PoolConfig{Ready: &zero, Max: &zero}}
	if f.network != "" && f.network != "none" && f.network != "egress" {
		return cfg, "", cliutil.Usage(fmt.Sprintf("--network %q is not none or egress", f.network), "chitin run --network none -- COMMAND")
	}
	ws := ""
	switch {
	case f.workspace != "":
		if ws, err = filepath.Abs(f.workspace); err == nil {
			ws, err = filepath.EvalSymlinks(ws)
		}
		if fi, serr := os.Stat(ws); err != nil || serr != nil || !fi.IsDir() {
			return cfg, "", cliutil.Usage(fmt.Sprintf("--workspace %s is not a directory", f.workspace), "name an existing directory")
		}
		if f.access == "" {
			over.WorkspaceAccess = "ro"
		}
	default:
		over.WorkspaceAccess = "none"
	}
	cfg = sandbox.Merge(cfg, &over)
	if ps := cfg.Validate(); len(ps) > 0 {
		for _, p := range ps {
			if !p.Warning {
				return cfg, "", cliutil.Usage("sandbox."+p.Path+": "+p.Message, p.Hint)
			}
		}
	}
	return cfg, ws, nil
}

func fromFile(env *cliutil.Env, agent *string) (sandbox.Config, error) {
	path, err := env.ConfigPath()
	if err != nil {
		return sandbox.Config{}, err
	}
	l, err := config.Load(path)
	if err != nil {
		return sandbox.Config{}, err
	}
	if *agent == "" {
		*agent = l.DefaultAgent()
	}
	return l.SandboxOf(*agent), nil
}

// progress shows what takes long.
func (f *flags) progress(env *cliutil.Env) func(sandbox.Event) {
	return func(e sandbox.Event) {
		if !f.quiet && (e.Kind == "progress" || e.Critical) {
			_, _ = fmt.Fprintln(env.Err, "chitin:", e.Text)
		}
	}
}

func (f *flags) exec(ctx context.Context, env *cliutil.Env, b sandbox.Box, argv []string) error {
	cmd := sandbox.Cmd{Argv: argv, Stdin: env.In, Stdout: env.Out, Stderr: env.Err, Timeout: f.timeout}
	if cmd.Stdin == nil {
		cmd.Stdin = sandbox.NoStdin
	}
	in, inTTY := terminalOf(env.In)
	_, outTTY := terminalOf(env.Out)
	if f.tty || inTTY && outTTY {
		restore := f.terminal(&cmd, in, inTTY)
		defer restore()
	}
	p, err := b.Start(ctx, cmd)
	if err != nil {
		return failed(err, "chitin sandbox explain")
	}
	if cmd.PTY != nil && inTTY {
		stop := follow(p, in)
		defer stop()
	}
	x, err := p.Wait(context.WithoutCancel(ctx))
	var se *client.StartError
	switch {
	case errors.As(err, &se):
		return &cliutil.Error{Code: x.Code, Err: se}
	case ctx.Err() != nil:
		return cliutil.Exit(130)
	case x.TimedOut:
		return &cliutil.Error{Code: 124, Err: fmt.Errorf("killed after %s", f.timeout)}
	case err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, syscall.EPIPE):
		return failed(err, "chitin sandbox explain")
	case x.Note() != "":
		return &cliutil.Error{Code: 128 + int(syscall.SIGKILL), Err: errors.New(x.Note()),
			Hint: "chitin config show agents.defaults.sandbox.docker"}
	case x.Signal != 0:
		return cliutil.Exit(128 + x.Signal)
	case x.Code != 0:
		return cliutil.Exit(x.Code)
	}
	return nil
}

func failed(err error, hint string) error {
	return &cliutil.Error{Code: exitSelf, Err: err, Hint: hint}
}

func terminalOf(v any) (fd int, ok bool) {
	f, isFile := v.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return -1, false
	}
	return int(f.Fd()), true
}

// terminal puts the caller's terminal into raw mode for a command on one.
func (f *flags) terminal(cmd *sandbox.Cmd, in int, raw bool) (restore func()) {
	cmd.PTY = &sandbox.Winsize{Cols: 80, Rows: 24}
	if !raw {
		return func() {}
	}
	if w, h, err := term.GetSize(in); err == nil {
		cmd.PTY = &sandbox.Winsize{Cols: uint16(w), Rows: uint16(h)}
	}
	old, err := term.MakeRaw(in)
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(in, old) }
}

// follow passes changes of the terminal's size on.
func follow(p sandbox.Proc, fd int) (stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGWINCH)
	go func() {
		for range ch {
			if w, h, err := term.GetSize(fd); err == nil {
				_ = p.Resize(sandbox.Winsize{Cols: uint16(w), Rows: uint16(h)})
			}
		}
	}()
	return func() { signal.Stop(ch); close(ch) }
}
