//! Everything that a batch writes, in one statement, whatever its size.

use handstamp_core::event::Event;
use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::Subject;
use handstamp_core::record::Record;

use crate::events::Line;
use crate::fault::Fault;
use crate::link::Transaction;
use crate::rows::{Columns, Texts, join, signed};
use crate::seat::{Seat, Tip};

/// Parts of one statement see the same moment, and each row is written by one of them. A record or a
/// head is written only over what the batch was decided on, of which the version before it is one
/// less; where another made it first, fewer rows are written than should be.
const WRITE: &str = "
WITH told AS (
    UPDATE handstamp.writers SET commits = $4, batch = $5, event = $6, link = $7, until_at = $8,
        change = $9, seen_at = clock_timestamp()
    WHERE writer = $1 AND holder = $2 RETURNING 1
), moved AS (
    UPDATE handstamp.deployment SET epoch = $3 WHERE epoch < $3
), kept AS (
    INSERT INTO handstamp.heads AS old
        (subject, stamp, version, epoch, is_disabled, roles, live, live_in, moved)
    SELECT * FROM unnest($10::TEXT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[], $14::BOOLEAN[],
        $15::TEXT[], $16::BIGINT[], $17::BIGINT[], $18::TEXT[])
    ON CONFLICT (subject) DO UPDATE SET stamp = excluded.stamp, version = excluded.version,
        epoch = excluded.epoch, is_disabled = excluded.is_disabled, roles = excluded.roles,
        live = excluded.live, live_in = excluded.live_in, moved = excluded.moved
    WHERE old.stamp = excluded.stamp - 1 RETURNING 1
), put AS (
    INSERT INTO handstamp.sessions AS old (id, version, change_id, subject, epoch,
        deployment_epoch, kind, transport, roles, created_at, authenticated_at, last_seen,
        absolute_expiry, idle_ms, due_at, ip, user_agent, device, country, location, label,
        is_remembered, is_suspended, ended_at, ended_reason, body, data)
    SELECT * FROM unnest($19::BYTEA[], $20::BIGINT[], $21::BYTEA[], $22::TEXT[], $23::BIGINT[],
        $24::BIGINT[], $25::TEXT[], $26::TEXT[], $27::TEXT[], $28::BIGINT[], $29::BIGINT[],
        $30::BIGINT[], $31::BIGINT[], $32::BIGINT[], $33::BIGINT[], $34::TEXT[], $35::TEXT[],
        $36::TEXT[], $37::TEXT[], $38::TEXT[], $39::TEXT[], $40::BOOLEAN[], $41::BOOLEAN[],
        $42::BIGINT[], $43::TEXT[], $44::TEXT[], $45::TEXT[])
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, change_id = excluded.change_id,
        epoch = excluded.epoch, deployment_epoch = excluded.deployment_epoch,
        kind = excluded.kind, transport = excluded.transport, roles = excluded.roles,
        authenticated_at = excluded.authenticated_at, last_seen = excluded.last_seen,
        absolute_expiry = excluded.absolute_expiry, idle_ms = excluded.idle_ms,
        due_at = excluded.due_at, ip = excluded.ip, user_agent = excluded.user_agent,
        device = excluded.device, country = excluded.country, location = excluded.location,
        label = excluded.label, is_remembered = excluded.is_remembered,
        is_suspended = excluded.is_suspended, ended_at = excluded.ended_at,
        ended_reason = excluded.ended_reason, body = excluded.body, data = excluded.data
    WHERE old.version = excluded.version - 1 RETURNING 1
), logged AS (
    INSERT INTO handstamp.events (place, writer, number, id, at, action, subject, session, actor,
        is_success, error, details, personal, ip, salt, personal_hash)
    SELECT nextval('handstamp.places'), $1, line.*
    FROM unnest($46::BIGINT[], $47::BYTEA[], $48::BIGINT[], $49::TEXT[], $50::TEXT[],
        $51::BYTEA[], $52::TEXT[], $53::BOOLEAN[], $54::TEXT[], $55::TEXT[], $56::TEXT[],
        $57::TEXT[], $58::BYTEA[], $59::BYTEA[]) AS line
), sealed AS (
    INSERT INTO handstamp.batches (writer, number, key_id, link, first_event, last_event, until_at)
    SELECT $1, $5, $60::SMALLINT, $7, $61::BIGINT, $6, $8 WHERE $61 IS NOT NULL
), noted AS (
    INSERT INTO handstamp.changes (writer, number, place, changes)
    SELECT $1, $9, nextval('handstamp.places'), $62::TEXT WHERE $62 IS NOT NULL
)
SELECT (SELECT count(*) FROM told), (SELECT count(*) FROM kept), (SELECT count(*) FROM put),
    EXISTS (SELECT 1 FROM handstamp.writers WHERE writer <> $1 AND holder IS NOT NULL)";

