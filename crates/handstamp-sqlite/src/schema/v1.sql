-- Records are found by id through a narrow index, and lie together by age: who is active began
-- lately, so busy rows share pages. Columns are what a condition, an order or a report needs; the
-- rest is `body`. Replaces set neither subject nor `created_at`, so most indexes stay untouched.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    change_id BLOB NOT NULL,
    subject TEXT,
    epoch INTEGER NOT NULL,
    deployment_epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    transport TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    absolute_expiry INTEGER NOT NULL,
    idle_ms INTEGER,
    due_at INTEGER NOT NULL,
    ip TEXT,
    user_agent TEXT,
    device TEXT,
    country TEXT,
    location TEXT,
    label TEXT,
    is_remembered INTEGER NOT NULL,
    ended_at INTEGER,
    ended_reason TEXT,
    body TEXT NOT NULL,
    data TEXT
) STRICT;
CREATE INDEX sessions_by_subject ON sessions (subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX sessions_by_age ON sessions (created_at, id);
CREATE INDEX sessions_due ON sessions (due_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE heads (
    subject TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    is_disabled INTEGER NOT NULL,
    roles TEXT,
    live INTEGER NOT NULL,
    -- The epoch of the deployment that `live` counts in; 0 are live in any other.
    live_in INTEGER NOT NULL,
    moved TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    place INTEGER PRIMARY KEY,
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    subject TEXT,
    session BLOB,
    actor TEXT,
    is_success INTEGER NOT NULL,
    error TEXT,
    details TEXT NOT NULL,
    personal TEXT,
    salt BLOB NOT NULL,
    personal_hash BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_subject ON events (subject) WHERE subject IS NOT NULL;
CREATE INDEX events_by_session ON events (session) WHERE session IS NOT NULL;

-- The events of a batch lie at `first_place` and after it without gaps.
CREATE TABLE batches (
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    link BLOB NOT NULL,
    first_place INTEGER NOT NULL,
    events INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    PRIMARY KEY (writer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    changes TEXT NOT NULL
) STRICT;

CREATE TABLE bindings (
    session BLOB NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
