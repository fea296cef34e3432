// Package journalcmd is "chitin journal": read and verify the journal.
package journalcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/journal"
	"github.com/spf13/cobra"
)

// New is the command.
func New(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "Read and verify the record of every decision",
		Long: "The journal is append-only: each record holds the hash of the one before it, and a call that ran is\n" +
			"answered only after its record is on disk.",
	}
	cmd.AddCommand(tail(env), verify(env))
	return cmd
}

func dir(env *cliutil.Env) (string, error) {
	state, err := env.StateDir()
	if err != nil {
		return "", err
	}
	d := filepath.Join(state, journal.DirName)
	if _, err := os.Stat(d); errors.Is(err, os.ErrNotExist) {
		return "", cliutil.WithHint(fmt.Errorf("there is no journal in %s", state), "name the gateway's state directory with --state DIR")
	}
	return d, nil
}

func verify(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "Check that no record was edited, removed or moved",
		Long:    "Exits 0 when the chain holds, 3 when it does not.",
		Example: "  chitin journal verify",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			d, err := dir(env)
			if err != nil {
				return err
			}
			n, err := journal.Verify(d)
			var fault *journal.Fault
			if err != nil && !errors.As(err, &fault) {
				return err
			}
			if asJSON {
				out := map[string]any{"ok": fault == nil, "records": n}
				if fault != nil {
					out["file"], out["line"], out["seq"], out["fault"] = fault.File, fault.Line, fault.Seq, fault.What
				}
				if err := json.NewEncoder(env.Out).Encode(out); err != nil {
					return err
				}
			}
			switch {
			case fault != nil && asJSON:
				return cliutil.Exit(cliutil.ExitFound)
			case fault != nil:
				return &cliutil.Error{Code: cliutil.ExitFound, Err: fault, Hint: fmt.Sprintf("the %d records before it hold; compare with your last copy of %s", n, d)}
			case !asJSON:
				_, _ = fmt.Fprintf(env.Out, "ok: %d records, the chain holds\n", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

type tailFlags struct {
	filter journal.Filter
	asJSON bool
	follow bool
}

func tail(env *cliutil.Env) *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use:     "tail",
		Short:   "Print the newest records",
		Example: "  chitin journal tail -n 50\n  chitin journal tail --session agent:main:main --json\n  chitin journal tail -f",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := dir(env)
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), env, d)
		},
	}
	fl := cmd.Flags()
	fl.IntVarP(&f.filter.Last, "lines", "n", 20, "how many records")
	fl.StringVar(&f.filter.Session, "session", "", "only this session key")
	fl.StringVar(&f.filter.Tenant, "tenant", "", "only this tenant")
	fl.StringVar(&f.filter.Call, "call", "", "only this call id")
	fl.StringVar(&f.filter.Event, "event", "", "only this event, such as call.decided")
	fl.BoolVar(&f.asJSON, "json", false, "print records as JSON lines")
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on printing new records")
	return cmd
}

func (f *tailFlags) run(ctx context.Context, env *cliutil.Env, d string) error {
	for {
		err := journal.Read(d, f.filter, func(r journal.Record) bool {
			f.filter.After = r.Seq
			f.print(env, r)
			return true
		})
		if err != nil || !f.follow {
			return err
		}
		f.filter.Last = 0
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (f *tailFlags) print(env *cliutil.Env, r journal.Record) {
	if f.asJSON {
		b, err := json.Marshal(r)
		if err == nil {
			_, _ = fmt.Fprintln(env.Out, string(b))
		}
		return
	}
	words := []string{fmt.Sprint(r.Seq), r.Time.Local().Format("2006-01-02 15:04:05"), r.Event}
	for _, w := range []string{r.Verdict, r.Outcome, r.Tool, r.Principal, r.Surface, r.Session, r.Reason, r.Error} {
		if w != "" {
			words = append(words, cliutil.Plain(w))
		}
	}
	_, _ = fmt.Fprintln(env.Out, strings.Join(words, "  "))
}
