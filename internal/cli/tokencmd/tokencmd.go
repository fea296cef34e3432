// Package tokencmd is "chitin token": named gateway tokens.
package tokencmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/internal/store"
)

// New makes the command.
func New(env *cliutil.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Manage named gateway tokens",
		Long: `Named tokens let several people and programs use one gateway, each with its
own tenant, scopes and end. A token is shown once, when it is made; only its
digest is stored. A running gateway notices changes within 200 ms: revoking or
rotating a token closes what it holds open.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: "  chitin token create ci --scope write --expires 30d\n  chitin token list\n  chitin token rotate ci\n  chitin token revoke ci",
	}
	c.AddCommand(create(env), list(env), rotate(env), revoke(env), hashPassword(env))
	return c
}

func create(env *cliutil.Env) *cobra.Command {
	var scopes []string
	var tenant, expires string
	var owner, asJSON bool
	c := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a token and show it once",
		Long:    "Makes a named token. Without --scope it gets operator.write. Only an owner may use owner-only tools.",
		Example: "  chitin token create ci --scope write --tenant build --expires 30d",
		Args:    oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := gateway.ParseScopes(scopes)
			if err != nil {
				return cliutil.Usage(err.Error(), "chitin token create NAME --scope read,write")
			}
			end, err := parseExpiry(expires, time.Now())
			if err != nil {
				return err
			}
			n := token.New{Name: args[0], Tenant: tenant, Scopes: set, Owner: owner, Expires: end}
			return withStore(cmd.Context(), env, func(ctx context.Context, s *token.Store) error {
				r, text, err := s.Create(ctx, n)
				if err != nil {
					return explain(err, args[0])
				}
				return show(env, r, text, asJSON)
			})
		},
	}
	f := c.Flags()
	f.StringSliceVar(&scopes, "scope", []string{"write"}, "scopes: read, write, approvals, admin")
	f.StringVar(&tenant, "tenant", gateway.DefaultTenant, "tenant that the token belongs to")
	f.StringVar(&expires, "expires", "", "when it ends: 12h, 30d or a date 2030-01-31 (default never)")
	f.BoolVar(&owner, "owner", false, "may use owner-only tools")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func rotate(env *cliutil.Env) *cobra.Command {
	var expires string
	var asJSON bool
	c := &cobra.Command{
		Use:     "rotate NAME",
		Short:   "Replace a token by a new one and end the old one",
		Long:    "Replaces a token. The new one has the same tenant, scopes and ownership; nothing can be added.",
		Example: "  chitin token rotate ci --expires 30d",
		Args:    oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			end, err := parseExpiry(expires, time.Now())
			if err != nil {
				return err
			}
			return withStore(cmd.Context(), env, func(ctx context.Context, s *token.Store) error {
				r, text, err := s.Rotate(ctx, args[0], end)
				if err != nil {
					return explain(err, args[0])
				}
				return show(env, r, text, asJSON)
			})
		},
	}
	c.Flags().StringVar(&expires, "expires", "", "when the new one ends (default: like the old one)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func revoke(env *cliutil.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME",
		Short:   "End a token at once",
		Long:    "Ends a token. A running gateway closes what it holds open within 200 ms.",
		Example: "  chitin token revoke ci",
		Args:    oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), env, func(ctx context.Context, s *token.Store) error {
				if err := s.Revoke(ctx, args[0]); err != nil {
					return explain(err, args[0])
				}
				_, err := fmt.Fprintf(env.Out, "revoked %s\n", args[0])
				return err
			})
		},
	}
}

// row is a token as JSON shows it.
type row struct {
	Name    string     `json:"name"`
	Tenant  string     `json:"tenant"`
	Scopes  []string   `json:"scopes"`
	Owner   bool       `json:"owner"`
	Tail    string     `json:"tail"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Used    *time.Time `json:"lastUsed,omitempty"`
	Expired bool       `json:"expired,omitempty"`
	Token   string     `json:"token,omitempty"` // only when it was just made
}

