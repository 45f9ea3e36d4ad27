//! Everything that a batch writes, in one statement, whatever its size.

use std::time::Duration;

use handstamp_core::event::Event;
use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::Subject;
use handstamp_core::record::Record;
use sqlx::postgres::PgRow;

use crate::events::Line;
use crate::fault::Fault;
use crate::link::{Link, Own, Transaction};
use crate::memory::Seen;
use crate::rows::{Columns, Texts, join, signed};
use crate::seat::{Seat, Tip};

/// See there (`schema/v2.sql`).
const WRITE: &str =
    "SELECT handstamp.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32,
    $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51,
    $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70,
    $71)";

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

/// Writes all of it for the holder of `seat`, who stands at `tip` then, after whoever has locked what
/// it concerns.
///
/// # Errors
/// [`Fault::Raced`] when something of it is not as it was.
pub(crate) async fn write(
    transaction: &mut Transaction,
    seat: Seat,
    tip: Tip,
    written: &Written<'_>,
) -> Result<Told, Fault> {
    let nothing = Seen::default();
    let statement = statement(seat, tip, written)?;
    told(&transaction.rows(bind_seen(statement, false, &nothing, Duration::ZERO)).await?)
}

/// The same as a commit by itself, if all is as it was `seen`.
///
/// # Errors
/// [`Fault::Raced`] when it is not. After any other fault that is no refusal, nobody knows.
pub(crate) async fn write_alone(
    (link, own): (&Link, &mut Own),
    seat: Seat,
    tip: Tip,
    seen: &Seen,
    written: &Written<'_>,
) -> Result<Told, Fault> {
    let statement = statement(seat, tip, written)?;
    told(&link.once_on(own, bind_seen(statement, true, seen, link.patience())).await?)
}

fn told(rows: &[PgRow]) -> Result<Told, Fault> {
    let row = rows.first().ok_or(Fault::Stored("has_others"))?;
    Ok(Told { has_others: Columns::of(row).next("has_others")? })
}

fn statement<'q>(seat: Seat, tip: Tip, written: &'q Written<'_>) -> Result<Statement<'q>, Fault> {
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
    Ok(bind_lines(statement, &written.lines)?
        .bind(written.seal.map(|(key, _)| i16::from(key)))
        .bind(written.seal.map(|(_, first)| first))
        .bind(written.changes.as_deref()))
}

fn bind_seen<'q>(
    statement: Statement<'q>,
    is_alone: bool,
    seen: &'q Seen,
    patience: Duration,
) -> Statement<'q> {
    statement
        .bind(is_alone)
        .bind(&seen.subjects)
        .bind(&seen.stamps)
        .bind(&seen.versions)
        .bind(&seen.lives)
        .bind(&seen.ids)
        .bind(&seen.record_versions)
        .bind(&seen.last_seen)
        .bind(i64::try_from(patience.as_millis()).unwrap_or(i64::MAX))
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
