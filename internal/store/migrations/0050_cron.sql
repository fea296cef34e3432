-- Schedules. fire_ms is when the next run begins: due_ms with jitter; 0 means
-- never. The creator's columns are what a run may act as, at most.
CREATE TABLE cron_jobs (
  tenant     TEXT NOT NULL,
  id         TEXT NOT NULL,
  agent      TEXT NOT NULL,
  session    TEXT NOT NULL,            -- the session that made it
  name       TEXT NOT NULL,
  message    TEXT NOT NULL,
  label      TEXT NOT NULL DEFAULT '', -- of the session that made it
  schedule   TEXT NOT NULL,            -- JSON
  missed     TEXT NOT NULL CHECK (missed IN ('run', 'skip')),
  jitter_ms  INTEGER NOT NULL DEFAULT 0,
  timeout_ms INTEGER NOT NULL,
  enabled    INTEGER NOT NULL,
  stopped    TEXT NOT NULL DEFAULT '', -- why it was disabled by the gateway
  creator    TEXT NOT NULL,            -- JSON: kind, id, scopes, credential
  epoch      INTEGER NOT NULL,         -- authority epoch in this process; 0: made before it
  inherited  TEXT NOT NULL,            -- the creator's policy
  due_ms     INTEGER NOT NULL DEFAULT 0,
  fire_ms    INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cron_jobs_fire ON cron_jobs (fire_ms) WHERE enabled = 1 AND fire_ms > 0;

-- A row is written before its run begins; a due time runs once.
CREATE TABLE cron_runs (
  tenant     TEXT NOT NULL,
  job        TEXT NOT NULL,
  id         TEXT NOT NULL,
  due_ms     INTEGER NOT NULL,
  cause      TEXT NOT NULL CHECK (cause IN ('schedule', 'missed', 'manual')),
  state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'unknown', 'skipped')),
  outcome    TEXT NOT NULL DEFAULT '',
  label      TEXT NOT NULL DEFAULT '', -- of the outcome
  started_ms INTEGER NOT NULL,
  ended_ms   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, job, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX cron_runs_due ON cron_runs (tenant, job, due_ms) WHERE cause <> 'manual';
