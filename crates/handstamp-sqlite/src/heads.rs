//! Heads of subjects as rows.

use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::Subject;
use rusqlite::{Connection, Row, params};

use crate::fault::Fault;
use crate::rows::{Columns, join, signed, split};

const FIND: &str = "SELECT version, epoch, is_disabled, roles, live, live_in, moved FROM heads
    WHERE subject = ?1";

const WRITE: &str = "INSERT INTO heads
    (subject, version, epoch, is_disabled, roles, live, live_in, moved)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (subject) DO UPDATE SET version = ?2, epoch = ?3, is_disabled = ?4, roles = ?5,
    live = ?6, live_in = ?7, moved = ?8";

/// The stored head of `subject`, its live count being that of the deployment's present epoch.
pub(crate) fn find(
    connection: &Connection,
    subject: &Subject,
    deployment: &Deployment,
) -> Result<Option<Head>, Fault> {
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query([subject.as_str()])?;
    rows.next()?.map(|row| read(subject, deployment, row)).transpose()
}

fn read(subject: &Subject, deployment: &Deployment, row: &Row<'_>) -> Result<Head, Fault> {
    let mut columns = Columns::of(row);
    let mut head = Head::new(subject.clone());
    head.version = columns.count("version")?;
    head.epoch = columns.count("epoch")?;
    head.is_disabled = columns.next("is_disabled")?;
    head.roles = columns.optional_str("roles")?.map(split).transpose()?;
    let live: u32 = columns.next("live")?;
    head.live = if columns.count("live_in")? == deployment.epoch { live } else { 0 };
    let moved = columns.optional_str("moved")?.map(serde_json::from_str).transpose();
    head.moved = moved.map_err(|_| Fault::Stored("moved"))?;
    Ok(head)
}

/// Stores `head`, whose live count is that of `deployment`'s epoch.
pub(crate) fn write(
    connection: &Connection,
    head: &Head,
    deployment: &Deployment,
) -> Result<(), Fault> {
    let moved = head.moved.as_ref().map(serde_json::to_string).transpose();
    connection.prepare_cached(WRITE)?.execute(params![
        head.subject.as_str(),
        signed(head.version)?,
        signed(head.epoch)?,
        head.is_disabled,
        head.roles.as_ref().map(join),
        head.live,
        signed(deployment.epoch)?,
        moved.map_err(|_| Fault::Unfit("not JSON"))?,
    ])?;
    Ok(())
}
