//! Listing records, newest first, page by page.

use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{Filter, Page, RecordPage};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::cursor::{Cursors, Place};
use crate::fault::Fault;
use crate::rows;

/// What must hold of a row, all of it, with the values that it is compared with.
pub(crate) struct Conditions {
    sql: Vec<&'static str>,
    values: Vec<Value>,
}

impl Conditions {
    /// Nothing must hold.
    pub(crate) const fn none() -> Self {
        Self { sql: Vec::new(), values: Vec::new() }
    }

    /// `sql` must hold too.
    pub(crate) fn hold(&mut self, sql: &'static str) {
        self.sql.push(sql);
    }

    /// `sql`, in which `?` stands for the value, must hold too, if there is a value.
    pub(crate) fn when(&mut self, sql: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.sql.push(sql);
            self.values.push(value);
        }
    }

    /// The text for `WHERE`.
    pub(crate) fn sql(&self) -> String {
        if self.sql.is_empty() { "TRUE".into() } else { self.sql.join(" AND ") }
    }

    /// The values, in order.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }
}

/// The records of `subject`.
pub(crate) fn by_subject(
    connection: &Connection,
    cursors: Cursors<'_>,
    subject: Subject,
    include_ended: bool,
    page: &Page,
) -> Result<RecordPage, Fault> {
    let is_live = if include_ended { None } else { Some(true) };
    let filter = Filter { subject: Some(subject), is_live, ..Filter::default() };
    scan(connection, cursors, &filter, page)
}

/// The records that `filter` accepts.
pub(crate) fn scan(
    connection: &Connection,
    cursors: Cursors<'_>,
    filter: &Filter,
    page: &Page,
) -> Result<RecordPage, Fault> {
    let after = page.after.as_deref().map(|after| cursors.read(after)).transpose()?;
    let after = after.as_ref().map_or(Place::START, Place::from_bytes);
    let limit = page.clamped();
    let (sql, values) = query(filter, after, limit + 1);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut records, mut seen, mut last) = (Vec::new(), 0, Place::START);
    while let Some(row) = rows.next()? {
        if seen == limit {
            return Ok(RecordPage { records, next: Some(cursors.write(&last.to_bytes())) });
        }
        (seen, last) = (seen + 1, place(row)?);
        match rows::read(row) {
            Ok(record) => records.push(record),
            Err(fault) => tracing::error!(id = %last.id, %fault, "a record cannot be read"),
        }
    }
    Ok(RecordPage { records, next: None })
}

fn place(row: &rusqlite::Row<'_>) -> Result<Place, Fault> {
    let id = SessionId::from_bytes(row.get("id")?);
    let created_at = handstamp_core::time::Timestamp::from_millis(row.get("created_at")?);
    Ok(Place { created_at, id })
}

fn query(filter: &Filter, after: Place, limit: usize) -> (String, Vec<Value>) {
    let mut conditions = conditions(filter);
    conditions.when("(created_at, id) < (?", Some(Value::from(after.created_at.as_millis())));
    let is_live = match filter.is_live {
        None => "",
        Some(true) => " AND ended_at IS NULL",
        Some(false) => " AND ended_at IS NOT NULL",
    };
    let sql = format!(
        "SELECT {} FROM sessions WHERE {}, ?){is_live} ORDER BY created_at DESC, id DESC \
         LIMIT {limit}",
        rows::COLUMNS,
        conditions.sql(),
    );
    let mut values = conditions.values;
    values.push(Value::from(after.id.as_bytes().to_vec()));
    (sql, values)
}

fn conditions(filter: &Filter) -> Conditions {
    let text = |text: &str| Value::from(text.to_owned());
    let time = |at: handstamp_core::time::Timestamp| Value::from(at.as_millis());
    let mut all = Conditions::none();
    all.when("subject = ?", filter.subject.as_ref().map(|subject| text(subject.as_str())));
    all.when("id = ?", filter.id.map(|id| Value::from(id.as_bytes().to_vec())));
    all.when("kind = ?", filter.kind.map(|kind| text(kind.as_str())));
    all.when("ip = ?", filter.ip.map(|ip| Value::from(ip.to_string())));
    all.when("device = ?", filter.device.as_deref().map(text));
    all.when("country = ?", filter.country.as_deref().map(text));
    let role = filter.role.as_deref().map(|role| Value::from(format!(",{role},")));
    all.when("instr(',' || roles || ',', ?) > 0", role);
    all.when("created_at >= ?", filter.created_after.map(time));
    all.when("created_at < ?", filter.created_before.map(time));
    all.when("last_seen >= ?", filter.seen_after.map(time));
    all.when("last_seen < ?", filter.seen_before.map(time));
    all
}
