package securitycmd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/render"
	"github.com/chitin-sh/chitin/audit/repair"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/journal"
)

// fixed is the answer of --fix --json.
type fixed struct {
	Fix    repair.Outcome `json:"fix"`
	Report *audit.Report  `json:"report"`
}

// repair shows or carries out the plan, then audits again.
func (o *options) repair(s *audit.Subject, r *audit.Report) error {
	plan := audit.Plan(s, o.checks, r)
	if o.dry {
		return o.show(repair.Outcome{OK: true, DryRun: true, StateDir: s.StateDir, ConfigPath: s.ConfigPath, Actions: plan}, r)
	}
	out := repair.Apply(s, plan)
	if err := o.journal(out.Actions); err != nil {
		out.Errors = append(out.Errors, "journal: "+err.Error())
	}
	again, err := o.subject()
	if err != nil {
		return err
	}
	again.Ctx = s.Ctx
	after := audit.Run(again, o.checks)
	if err := o.show(out, after); err != nil {
		return err
	}
	if len(out.Errors) > 0 {
		return cliutil.WithHint(fmt.Errorf("%d repairs failed", len(out.Errors)), "look at the errors above; a file of another user needs that user")
	}
	return o.verdict(after)
}

func (o *options) show(out repair.Outcome, r *audit.Report) error {
	if o.format == "json" {
		return render.JSON(o.env.Out, fixed{out, r})
	}
	if o.format != "text" {
		return o.write(r)
	}
	var b strings.Builder
	head := "Repairs"
	if out.DryRun {
		head = "Plan (nothing was changed)"
	}
	fmt.Fprintf(&b, "%s: %d\n", head, len(out.Actions))
	for _, c := range out.Actions {
		what := fmt.Sprintf("chmod %04o %s", c.Mode, audit.Show(c.Path))
		if c.Kind == "config" {
			what = fmt.Sprintf("set %s to %s in %s", c.Key, c.Value, audit.Show(c.Path))
		}
		state := ""
		switch {
		case c.Error != "":
			state = " - failed: " + audit.Show(c.Error)
		case c.Skipped != "":
			state = " - skipped: " + c.Skipped
		case c.OK:
			state = " - done"
		}
		fmt.Fprintf(&b, "  %s%s\n", what, state)
	}
	b.WriteString("\n")
	if _, err := o.env.Out.Write([]byte(b.String())); err != nil {
		return err
	}
	return o.write(r)
}

// journal writes a row for every change that was made. It has a chain of its
// own, because the gateway may be writing to the main one.
func (o *options) journal(done []audit.Change) error {
	return record(o.env, "audit.fix", func(yield func(any) error) error {
		for _, c := range done {
			if c.OK {
				if err := yield(c); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// record appends rows to the audit's own journal below our state directory.
// Nothing is opened when there is nothing to write.
func record(env *cliutil.Env, event string, each func(yield func(any) error) error) (err error) {
	var j *journal.Journal
	defer func() {
		if j != nil {
			if cerr := j.Close(); err == nil {
				err = cerr
			}
		}
	}()
	return each(func(row any) error {
		if j == nil {
			state, err := env.StateDir()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(state, 0o700); err != nil {
				return err
			}
			if j, err = journal.Open(filepath.Join(state, "audit-journal"), journal.Options{}); err != nil {
				return err
			}
		}
		detail, err := json.Marshal(row)
		if err != nil {
			return err
		}
		_, err = j.Append(&journal.Entry{Event: event, Principal: fmt.Sprintf("uid:%d", os.Getuid()), Surface: "cli", Outcome: "ok", Detail: detail})
		return err
	})
}
