package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Summary stands for the messages of a session up to a sequence number when a
// model gets them. The messages themselves stay.
type Summary struct {
	UpTo  int64
	Text  string
	Label string // the joined label of what it was made from
}

// Summary returns a session's summary; one with UpTo 0 when there is none.
func (s *Store) Summary(ctx context.Context, tenant, key string) (Summary, error) {
	var out Summary
	err := s.db.QueryRowContext(ctx, `SELECT upto, text, label FROM summaries WHERE tenant = ? AND session = ?`, tenant, key).Scan(&out.UpTo, &out.Text, &out.Label)
	if errors.Is(err, sql.ErrNoRows) {
		return Summary{}, nil
	}
	if err != nil {
		return Summary{}, fmt.Errorf("session: %w", err)
	}
	return out, nil
}

// Summarize keeps a summary of a session that exists. It carries the session's
// label as well, and the session its: what is made from untrusted text is
// untrusted, and an older summary never replaces a newer one.
func (s *Store) Summarize(ctx context.Context, tenant, key string, sum Summary) error {
	if len(sum.Text) > MaxText {
		sum.Text = sum.Text[:MaxText]
	}
	if err := s.Taint(ctx, tenant, key, sum.Label); err != nil {
		return err
	}
	res, err := s.db.ExecContext(ctx, `INSERT INTO summaries (tenant, session, upto, text, label, created)
		SELECT tenant, key, ?3, ?4, iif(?5 = '', label, ?5), ?6 FROM sessions WHERE tenant = ?1 AND key = ?2
		ON CONFLICT DO UPDATE SET upto = excluded.upto, text = excluded.text,
		label = iif(label = '', excluded.label, label), created = excluded.created WHERE excluded.upto > upto`,
		tenant, key, sum.UpTo, strings.ToValidUTF8(sum.Text, "\uFFFD"), sum.Label, s.now().UnixMilli())
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}
