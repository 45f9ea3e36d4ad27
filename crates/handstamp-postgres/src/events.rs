//! The audit log: lines on their way into it, and lists of it.

use handstamp_core::chain::{Link as ChainLink, SealedBatch};
use handstamp_core::event::{Action, Event};
use handstamp_core::id::{EventId, SessionId, Subject};
use handstamp_core::store::{EventFilter, EventPage, Page};
use sqlx::postgres::PgRow;

use crate::conditions::{Conditions, Value};
use crate::cursor::Cursors;
use crate::fault::Fault;
use crate::link::Link;
use crate::rows::{Columns, fit};

/// The columns of an event in `e`, as [`read`] expects them.
macro_rules! event_columns {
    () => {
        "e.place, e.writer, e.number, e.id, e.at, e.action, e.subject, e.session, e.actor, \
         e.is_success, e.error, e.details, e.personal, e.salt, e.personal_hash"
    };
}

pub(crate) use event_columns;

const SEALED: &str = concat!(
    "SELECT b.number, b.key_id, b.link, ",
    event_columns!(),
    " FROM (SELECT * FROM handstamp.batches WHERE writer = $1 AND number > $2
        ORDER BY number LIMIT $3) b
    LEFT JOIN handstamp.events e
        ON e.writer = $1 AND e.number BETWEEN b.first_event AND b.last_event
    ORDER BY b.number, e.number"
);

/// An event with its texts, written before anything is locked.
pub(crate) struct Line {
    pub(crate) event: Event,
    pub(crate) action: String,
    pub(crate) details: String,
    pub(crate) personal: Option<String>,
    pub(crate) ip: Option<String>,
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
        let action = event.action.to_string();
        let subject = event.subject.as_ref().map(Subject::as_str);
        let plain = [Some(&*action), subject, event.actor.as_deref(), event.error.as_deref()];
        plain.into_iter().flatten().try_for_each(|text| fit(text).map(drop))?;
        let ip = event.personal.as_ref().and_then(|personal| personal.client.ip);
        Ok(Self { action, details, personal, ip: ip.map(|ip| ip.to_string()), event })
    }
}

/// Lists events by `filter`, the last that was added first.
pub(crate) async fn list(
    link: &Link,
    cursors: Cursors<'_>,
    filter: &EventFilter,
    page: &Page,
) -> Result<EventPage, Fault> {
    let before = page.after.as_deref().map(|after| cursors.read_number(after)).transpose()?;
    let limit = page.clamped();
    let mut conditions = conditions(filter);
    conditions.when("e.place < ?", before);
    let list = conditions.into_list(
        concat!("SELECT ", event_columns!(), " FROM handstamp.events e"),
        &format!("ORDER BY e.place DESC LIMIT {}", limit + 1),
    );
    let rows = link.rows(|| list.statement()).await?;
    let (mut events, mut last) = (Vec::new(), 0_i64);
    for row in rows.iter().take(limit) {
        last = Columns::of(row).next("place")?;
        match read(&mut Columns::of(row)) {
            Ok(event) => events.push(event),
            Err(fault) => tracing::error!(place = last, %fault, "an event cannot be read"),
        }
    }
    let next = (rows.len() > limit).then(|| cursors.write(&last.to_be_bytes()));
    Ok(EventPage { events, next })
}

