//! Loading records and heads.

use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{Found, LoadAnswer, Loaded};
use rusqlite::Connection;

use crate::fault::Fault;
use crate::{heads, rows, state};

/// What stands under `ids`, all as of one moment.
pub(crate) fn load(connection: &Connection, ids: &[SessionId]) -> Result<LoadAnswer, Fault> {
    let moment = connection.unchecked_transaction()?;
    let deployment = state::deployment(&moment)?;
    let found = ids.iter().map(|id| find(&moment, *id, &deployment)).collect::<Result<_, _>>()?;
    moment.commit()?;
    Ok(LoadAnswer { found, deployment })
}

/// The heads of `subjects`, all as of one moment.
pub(crate) fn heads(connection: &Connection, subjects: &[Subject]) -> Result<Vec<Head>, Fault> {
    let moment = connection.unchecked_transaction()?;
    let deployment = state::deployment(&moment)?;
    let head = |subject: &Subject| {
        let found = heads::find(&moment, subject, &deployment)?;
        Ok(found.unwrap_or_else(|| Head::new(subject.clone())))
    };
    subjects.iter().map(head).collect()
}

fn find(connection: &Connection, id: SessionId, deployment: &Deployment) -> Result<Found, Fault> {
    match loaded(connection, id, deployment) {
        Ok(Some(loaded)) => Ok(Found::Record(Box::new(loaded))),
        Ok(None) => Ok(Found::Missing),
        Err(fault) if fault.is_damage() => Ok(Found::Corrupt(fault.to_string())),
        Err(fault) => Err(fault),
    }
}

/// The record under `id` with the head that decides about it.
pub(crate) fn loaded(
    connection: &Connection,
    id: SessionId,
    deployment: &Deployment,
) -> Result<Option<Loaded>, Fault> {
    let Some(record) = rows::find(connection, id)? else { return Ok(None) };
    let head = match &record.subject {
        None => None,
        Some(subject) => {
            let found = heads::find(connection, subject, deployment)?;
            Some(found.unwrap_or_else(|| Head::new(subject.clone())))
        }
    };
    Ok(Some(Loaded { record, head }))
}
