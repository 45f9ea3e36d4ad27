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

-- What events add up to, by report, bucket and name; the name is empty where it is not known, and
-- for all together.
CREATE TABLE figures (
    report TEXT NOT NULL,
    bucket TEXT NOT NULL,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    subjects INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (report, bucket, at, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX figures_greatest ON figures (report, bucket, at, count DESC);

-- Who tried to sign in from where: so that users count once for an address, and can be forgotten.
CREATE TABLE visits (
    bucket TEXT NOT NULL,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    ip TEXT NOT NULL,
    count INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (bucket, at, subject, ip)
) STRICT, WITHOUT ROWID;

-- Sessions that have begun and not ended, as far as events were added up, and how many of them are
-- live on each device.
CREATE TABLE open_sessions (
    id BLOB NOT NULL PRIMARY KEY,
    began INTEGER NOT NULL,
    device TEXT NOT NULL,
    epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE live_devices (
    device TEXT NOT NULL PRIMARY KEY,
    live INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far events were added up. `changes` counts what makes sums worthless that were made before.
CREATE TABLE roll_up (
    place INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    live INTEGER NOT NULL
) STRICT;
INSERT INTO roll_up (place, changes, epoch, live) VALUES (0, 0, 0, 0);

-- Addresses are looked for by whoever hunts an attacker; blanking an event takes it out of here.
CREATE INDEX events_by_ip ON events (personal ->> '$.ip') WHERE personal ->> '$.ip' IS NOT NULL;

-- Two views for reports in plain SQL: their columns, and what they mean, do not change. A session
-- goes by its public id, base64url of 18 bytes: four digits for each three, whose values are their
-- places among all bytes.
CREATE VIEW user_sessions AS
WITH
    present(ms, epoch) AS (
        SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), value ->> '$.epoch'
        FROM meta WHERE name = 'deployment'
    ),
    places(at) AS (VALUES (1), (4), (7), (10), (13), (16)),
    all_of(digits, bytes) AS (VALUES (
        'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
        x'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF'
    )),
    named AS (
        SELECT *, (
            SELECT group_concat(
                substr(digits, 1 + (bits >> 18), 1) || substr(digits, 1 + (bits >> 12 & 63), 1)
                || substr(digits, 1 + (bits >> 6 & 63), 1) || substr(digits, 1 + (bits & 63), 1),
                ''
            )
            FROM (
                SELECT digits,
                    (instr(bytes, substr(sessions.id, at, 1)) - 1) * 65536
                    + (instr(bytes, substr(sessions.id, at + 1, 1)) - 1) * 256
                    + instr(bytes, substr(sessions.id, at + 2, 1)) - 1 AS bits
                FROM places, all_of ORDER BY at
            )
        ) AS name
        FROM sessions
    )
SELECT
    name AS id,
    named.subject AS user_id,
    name AS session_token,
    device AS device_info,
    ip AS ip_address,
    user_agent,
    ended_at IS NULL
        AND due_at > present.ms
        AND deployment_epoch = present.epoch
        AND named.epoch = coalesce(heads.epoch, 0)
        AND NOT coalesce(is_disabled, 0)
        AND body ->> '$.suspended' IS NULL AS is_active,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_seen / 1000.0, 'unixepoch') AS last_activity,
    strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') AS expires_at
FROM named
JOIN present
LEFT JOIN heads ON heads.subject = named.subject
WHERE named.subject IS NOT NULL;

CREATE VIEW session_logs AS
WITH
    places(at) AS (VALUES (1), (4), (7), (10), (13), (16)),
    all_of(digits, bytes) AS (VALUES (
        'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
        x'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF'
    ))
SELECT
    place AS id,
    subject AS user_id,
    CASE action
        WHEN 'session.started' THEN iif(subject IS NULL, 'session_started', 'login')
        WHEN 'guest.upgraded' THEN 'login'
        WHEN 'sign_in.failed' THEN 'login'
        WHEN 'guest.started' THEN 'guest_login'
        WHEN 'session.refreshed' THEN 'token_refresh'
        WHEN 'session.rotated' THEN 'token_rotation'
        WHEN 'refresh.reused' THEN 'token_reuse'
        WHEN 'subject.ended' THEN 'logout_all'
        WHEN 'session.ended' THEN CASE details ->> '$.reason'
            WHEN 'logout' THEN 'logout'
            WHEN 'logout_all' THEN 'logout'
            WHEN 'idle' THEN 'session_expired'
            WHEN 'absolute' THEN 'session_expired'
            ELSE 'session_' || (details ->> '$.reason')
        END
        ELSE replace(action, '.', '_')
    END AS action,
    (
        SELECT group_concat(
            substr(digits, 1 + (bits >> 18), 1) || substr(digits, 1 + (bits >> 12 & 63), 1)
            || substr(digits, 1 + (bits >> 6 & 63), 1) || substr(digits, 1 + (bits & 63), 1),
            ''
        )
        FROM (
            SELECT digits,
                (instr(bytes, substr(session, at, 1)) - 1) * 65536
                + (instr(bytes, substr(session, at + 1, 1)) - 1) * 256
                + instr(bytes, substr(session, at + 2, 1)) - 1 AS bits
            FROM places, all_of ORDER BY at
        )
        WHERE bits IS NOT NULL
    ) AS session_token,
    personal ->> '$.ip' AS ip_address,
    personal ->> '$.user_agent' AS user_agent,
    is_success AS success,
    error AS error_message,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS created_at
FROM events;
