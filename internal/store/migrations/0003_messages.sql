ALTER TABLE sessions ADD COLUMN inherited TEXT NOT NULL DEFAULT '';

CREATE TABLE messages (
  tenant  TEXT NOT NULL,
  session TEXT NOT NULL,
  seq     INTEGER NOT NULL,
  role    TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool', 'event')),
  author  TEXT NOT NULL DEFAULT '',
  text    TEXT NOT NULL,
  calls   TEXT NOT NULL DEFAULT '',
  label   TEXT NOT NULL DEFAULT '',
  created INTEGER NOT NULL,
  PRIMARY KEY (tenant, session, seq),
  FOREIGN KEY (tenant, session) REFERENCES sessions (tenant, key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  tenant   TEXT NOT NULL,
  id       TEXT NOT NULL,
  session  TEXT NOT NULL,
  parent   TEXT NOT NULL DEFAULT '',
  label    TEXT NOT NULL DEFAULT '',
  state    TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'unknown')),
  outcome  TEXT NOT NULL DEFAULT '',
  started  INTEGER NOT NULL,
  ended    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_parent ON runs (tenant, parent, started);
