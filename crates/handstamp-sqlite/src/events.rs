//! The audit log: adding lines, sealing them, listing them.

use handstamp_core::chain::{Link, SealedBatch, Sealer};
use handstamp_core::event::{Action, Event, Personal};
use handstamp_core::id::{EventId, SessionId, Subject};
use handstamp_core::store::{EventFilter, EventPage, Page, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use serde_json::Value as Json;

use crate::cursor::Cursors;
use crate::fault::Fault;
use crate::list::Conditions;
use crate::rows::{Columns, signed};
use crate::state::State;
use crate::writer::{Care, Reply, Work};

const ADD: &str = "INSERT INTO events (place, writer, number, id, at, action, subject, session, \
    actor, is_success, error, details, personal, salt, personal_hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

const COLUMNS: &str = "place, writer, number, id, at, action, subject, session, actor, is_success, \
    error, details, personal, salt, personal_hash";

const SEAL: &str = "INSERT INTO batches (writer, number, key_id, link, first_place, events, \
    last_event, until_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// An event with its texts, written before it is queued.
pub(crate) struct Line {
    event: Event,
    action: String,
    details: String,
    personal: Option<String>,
}

impl Line {
    /// The lines of `events`, or why one cannot be stored.
    pub(crate) fn all(events: Vec<Event>) -> Result<Vec<Self>, Fault> {
        events.into_iter().map(Self::of).collect()
    }

    fn of(event: Event) -> Result<Self, Fault> {
        let unfit = |_| Fault::Unfit("not JSON");
        let details = serde_json::to_string(&event.details).map_err(unfit)?;
        let personal = event.personal.as_ref().map(serde_json::to_string).transpose();
        let personal = personal.map_err(unfit)?;
        Ok(Self { action: event.action.to_string(), details, personal, event })
    }
}

/// Adds `lines` to the log, numbered.
pub(crate) fn add(
    connection: &Connection,
    state: &mut State,
    lines: &mut [Line],
) -> Result<(), Fault> {
    for line in lines {
        state.tip.event += 1;
        state.tip.place += 1;
        line.event.writer = state.tip.writer;
        line.event.number = state.tip.event.unsigned_abs();
        insert(connection, state.tip.place, line)?;
    }
    Ok(())
}

fn insert(connection: &Connection, place: i64, line: &Line) -> Result<(), Fault> {
    let event = &line.event;
    connection.prepare_cached(ADD)?.execute(params![
        place,
        event.writer,
        signed(event.number)?,
        event.id.as_bytes(),
        event.at.as_millis(),
        line.action,
        event.subject.as_ref().map(Subject::as_str),
        event.session.as_ref().map(SessionId::as_bytes),
        event.actor.as_deref(),
        event.is_success,
        event.error.as_deref(),
        line.details,
        line.personal,
        event.salt,
        event.personal_hash,
    ])?;
    Ok(())
}

/// Seals `lines`, the last that were added, to what stands before them.
pub(crate) fn seal<'a>(
    connection: &Connection,
    state: &mut State,
    sealer: &Sealer,
    lines: impl Iterator<Item = &'a Line> + Clone,
) -> Result<(), Fault> {
    let count = i64::try_from(lines.clone().count()).map_err(|_| Fault::Unfit("too many"))?;
    if count == 0 {
        return Ok(());
    }
    let tip = &mut state.tip;
    let latest = lines.clone().map(|line| line.event.at.as_millis()).max();
    tip.until = latest.map_or(tip.until, |latest| latest.max(tip.until));
    let (key, link) = sealer.seal(&tip.link, lines.map(|line| &line.event));
    (tip.batch, tip.link) = (tip.batch + 1, link);
    let first = tip.place - count + 1;
    connection
        .prepare_cached(SEAL)?
        .execute(params![tip.writer, tip.batch, key, link.0, first, count, tip.event, tip.until])?;
    Ok(())
}

/// Events that belong to no change, on their way to the writer.
pub(crate) struct Append {
    lines: Vec<Line>,
    sealer: Sealer,
    reply: Reply<()>,
}

impl Append {
    /// Adds `lines`; that it is done goes to `reply`.
    pub(crate) const fn of(lines: Vec<Line>, sealer: Sealer, reply: Reply<()>) -> Self {
        Self { lines, sealer, reply }
    }
}

impl Work for Append {
    fn step(&mut self, connection: &Connection, state: &mut State, _: Care) -> Result<(), Fault> {
        add(connection, state, &mut self.lines)?;
        seal(connection, state, &self.sealer, self.lines.iter())
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        let _ = self.reply.send(Ok(()));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Lists events by `filter`, the last that was added first.
pub(crate) fn list(
    connection: &Connection,
    cursors: Cursors<'_>,
    filter: &EventFilter,
    page: &Page,
) -> Result<EventPage, Fault> {
    let before = page.after.as_deref().map(|after| cursors.read_number(after)).transpose()?;
    let limit = page.clamped();
    let mut conditions = conditions(filter);
    conditions.when("place < ?", before.map(Value::from));
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE {} ORDER BY place DESC LIMIT {}",
        conditions.sql(),
        limit + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values()))?;
    let (mut events, mut seen, mut last) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next()? {
        if seen == limit {
            return Ok(EventPage { events, next: Some(cursors.write(&i64::to_be_bytes(last))) });
        }
        (seen, last) = (seen + 1, row.get(0)?);
        match read(row) {
            Ok(event) => events.push(event),
            Err(fault) => tracing::error!(place = last, %fault, "an event cannot be read"),
        }
    }
    Ok(EventPage { events, next: None })
}