/// What is to be written.
#[derive(Default)]
pub(crate) struct Written<'a> {
    /// The deployment's head.
    pub(crate) deployment: Deployment,
    /// Heads, each with its next stamp.
    pub(crate) heads: Vec<(&'a Head, i64)>,
    /// Records with their texts.
    pub(crate) records: Vec<(&'a Record, &'a Texts)>,
    /// Events with their texts, in order.
    pub(crate) lines: Vec<(Event, &'a Line)>,
    /// The line of the change log, if there is one.
    pub(crate) changes: Option<String>,
    /// The key that sealed the events, and the number of the first.
    pub(crate) seal: Option<(u8, i64)>,
}

/// Who is told what, once it is committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// Somebody else may be following.
    pub(crate) has_others: bool,
}

/// Writes all of it for the holder of `seat`, who stands at `tip` then.
///
/// # Errors
/// [`Fault::Raced`] when something of it is not as it was.
pub(crate) async fn write(
    transaction: &mut Transaction,
    seat: Seat,
    tip: Tip,
    written: &Written<'_>,
) -> Result<Told, Fault> {
    let statement = sqlx::query(WRITE)
        .bind(i64::from(seat.writer))
        .bind(seat.holder)
        .bind(signed(written.deployment.epoch)?)
        .bind(tip.commits)
        .bind(tip.batch)
        .bind(tip.event)
        .bind(tip.link.0)
        .bind(tip.until)
        .bind(tip.change);
    let statement = bind_heads(statement, &written.heads, written.deployment)?;
    let statement = bind_records(statement, &written.records)?;
    let statement = bind_lines(statement, &written.lines)?
        .bind(written.seal.map(|(key, _)| i16::from(key)))
        .bind(written.seal.map(|(_, first)| first))
        .bind(written.changes.as_deref());
    let rows = transaction.rows(statement).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Raced)?);
    let told: i64 = columns.next("told")?;
    let (kept, put) = (columns.count("kept")?, columns.count("put")?);
    let is_all =
        told == 1 && kept == written.heads.len() as u64 && put == written.records.len() as u64;
    if is_all { Ok(Told { has_others: columns.next("has_others")? }) } else { Err(Fault::Raced) }
}

type Statement<'q> = crate::link::Statement<'q>;

fn bind_heads<'q>(
    statement: Statement<'q>,
    heads: &[(&'q Head, i64)],
    deployment: Deployment,
) -> Result<Statement<'q>, Fault> {
    let live_in = signed(deployment.epoch)?;
    let moved = heads.iter().map(|(head, _)| head.moved.as_ref().map(serde_json::to_string));
    let moved = moved.map(Option::transpose).collect::<Result<Vec<_>, _>>();
    Ok(statement
        .bind(all(heads, |(head, _)| head.subject.as_str()))
        .bind(all(heads, |(_, stamp)| *stamp))
        .bind(counts(heads, |(head, _)| head.version)?)
        .bind(counts(heads, |(head, _)| head.epoch)?)
        .bind(all(heads, |(head, _)| head.is_disabled))
        .bind(all(heads, |(head, _)| head.roles.as_ref().map(join)))
        .bind(all(heads, |(head, _)| i64::from(head.live)))
        .bind(vec![live_in; heads.len()])
        .bind(moved.map_err(|_| Fault::Unfit("not JSON"))?))
}

