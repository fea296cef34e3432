package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// The states of a run.
const (
	RunRunning   = "running"
	RunDone      = "done"
	RunFailed    = "failed"
	RunCancelled = "cancelled"
	RunUnknown   = "unknown" // the gateway was stopped during it
)

// Run is one piece of work that an agent does for a session.
type Run struct {
	Tenant  string    `json:"-"`
	ID      string    `json:"taskId"`
	Session string    `json:"childSessionKey"`
	Parent  string    `json:"requesterSessionKey"`
	Label   string    `json:"label,omitempty"`
	State   string    `json:"status"`
	Outcome string    `json:"terminalSummary,omitempty"`
	Started time.Time `json:"startedAt"`
	Ended   time.Time `json:"endedAt,omitzero"`
}

// BeginRun records that a run started.
func (s *Store) BeginRun(ctx context.Context, tenant string, r Run) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO runs (tenant, id, session, parent, label, state, started) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		tenant, r.ID, r.Session, r.Parent, r.Label, RunRunning, s.now().UnixMilli())
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// EndRun records how a run ended; the first end stands.
func (s *Store) EndRun(ctx context.Context, tenant, id, state, outcome string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE runs SET state = ?, outcome = ?, ended = ? WHERE tenant = ? AND id = ? AND state = ?`,
		state, outcome, s.now().UnixMilli(), tenant, id, RunRunning)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// AbandonRuns marks what a killed gateway left running: nobody knows how far
// it got, and it is not run again.
func (s *Store) AbandonRuns(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `UPDATE runs SET state = ?, ended = ? WHERE state = ?`, RunUnknown, s.now().UnixMilli(), RunRunning)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// Runs lists the runs that a session started since a time, the newest first.
func (s *Store) Runs(ctx context.Context, tenant, parent string, since time.Time, limit int) ([]Run, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT tenant, id, session, parent, label, state, outcome, started, ended FROM runs
		WHERE tenant = ? AND parent = ? AND (started >= ? OR state = 'running') ORDER BY started DESC LIMIT ?`,
		tenant, parent, since.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Run
	for rows.Next() {
		r, err := scanRun(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Run returns one run of a parent session; a foreign one is ErrNotFound.
func (s *Store) Run(ctx context.Context, tenant, parent, id string) (Run, error) {
	row := s.db.QueryRowContext(ctx, `SELECT tenant, id, session, parent, label, state, outcome, started, ended FROM runs
		WHERE tenant = ? AND parent = ? AND id = ?`, tenant, parent, id)
	return scanRun(row.Scan)
}

func scanRun(scan func(...any) error) (Run, error) {
	var r Run
	var started, ended int64
	if err := scan(&r.Tenant, &r.ID, &r.Session, &r.Parent, &r.Label, &r.State, &r.Outcome, &started, &ended); err != nil {
		return r, notFound(err)
	}
	r.Started = time.UnixMilli(started)
	if ended > 0 {
		r.Ended = time.UnixMilli(ended)
	}
	return r, nil
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return fmt.Errorf("session: %w", err)
}
