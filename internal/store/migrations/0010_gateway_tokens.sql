-- Named gateway tokens. Only a digest is kept; the token itself is shown once.
CREATE TABLE gateway_tokens (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  tenant     TEXT NOT NULL,
  digest     BLOB NOT NULL UNIQUE,
  tail       TEXT NOT NULL,            -- last characters, to recognise it
  scopes     INTEGER NOT NULL,
  owner      INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL DEFAULT 0, -- 0: never
  used_ms    INTEGER NOT NULL DEFAULT 0, -- 0: not yet
  revoked_ms INTEGER NOT NULL DEFAULT 0  -- 0: in force
) STRICT;
CREATE UNIQUE INDEX gateway_tokens_name ON gateway_tokens (name) WHERE revoked_ms = 0;
-- One row that every change of a token raises, so that a running gateway
-- notices changes made by another process.
CREATE TABLE gateway_epoch (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL) STRICT;
INSERT INTO gateway_epoch VALUES (1, 1);