func rowOf(r token.Record, text string) row {
	opt := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	return row{
		Name: r.Name, Tenant: r.Tenant, Scopes: r.Scopes.Names(), Owner: r.Owner, Tail: r.Tail, Created: r.Created.UTC(),
		Expires: opt(r.Expires), Used: opt(r.Used), Expired: !r.Expires.IsZero() && time.Now().After(r.Expires), Token: text,
	}
}

func list(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens in force",
		Long:    "Lists tokens with their tenant, scopes, end and last use. The tokens themselves are not stored and cannot be shown.",
		Example: "  chitin token list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), env, func(ctx context.Context, s *token.Store) error {
				records, err := s.List(ctx)
				if err != nil {
					return err
				}
				rows := make([]row, 0, len(records))
				for _, r := range records {
					rows = append(rows, rowOf(r, ""))
				}
				if asJSON {
					return printJSON(env, map[string]any{"tokens": rows})
				}
				return printTable(env, rows)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printTable(env *cliutil.Env, rows []row) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(env.Out, "There are no named tokens. Make one: chitin token create NAME")
		return err
	}
	w := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tTENANT\tSCOPES\tOWNER\tENDS WITH\tEXPIRES\tLAST USED")
	for _, r := range rows {
		expires := when(r.Expires, "never")
		if r.Expired {
			expires += " (expired)"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%t\t…%s\t%s\t%s\n", r.Name, r.Tenant, strings.ReplaceAll(strings.Join(r.Scopes, ","), "operator.", ""), r.Owner, r.Tail, expires, when(r.Used, "not yet"))
	}
	return w.Flush()
}

func when(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return t.Format("2006-01-02 15:04")
}

func show(env *cliutil.Env, r token.Record, text string, asJSON bool) error {
	if asJSON {
		return printJSON(env, rowOf(r, text))
	}
	if _, err := fmt.Fprintln(env.Out, text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Err, "This is token %s of tenant %s. It is not shown again.\n", r.Name, r.Tenant)
	return err
}

func printJSON(env *cliutil.Env, v any) error {
	enc := json.NewEncoder(env.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func withStore(ctx context.Context, env *cliutil.Env, f func(context.Context, *token.Store) error) error {
	if ctx == nil {
		ctx = context.Background()
	}
	dir, err := env.StateDir()
	if err != nil {
		return err
	}
	if err := securefile.MkdirAll(dir); err != nil {
		return cliutil.WithHint(err, "name a state directory with --state DIR")
	}
	db, err := store.Open(ctx, dir)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || os.IsPermission(err) {
			return cliutil.WithHint(err, "run this as the user that runs the gateway, or name its state directory with --state DIR")
		}
		return err
	}
	return errors.Join(f(ctx, token.NewStore(db)), db.Close())
}

func explain(err error, name string) error {
	switch {
	case errors.Is(err, token.ErrExists):
		return cliutil.WithHint(err, "chitin token rotate "+name+", or choose another name")
	case errors.Is(err, token.ErrNotFound):
		return cliutil.WithHint(err, "chitin token list")
	case errors.Is(err, token.ErrBadName):
		return cliutil.Usage(err.Error(), "chitin token create ci")
	}
	return err
}

func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cliutil.Usage("exactly one token name is expected", "chitin token list shows the names")
	}
	return nil
}

const maxLife = 10 * 365 * 24 * time.Hour

// parseExpiry reads a duration with an optional d suffix, or a date.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation("2006-01-02", s, time.UTC); err == nil {
		return checkEnd(t, now)
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return checkEnd(t, now)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 3650 {
			return now.Add(time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 && d <= maxLife {
		return now.Add(d), nil
	}
	return time.Time{}, cliutil.Usage(fmt.Sprintf("%q is not an end: use 12h, 30d or 2030-01-31", s), "--expires 30d")
}

func checkEnd(t, now time.Time) (time.Time, error) {
	if !t.After(now) {
		return time.Time{}, cliutil.Usage("the end is in the past", "--expires 30d")
	}
	return t, nil
}
