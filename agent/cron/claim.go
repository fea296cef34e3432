package cron

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// claim writes a run before it begins and moves the job on, both or neither.
// It reports whether this due time is the caller's to run: a job that was
// changed, run or removed since it was read is not.
func (s jobs) claim(ctx context.Context, j Job, r Run, due, fire time.Time) (bool, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("cron: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	ok, err := changed(tx.ExecContext(ctx, `UPDATE cron_jobs SET due_ms = ?, fire_ms = ?, enabled = ?
		WHERE tenant = ? AND id = ? AND enabled = 1 AND due_ms = ? AND updated_ms = ?`,
		millis(due), millis(fire), !due.IsZero(), j.Tenant, j.ID, millis(j.Due), millis(j.Updated)))
	if err != nil || !ok {
		return false, err
	}
	ok, err = changed(tx.ExecContext(ctx, `INSERT OR IGNORE INTO cron_runs (tenant, job, id, due_ms, cause, state, outcome, started_ms, ended_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		j.Tenant, j.ID, r.ID, millis(r.Due), r.Cause, r.State, r.Outcome, millis(r.Started), millis(r.Ended)))
	if err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil { // also when the due time had its run: the job must move on
		return false, fmt.Errorf("cron: %w", err)
	}
	return ok, nil
}

// begin writes a run that somebody asked for; the schedule stays as it is.
func (s jobs) begin(ctx context.Context, j Job, r Run) error {
	ok, err := changed(s.db.ExecContext(ctx, `INSERT INTO cron_runs (tenant, job, id, due_ms, cause, state, started_ms)
		SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM cron_jobs WHERE tenant = ? AND id = ?)`,
		j.Tenant, j.ID, r.ID, millis(r.Due), r.Cause, r.State, millis(r.Started), j.Tenant, j.ID))
	if err == nil && !ok {
		err = ErrNotFound
	}
	return err
}

// end records how a run ended; the first end stands. Old runs of the job are
// forgotten.
func (s jobs) end(ctx context.Context, j Job, r Run) error {
	r.Outcome = strings.ToValidUTF8(r.Outcome[:min(len(r.Outcome), maxOutcome)], "\uFFFD")
	_, err := changed(s.db.ExecContext(ctx, `UPDATE cron_runs SET state = ?, outcome = ?, label = ?, ended_ms = ?
		WHERE tenant = ? AND job = ? AND id = ? AND state = ?`, r.State, r.Outcome, r.Label, millis(r.Ended), j.Tenant, j.ID, r.ID, RunRunning))
	if err != nil {
		return err
	}
	_, err = changed(s.db.ExecContext(ctx, `DELETE FROM cron_runs WHERE tenant = ?1 AND job = ?2 AND state <> 'running' AND id NOT IN
		(SELECT id FROM cron_runs WHERE tenant = ?1 AND job = ?2 ORDER BY started_ms DESC, id LIMIT ?3)`, j.Tenant, j.ID, keepRuns))
	return err
}

// abandon marks what a killed process left running and forgets the authority
// epochs of that process.
func (s jobs) abandon(ctx context.Context, now time.Time) (int64, error) {
	res, err := s.db.ExecContext(ctx, `UPDATE cron_runs SET state = ?, ended_ms = ? WHERE state = ?`, RunUnknown, now.UnixMilli(), RunRunning)
	if err != nil {
		return 0, fmt.Errorf("cron: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `UPDATE cron_jobs SET epoch = 0`); err != nil {
		return 0, fmt.Errorf("cron: %w", err)
	}
	return res.RowsAffected()
}

// runs lists a job's runs, the newest first.
func (s jobs) runs(ctx context.Context, tenant, job string, limit, offset int) ([]Run, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, due_ms, cause, state, outcome, label, started_ms, ended_ms FROM cron_runs
		WHERE tenant = ? AND job = ? ORDER BY started_ms DESC, id LIMIT ? OFFSET ?`, tenant, job, limit, offset)
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Run
	for rows.Next() {
		var r Run
		var due, started, ended int64
		if err := rows.Scan(&r.ID, &due, &r.Cause, &r.State, &r.Outcome, &r.Label, &started, &ended); err != nil {
			return nil, fmt.Errorf("cron: %w", err)
		}
		r.Due, r.Started, r.Ended = timeOf(due), timeOf(started), timeOf(ended)
		out = append(out, r)
	}
	return out, rows.Err()
}
