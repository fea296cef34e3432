CREATE TABLE summaries (
  tenant  TEXT NOT NULL,
  session TEXT NOT NULL,
  upto    INTEGER NOT NULL,
  text    TEXT NOT NULL,
  label   TEXT NOT NULL DEFAULT '',
  created INTEGER NOT NULL,
  PRIMARY KEY (tenant, session),
  FOREIGN KEY (tenant, session) REFERENCES sessions (tenant, key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
