-- Columns are what a condition, an order or a report needs; the rest is `body`. Times are
-- milliseconds since 1970. Replaces set neither subject nor `created_at`, and pages have room for
-- the next version of a row, so most writes touch no index.
CREATE TABLE handstamp.deployment (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    epoch BIGINT NOT NULL,
    partition_key BYTEA NOT NULL
);

CREATE TABLE handstamp.sessions (
    id BYTEA PRIMARY KEY,
    version BIGINT NOT NULL,
    change_id BYTEA NOT NULL,
    subject TEXT COLLATE "C",
    epoch BIGINT NOT NULL,
    deployment_epoch BIGINT NOT NULL,
    kind TEXT NOT NULL,
    transport TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    absolute_expiry BIGINT NOT NULL,
    idle_ms BIGINT,
    due_at BIGINT NOT NULL,
    ip TEXT,
    user_agent TEXT,
    device TEXT,
    country TEXT,
    location TEXT,
    label TEXT,
    is_remembered BOOLEAN NOT NULL,
    is_suspended BOOLEAN NOT NULL,
    ended_at BIGINT,
    ended_reason TEXT,
    body TEXT NOT NULL,
    data TEXT
) WITH (fillfactor = 80);
CREATE INDEX sessions_by_subject ON handstamp.sessions (subject, created_at, id)
    WHERE subject IS NOT NULL;