fn conditions(filter: &EventFilter) -> Conditions {
    let text = |text: &str| Value::from(text.to_owned());
    let mut all = Conditions::none();
    all.when("subject = ?", filter.subject.as_ref().map(|subject| text(subject.as_str())));
    all.when("session = ?", filter.session.map(|id| Value::from(id.as_bytes().to_vec())));
    match &*filter.actions {
        [] => {}
        // Indexed by themselves: verifying the log asks for them, however long it is.
        [Action::SubjectErased] => all.hold("action = 'subject.erased'"),
        [Action::PersonalExpired] => all.hold("action = 'personal.expired'"),
        [action] => all.when("action = ?", Some(action.to_string().into())),
        actions => all.when(
            "action IN (SELECT value FROM json_each(?))",
            Some(one_of(actions.iter().map(ToString::to_string))),
        ),
    }
    if !filter.reasons.is_empty() {
        all.hold("action = 'session.ended'");
        all.when(
            "details ->> '$.reason' IN (SELECT value FROM json_each(?))",
            Some(one_of(filter.reasons.iter().map(|reason| reason.as_str().to_owned()))),
        );
    }
    all.when("personal ->> '$.ip' = ?", filter.ip.map(|ip| Value::from(ip.to_string())));
    all.when("is_success = ?", filter.is_success.map(Value::from));
    all.when("at >= ?", filter.after.map(|at| Value::from(at.as_millis())));
    all.when("at < ?", filter.before.map(|at| Value::from(at.as_millis())));
    all
}

/// Names, as one value.
fn one_of(names: impl Iterator<Item = String>) -> Value {
    Json::from_iter(names).to_string().into()
}

fn read(row: &Row<'_>) -> Result<Event, Fault> {
    let mut columns = Columns::of(row);
    let _place: i64 = columns.next("place")?;
    let writer = columns.next("writer")?;
    let number = columns.count("number")?;
    let id = EventId::from_bytes(columns.next("id")?);
    let at = columns.time("at")?;
    let action = columns.str("action")?.parse().map_err(|_| Fault::Stored("action"))?;
    let mut event = Event::new(id, at, action, [0; 16]);
    (event.writer, event.number) = (writer, number);
    event.subject = columns.subject()?;
    event.session = columns.next::<Option<_>>("session")?.map(SessionId::from_bytes);
    event.actor = columns.next("actor")?;
    event.is_success = columns.next("is_success")?;
    event.error = columns.next("error")?;
    let details = serde_json::from_str(columns.str("details")?);
    event.details = details.map_err(|_| Fault::Stored("details"))?;
    event.personal = personal(columns.optional_str("personal")?)?;
    event.salt = columns.next("salt")?;
    event.personal_hash = columns.next("personal_hash")?;
    Ok(event)
}

fn personal(json: Option<&str>) -> Result<Option<Personal>, Fault> {
    json.map(serde_json::from_str).transpose().map_err(|_| Fault::Stored("personal"))
}

/// The batches of `writer` after number `after`, oldest first.
pub(crate) fn sealed(
    connection: &Connection,
    writer: u32,
    after: u64,
    limit: usize,
) -> Result<Vec<SealedBatch>, Fault> {
    let moment = connection.unchecked_transaction()?;
    let mut statement = moment.prepare_cached(
        "SELECT number, key_id, link, first_place, events FROM batches
         WHERE writer = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let (after, limit) = (i64::try_from(after), i64::try_from(limit));
    let mut rows =
        statement.query(params![writer, after.unwrap_or(i64::MAX), limit.unwrap_or(i64::MAX)])?;
    let mut batches = Vec::new();
    while let Some(row) = rows.next()? {
        batches.push(sealed_batch(&moment, writer, row)?);
    }
    Ok(batches)
}

fn sealed_batch(connection: &Connection, writer: u32, row: &Row<'_>) -> Result<SealedBatch, Fault> {
    let mut columns = Columns::of(row);
    let number = columns.count("number")?;
    let key_id = columns.next("key_id")?;
    let link = Link(columns.next("link")?);
    let (first, count): (i64, i64) = (columns.next("first_place")?, columns.next("events")?);
    let events = between(connection, first, first.saturating_add(count))?;
    Ok(SealedBatch { writer, number, key_id, link, events })
}

/// The events at `from` and up to `to`. One that cannot be read is left out, and the chain shows
/// it.
fn between(connection: &Connection, from: i64, to: i64) -> Result<Vec<Event>, Fault> {
    let sql =
        format!("SELECT {COLUMNS} FROM events WHERE place >= ?1 AND place < ?2 ORDER BY place");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([from, to])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.extend(read(row));
    }
    Ok(events)
}

/// The events after `place`, oldest first, each with its place; `None` for one that cannot be read.
pub(crate) fn after(
    connection: &Connection,
    place: i64,
    limit: i64,
) -> Result<Vec<(i64, Option<Event>)>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE place > ?1 ORDER BY place LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([place, limit])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let place = row.get(0)?;
        let event = read(row);
        if let Err(fault) = &event {
            tracing::error!(place, %fault, "an event cannot be read");
        }
        events.push((place, event.ok()));
    }
    Ok(events)
}
