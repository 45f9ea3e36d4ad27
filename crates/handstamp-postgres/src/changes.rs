//! The change log: one line for each commit of each writer, the last so many kept.
//!
//! What commits at once becomes visible in either order, so a place in the log is a number for each
//! writer. Lines are told by their place among those of all writers: of one session in the order in
//! which it changed.
//!
//! A server that has lost commits, as a replica that was behind and took over, gives out their numbers
//! again. So a place says as well which line has that number: each has a mark, drawn at random.

use std::collections::{BTreeMap, BTreeSet};

use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{Change, Changes, Cursor};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;

use crate::content::standing;
use crate::cursor::Cursors;
use crate::fault::Fault;
use crate::link::Link;
use crate::rows::Columns;

/// Of each writer the number and the mark of the last line.
const END: &str = "
SELECT pg_is_in_recovery(), one.standing, w.writer, w.change, coalesce(last.mark, 0)
FROM (SELECT standing FROM handstamp.deployment LIMIT 1) AS one
LEFT JOIN handstamp.writers w ON w.change > 0
LEFT JOIN LATERAL (
    SELECT c.mark FROM handstamp.changes c
    WHERE c.writer = w.writer AND c.number = w.change LIMIT 1
) last ON TRUE";

/// Of each writer where the follower is, how far the log goes back and on, which line is there by now
/// that the follower read last, and the lines after it.
const LIST: &str = "
SELECT pg_is_in_recovery(), one.standing, w.writer, w.change, coalesce(been.mark, 0),
    coalesce((SELECT min(c.number) FROM handstamp.changes c WHERE c.writer = w.writer),
        w.change + 1),
    line.number, line.mark, line.changes
FROM (SELECT standing FROM handstamp.deployment LIMIT 1) AS one
LEFT JOIN handstamp.writers w ON w.change > 0
LEFT JOIN unnest($1::BIGINT[], $2::BIGINT[]) AS asked (writer, number) ON asked.writer = w.writer
LEFT JOIN LATERAL (
    SELECT c.mark FROM handstamp.changes c
    WHERE c.writer = asked.writer AND c.number = asked.number LIMIT 1
) been ON TRUE
LEFT JOIN LATERAL (
    SELECT c.number, c.place, coalesce(c.mark, 0) AS mark, c.changes FROM handstamp.changes c
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

/// Up to which line the log is to be cut after line `change`, where it is to be. One more than `keep`
/// stays: who has read all but those must find the line that it read last.
pub(crate) fn cut_after(change: i64, keep: i64) -> Option<i64> {
    let through = change.saturating_sub(keep).saturating_sub(1);
    (change % CUT_EVERY.min(keep) == 0 && through > 0).then_some(through)
}

/// How far somebody has read.
type Places = BTreeMap<u32, At>;

/// How many lines of a writer somebody has read, and the mark of the last of them; 0 where it has
/// none, or is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct At {
    number: i64,
    mark: i64,
}

/// The logs of all writers, as this process tells them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logs<'a> {
    /// Makes cursors.
    pub(crate) cursors: Cursors<'a>,
    /// How often this process found that the server has lost what it wrote. Whoever follows must
    /// start afresh then, so that cursors from before it are of another log.
    pub(crate) losses: u64,
}

impl Logs<'_> {
    /// A log's number says which database it is of, and which writer's.
    fn log(self, writer: u32) -> u64 {
        self.cursors.log().wrapping_add(self.losses) << 32 | u64::from(writer)
    }

    fn print(self, places: &Places) -> Cursor {
        let parts = places.iter().filter(|(_, at)| at.number > 0).map(|(writer, at)| {
            let position = Cursor::of(self.log(*writer), at.number.unsigned_abs());
            format!("{}-{:x}", position.0, at.mark)
        });
        Cursor(parts.collect::<Vec<_>>().join("."))
    }

    /// Where `cursor` is; `None` when it is of another database.
    fn parse(self, cursor: &Cursor) -> Result<Option<Places>, Fault> {
        let (mut places, mut is_ours) = (Places::new(), true);
        for part in cursor.0.split('.').filter(|_| !cursor.0.is_empty()) {
            let (position, mark) = part.rsplit_once('-').ok_or(Fault::Cursor)?;
            let (log, number) = Cursor(position.into()).position().ok_or(Fault::Cursor)?;
            let writer = u32::try_from(log & u64::from(u32::MAX)).map_err(|_| Fault::Cursor)?;
            is_ours &= log == self.log(writer);
            let number = i64::try_from(number).map_err(|_| Fault::Cursor)?;
            let mark = u64::from_str_radix(mark, 16).map_err(|_| Fault::Cursor)?.cast_signed();
            places.insert(writer, At { number, mark });
        }
        Ok(is_ours.then_some(places))
    }
}

