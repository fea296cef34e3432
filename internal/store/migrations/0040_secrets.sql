-- Secrets, encrypted. tenant and name are keyed hashes, body is an age file
-- and tag authenticates the row: without the key the table shows a count.
CREATE TABLE secret_items (
  tenant BLOB NOT NULL,
  name   BLOB NOT NULL,
  body   BLOB NOT NULL,
  tag    BLOB NOT NULL,
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
