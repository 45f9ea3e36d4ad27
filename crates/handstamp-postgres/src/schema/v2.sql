-- A due time moves with every request; the slot of about a minute that it lies in seldom does. Only the
-- slot is in the index, so that most changes of a session touch no index at all.
ALTER TABLE handstamp.sessions
    ADD COLUMN due_slot BIGINT NOT NULL GENERATED ALWAYS AS (due_at >> 16) STORED;
DROP INDEX handstamp.sessions_due;
CREATE INDEX sessions_due ON handstamp.sessions (due_slot, id) WHERE ended_at IS NULL;

-- Reports ask for a span of time. What lies beside each other was written at about the same time, so an
-- index of a few pages is enough.
CREATE INDEX events_by_time ON handstamp.events USING brin (at) WITH (autosummarize = on);

-- Tells a line of the change log from any other, whatever its number: a server that has lost commits
-- gives out numbers again. Lines from before have none.
ALTER TABLE handstamp.changes ADD COLUMN mark BIGINT;
ALTER TABLE handstamp.changes
    ALTER COLUMN mark SET DEFAULT hashtextextended(gen_random_uuid()::TEXT, 0);

-- Whoever may make an operator in a schema of the search path would have it run by whoever calls these.
ALTER FUNCTION handstamp.drop_partitions() SET search_path = pg_catalog, pg_temp;

-- Makes the partitions of this month and of the next ones, where they are missing. A month of which
-- events lie elsewhere already has none: they stay where they are. Commits go on meanwhile: a partition
-- that is attached locks them out of nothing, as one that is made in its place would.
CREATE OR REPLACE FUNCTION handstamp.make_partitions(ahead INTEGER) RETURNS VOID LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
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
                'CREATE TABLE handstamp.%I (LIKE handstamp.events INCLUDING DEFAULTS)', name
            );
            EXECUTE format(
                'ALTER TABLE handstamp.events ATTACH PARTITION handstamp.%I FOR VALUES FROM (%s) TO (%s)',
                name,
                (extract(epoch FROM month) * 1000.0)::BIGINT,
                (extract(epoch FROM month + INTERVAL '1 month') * 1000.0)::BIGINT
            );
        EXCEPTION WHEN check_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

-- Everything that a batch writes: the row of the writer ($1 to $9), heads ($10 to $18), records ($19 to
-- $45), events ($46 to $59), their seal ($60, $61) and the line of the change log ($62). Answers
-- whether another process may be following. What is not as the batch was decided on is an error of
-- code HS001, and nothing is written.
--
-- With $63 it is a whole commit by itself: $64 to $70 are what it was decided on, heads and records, which
-- is locked and compared first, in the order in which everybody locks. Each statement in here sees what
-- was committed when it begins: in READ COMMITTED only, hence the look at it.
--
-- A version of the program that writes otherwise gets a function of its own beside this one: while
-- nodes are replaced one by one, older ones go on calling it.
CREATE FUNCTION handstamp.commit(
    BIGINT, BYTEA, BIGINT, BIGINT, BIGINT, BIGINT, BYTEA, BIGINT, BIGINT,
    TEXT[], BIGINT[], BIGINT[], BIGINT[], BOOLEAN[], TEXT[], BIGINT[], BIGINT[], TEXT[],
    BYTEA[], BIGINT[], BYTEA[], TEXT[], BIGINT[], BIGINT[], TEXT[], TEXT[], TEXT[], BIGINT[],
    BIGINT[], BIGINT[], BIGINT[], BIGINT[], BIGINT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[],
    TEXT[], BOOLEAN[], BOOLEAN[], BIGINT[], TEXT[], TEXT[], TEXT[],
    BIGINT[], BYTEA[], BIGINT[], TEXT[], TEXT[], BYTEA[], TEXT[], BOOLEAN[], TEXT[], TEXT[],
    TEXT[], TEXT[], BYTEA[], BYTEA[], SMALLINT, BIGINT, TEXT,
    BOOLEAN, TEXT[], BIGINT[], BIGINT[], BIGINT[], BYTEA[], BIGINT[], BIGINT[], BIGINT
) RETURNS BOOLEAN LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
-- Planned once, and perhaps for tables that have nothing in them yet: by the index at any size.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    is_as_seen BOOLEAN;
    has_others BOOLEAN;