/// Where the next lines will be.
pub(crate) async fn end(link: &Link, logs: Logs<'_>) -> Result<Cursor, Fault> {
    let mut places = Places::new();
    for row in &link.rows(|| sqlx::query(END)).await? {
        if let Some((writer, at, _)) = read_writer(row)? {
            places.insert(writer, at);
        }
    }
    Ok(logs.print(&places))
}

/// A writer, the number of the last line of its log, the mark that comes next, and the columns after
/// these.
fn read_writer(row: &PgRow) -> Result<Option<(u32, At, Columns<'_>)>, Fault> {
    let mut columns = Columns::of(row);
    if columns.next("pg_is_in_recovery")? {
        return Err(Fault::Replica);
    }
    standing::served(&mut columns)?;
    let Some(writer) = columns.next::<Option<i64>>("writer")? else { return Ok(None) };
    let writer = u32::try_from(writer).map_err(|_| Fault::Stored("writer"))?;
    let at = At { number: columns.next("change")?, mark: columns.next("mark")? };
    Ok(Some((writer, at, columns)))
}

/// The lines after `after`, oldest first. After a gap there are none: whoever follows starts
/// afresh from the end of the log.
pub(crate) async fn list(
    link: &Link,
    logs: Logs<'_>,
    after: &Cursor,
    limit: usize,
) -> Result<Changes, Fault> {
    let parsed = logs.parse(after)?;
    let from = parsed.clone().unwrap_or_default();
    let writers: Vec<i64> = from.keys().copied().map(i64::from).collect();
    let numbers: Vec<i64> = from.values().map(|at| at.number).collect();
    let most = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    let statement = || sqlx::query(LIST).bind(&writers).bind(&numbers).bind(most);
    let mut page = Page { seen: BTreeSet::new(), to: from.clone(), has_gap: parsed.is_none() };
    let (mut changes, mut left) = (Vec::new(), limit.max(1));
    for row in &link.rows(statement).await? {
        let Some((writer, log, mut columns)) = read_writer(row)? else { continue };
        page.see(writer, log, columns.next("first")?, &from);
        if let (Some(number), 1..) = (columns.next::<Option<i64>>("number")?, left) {
            page.to.insert(writer, At { number, mark: columns.next("mark")? });
            changes.extend(read_line(columns.next("changes")?)?);
            left -= 1;
        }
    }
    // A writer that is not there is from before the database was restored from a backup.
    if page.has_gap || from.keys().any(|writer| !page.seen.contains(writer)) {
        return Ok(Changes { changes: Vec::new(), cursor: end(link, logs).await?, has_gap: true });
    }
    Ok(Changes { changes, cursor: logs.print(&page.to), has_gap: false })
}

/// What a page has come to.
struct Page {
    /// Whose logs there are.
    seen: BTreeSet<u32>,
    /// Where the next page begins.
    to: Places,
    has_gap: bool,
}

impl Page {
    /// A log that goes from `first` to the number of `log`; its mark is that of the line that the
    /// follower read last, as it is by now. A follower that read another, or is ahead, is from before
    /// the server lost commits, or was restored.
    fn see(&mut self, writer: u32, log: At, first: i64, from: &Places) {
        let from = from.get(&writer).copied().unwrap_or_default();
        let is_within = (first - 1..=log.number).contains(&from.number);
        self.has_gap |= !is_within || from.mark != log.mark;
        self.seen.insert(writer);
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
    fn a_cursor_names_each_writer_and_its_last_line_and_belongs_to_its_database() {
        let (key, other) = (PartitionKey::from_bytes([1; 32]), PartitionKey::from_bytes([2; 32]));
        let logs = |key, losses| Logs { cursors: Cursors::new(key, "changes"), losses };
        let at = |number, mark| At { number, mark };
        let mut places = Places::from([(1, at(7, -9)), (2, at(0, 3)), (u32::MAX, at(i64::MAX, 0))]);
        let cursor = logs(&key, 0).print(&places);
        places.remove(&2);
        assert_eq!(
            logs(&key, 0).parse(&cursor).unwrap(),
            Some(places),
            "nothing read, nothing said"
        );
        assert_eq!(logs(&key, 0).parse(&Cursor::default()).unwrap(), Some(Places::new()));
        assert_eq!(logs(&other, 0).parse(&cursor).unwrap(), None);
        assert_eq!(logs(&key, 1).parse(&cursor).unwrap(), None, "from before a loss");
        for bad in ["1", "x-1", "1-1", "1-1-x", "1-1-1.", "."] {
            let read = logs(&key, 0).parse(&Cursor(bad.into()));
            assert!(matches!(read, Err(Fault::Cursor)), "{bad}");
        }
    }

    #[test]
    fn a_log_is_cut_now_and_then_and_keeps_what_it_should() {
        assert_eq!(cut_after(64, 100), None);
        assert_eq!(cut_after(128, 100), Some(27));
        assert_eq!(cut_after(129, 100), None);
        assert_eq!(cut_after(40, 20), Some(19));
        assert_eq!((cut_after(2, 1), cut_after(3, 1)), (None, Some(1)));
    }
}
