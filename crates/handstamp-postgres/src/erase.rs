//! Personal parts are erased, in steps, so that commits pass between them.

use handstamp_core::chain::ChainEnd;
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::record::Record;

use crate::age::{Steps, again};
use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::list::created_at;
use crate::rows::{self, Columns, Texts, columns, signed};

/// Events or records in one transaction.
const STEP: i64 = 256;

/// The salt goes too: with it, what little there is to know could be guessed from the hash.
const BLANK: &str = "
WITH found AS MATERIALIZED (
    SELECT e.writer, e.number, e.at, e.place FROM handstamp.events e
    JOIN unnest($3::BIGINT[], $4::BIGINT[]) AS through (writer, event)
        ON through.writer = e.writer AND e.number <= through.event
    WHERE e.subject = $1 AND e.place > $2 AND e.personal IS NOT NULL
    ORDER BY e.place LIMIT $5
), blank AS (
    UPDATE handstamp.events e
    SET personal = NULL, ip = NULL, salt = decode(repeat('00', 16), 'hex')
    FROM found WHERE e.writer = found.writer AND e.number = found.number AND e.at = found.at
    RETURNING e.place
)
SELECT count(*), max(place) FROM blank";

const NEXT_BATCHES: &str = "
SELECT max(number), min(first_event), max(last_event) FROM (
    SELECT number, first_event, last_event FROM handstamp.batches
    WHERE writer = $1 AND number <= $2
    AND number > coalesce((SELECT batch FROM handstamp.erased WHERE writer = $1), 0)
    ORDER BY number LIMIT $3
) AS next";

const BLANK_ALL: &str = "UPDATE handstamp.events
    SET personal = NULL, ip = NULL, salt = decode(repeat('00', 16), 'hex')
    WHERE writer = $1 AND number BETWEEN $2 AND $3 AND personal IS NOT NULL";

const ERASED: &str = "INSERT INTO handstamp.erased AS old (writer, batch) VALUES ($1, $2)
    ON CONFLICT (writer) DO UPDATE SET batch = greatest(old.batch, excluded.batch)";

const TOMBSTONES: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM handstamp.sessions s
    WHERE s.subject = $1 AND (s.created_at, s.id) > ($2, $3) AND s.ended_at IS NOT NULL
    ORDER BY s.created_at, s.id LIMIT $4"
);

/// A tombstone never changes otherwise, so nobody has to be waited for.
const BLANK_RECORD: &str = "UPDATE handstamp.sessions SET ip = NULL, user_agent = NULL,
    device = NULL, country = NULL, location = NULL, label = NULL, body = $2
    WHERE id = $1 AND ended_at IS NOT NULL";

/// Erases what is personal of `subject` up to `through`; answers in how many events.
pub(crate) async fn subject(
    link: &Link,
    subject: &Subject,
    through: &[ChainEnd],
) -> Result<usize, Fault> {
    let (mut erased, mut after, mut steps) = (0, 0, Steps::default());
    loop {
        let step = again(|| events(link, subject, through, after));
        let (count, last) = steps.next(step).await?;
        erased += count;
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    let mut after = (i64::MIN, [0; SessionId::LEN]);
    while let Some(last) = steps.next(again(|| tombstones(link, subject, after))).await? {
        after = last;
    }
    Ok(usize::try_from(erased).unwrap_or(usize::MAX))
}

/// The next events of a subject that are not blank; answers how many, and the last place, if there
/// may be more.
async fn events(
    link: &Link,
    subject: &Subject,
    through: &[ChainEnd],
    after: i64,
) -> Result<(i64, Option<i64>), Fault> {
    let writers: Vec<i64> = through.iter().map(|end| i64::from(end.writer)).collect();
    let numbers = through.iter().map(|end| signed(end.event)).collect::<Result<Vec<_>, _>>()?;
    let mut transaction = link.begin(With::Served).await?;
    let blank = sqlx::query(BLANK).bind(rows::fit(subject.as_str())?).bind(after);
    let rows = transaction.rows(blank.bind(writers).bind(numbers).bind(STEP)).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Stored("events"))?);
    let (count, last) = (columns.next("count")?, columns.next("place")?);
    transaction.keep().await?;
    Ok((count, if count == STEP { last } else { None }))
}

/// Where a tombstone stands among those of its subject.
type Place = (i64, [u8; SessionId::LEN]);

/// The next tombstones of a subject; answers where the last stands, if there may be more.
async fn tombstones(
    link: &Link,
    subject: &Subject,
    (begun, id): Place,
) -> Result<Option<Place>, Fault> {
    let mut transaction = link.begin(With::Served).await?;
    let next = sqlx::query(TOMBSTONES).bind(rows::fit(subject.as_str())?).bind(begun);
    let found = transaction.rows(next.bind(&id[..]).bind(STEP)).await?;
    let mut last = None;
    for row in &found {
        let id = Columns::of(row).id("id")?;
        last = Some((created_at(row)?.as_millis(), *id.as_bytes()));
        match rows::read(&mut Columns::of(row)) {
            Ok(record) => blank(&mut transaction, record).await?,
            Err(fault) => tracing::error!(
                %id, %fault, "a record cannot be read, nor what is personal in it erased"
            ),
        }
    }
    transaction.keep().await?;
    let is_full = i64::try_from(found.len()).is_ok_and(|found| found == STEP);
    Ok(last.filter(|_| is_full))
}

async fn blank(transaction: &mut Transaction, record: Record) -> Result<(), Fault> {
    let mut blank = record.clone();
    blank.blank();
    if blank == record {
        return Ok(());
    }
    let texts = Texts::of(&blank)?;
    let write = sqlx::query(BLANK_RECORD).bind(&record.id.as_bytes()[..]).bind(&texts.body);
    transaction.run(write).await?;
    Ok(())
}

/// Erases the personal parts of all events up to `through`; answers of how many.
pub(crate) async fn everybody(link: &Link, through: &[ChainEnd]) -> Result<usize, Fault> {
    let (mut erased, mut steps) = (0, Steps::default());
    for end in through {
        while let Some(now) = steps.next(again(|| batches(link, end))).await? {
            erased += now;
        }
    }
    Ok(usize::try_from(erased).unwrap_or(usize::MAX))
}

/// The next batches of a chain; answers of how many events, `None` when there are no more.
async fn batches(link: &Link, through: &ChainEnd) -> Result<Option<u64>, Fault> {
    let (writer, batch) = (i64::from(through.writer), signed(through.batch)?);
    let mut transaction = link.begin(With::Served).await?;
    let next = sqlx::query(NEXT_BATCHES).bind(writer).bind(batch).bind(STEP);
    let rows = transaction.rows(next).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Stored("batches"))?);
    let Some(last) = columns.next::<Option<i64>>("number")? else {
        transaction.give_up().await?;
        return Ok(None);
    };
    let (from, to): (i64, i64) = (columns.next("first_event")?, columns.next("last_event")?);
    let blank = sqlx::query(BLANK_ALL).bind(writer).bind(from).bind(to);
    let erased = transaction.run(blank).await?;
    transaction.run(sqlx::query(ERASED).bind(writer).bind(last)).await?;
    transaction.keep().await?;
    Ok(Some(erased))
}
