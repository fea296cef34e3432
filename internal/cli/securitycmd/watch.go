package securitycmd

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/securefile"
)

// settle is how long the files must be quiet before they are audited again.
const settle = 300 * time.Millisecond

func newWatch(env *cliutil.Env) *cobra.Command {
	o := &options{env: env, format: "text", failOn: "never"}
	var every time.Duration
	var metrics string
	cmd := &cobra.Command{
		Use:   "watch [--openclaw [DIR]]",
		Short: "Audit again whenever the subject changes",
		Long: `Audits, then audits again when the configuration or the state directory changes
and at least once an interval. A line is printed for every finding that comes or
goes, a row is written to the audit journal, and the counts are kept in a
metrics file that /metrics and node exporters read.`,
		Example: "  chitin security audit watch --every 10m",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return err
			}
			if every < time.Second {
				return cliutil.Usage("--every is too short", "chitin security audit watch --every 1m")
			}
			return o.watch(cmd.Context(), every, metrics)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.openclaw, "openclaw", "", "watch the OpenClaw installation in `DIR`")
	f.Lookup("openclaw").NoOptDefVal = here
	f.DurationVar(&every, "every", 10*time.Minute, "longest time between two audits")
	f.StringVar(&metrics, "metrics", "", "write counts to `FILE` (default audit.prom in our state directory)")
	return cmd
}

// watch runs until the context ends.
func (o *options) watch(ctx context.Context, every time.Duration, metrics string) error {
	o.checks = all.Checks()
	if metrics == "" {
		state, err := o.env.StateDir()
		if err != nil {
			return err
		}
		metrics = filepath.Join(state, "audit.prom")
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return cliutil.WithHint(fmt.Errorf("cannot watch files: %w", err), "run `chitin security audit` from a timer instead")
	}
	defer func() { _ = w.Close() }()
	var before map[string]audit.Finding
	for {
		s, err := o.subject()
		if err != nil {
			return err
		}
		s.Ctx = ctx
		// Watching begins before looking, so that no change falls between.
		for _, p := range []string{filepath.Dir(s.ConfigPath), s.StateDir, filepath.Join(s.StateDir, "extensions"), filepath.Join(s.StateDir, "credentials")} {
			_ = w.Add(p) // one that is not there yet is watched after the next audit
		}
		r := audit.Run(s, o.checks)
		if before, err = o.note(before, r, metrics); err != nil {
			return err
		}
		if !waitForChange(ctx, w, every) {
			return nil
		}
	}
}

// waitForChange waits for a change that has settled, or for the interval. It
// says whether to go on.
func waitForChange(ctx context.Context, w *fsnotify.Watcher, every time.Duration) bool {
	deadline := time.NewTimer(every)
	defer deadline.Stop()
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return true
		case <-quiet:
			return true
		case ev, ok := <-w.Events:
			if !ok {
				return false
			}
			if !strings.HasSuffix(ev.Name, "audit.prom") && !strings.Contains(ev.Name, "journal") {
				quiet = time.After(settle)
			}
		case _, ok := <-w.Errors:
			if !ok {
				return false
			}
			quiet = time.After(settle)
		}
	}
}

// note prints and records what changed since the last audit.
func (o *options) note(before map[string]audit.Finding, r *audit.Report, metrics string) (map[string]audit.Finding, error) {
	now := map[string]audit.Finding{}
	for _, f := range r.Findings {
		now[f.CheckID+" "+f.Detail] = f
	}
	var b strings.Builder
	stamp := time.UnixMilli(r.TS).Format(time.RFC3339)
	for _, f := range r.Findings {
		if _, had := before[f.CheckID+" "+f.Detail]; !had {
			fmt.Fprintf(&b, "%s + %-8s %s  %s\n", stamp, f.Severity, f.CheckID, f.Title)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(before)) {
		if _, has := now[k]; !has {
			f := before[k]
			fmt.Fprintf(&b, "%s - %-8s %s  %s\n", stamp, f.Severity, f.CheckID, f.Title)
		}
	}
	if b.Len() > 0 || before == nil {
		fmt.Fprintf(&b, "%s   %d critical, %d warn, %d info\n", stamp, r.Summary.Critical, r.Summary.Warn, r.Summary.Info)
		if _, err := o.env.Out.Write([]byte(b.String())); err != nil {
			return now, err
		}
		row := map[string]any{"subject": r.Subject, "config": r.Config, "summary": r.Summary}
		if err := record(o.env, "audit.run", func(yield func(any) error) error { return yield(row) }); err != nil {
			return now, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(metrics), 0o700); err != nil {
		return now, err
	}
	return now, securefile.Write(metrics, []byte(prometheus(r)))
}

// prometheus writes the counts in the text format of metrics.
func prometheus(r *audit.Report) string {
	var b strings.Builder
	b.WriteString("# HELP chitin_audit_findings Findings in force, by severity.\n# TYPE chitin_audit_findings gauge\n")
	for _, s := range []struct {
		name string
		n    int
	}{{"critical", r.Summary.Critical}, {"warn", r.Summary.Warn}, {"info", r.Summary.Info}} {
		fmt.Fprintf(&b, "chitin_audit_findings{subject=%q,severity=%q} %d\n", r.Subject, s.name, s.n)
	}
	b.WriteString("# HELP chitin_audit_last_run_timestamp_seconds When the audit last ran.\n# TYPE chitin_audit_last_run_timestamp_seconds gauge\n")
	fmt.Fprintf(&b, "chitin_audit_last_run_timestamp_seconds{subject=%q} %d\n", r.Subject, r.TS/1000)
	return b.String()
}
