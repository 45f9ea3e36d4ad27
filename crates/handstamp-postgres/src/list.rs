//! Listing records, newest first, page by page.

use handstamp_core::id::Subject;
use handstamp_core::store::{Filter, Page, RecordPage};
use handstamp_core::time::Timestamp;

use crate::conditions::{Conditions, Value};
use crate::cursor::{Cursors, Place};
use crate::events::text;
use crate::fault::Fault;
use crate::link::Link;
use crate::rows::{self, Columns, columns};

/// The records of `subject`.
pub(crate) async fn by_subject(
    link: &Link,
    cursors: Cursors<'_>,
    subject: &Subject,
    include_ended: bool,
    page: &Page,
) -> Result<RecordPage, Fault> {
    let is_live = if include_ended { None } else { Some(true) };
    let filter = Filter { subject: Some(subject.clone()), is_live, ..Filter::default() };
    scan(link, cursors, &filter, page).await
}

/// The records that `filter` accepts.
pub(crate) async fn scan(
    link: &Link,
    cursors: Cursors<'_>,
    filter: &Filter,
    page: &Page,
) -> Result<RecordPage, Fault> {
    let after = page.after.as_deref().map(|after| cursors.read(after)).transpose()?;
    let limit = page.clamped();
    let mut conditions = conditions(filter);
    if let Some(Place { created_at, id }) = after.as_ref().map(Place::from_bytes) {
        let values = [Value::Number(created_at.as_millis()), Value::Bytes(id.as_bytes().to_vec())];
        conditions.always("(s.created_at, s.id) < (?, ?)", values);
    }
    let list = conditions.into_list(
        concat!("SELECT ", columns!(), " FROM handstamp.sessions s"),
        &format!("ORDER BY s.created_at DESC, s.id DESC LIMIT {}", limit + 1),
    );
    let rows = link.rows(|| list.statement()).await?;
    let (mut records, mut last) = (Vec::new(), Place::START);
    for row in rows.iter().take(limit) {
        last = Place { created_at: created_at(row)?, id: Columns::of(row).id("id")? };
        match rows::read(&mut Columns::of(row)) {
            Ok(record) => records.push(record),
            Err(fault) => tracing::error!(id = %last.id, %fault, "a record cannot be read"),
        }
    }
    let next = (rows.len() > limit).then(|| cursors.write(&last.to_bytes()));
    Ok(RecordPage { records, next })
}

/// Where `created_at` stands among the columns of a record.
const CREATED_AT: usize = 9;

/// When the record of a row began, whatever else of it can be read.
pub(crate) fn created_at(row: &sqlx::postgres::PgRow) -> Result<Timestamp, Fault> {
    let mut columns = Columns::of(row);
    columns.skip(CREATED_AT);
    columns.time("created_at")
}

fn conditions(filter: &Filter) -> Conditions {
    let time = |at: Timestamp| at.as_millis();
    let mut all = Conditions::default();
    all.when("s.subject = ?", filter.subject.as_ref().map(|subject| text(subject.as_str())));
    all.when("s.id = ?", filter.id.map(|id| Value::Bytes(id.as_bytes().to_vec())));
    all.when("s.kind = ?", filter.kind.map(|kind| text(kind.as_str())));
    all.when("s.ip = ?", filter.ip.map(|ip| Value::Text(ip.to_string())));
    all.when("s.device = ?", filter.device.as_deref().map(text));
    all.when("s.country = ?", filter.country.as_deref().map(text));
    let role = filter.role.as_deref().map(|role| text(&format!(",{role},")));
    all.when("position(? IN ',' || s.roles || ',') > 0", role);
    all.when("s.created_at >= ?", filter.created_after.map(time));
    all.when("s.created_at < ?", filter.created_before.map(time));
    all.when("s.last_seen >= ?", filter.seen_after.map(time));
    all.when("s.last_seen < ?", filter.seen_before.map(time));
    match filter.is_live {
        None => {}
        Some(true) => all.hold("s.ended_at IS NULL"),
        Some(false) => all.hold("s.ended_at IS NOT NULL"),
    }
    all
}