fn bind_records<'q>(
    statement: Statement<'q>,
    records: &[(&'q Record, &'q Texts)],
) -> Result<Statement<'q>, Fault> {
    let country = |record: &'q Record| {
        record.client.location.as_ref().and_then(|place| place.country.as_deref())
    };
    Ok(statement
        .bind(all(records, |(record, _)| &record.id.as_bytes()[..]))
        .bind(counts(records, |(record, _)| record.version)?)
        .bind(all(records, |(record, _)| &record.change_id.as_bytes()[..]))
        .bind(all(records, |(record, _)| record.subject.as_ref().map(Subject::as_str)))
        .bind(counts(records, |(record, _)| record.epoch)?)
        .bind(counts(records, |(record, _)| record.deployment_epoch)?)
        .bind(all(records, |(record, _)| record.kind.as_str()))
        .bind(all(records, |(record, _)| record.transport.as_str()))
        .bind(all(records, |(_, texts)| &*texts.roles))
        .bind(all(records, |(record, _)| record.created_at.as_millis()))
        .bind(all(records, |(record, _)| record.authenticated_at.as_millis()))
        .bind(all(records, |(record, _)| record.last_seen.as_millis()))
        .bind(all(records, |(record, _)| record.absolute_expiry.as_millis()))
        .bind(all(records, |(_, texts)| texts.idle_ms))
        .bind(all(records, |(record, _)| record.due_at().as_millis()))
        .bind(all(records, |(_, texts)| texts.ip.as_deref()))
        .bind(all(records, |(record, _)| record.client.user_agent.as_deref()))
        .bind(all(records, |(record, _)| record.client.device.as_deref()))
        .bind(all(records, |(record, _)| country(record)))
        .bind(all(records, |(_, texts)| texts.location.as_deref()))
        .bind(all(records, |(record, _)| record.label.as_deref()))
        .bind(all(records, |(record, _)| record.is_remembered))
        .bind(all(records, |(record, _)| record.suspended.is_some()))
        .bind(all(records, |(record, _)| record.ended.as_ref().map(|it| it.at.as_millis())))
        .bind(all(records, |(record, _)| record.ended.as_ref().map(|it| it.reason.as_str())))
        .bind(all(records, |(_, texts)| &*texts.body))
        .bind(all(records, |(_, texts)| texts.data.as_deref())))
}

fn bind_lines<'q>(
    statement: Statement<'q>,
    lines: &'q [(Event, &'q Line)],
) -> Result<Statement<'q>, Fault> {
    Ok(statement
        .bind(counts(lines, |(event, _)| event.number)?)
        .bind(all(lines, |(event, _)| &event.id.as_bytes()[..]))
        .bind(all(lines, |(event, _)| event.at.as_millis()))
        .bind(all(lines, |(_, line)| &*line.action))
        .bind(all(lines, |(event, _)| event.subject.as_ref().map(Subject::as_str)))
        .bind(all(lines, |(event, _)| event.session.as_ref().map(|id| &id.as_bytes()[..])))
        .bind(all(lines, |(event, _)| event.actor.as_deref()))
        .bind(all(lines, |(event, _)| event.is_success))
        .bind(all(lines, |(event, _)| event.error.as_deref()))
        .bind(all(lines, |(_, line)| &*line.details))
        .bind(all(lines, |(_, line)| line.personal.as_deref()))
        .bind(all(lines, |(_, line)| line.ip.as_deref()))
        .bind(all(lines, |(event, _)| &event.salt[..]))
        .bind(all(lines, |(event, _)| &event.personal_hash[..])))
}

/// One value of each.
fn all<'a, T, V>(of: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    of.iter().map(value).collect()
}

fn counts<T>(of: &[T], value: impl Fn(&T) -> u64) -> Result<Vec<i64>, Fault> {
    of.iter().map(|one| signed(value(one))).collect()
}
