//! Loading records and heads, each in one statement.

use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{Found, LoadAnswer, Loaded};
use sqlx::postgres::PgRow;

use crate::content::standing;
use crate::fault::Fault;
use crate::link::{Link, Statement, Transaction};
use crate::rows::{self, Columns, columns, split};

/// The columns of a head in `h`, as [`read_head`] expects them.
macro_rules! head_columns {
    () => {
        "h.version, h.epoch, h.is_disabled, h.roles, h.live, h.live_in, h.moved"
    };
}

/// A server that is a replica may be behind, whatever it was when the connection was made; what is in a
/// store that was left is old. Nobody counts a table of one row, so the limit says to the planner that there is one.
const LOAD: &str = concat!(
    "SELECT pg_is_in_recovery(), d.standing, d.epoch, ",
    columns!(),
    ", ",
    head_columns!(),
    " FROM (SELECT epoch, standing FROM handstamp.deployment LIMIT 1) d
    LEFT JOIN unnest($1::BYTEA[]) WITH ORDINALITY AS asked (id, place) ON TRUE
    LEFT JOIN handstamp.sessions s ON s.id = asked.id
    LEFT JOIN handstamp.heads h ON h.subject = s.subject
    ORDER BY asked.place"
);

/// The same of one id, the usual case. A statement with an array is planned anew each time, as long as
/// arrays are shorter than the planner would think.
const LOAD_ONE: &str = concat!(
    "SELECT pg_is_in_recovery(), d.standing, d.epoch, ",
    columns!(),
    ", ",
    head_columns!(),
    " FROM (SELECT epoch, standing FROM handstamp.deployment LIMIT 1) d
    LEFT JOIN handstamp.sessions s ON s.id = $1
    LEFT JOIN handstamp.heads h ON h.subject = s.subject"
);

const HEADS: &str = concat!(
    "SELECT pg_is_in_recovery(), d.standing, d.epoch, h.subject IS NOT NULL, ",
    head_columns!(),
    " FROM (SELECT epoch, standing FROM handstamp.deployment LIMIT 1) d
    LEFT JOIN unnest($1::TEXT[]) WITH ORDINALITY AS asked (subject, place) ON TRUE
    LEFT JOIN handstamp.heads h ON h.subject = asked.subject
    ORDER BY asked.place"
);

/// Of [`LOAD`], how many columns come before the record, and how many are the record.
const BEFORE: usize = 3;
const OF_RECORD: usize = 23;

fn statement(ids: &[SessionId]) -> Statement<'_> {
    if let [one] = ids {
        return sqlx::query(LOAD_ONE).bind(&one.as_bytes()[..]);
    }
    let ids: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
    sqlx::query(LOAD).bind(ids)
}

/// What stands under `ids`, all as of one moment.
pub(crate) async fn load(link: &Link, ids: &[SessionId]) -> Result<LoadAnswer, Fault> {
    answer(&link.rows(|| statement(ids)).await?, ids)
}

/// The same within a transaction.
pub(crate) async fn load_in(
    transaction: &mut Transaction,
    ids: &[SessionId],
) -> Result<LoadAnswer, Fault> {
    answer(&transaction.rows(statement(ids)).await?, ids)
}

fn answer(rows: &[PgRow], ids: &[SessionId]) -> Result<LoadAnswer, Fault> {
    let deployment = deployment(rows)?;
    // Without ids there is one row, which says nothing of records.
    let found = rows.iter().take(ids.len()).map(|row| find(row, &deployment)).collect();
    Ok(LoadAnswer { found, deployment })
}

fn deployment(rows: &[PgRow]) -> Result<Deployment, Fault> {
    let row = rows.first().ok_or(Fault::Stored("deployment"))?;
    let mut columns = Columns::of(row);
    if columns.next("pg_is_in_recovery")? {
        return Err(Fault::Replica);
    }
    standing::served(&mut columns)?;
    Ok(Deployment { epoch: columns.count("epoch")? })
}

fn find(row: &PgRow, deployment: &Deployment) -> Found {
    match loaded(row, deployment) {
        Ok(Some(loaded)) => Found::Record(Box::new(loaded)),
        Ok(None) => Found::Missing,
        Err(fault) => Found::Corrupt(fault.to_string()),
    }
}

fn loaded(row: &PgRow, deployment: &Deployment) -> Result<Option<Loaded>, Fault> {
    let mut columns = Columns::of(row);
    columns.skip(BEFORE);
    if columns.next::<Option<&[u8]>>("id")?.is_none() {
        return Ok(None);
    }
    let mut columns = Columns::of(row);
    columns.skip(BEFORE);
    let record = rows::read(&mut columns)?;
    let head = match &record.subject {
        None => None,
        Some(subject) => {
            let mut columns = Columns::of(row);
            columns.skip(BEFORE + OF_RECORD);
            Some(read_head(&mut columns, subject, deployment)?)
        }
    };
    Ok(Some(Loaded { record, head }))
}

/// Reads [`head_columns`]; where there is no head, as it is then.
fn read_head(
    columns: &mut Columns<'_>,
    subject: &Subject,
    deployment: &Deployment,
) -> Result<Head, Fault> {
    let mut head = Head::new(subject.clone());
    let Some(version) = columns.next::<Option<i64>>("version")? else { return Ok(head) };
    head.version = version.unsigned_abs();
    head.epoch = columns.count("epoch")?;
    head.is_disabled = columns.next("is_disabled")?;
    head.roles = columns.next::<Option<&str>>("roles")?.map(split).transpose()?;
    let live = columns.count("live")?;
    let is_now = columns.count("live_in")? == deployment.epoch;
    head.live = if is_now { u32::try_from(live).unwrap_or(u32::MAX) } else { 0 };
    let moved = columns.next::<Option<&str>>("moved")?.map(serde_json::from_str).transpose();
    head.moved = moved.map_err(|_| Fault::Stored("moved"))?;
    Ok(head)
}

/// The heads of `subjects`, all as of one moment.
pub(crate) async fn heads(link: &Link, subjects: &[Subject]) -> Result<Vec<Head>, Fault> {
    // A subject with a NUL can have no head, and PostgreSQL none such in a text.
    let asked: Vec<&str> =
        subjects.iter().map(|it| rows::fit(it.as_str()).unwrap_or_default()).collect();
    let rows = link.rows(|| sqlx::query(HEADS).bind(&asked)).await?;
    let deployment = deployment(&rows)?;
    let heads = rows.iter().zip(subjects).map(|(row, subject)| {
        let mut columns = Columns::of(row);
        columns.skip(BEFORE);
        if columns.next("is_there")? {
            read_head(&mut columns, subject, &deployment)
        } else {
            Ok(Head::new(subject.clone()))
        }
    });
    heads.collect()
}
