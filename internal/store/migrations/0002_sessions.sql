CREATE TABLE sessions (
  tenant    TEXT NOT NULL,
  key       TEXT NOT NULL,
  agent     TEXT NOT NULL,
  parent    TEXT NOT NULL DEFAULT '',
  depth     INTEGER NOT NULL DEFAULT 0,
  label     TEXT NOT NULL DEFAULT '',
  creator   TEXT NOT NULL DEFAULT '',
  created   INTEGER NOT NULL,
  updated   INTEGER NOT NULL,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  tenant    TEXT NOT NULL,
  principal TEXT NOT NULL,
  key       TEXT NOT NULL,
  digest    TEXT NOT NULL,
  state     TEXT NOT NULL CHECK (state IN ('running', 'done', 'unknown')),
  call      TEXT NOT NULL,
  response  BLOB,
  created   INTEGER NOT NULL,
  PRIMARY KEY (tenant, principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);