fn conditions(filter: &EventFilter) -> Conditions {
    let mut all = Conditions::default();
    all.when("e.subject = ?", filter.subject.as_ref().map(|subject| text(subject.as_str())));
    all.when("e.session = ?", filter.session.map(|id| Value::Bytes(id.as_bytes().to_vec())));
    match &*filter.actions {
        [] => {}
        // Indexed by themselves: verifying the log asks for them, however long it is.
        [Action::SubjectErased] => all.hold("e.action = 'subject.erased'"),
        [Action::PersonalExpired] => all.hold("e.action = 'personal.expired'"),
        actions => {
            let actions = actions.iter().map(ToString::to_string).collect();
            all.always("e.action = ANY (?)", [Value::Texts(actions)]);
        }
    }
    if !filter.reasons.is_empty() {
        let reasons = filter.reasons.iter().map(|reason| reason.as_str().to_owned()).collect();
        all.hold("e.action = 'session.ended'");
        all.always("e.details::JSON ->> 'reason' = ANY (?)", [Value::Texts(reasons)]);
    }
    all.when("e.ip = ?", filter.ip.map(|ip| Value::Text(ip.to_string())));
    all.when("e.is_success = ?", filter.is_success.map(Value::Flag));
    all.when("e.at >= ?", filter.after.map(|at| Value::Number(at.as_millis())));
    all.when("e.at < ?", filter.before.map(|at| Value::Number(at.as_millis())));
    all
}

/// A text as a value. One with a NUL is in no row, and no value either: neither is the empty one
/// where it is asked for.
pub(crate) fn text(text: &str) -> Value {
    Value::from(fit(text).unwrap_or_default())
}

/// Reads [`event_columns`] from where `columns` is.
pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Event, Fault> {
    let _place: i64 = columns.next("place")?;
    let writer = columns.writer()?;
    let number = columns.count("number")?;
    let id = EventId::from_bytes(columns.bytes("id")?);
    let at = columns.time("at")?;
    let action = columns.next::<&str>("action")?.parse().map_err(|_| Fault::Stored("action"))?;
    let mut event = Event::new(id, at, action, [0; 16]);
    (event.writer, event.number) = (writer, number);
    event.subject = columns.subject()?;
    event.session = session(columns.next("session")?)?;
    event.actor = columns.text("actor")?;
    event.is_success = columns.next("is_success")?;
    event.error = columns.text("error")?;
    let details = serde_json::from_str(columns.next("details")?);
    event.details = details.map_err(|_| Fault::Stored("details"))?;
    let personal = columns.next::<Option<&str>>("personal")?.map(serde_json::from_str);
    event.personal = personal.transpose().map_err(|_| Fault::Stored("personal"))?;
    event.salt = columns.bytes("salt")?;
    event.personal_hash = columns.bytes("personal_hash")?;
    Ok(event)
}

fn session(id: Option<&[u8]>) -> Result<Option<SessionId>, Fault> {
    let id = id.map(TryInto::try_into).transpose().map_err(|_| Fault::Stored("session"))?;
    Ok(id.map(SessionId::from_bytes))
}

/// The batches of `writer` after number `after`, oldest first. An event that cannot be read is left
/// out, and the chain shows it.
pub(crate) async fn sealed(
    link: &Link,
    writer: u32,
    after: u64,
    limit: usize,
) -> Result<Vec<SealedBatch>, Fault> {
    let (after, limit) = (i64::try_from(after), i64::try_from(limit));
    let (after, limit) = (after.unwrap_or(i64::MAX), limit.unwrap_or(i64::MAX));
    let statement = || sqlx::query(SEALED).bind(i64::from(writer)).bind(after).bind(limit);
    let mut batches: Vec<SealedBatch> = Vec::new();
    for row in &link.rows(statement).await? {
        add(&mut batches, writer, row)?;
    }
    Ok(batches)
}

fn add(batches: &mut Vec<SealedBatch>, writer: u32, row: &PgRow) -> Result<(), Fault> {
    let mut columns = Columns::of(row);
    let number = columns.count("number")?;
    let (key_id, link) = (columns.key_id()?, ChainLink(columns.bytes("link")?));
    if batches.last().is_none_or(|last| last.number != number) {
        batches.push(SealedBatch { writer, number, key_id, link, events: Vec::new() });
    }
    if let (Some(batch), Ok(event)) = (batches.last_mut(), read(&mut columns)) {
        batch.events.push(event);
    }
    Ok(())
}
