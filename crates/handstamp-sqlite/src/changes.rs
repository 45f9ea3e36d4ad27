//! The change log: one line per committed batch, the last so many kept.

use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{Change, Changes, Cursor};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::cursor::Cursors;
use crate::fault::Fault;
use crate::state::State;

/// Commits between two cuts.
const CUT_EVERY: i64 = 64;

/// A change as it is stored: short, for there are many.
#[derive(Serialize, Deserialize)]
enum Stored {
    #[serde(rename = "s")]
    Session(
        SessionId,
        u64,
        u32,
        bool,
        // Lines from before there was this have none.
        #[serde(default)] Option<u32>,
    ),
    #[serde(rename = "h")]
    Subject(Subject, u64, u64),
    #[serde(rename = "d")]
    Deployment(u64),
}

impl From<&Change> for Stored {
    fn from(change: &Change) -> Self {
        match change {
            Change::Session { id, version, generation, min_generation, is_ended } => {
                Self::Session(*id, *version, *generation, *is_ended, Some(*min_generation))
            }
            Change::Subject { subject, version, epoch } => {
                Self::Subject(subject.clone(), *version, *epoch)
            }
            Change::Deployment { epoch } => Self::Deployment(*epoch),
        }
    }
}

impl From<Stored> for Change {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Session(id, version, generation, is_ended, min_generation) => {
                // Where it is not known, none but the tokens of that generation are good.
                let min_generation = min_generation.unwrap_or(generation);
                Self::Session { id, version, generation, min_generation, is_ended }
            }
            Stored::Subject(subject, version, epoch) => Self::Subject { subject, version, epoch },
            Stored::Deployment(epoch) => Self::Deployment { epoch },
        }
    }
}

/// Notes `changes` as one line.
pub(crate) fn note(
    connection: &Connection,
    state: &mut State,
    changes: &[Change],
) -> Result<(), Fault> {
    if changes.is_empty() {
        return Ok(());
    }
    let stored: Vec<Stored> = changes.iter().map(Stored::from).collect();
    let json = serde_json::to_string(&stored).map_err(|_| Fault::Unfit("not JSON"))?;
    state.change += 1;
    connection
        .prepare_cached("INSERT INTO changes (number, changes) VALUES (?1, ?2)")?
        .execute(params![state.change, json])?;
    cut(connection, state)
}

fn cut(connection: &Connection, state: &State) -> Result<(), Fault> {
    if state.change % CUT_EVERY.min(state.keep_changes) == 0 {
        connection
            .prepare_cached("DELETE FROM changes WHERE number <= ?1")?
            .execute([state.change - state.keep_changes])?;
    }
    Ok(())
}

/// The lines after `after`, oldest first. After a gap there are none: whoever follows starts
/// afresh from the end of the log.
pub(crate) fn list(
    connection: &Connection,
    cursors: Cursors<'_>,
    after: &Cursor,
    limit: usize,
) -> Result<Changes, Fault> {
    let (log, from) = match after.0.is_empty() {
        true => (cursors.log(), 0),
        false => after.position().ok_or(Fault::Cursor)?,
    };
    let from = i64::try_from(from).map_err(|_| Fault::Cursor)?;
    let moment = connection.unchecked_transaction()?;
    let (first, last) = ends(&moment)?;
    // A cursor ahead of the log is from before the database was restored from a backup.
    if log != cursors.log() || from < first - 1 || from > last {
        return Ok(Changes { changes: Vec::new(), cursor: at(cursors, last), has_gap: true });
    }
    let (changes, to) = after_number(&moment, from, limit)?;
    Ok(Changes { changes, cursor: at(cursors, to), has_gap: false })
}

fn at(cursors: Cursors<'_>, number: i64) -> Cursor {
    Cursor::of(cursors.log(), number.unsigned_abs())
}

/// Where the next line will be.
pub(crate) fn end(connection: &Connection, cursors: Cursors<'_>) -> Result<Cursor, Fault> {
    let (_, last) = ends(connection)?;
    Ok(at(cursors, last))
}

fn ends(connection: &Connection) -> Result<(i64, i64), Fault> {
    let sql = "SELECT coalesce((SELECT min(number) FROM changes), 1),
                      coalesce((SELECT max(number) FROM changes), 0)";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

fn after_number(
    connection: &Connection,
    from: i64,
    limit: usize,
) -> Result<(Vec<Change>, i64), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT number, changes FROM changes WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    let mut rows = statement.query([from, limit])?;
    let (mut changes, mut to) = (Vec::new(), from);
    while let Some(row) = rows.next()? {
        to = row.get(0)?;
        let json: String = row.get(1)?;
        let stored: Vec<Stored> =
            serde_json::from_str(&json).map_err(|_| Fault::Stored("changes"))?;
        changes.extend(stored.into_iter().map(Change::from));
    }
    Ok((changes, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_an_older_one_is_read_as_the_stricter() {
        let id = SessionId::from_bytes([7; 18]);
        let change =
            Change::Session { id, version: 4, generation: 3, min_generation: 2, is_ended: false };
        let read = |json: &str| Change::from(serde_json::from_str::<Stored>(json).unwrap());
        assert_eq!(read(&serde_json::to_string(&Stored::from(&change)).unwrap()), change);
        let Change::Session { min_generation, .. } =
            read(&format!(r#"{{"s":["{id}",4,3,false]}}"#))
        else {
            panic!("a session's line")
        };
        assert_eq!(min_generation, 3);
    }
}
