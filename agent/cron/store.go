package cron

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/store"
)

// jobs is the table of jobs. Whatever a caller asks takes the tenant first;
// only the scheduler's own loop looks across tenants.
type jobs struct{ db *store.DB }

const jobColumns = `tenant, id, agent, session, name, message, label, schedule, missed, jitter_ms, timeout_ms,
	enabled, stopped, creator, epoch, inherited, due_ms, fire_ms, created_ms, updated_ms`

// creator is a stored caller on disk; the tenant is the row's.
type creator struct {
	Kind       string `json:"kind"`
	ID         string `json:"id"`
	Scopes     uint16 `json:"scopes"`
	Credential string `json:"credential"`
	Expires    int64  `json:"expires,omitempty"`
}

func (j Job) values() ([]any, error) {
	schedule, err := json.Marshal(j.Schedule)
	if err != nil {
		return nil, err
	}
	c := j.Creator
	who, err := json.Marshal(creator{Kind: string(c.Kind), ID: c.ID, Scopes: uint16(c.Scopes), Credential: c.Credential, Expires: c.Expires})
	if err != nil {
		return nil, err
	}
	return []any{
		j.Tenant, j.ID, j.Agent, j.Session, j.Name, j.Message, j.Label, string(schedule), j.Missed,
		j.Jitter.Milliseconds(), j.Timeout.Milliseconds(), j.Enabled, j.Stopped, string(who), int64(c.Epoch), j.Inherited,
		millis(j.Due), millis(j.Fire), millis(j.Created), millis(j.Updated),
	}, nil
}

func scanJob(scan func(...any) error) (Job, error) {
	var j Job
	var schedule, who string
	var jitter, timeout, epoch, due, fire, created, updated int64
	err := scan(&j.Tenant, &j.ID, &j.Agent, &j.Session, &j.Name, &j.Message, &j.Label, &schedule, &j.Missed, &jitter, &timeout,
		&j.Enabled, &j.Stopped, &who, &epoch, &j.Inherited, &due, &fire, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return j, ErrNotFound
	}
	if err != nil {
		return j, fmt.Errorf("cron: %w", err)
	}
	var c creator
	if err := errors.Join(json.Unmarshal([]byte(schedule), &j.Schedule), json.Unmarshal([]byte(who), &c)); err != nil {
		return j, fmt.Errorf("cron: job %s: %w", j.ID, err)
	}
	j.Creator = gateway.Stored{
		Kind: gateway.Kind(c.Kind), ID: c.ID, Tenant: j.Tenant, Scopes: gateway.Scope(c.Scopes),
		Credential: c.Credential, Epoch: uint64(epoch), Expires: c.Expires,
	}
	j.Jitter, j.Timeout = time.Duration(jitter)*time.Millisecond, time.Duration(timeout)*time.Millisecond
	j.Due, j.Fire, j.Created, j.Updated = timeOf(due), timeOf(fire), timeOf(created), timeOf(updated)
	return j, nil
}

// add keeps a new job unless the tenant has too many.
func (s jobs) add(ctx context.Context, j Job) error {
	v, err := j.values()
	if err != nil {
		return err
	}
	v = append(v, j.Tenant, MaxJobs)
	res, err := s.db.ExecContext(ctx, `INSERT INTO cron_jobs (`+jobColumns+`)
		SELECT `+strings.Repeat("?, ", 19)+`? WHERE (SELECT count(*) FROM cron_jobs WHERE tenant = ?) < ?`, v...)
	if ok, err := changed(res, err); err != nil || !ok {
		return errors.Join(err, unless(err, ErrTooMany))
	}
	return nil
}

// put replaces a job that is still as it was read: a run that began meanwhile
// has moved its due time on.
func (s jobs) put(ctx context.Context, j Job, was Job) (bool, error) {
	v, err := j.values()
	if err != nil {
		return false, err
	}
	v = append(v, was.Tenant, was.ID, millis(was.Due), was.Enabled, millis(was.Updated))
	res, err := s.db.ExecContext(ctx, `UPDATE cron_jobs SET (`+jobColumns+`) = (`+strings.Repeat("?, ", 19)+`?)
		WHERE tenant = ? AND id = ? AND due_ms = ? AND enabled = ? AND updated_ms = ?`, v...)
	return changed(res, err)
}

func (s jobs) get(ctx context.Context, tenant, id string) (Job, error) {
	return scanJob(s.db.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM cron_jobs WHERE tenant = ? AND id = ?`, tenant, id).Scan)
}

func (s jobs) list(ctx context.Context, tenant string) ([]Job, error) {
	return s.query(ctx, `WHERE tenant = ? ORDER BY created_ms, id LIMIT ?`, tenant, MaxJobs)
}

func (s jobs) remove(ctx context.Context, tenant, id string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("cron: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	ok, err := changed(tx.ExecContext(ctx, `DELETE FROM cron_jobs WHERE tenant = ? AND id = ?`, tenant, id))
	if err != nil || !ok {
		return errors.Join(err, unless(err, ErrNotFound))
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM cron_runs WHERE tenant = ? AND job = ?`, tenant, id); err != nil {
		return fmt.Errorf("cron: %w", err)
	}
	return tx.Commit()
}

// stop disables a job for good.
func (s jobs) stop(ctx context.Context, tenant, id, why string) error {
	_, err := changed(s.db.ExecContext(ctx, `UPDATE cron_jobs SET enabled = 0, stopped = ?, due_ms = 0, fire_ms = 0 WHERE tenant = ? AND id = ?`, why, tenant, id))
	return err
}

// enabled are the jobs of every tenant that may run.
func (s jobs) enabled(ctx context.Context) ([]Job, error) {
	return s.query(ctx, `WHERE enabled = 1 LIMIT 10000`)
}

// ripe are the jobs of every tenant whose time has come, the oldest first.
func (s jobs) ripe(ctx context.Context, now time.Time, limit int) ([]Job, error) {
	return s.query(ctx, `WHERE enabled = 1 AND fire_ms > 0 AND fire_ms <= ? ORDER BY fire_ms LIMIT ?`, now.UnixMilli(), limit)
}

// nextFire is when the next job of any tenant begins; zero when none does.
func (s jobs) nextFire(ctx context.Context) (time.Time, error) {
	var ms sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT min(fire_ms) FROM cron_jobs WHERE enabled = 1 AND fire_ms > 0`).Scan(&ms)
	return timeOf(ms.Int64), err
}

func (s jobs) query(ctx context.Context, where string, args ...any) ([]Job, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+jobColumns+` FROM cron_jobs `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Job
	for rows.Next() {
		j, err := scanJob(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, fmt.Errorf("cron: %w", err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func unless(err, def error) error {
	if err != nil {
		return nil
	}
	return def
}

func newID() string { return strings.ToLower(rand.Text()) }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