BEGIN
    IF $63 THEN
        PERFORM set_config('lock_timeout', $71::TEXT, TRUE),
            -- The lock of the deployment's head, which every commit shares.
            pg_advisory_xact_lock_shared(5206528699579780432);
        is_as_seen := current_setting('transaction_isolation') = 'read committed' AND $3 = (
            SELECT epoch FROM handstamp.deployment
        ) AND cardinality($64) = (
            SELECT count(*) FROM (
                SELECT 1 FROM handstamp.heads h
                JOIN unnest($64, $65, $66, $67) AS seen (subject, stamp, version, live)
                    ON seen.subject = h.subject
                WHERE h.stamp = seen.stamp AND h.version = seen.version
                AND seen.live = CASE WHEN h.live_in = $3 THEN h.live ELSE 0 END
                ORDER BY h.subject FOR NO KEY UPDATE OF h
            ) AS heads
        ) AND cardinality($68) = (
            SELECT count(*) FROM (
                SELECT 1 FROM handstamp.sessions s
                JOIN unnest($68, $69, $70) AS seen (id, version, last_seen) ON seen.id = s.id
                WHERE s.version = seen.version AND s.last_seen = seen.last_seen
                AND s.ended_at IS NULL
                ORDER BY s.id FOR NO KEY UPDATE OF s
            ) AS records
        );
        IF NOT is_as_seen THEN
            RAISE EXCEPTION 'others have changed what a batch was decided on'
                USING ERRCODE = 'HS001';
        END IF;
    END IF;
    -- Parts of one statement see the same moment, and each row is written by one of them. A record or
    -- a head is written only over what the batch was decided on, of which the version before it is one
    -- less; where another made it first, fewer rows are written than should be.
    WITH told AS (
        UPDATE handstamp.writers SET commits = $4, batch = $5, event = $6, link = $7,
            until_at = $8, change = $9, seen_at = clock_timestamp()
        WHERE writer = $1 AND holder = $2 AND commits = $4 - 1 RETURNING 1
    ), moved AS (
        UPDATE handstamp.deployment SET epoch = $3 WHERE epoch < $3
    ), kept AS (
        INSERT INTO handstamp.heads AS old
            (subject, stamp, version, epoch, is_disabled, roles, live, live_in, moved)
        SELECT * FROM unnest($10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT (subject) DO UPDATE SET stamp = excluded.stamp, version = excluded.version,
            epoch = excluded.epoch, is_disabled = excluded.is_disabled, roles = excluded.roles,
            live = excluded.live, live_in = excluded.live_in, moved = excluded.moved
        WHERE old.stamp = excluded.stamp - 1 RETURNING 1
    ), put AS (
        INSERT INTO handstamp.sessions AS old (id, version, change_id, subject, epoch,
            deployment_epoch, kind, transport, roles, created_at, authenticated_at, last_seen,
            absolute_expiry, idle_ms, due_at, ip, user_agent, device, country, location, label,
            is_remembered, is_suspended, ended_at, ended_reason, body, data)
        SELECT * FROM unnest($19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32,
            $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45)
        ON CONFLICT (id) DO UPDATE SET version = excluded.version,
            change_id = excluded.change_id, epoch = excluded.epoch,
            deployment_epoch = excluded.deployment_epoch, kind = excluded.kind,
            transport = excluded.transport, roles = excluded.roles,
            authenticated_at = excluded.authenticated_at, last_seen = excluded.last_seen,
            absolute_expiry = excluded.absolute_expiry, idle_ms = excluded.idle_ms,
            due_at = excluded.due_at, ip = excluded.ip, user_agent = excluded.user_agent,
            device = excluded.device, country = excluded.country, location = excluded.location,
            label = excluded.label, is_remembered = excluded.is_remembered,
            is_suspended = excluded.is_suspended, ended_at = excluded.ended_at,
            ended_reason = excluded.ended_reason, body = excluded.body, data = excluded.data
        WHERE old.version = excluded.version - 1 AND old.ended_at IS NULL RETURNING 1
    ), logged AS (
        INSERT INTO handstamp.events (place, writer, number, id, at, action, subject, session,
            actor, is_success, error, details, personal, ip, salt, personal_hash)
        SELECT nextval('handstamp.places'), $1, line.*
        FROM unnest($46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59) AS line
    ), sealed AS (
        INSERT INTO handstamp.batches
            (writer, number, key_id, link, first_event, last_event, until_at)
        SELECT $1, $5, $60, $7, $61, $6, $8 WHERE $61 IS NOT NULL
    ), noted AS (
        INSERT INTO handstamp.changes (writer, number, place, changes)
        SELECT $1, $9, nextval('handstamp.places'), $62 WHERE $62 IS NOT NULL
    )
    SELECT (SELECT count(*) FROM told) = 1 AND (SELECT count(*) FROM kept) = cardinality($10)
            AND (SELECT count(*) FROM put) = cardinality($19),
        EXISTS (SELECT 1 FROM handstamp.writers WHERE writer <> $1 AND holder IS NOT NULL)
    INTO is_as_seen, has_others;
    IF NOT is_as_seen THEN
        RAISE EXCEPTION 'others have changed what a batch was decided on' USING ERRCODE = 'HS001';
    END IF;
    RETURN has_others;
END
$$;