CREATE INDEX sessions_by_age ON handstamp.sessions (created_at, id);
CREATE INDEX sessions_due ON handstamp.sessions (due_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON handstamp.sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE handstamp.heads (
    subject TEXT COLLATE "C" PRIMARY KEY,
    -- Counts writes of the row, whatever they write: nobody overwrites what they have not seen.
    stamp BIGINT NOT NULL,
    version BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    is_disabled BOOLEAN NOT NULL,
    roles TEXT,
    live BIGINT NOT NULL,
    -- The epoch of the deployment that `live` counts in; 0 are live in any other.
    live_in BIGINT NOT NULL,
    moved TEXT
) WITH (fillfactor = 80);

CREATE TABLE handstamp.bindings (
    session BYTEA PRIMARY KEY REFERENCES handstamp.sessions (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL
);

-- Who writes: one row for each process at a time, with the ends of its chain and of its change log.
-- A process holds its row by a random name, which every commit compares, and says every few seconds
-- that it lives; the row of one that does not goes to the next that starts.
CREATE TABLE handstamp.writers (
    writer BIGINT PRIMARY KEY,
    holder BYTEA,
    seen_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- Counts commits: whoever lost an answer finds out here what became of it.
    commits BIGINT NOT NULL DEFAULT 0,
    batch BIGINT NOT NULL DEFAULT 0,
    event BIGINT NOT NULL DEFAULT 0,
    link BYTEA NOT NULL,
    -- When all events of the chain had happened.
    until_at BIGINT NOT NULL,
    change BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Gives every event and every line of the change log its place among those of all writers. Drawn
-- under the locks of what is changed, so of one session what came first has the lower place.
CREATE SEQUENCE handstamp.places;

-- Partitions by month, made ahead; what fits none lies in `events_other`.
CREATE TABLE handstamp.events (
    place BIGINT NOT NULL DEFAULT nextval('handstamp.places'),
    writer BIGINT NOT NULL,
    number BIGINT NOT NULL,
    id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT COLLATE "C",
    session BYTEA,
    actor TEXT,
    is_success BOOLEAN NOT NULL,
    error TEXT,
    details TEXT NOT NULL,
    personal TEXT,
    ip TEXT,
    salt BYTEA NOT NULL,
    personal_hash BYTEA NOT NULL,
    PRIMARY KEY (writer, number, at)
) PARTITION BY RANGE (at);
CREATE TABLE handstamp.events_other PARTITION OF handstamp.events DEFAULT;
CREATE INDEX events_by_place ON handstamp.events (place);
CREATE INDEX events_by_subject ON handstamp.events (subject, place) WHERE subject IS NOT NULL;
CREATE INDEX events_by_session ON handstamp.events (session, place) WHERE session IS NOT NULL;
CREATE INDEX events_by_ip ON handstamp.events (ip, place) WHERE ip IS NOT NULL;
-- Verifying the log asks for these, however long it is.
CREATE INDEX events_marks ON handstamp.events (action, place)
    WHERE action IN ('subject.erased', 'personal.expired');

CREATE TABLE handstamp.batches (
    writer BIGINT NOT NULL,
    number BIGINT NOT NULL,
    key_id SMALLINT NOT NULL,
    link BYTEA NOT NULL,
    first_event BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    -- When all events up to this batch had happened: what goes by age goes by it.
    until_at BIGINT NOT NULL,
    PRIMARY KEY (writer, number)
);
CREATE INDEX batches_by_age ON handstamp.batches (writer, until_at, number);

-- Where a chain was cut: its last batch that is gone, signed.
CREATE TABLE handstamp.cuts (
    writer BIGINT PRIMARY KEY,
    batch BIGINT NOT NULL,
    event BIGINT NOT NULL,
    link BYTEA NOT NULL,
    key_id SMALLINT NOT NULL,
    signature BYTEA NOT NULL
);

-- Up to which batch all personal parts are gone.
CREATE TABLE handstamp.erased (
    writer BIGINT PRIMARY KEY,
    batch BIGINT NOT NULL
);

CREATE TABLE handstamp.changes (
    writer BIGINT NOT NULL,
    number BIGINT NOT NULL,
    place BIGINT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (writer, number)
);

-- The ledger: small documents by shelf and key. `due_at` is when somebody has to look at one.
CREATE TABLE handstamp.ledger (
    shelf TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    due_at BIGINT,
    PRIMARY KEY (shelf, key)
);
CREATE INDEX ledger_due ON handstamp.ledger (shelf, due_at, key) WHERE due_at IS NOT NULL;
CREATE SEQUENCE handstamp.ledger_versions;

-- What events add up to, by report, bucket and name; the name is empty where it is not known, and
-- for all together.
CREATE TABLE handstamp.figures (
    report TEXT COLLATE "C" NOT NULL,
    bucket TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    count BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    subjects BIGINT NOT NULL,
    total_ms BIGINT NOT NULL,
    PRIMARY KEY (report, bucket, at, name)
);
CREATE INDEX figures_greatest ON handstamp.figures (report, bucket, at, count DESC, name);

-- Who tried to sign in from where: so that users count once for an address, and can be forgotten.
CREATE TABLE handstamp.visits (
    bucket TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    ip TEXT COLLATE "C" NOT NULL,
    count BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    PRIMARY KEY (bucket, at, subject, ip)
);
CREATE INDEX visits_by_subject ON handstamp.visits (subject);

-- Sessions that have begun and not ended, as far as events were added up, and how many of them are
-- live on each device.
CREATE TABLE handstamp.open_sessions (
    id BYTEA PRIMARY KEY,
    began BIGINT NOT NULL,
    device TEXT NOT NULL,
    epoch BIGINT NOT NULL
);
CREATE TABLE handstamp.live_devices (
    device TEXT COLLATE "C" PRIMARY KEY,
    live BIGINT NOT NULL
);

-- How far events were added up: of each writer up to which event, and where that stands. Whoever
-- adds holds the one row of `roll_up`.
CREATE TABLE handstamp.roll_up (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    epoch BIGINT NOT NULL,
    live BIGINT NOT NULL
);
INSERT INTO handstamp.roll_up (epoch, live) VALUES (0, 0);
CREATE TABLE handstamp.rolled_up (
    writer BIGINT PRIMARY KEY,
    event BIGINT NOT NULL
);

-- Makes the partitions of this month and of the next ones, where they are missing. A month of which
-- events lie elsewhere already has none: they stay where they are.
CREATE FUNCTION handstamp.make_partitions(ahead INTEGER) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    month TIMESTAMP;
    name TEXT;
BEGIN
    FOR turn IN 0..ahead LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => turn);
        name := 'events_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('handstamp.' || name) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE handstamp.%I PARTITION OF handstamp.events FOR VALUES FROM (%s) TO (%s)',
                name,
                (extract(epoch FROM month) * 1000)::BIGINT,
                (extract(epoch FROM month + INTERVAL '1 month') * 1000)::BIGINT
            );
        EXCEPTION WHEN check_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

-- Removes the partitions of past months in which nothing is left.
CREATE FUNCTION handstamp.drop_partitions() RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    part RECORD;
    is_empty BOOLEAN;
BEGIN
    FOR part IN
        SELECT relname AS name FROM pg_inherits
        JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'handstamp.events'::regclass AND relname ~ '^events_\d{4}_\d{2}$'
        AND relname < 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
    LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT 1 FROM handstamp.%I)', part.name) INTO is_empty;
        CONTINUE WHEN NOT is_empty;
        EXECUTE format('LOCK TABLE handstamp.%I IN ACCESS EXCLUSIVE MODE', part.name);
        EXECUTE format('SELECT NOT EXISTS (SELECT 1 FROM handstamp.%I)', part.name) INTO is_empty;
        IF is_empty THEN
            EXECUTE format('DROP TABLE handstamp.%I', part.name);
        END IF;
    END LOOP;
