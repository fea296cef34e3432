package securitycmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/baseline"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/open"
	"github.com/chitin-sh/chitin/audit/probe"
	"github.com/chitin-sh/chitin/audit/render"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

// here stands for --openclaw without a directory.
const here = "\x00"

type options struct {
	env            *cliutil.Env
	openclaw       string
	deep, fix, dry bool
	json           bool
	format, failOn string
	baseline       string
	auth           audit.AuthOverride
	timeout        time.Duration
	checks         []audit.Check
}

func newAudit(env *cliutil.Env) *cobra.Command {
	o := &options{env: env}
	cmd := &cobra.Command{
		Use:   "audit [--openclaw [DIR]]",
		Short: "Audit our own set-up, or an OpenClaw installation",
		Long: `Audits the configuration and the state directory, and with --deep the running
gateway, the container engine, this host's kernel and sockets, and the code of
plugins and skills. Nothing of the subject is ever run.

With --openclaw the subject is an OpenClaw installation: DIR, else
$OPENCLAW_STATE_DIR, else ~/.openclaw.

Exit codes: 0 nothing at or above --fail-on, 3 something at or above it,
2 wrong command line, 1 the audit could not be done.`,
		Example: "  chitin security audit --deep\n" +
			"  chitin security audit --openclaw . --format sarif --fail-on warn\n" +
			"  chitin security audit --fix --dry-run\n" +
			"  chitin security audit explain gateway.bind_no_auth",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.openclaw, "openclaw", "", "audit the OpenClaw installation in `DIR`")
	f.Lookup("openclaw").NoOptDefVal = here
	f.BoolVar(&o.deep, "deep", false, "probe the gateway, the engine and this host, and scan plugin code as data")
	f.BoolVar(&o.fix, "fix", false, "repair what is safe to repair, then audit again")
	f.BoolVar(&o.dry, "dry-run", false, "with --fix: only show the plan")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	f.StringVar(&o.format, "format", "text", "text, json, sarif, junit or ocsf")
	f.StringVar(&o.failOn, "fail-on", "critical", "exit 3 at or above: critical, warn, info or never")
	f.StringVar(&o.baseline, "baseline", "", "report only what is not in this earlier JSON report")
	f.StringVar(&o.auth.Mode, "auth", "", "judge as if gateway.auth.mode were this")
	f.StringVar(&o.auth.Token, "token", "", "with --auth: judge this token")
	f.StringVar(&o.auth.Password, "password", "", "with --auth: judge this password")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "longest time for live probes")
	cmd.AddCommand(newExplain(env), newList(env), newWatch(env))
	return cmd
}

func (o *options) check(args []string) error {
	if o.json {
		o.format = "json"
	}
	if len(args) == 1 {
		if o.openclaw != here {
			return cliutil.Usage(fmt.Sprintf("unexpected argument %q", args[0]), "chitin security audit --openclaw "+args[0])
		}
		o.openclaw = args[0]
	}
	if !slices.Contains(render.Formats(), o.format) {
		return cliutil.Usage(fmt.Sprintf("unknown format %q", o.format), "chitin security audit --format "+strings.Join(render.Formats(), "|"))
	}
	if !slices.Contains([]string{"critical", "warn", "info", "never"}, o.failOn) {
		return cliutil.Usage(fmt.Sprintf("unknown threshold %q", o.failOn), "chitin security audit --fail-on critical|warn|info|never")
	}
	if o.dry && !o.fix {
		return cliutil.Usage("--dry-run belongs to --fix", "chitin security audit --fix --dry-run")
	}
	if o.auth.Mode != "" && !slices.Contains([]string{"none", "token", "password", "trusted-proxy"}, o.auth.Mode) {
		return cliutil.Usage(fmt.Sprintf("unknown auth mode %q", o.auth.Mode), "chitin security audit --auth none|token|password|trusted-proxy")
	}
	if o.auth.Mode == "token" && o.auth.Token == "" {
		return cliutil.Usage("--auth token needs --token", "chitin security audit --auth token --token …")
	}
	return nil
}

func (o *options) run(ctx context.Context, args []string) error {
	if err := o.check(args); err != nil {
		return err
	}
	o.checks = all.Checks()
	s, err := o.subject()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	s.Ctx = ctx
	r := audit.Run(s, o.checks)
	if o.fix {
		return o.repair(s, r)
	}
	if err := o.keepNew(r); err != nil {
		return err
	}
	if err := o.write(r); err != nil {
		return err
	}
	return o.verdict(r)
}

// subject opens what is to be audited.
func (o *options) subject() (*audit.Subject, error) {
	env := o.env
	opts := open.Options{Getenv: env.Getenv, Home: env.Getenv("HOME")}
	if opts.Home == "" {
		opts.Home, _ = os.UserHomeDir()
	}
	var s *audit.Subject
	var err error
	if o.openclaw != "" {
		if o.openclaw != here {
			opts.Dir = o.openclaw
		}
		s, err = open.OpenClaw(opts)
		if err != nil {
			return nil, cliutil.WithHint(fmt.Errorf("no OpenClaw installation: %w", err), "name its state directory: chitin security audit --openclaw DIR")
		}
	} else {
		if opts.State, err = env.StateDir(); err != nil {
			return nil, err
		}
		if opts.Config, err = env.ConfigPath(); err != nil {
			return nil, err
		}
		if env.Config != "" {
			if _, err := os.Lstat(opts.Config); errors.Is(err, fs.ErrNotExist) {
				return nil, cliutil.WithHint(fmt.Errorf("no configuration at %s", opts.Config), "check --config, or leave it out")
			}
		}
		if s, err = open.Own(opts); err != nil {
			return nil, err
		}
	}
	s.Auth, s.Deep = o.auth, o.deep
	s.Probes = probe.Plain(env.Getenv, s.StateDir)
	if o.deep {
		s.Probes = probe.Deep(env.Getenv, s.StateDir)
	}
	return s, nil
}

// keepNew takes out what an earlier report already has.
func (o *options) keepNew(r *audit.Report) error {
	if o.baseline == "" {
		return nil
	}
	path, err := filepath.Abs(o.baseline)
	if err != nil {
		return err
	}
	if err := baseline.Apply(r, path); err != nil {
		return cliutil.WithHint(fmt.Errorf("baseline: %w", err), "make one with: chitin security audit --json > "+o.baseline)
	}
	return nil
}

func (o *options) write(r *audit.Report) error {
	opts := render.Options{Checks: o.checks, Colour: colour(o.env)}
	opts.Base, _ = os.Getwd() // without one, SARIF paths stay absolute
	if r.Summary.Critical+r.Summary.Warn > 0 {
		opts.Next = []string{"chitin security audit explain " + audit.BySeverity(r.Findings)[0].CheckID}
		if len(audit.Repairable(o.checks, r)) > 0 {
			opts.Next = append(opts.Next, "chitin security audit --fix --dry-run")
		}
	}
	return render.Write(o.env.Out, o.format, r, opts)
}

func (o *options) verdict(r *audit.Report) error {
	if o.failOn == "never" || r.Worst().Rank() < audit.Severity(o.failOn).Rank() {
		return nil
	}
	return cliutil.Exit(cliutil.ExitFound)
}

// colour is on for a terminal that has not asked for plain text.
func colour(env *cliutil.Env) bool {
	f, ok := env.Out.(*os.File)
	if !ok || env.Getenv("NO_COLOR") != "" || env.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
