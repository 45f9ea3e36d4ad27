//! The change log: one line for each commit of each writer, the last so many kept.
//!
//! What commits at once becomes visible in either order, so a place in the log is a number for each
//! writer. Lines are told by their place among those of all writers: of one session in the order in
//! which it changed.

use std::collections::BTreeMap;

use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{Change, Changes, Cursor};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;

use crate::content::standing;
use crate::cursor::Cursors;
use crate::fault::Fault;
use crate::link::Link;
use crate::rows::Columns;

const END: &str = "SELECT pg_is_in_recovery(), one.standing, w.writer, w.change
    FROM (SELECT standing FROM handstamp.deployment LIMIT 1) AS one
    LEFT JOIN handstamp.writers w ON w.change > 0";

/// Of each writer where the follower is, how far the log goes back and on, and the lines after it.
const LIST: &str = "
SELECT pg_is_in_recovery(), one.standing, w.writer, w.change,
    coalesce((SELECT min(c.number) FROM handstamp.changes c WHERE c.writer = w.writer),
        w.change + 1),
    line.number, line.changes
FROM (SELECT standing FROM handstamp.deployment LIMIT 1) AS one
LEFT JOIN handstamp.writers w ON w.change > 0
LEFT JOIN unnest($1::BIGINT[], $2::BIGINT[]) AS asked (writer, number) ON asked.writer = w.writer
LEFT JOIN LATERAL (
    SELECT c.number, c.place, c.changes FROM handstamp.changes c
    WHERE c.writer = w.writer AND c.number > coalesce(asked.number, 0)
    ORDER BY c.number LIMIT $3
) line ON TRUE
ORDER BY line.place";

/// Commits between two cuts.
const CUT_EVERY: i64 = 64;

/// A change as it is stored: short, for there are many.
#[derive(Serialize, Deserialize)]
enum Stored {
    #[serde(rename = "s")]
    Session(SessionId, u64, u32, bool, u32),
    #[serde(rename = "h")]
    Subject(Subject, u64, u64),
    #[serde(rename = "d")]
    Deployment(u64),
}

impl From<&Change> for Stored {
    fn from(change: &Change) -> Self {
        match change {
            Change::Session { id, version, generation, min_generation, is_ended } => {
                Self::Session(*id, *version, *generation, *is_ended, *min_generation)
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
                Self::Session { id, version, generation, min_generation, is_ended }
            }
            Stored::Subject(subject, version, epoch) => Self::Subject { subject, version, epoch },
            Stored::Deployment(epoch) => Self::Deployment { epoch },
        }
    }
}

/// The line that tells of `changes`; none where there are none.
pub(crate) fn line(changes: &[&Change]) -> Option<String> {
    let stored: Vec<Stored> = changes.iter().copied().map(Stored::from).collect();
    // Ids, names and numbers are always JSON.
    (!stored.is_empty()).then(|| serde_json::to_string(&stored).unwrap_or_default())
}

/// Up to which line the log is to be cut after line `change`, where it is to be.
pub(crate) fn cut_after(change: i64, keep: i64) -> Option<i64> {
    (change % CUT_EVERY.min(keep) == 0 && change > keep).then_some(change - keep)
}

/// How many lines of each writer somebody has read.
type Places = BTreeMap<u32, i64>;

/// A log's number says which database it is of, and which writer's.
fn log(cursors: Cursors<'_>, writer: u32) -> u64 {
    cursors.log() << 32 | u64::from(writer)
}

fn print(cursors: Cursors<'_>, places: &Places) -> Cursor {
    let parts = places.iter().filter(|(_, number)| **number > 0);
    let parts =
        parts.map(|(writer, number)| Cursor::of(log(cursors, *writer), number.unsigned_abs()).0);
    Cursor(parts.collect::<Vec<_>>().join("."))
}

/// Where `cursor` is; `None` when it is of another database.
fn parse(cursors: Cursors<'_>, cursor: &Cursor) -> Result<Option<Places>, Fault> {
    let (mut places, mut is_ours) = (Places::new(), true);
    for part in cursor.0.split('.').filter(|_| !cursor.0.is_empty()) {
        let (log, number) = Cursor(part.into()).position().ok_or(Fault::Cursor)?;
        let writer = u32::try_from(log & u64::from(u32::MAX)).map_err(|_| Fault::Cursor)?;
        is_ours &= log == self::log(cursors, writer);
        places.insert(writer, i64::try_from(number).map_err(|_| Fault::Cursor)?);
    }
    Ok(is_ours.then_some(places))
}

