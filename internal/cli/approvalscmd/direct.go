package approvalscmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// direct answers in the database of a state directory, as the OS user that
// owns it. A running gateway notices within a fifth of a second.
type direct struct {
	db   *store.DB
	book *approval.Book
	me   gateway.Caller
}

// Direct opens the state directory's database, with the options of the
// configuration.
func Direct(ctx context.Context, env *cliutil.Env) (Client, error) {
	path, err := env.ConfigPath()
	if err != nil {
		return nil, err
	}
	l, err := config.Load(path)
	if err != nil {
		return nil, cliutil.WithHint(err, "chitin config validate")
	}
	return DirectWith(ctx, env, approval.Options{AllowSelf: l.Tools.Approvals.AllowSelf})
}

// DirectWith is Direct with the options of the configuration, such as where
// answers are recorded.
func DirectWith(ctx context.Context, env *cliutil.Env, o approval.Options) (Client, error) {
	dir, err := env.StateDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, store.FileName)); err != nil {
		return nil, cliutil.WithHint(fmt.Errorf("there is no database in %s", dir), "name the gateway's state directory with --state DIR")
	}
	db, err := store.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &direct{db: db, book: approval.Attach(db, o), me: gateway.Process()}, nil
}

func (d *direct) List(ctx context.Context) ([]approval.Request, error) { return d.book.List(ctx, d.me) }

func (d *direct) Decide(ctx context.Context, id string, a approval.Answer) error {
	return d.book.Decide(ctx, d.me, id, a)
}

func (d *direct) Standings(ctx context.Context) ([]approval.Standing, error) {
	return d.book.Standings(ctx, d.me)
}

func (d *direct) Revoke(ctx context.Context, id string) error { return d.book.Revoke(ctx, d.me, id) }

func (d *direct) Close() error { return d.db.Close() }