END
$$;

-- Milliseconds as a time, as far as there is one.
CREATE FUNCTION handstamp.time_of(ms BIGINT) RETURNS TIMESTAMPTZ
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp(least(greatest(ms, -62135596800000), 253402300799999) / 1000.0);

-- A session goes by its public id, base64url of 18 bytes.
CREATE FUNCTION handstamp.name_of(id BYTEA) RETURNS TEXT
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(encode(id, 'base64'), '+/', '-_');

-- Two views for reports in plain SQL: their columns, and what they mean, do not change.
CREATE VIEW handstamp.user_sessions AS
SELECT
    handstamp.name_of(sessions.id) AS id,
    sessions.subject AS user_id,
    handstamp.name_of(sessions.id) AS session_token,
    device AS device_info,
    ip AS ip_address,
    user_agent,
    ended_at IS NULL
        AND due_at > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
        AND deployment_epoch = deployment.epoch
        AND sessions.epoch = coalesce(heads.epoch, 0)
        AND NOT coalesce(is_disabled, FALSE)
        AND NOT is_suspended AS is_active,
    handstamp.time_of(created_at) AS created_at,
    handstamp.time_of(last_seen) AS last_activity,
    handstamp.time_of(due_at) AS expires_at
FROM handstamp.sessions
CROSS JOIN (SELECT epoch FROM handstamp.deployment LIMIT 1) AS deployment
LEFT JOIN handstamp.heads ON heads.subject = sessions.subject
WHERE sessions.subject IS NOT NULL;

CREATE VIEW handstamp.session_logs AS
SELECT
    place AS id,
    subject AS user_id,
    CASE action
        WHEN 'session.started' THEN
            CASE WHEN subject IS NULL THEN 'session_started' ELSE 'login' END
        WHEN 'guest.upgraded' THEN 'login'
        WHEN 'sign_in.failed' THEN 'login'
        WHEN 'guest.started' THEN 'guest_login'
        WHEN 'session.refreshed' THEN 'token_refresh'
        WHEN 'session.rotated' THEN 'token_rotation'
        WHEN 'refresh.reused' THEN 'token_reuse'
        WHEN 'subject.ended' THEN 'logout_all'
        WHEN 'session.ended' THEN CASE details::JSON ->> 'reason'
            WHEN 'logout' THEN 'logout'
            WHEN 'logout_all' THEN 'logout'
            WHEN 'idle' THEN 'session_expired'
            WHEN 'absolute' THEN 'session_expired'
            ELSE 'session_' || (details::JSON ->> 'reason')
        END
        ELSE replace(action, '.', '_')
    END AS action,
    handstamp.name_of(session) AS session_token,
    ip AS ip_address,
    -- What no text of PostgreSQL can hold is left out, and spoils no report.
    CASE WHEN position('\u0000' IN personal) = 0 THEN personal::JSON ->> 'user_agent' END
        AS user_agent,
    is_success AS success,
    error AS error_message,
    handstamp.time_of(at) AS created_at
-- Of two, so that nothing can be deleted through it.
FROM handstamp.events CROSS JOIN (SELECT 1) AS one;

