//! Many sessions at once: copies of those that have begun, straight into the tables.
//!
//! Copies have ids and subjects of their own, and lie between those that they were made from, so whoever
//! uses the latter goes all over the tables and their indices. Nobody has a token for a copy. Events are
//! not copied: what is measured here neither reads nor writes any.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::Fault;

/// All columns that are not made from others.
const COLUMNS: &str = "version, change_id, epoch, deployment_epoch, kind, transport, roles, created_at, \
    authenticated_at, last_seen, absolute_expiry, idle_ms, due_at, ip, user_agent, device, country, \
    location, label, is_remembered, is_suspended, ended_at, ended_reason, body, data";

/// Indices are made when the rows are there, which is quicker.
const DROP: &str = "CREATE TEMP TABLE indices AS SELECT indexname, indexdef FROM pg_indexes \
    WHERE schemaname = 'handstamp' AND tablename = 'sessions' AND indexname <> 'sessions_pkey'; \
    DO $$ DECLARE one RECORD; BEGIN FOR one IN SELECT * FROM indices LOOP \
    EXECUTE format('DROP INDEX handstamp.%I', one.indexname); END LOOP; END $$";
const MAKE: &str = "DO $$ DECLARE one RECORD; BEGIN FOR one IN SELECT * FROM indices LOOP \
    EXECUTE one.indexdef; END LOOP; END $$";

/// Makes of each session that there is so many, itself among them.
pub(crate) async fn multiply(url: &str, times: u64) -> Result<(), Fault> {
    let last = times.saturating_sub(1);
    let mut connection = PgConnection::connect(url).await?;
    let fill = format!(
        "BEGIN; {DROP}; \
        CREATE TEMP TABLE begun AS SELECT * FROM handstamp.sessions; \
        CREATE TEMP TABLE known AS SELECT * FROM handstamp.heads; \
        TRUNCATE handstamp.sessions, handstamp.heads CASCADE; \
        INSERT INTO handstamp.sessions (id, subject, {COLUMNS}) \
        SELECT CASE n WHEN 0 THEN id ELSE substring(sha256(id || n::TEXT::BYTEA) FOR 18) END, \
            CASE n WHEN 0 THEN subject ELSE subject || '-' || n END, {COLUMNS} \
        FROM begun CROSS JOIN generate_series(0, {last}) AS n; \
        INSERT INTO handstamp.heads \
            (subject, stamp, version, epoch, is_disabled, roles, live, live_in, moved) \
        SELECT CASE n WHEN 0 THEN subject ELSE subject || '-' || n END, stamp, version, epoch, \
            is_disabled, roles, live, live_in, moved \
        FROM known CROSS JOIN generate_series(0, {last}) AS n; \
        {MAKE}; COMMIT"
    );
    for sql in [fill.as_str(), "VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::raw_sql(sql).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}
