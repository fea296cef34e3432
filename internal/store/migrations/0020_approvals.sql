CREATE TABLE approvals (
  id         TEXT PRIMARY KEY,
  tenant     TEXT NOT NULL,
  boot       TEXT NOT NULL,
  state      TEXT NOT NULL,
  tool       TEXT NOT NULL,
  surface    TEXT NOT NULL,
  session    TEXT NOT NULL,
  asker      TEXT NOT NULL,
  credential TEXT NOT NULL,
  host       INTEGER NOT NULL,
  plan       TEXT NOT NULL,
  digest     TEXT NOT NULL,
  created    INTEGER NOT NULL,
  expires    INTEGER NOT NULL,
  decided_by TEXT NOT NULL DEFAULT '',
  decided    INTEGER NOT NULL DEFAULT 0,
  note       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX approvals_state ON approvals (tenant, state, created);
CREATE TABLE approval_grants (
  id         TEXT PRIMARY KEY,
  tenant     TEXT NOT NULL,
  principal  TEXT NOT NULL,
  tool       TEXT NOT NULL,
  host       INTEGER NOT NULL,
  pattern    TEXT NOT NULL,
  digest     TEXT NOT NULL,
  context    TEXT NOT NULL,
  uses       INTEGER NOT NULL,
  expires    INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT;
CREATE INDEX approval_grants_for ON approval_grants (tenant, principal, tool);
