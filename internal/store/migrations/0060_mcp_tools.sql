-- What MCP servers say of their tools, as last seen and as approved. A tool
-- can be used while both digests are the same.
CREATE TABLE mcp_tools (
  tenant        TEXT NOT NULL,
  server        TEXT NOT NULL,
  tool          TEXT NOT NULL,            -- the server's own name
  seen          TEXT NOT NULL,            -- JSON, canonical
  seen_digest   TEXT NOT NULL,            -- SHA-256 of it
  seen_ms       INTEGER NOT NULL,
  present       INTEGER NOT NULL,         -- on the newest list
  pinned        TEXT NOT NULL DEFAULT '', -- empty: never approved
  pinned_digest TEXT NOT NULL DEFAULT '',
  pinned_ms     INTEGER NOT NULL DEFAULT 0,
  pinned_by     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, server, tool)
) STRICT, WITHOUT ROWID;

-- Trust on first use holds for the first contact and never again.
CREATE TABLE mcp_contacts (
  tenant   TEXT NOT NULL,
  server   TEXT NOT NULL,
  first_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, server)
) STRICT, WITHOUT ROWID;