/// Where the next lines will be.
pub(crate) async fn end(link: &Link, cursors: Cursors<'_>) -> Result<Cursor, Fault> {
    let mut places = Places::new();
    for row in &link.rows(|| sqlx::query(END)).await? {
        if let Some((writer, change, _)) = read_writer(row)? {
            places.insert(writer, change);
        }
    }
    Ok(print(cursors, &places))
}

/// A writer, the last line of its log, and the columns after these.
fn read_writer(row: &PgRow) -> Result<Option<(u32, i64, Columns<'_>)>, Fault> {
    let mut columns = Columns::of(row);
    if columns.next("pg_is_in_recovery")? {
        return Err(Fault::Replica);
    }
    standing::served(&mut columns)?;
    let Some(writer) = columns.next::<Option<i64>>("writer")? else { return Ok(None) };
    let writer = u32::try_from(writer).map_err(|_| Fault::Stored("writer"))?;
    Ok(Some((writer, columns.next("change")?, columns)))
}

/// The lines after `after`, oldest first. After a gap there are none: whoever follows starts
/// afresh from the end of the log.
pub(crate) async fn list(
    link: &Link,
    cursors: Cursors<'_>,
    after: &Cursor,
    limit: usize,
) -> Result<Changes, Fault> {
    let parsed = parse(cursors, after)?;
    let from = parsed.clone().unwrap_or_default();
    let writers: Vec<i64> = from.keys().copied().map(i64::from).collect();
    let numbers: Vec<i64> = from.values().copied().collect();
    let most = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    let statement = || sqlx::query(LIST).bind(&writers).bind(&numbers).bind(most);
    let mut page = Page { ends: Places::new(), to: from.clone(), has_gap: parsed.is_none() };
    let (mut changes, mut left) = (Vec::new(), limit.max(1));
    for row in &link.rows(statement).await? {
        let Some((writer, change, mut columns)) = read_writer(row)? else { continue };
        page.see(writer, change, columns.next("first")?, &from);
        if let (Some(number), 1..) = (columns.next::<Option<i64>>("number")?, left) {
            changes.extend(read_line(columns.next("changes")?)?);
            page.to.insert(writer, number);
            left -= 1;
        }
    }
    // A writer that is not there is from before the database was restored from a backup.
    if page.has_gap || from.keys().any(|writer| !page.ends.contains_key(writer)) {
        let cursor = print(cursors, &page.ends);
        return Ok(Changes { changes: Vec::new(), cursor, has_gap: true });
    }
    Ok(Changes { changes, cursor: print(cursors, &page.to), has_gap: false })
}

/// What a page has come to.
struct Page {
    /// The ends of the logs.
    ends: Places,
    /// Where the next page begins.
    to: Places,
    has_gap: bool,
}

impl Page {
    /// A log that goes from `first` to `last`. A follower ahead of it is from before the database
    /// was restored.
    fn see(&mut self, writer: u32, last: i64, first: i64, from: &Places) {
        let from = from.get(&writer).copied().unwrap_or(0);
        self.has_gap |= from < first - 1 || from > last;
        self.ends.insert(writer, last);
    }
}

fn read_line(json: &str) -> Result<impl Iterator<Item = Change>, Fault> {
    let stored: Vec<Stored> = serde_json::from_str(json).map_err(|_| Fault::Stored("changes"))?;
    Ok(stored.into_iter().map(Change::from))
}

#[cfg(test)]
mod tests {
    use handstamp_core::id::PartitionKey;

    use super::*;

    #[test]
    fn a_cursor_names_each_writer_and_belongs_to_its_database() {
        let (key, other) = (PartitionKey::from_bytes([1; 32]), PartitionKey::from_bytes([2; 32]));
        let cursors = Cursors::new(&key, "changes");
        let places = Places::from([(1, 7), (2, 0), (u32::MAX, i64::MAX)]);
        let cursor = print(cursors, &places);
        let read = parse(cursors, &cursor).unwrap().unwrap();
        assert_eq!(
            read,
            Places::from([(1, 7), (u32::MAX, i64::MAX)]),
            "nothing read, nothing said"
        );
        assert_eq!(parse(cursors, &Cursor::default()).unwrap(), Some(Places::new()));
        assert_eq!(parse(Cursors::new(&other, "changes"), &cursor).unwrap(), None);
        for bad in ["1", "x-1", "1-1.", "."] {
            assert!(matches!(parse(cursors, &Cursor(bad.into())), Err(Fault::Cursor)), "{bad}");
        }
    }

    #[test]
    fn a_log_is_cut_now_and_then_and_keeps_what_it_should() {
        assert_eq!(cut_after(64, 100), None);
        assert_eq!(cut_after(128, 100), Some(28));
        assert_eq!(cut_after(129, 100), None);
        assert_eq!(cut_after(40, 20), Some(20));
    }
}
