-- The ledger: small documents by shelf and key. `due_at` is when somebody has to look at one.
CREATE TABLE ledger (
    shelf TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    due_at INTEGER,
    UNIQUE (shelf, key)
) STRICT;
CREATE INDEX ledger_due ON ledger (shelf, due_at, key) WHERE due_at IS NOT NULL;

-- The version that was given last, never again to be given.
INSERT INTO meta (name, value) VALUES ('ledger_version', 0);
