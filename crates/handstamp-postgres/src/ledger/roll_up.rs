//! Adding up events: whoever does it holds the one row that says how far that is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use handstamp_core::event::{Action, Event};
use handstamp_core::id::SessionId;
use handstamp_core::ledger::tally::{Figure, Open, Place, Standing, Sums, Visit};

use super::entries::most;
use crate::events::{self, event_columns};
use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::rows::{Columns, signed};

/// Nobody else adds up, forgets or trims until the end of the transaction.
pub(super) const HOLD: &str = "SELECT epoch, live FROM handstamp.roll_up FOR UPDATE";

/// The next events, in the order of the log: what ended a session comes after what began it.
const NEXT: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM handstamp.writers w
    LEFT JOIN handstamp.rolled_up r ON r.writer = w.writer
    CROSS JOIN LATERAL (
        SELECT * FROM handstamp.events
        WHERE writer = w.writer AND number > coalesce(r.event, 0) ORDER BY number LIMIT $1
    ) e ORDER BY e.place LIMIT $1"
);

const OPEN: &str = "SELECT id, began, device, epoch FROM handstamp.open_sessions
    WHERE id = ANY ($1)";

const ADD: &str = "
INSERT INTO handstamp.figures AS old (report, bucket, at, name, count, failed, subjects, total_ms)
SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::BIGINT[], $6::BIGINT[],
    $7::BIGINT[], $8::BIGINT[])
ON CONFLICT (report, bucket, at, name) DO UPDATE SET count = old.count + excluded.count,
    failed = old.failed + excluded.failed, subjects = old.subjects + excluded.subjects,
    total_ms = old.total_ms + excluded.total_ms
RETURNING report, bucket, at, name, count, failed";

const VISIT: &str = "
INSERT INTO handstamp.visits AS old (bucket, at, subject, ip, count, failed)
SELECT * FROM unnest($1::TEXT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::BIGINT[])
ON CONFLICT (bucket, at, subject, ip) DO UPDATE SET count = old.count + excluded.count,
    failed = old.failed + excluded.failed
RETURNING bucket, at, subject, ip, count";

const OPENED: &str = "
INSERT INTO handstamp.open_sessions (id, began, device, epoch)
SELECT * FROM unnest($1::BYTEA[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[])
ON CONFLICT (id) DO UPDATE SET began = excluded.began, device = excluded.device,
    epoch = excluded.epoch";

const CLOSED: &str = "DELETE FROM handstamp.open_sessions WHERE id = ANY ($1)";

const LIVE: &str = "
INSERT INTO handstamp.live_devices AS old (device, live)
SELECT * FROM unnest($1::TEXT[], $2::BIGINT[])
ON CONFLICT (device) DO UPDATE SET live = old.live + excluded.live";

const IDLE: &str = "DELETE FROM handstamp.live_devices WHERE live = 0 OR $1";

const STAND: &str = "UPDATE handstamp.roll_up SET epoch = $1, live = $2";

const REACH: &str = "
INSERT INTO handstamp.rolled_up (writer, event) SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[])
ON CONFLICT (writer) DO UPDATE SET event = excluded.event";

/// Events that follow, and how far each writer's were read with the first so many of them.
struct Next {
    events: Vec<Event>,
    /// Writer and number, in the order read, each with how many events were good until there.
    read: Vec<(u32, i64, usize)>,
}

/// Adds up to `limit` events that were not yet; answers how many were taken, those among them that
/// cannot be read.
pub(super) async fn step(link: &Link, limit: usize) -> Result<usize, Fault> {
    let mut transaction = link.begin(With::Served).await?;
    let standing = hold(&mut transaction).await?;
    let next = next(&mut transaction, limit).await?;
    if next.read.is_empty() {
        transaction.give_up().await?;
        return Ok(0);
    }
    let open = open(&mut transaction, &next.events).await?;
    let sums = Sums::of(&next.events, standing, |id| Ok::<_, Fault>(open.get(&id).cloned()))?;
    let taken = reach(&mut transaction, &next, sums.taken).await?;
    add(&mut transaction, &sums).await?;
    transaction.keep().await?;
    Ok(taken)
}

/// Where the roll-ups stand; nobody moves them until the transaction ends.
async fn hold(transaction: &mut Transaction) -> Result<Standing, Fault> {
    let rows = transaction.rows(sqlx::query(HOLD)).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Stored("roll_up"))?);
    Ok(Standing { epoch: columns.count("epoch")?, live: columns.next("live")? })
}

async fn next(transaction: &mut Transaction, limit: usize) -> Result<Next, Fault> {
    let mut next = Next { events: Vec::new(), read: Vec::new() };
    for row in &transaction.rows(sqlx::query(NEXT).bind(most(limit))).await? {
        let mut columns = Columns::of(row);
        columns.skip(1);
        let (writer, number) = (columns.writer()?, columns.next("number")?);
        match events::read(&mut Columns::of(row)) {
            Ok(event) => next.events.push(event),
            Err(fault) => tracing::error!(writer, number, %fault, "an event cannot be read"),
        }
        next.read.push((writer, number, next.events.len()));
    }
    Ok(next)
}

/// Those of the sessions that end in `events` that are open.
async fn open(
    transaction: &mut Transaction,
    events: &[Event],
) -> Result<HashMap<SessionId, Open>, Fault> {
    let ended = events.iter().filter(|event| event.action == Action::SessionEnded);
    let ids: Vec<SessionId> = ended.filter_map(|event| event.session).collect();
    let ids: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
    let rows = transaction.rows(sqlx::query(OPEN).bind(ids)).await?;
    let open = rows.iter().map(|row| {
        let mut columns = Columns::of(row);
        let (id, began) = (columns.id("id")?, columns.time("began")?);
        let device: Arc<str> = columns.next::<&str>("device")?.into();
        Ok((id, Open { began, device, epoch: columns.count("epoch")? }))
    });
    open.collect()
}

/// Notes that the first `taken` good events were added up, and what cannot be read before the next;
/// answers how many that is.
async fn reach(transaction: &mut Transaction, next: &Next, taken: usize) -> Result<usize, Fault> {
    let reached = next.read.iter().filter(|(.., good)| *good <= taken);
    let mut ends: BTreeMap<i64, i64> = BTreeMap::new();
    let mut count = 0;
    for (writer, number, _) in reached {
        ends.insert(i64::from(*writer), *number);
        count += 1;
    }
    let (writers, numbers): (Vec<i64>, Vec<i64>) = ends.into_iter().unzip();
    transaction.run(sqlx::query(REACH).bind(writers).bind(numbers)).await?;
    Ok(count)
}

async fn add(transaction: &mut Transaction, sums: &Sums) -> Result<(), Fault> {
    let figures = clean(&sums.figures);
    let after = count(transaction, &figures).await?;
    let mut newcomers: BTreeMap<Place, Figure> = BTreeMap::new();
    for (place, figure) in &figures {
        let after = after.get(place).copied().unwrap_or_default();
        let before = Figure::of(after.count - figure.count, after.failed - figure.failed);
        if let Some(place) = place.newcomer(before, after) {
            newcomers.entry(place).or_default().add(Figure::NEWCOMER);
        }
    }
    for visit in add_visits(transaction, &sums.visits).await? {
        newcomers.entry(visit.place()).or_default().add(Figure::NEWCOMER);
    }
    count(transaction, &newcomers).await?;
    follow(transaction, sums).await?;
    let Standing { epoch, live } = sums.standing;
    transaction.run(sqlx::query(STAND).bind(signed(epoch)?).bind(live)).await?;
    Ok(())
}

/// The same under names that a text of PostgreSQL can hold.
fn clean(figures: &BTreeMap<Place, Figure>) -> BTreeMap<Place, Figure> {
    let mut cleaned: BTreeMap<Place, Figure> = BTreeMap::new();
    for (place, figure) in figures {
        let place = Place { name: without_nul(&place.name), ..place.clone() };
        cleaned.entry(place).or_default().add(*figure);
    }
    cleaned
}

fn without_nul(name: &Arc<str>) -> Arc<str> {
    if name.contains('\0') { name.replace('\0', "\u{fffd}").into() } else { Arc::clone(name) }
}

/// Adds to figures; answers what they are then, by place.
pub(super) async fn count(
    transaction: &mut Transaction,
    figures: &BTreeMap<Place, Figure>,
) -> Result<BTreeMap<Place, Figure>, Fault> {
    if figures.is_empty() {
        return Ok(BTreeMap::new());
    }
    let of = |value: fn(&Figure) -> i64| figures.values().map(value).collect::<Vec<_>>();
    let add = sqlx::query(ADD)
        .bind(figures.keys().map(|place| place.report.as_str()).collect::<Vec<_>>())
        .bind(figures.keys().map(|place| place.bucket.as_str()).collect::<Vec<_>>())
        .bind(figures.keys().map(|place| place.at.as_millis()).collect::<Vec<_>>())
        .bind(figures.keys().map(|place| &*place.name).collect::<Vec<_>>())
        .bind(of(|figure| figure.count))
        .bind(of(|figure| figure.failed))
        .bind(of(|figure| figure.subjects))
        .bind(of(|figure| figure.total_ms));
    let mut by_name: HashMap<_, Figure> = HashMap::new();
    let rows = transaction.rows(add).await?;
    for row in &rows {
        let mut columns = Columns::of(row);
        let (report, bucket): (&str, &str) = (columns.next("report")?, columns.next("bucket")?);
        let (at, name): (i64, &str) = (columns.next("at")?, columns.next("name")?);
        let figure = Figure::of(columns.next("count")?, columns.next("failed")?);
        by_name.insert((report, bucket, at, name), figure);
    }
    let after = figures.keys().map(|place| {
        let key =
            (place.report.as_str(), place.bucket.as_str(), place.at.as_millis(), &*place.name);
        (place.clone(), by_name.get(&key).copied().unwrap_or_default())
    });
    Ok(after.collect())
}

/// Adds to visits; answers those that are new.
async fn add_visits<'a>(
    transaction: &mut Transaction,
    visits: &'a BTreeMap<Visit, Figure>,
) -> Result<Vec<&'a Visit>, Fault> {
    if visits.is_empty() {
        return Ok(Vec::new());
    }
    let add = sqlx::query(VISIT)
        .bind(visits.keys().map(|visit| visit.bucket.as_str()).collect::<Vec<_>>())
        .bind(visits.keys().map(|visit| visit.at.as_millis()).collect::<Vec<_>>())
        .bind(visits.keys().map(|visit| &*visit.subject).collect::<Vec<_>>())
        .bind(visits.keys().map(|visit| &*visit.ip).collect::<Vec<_>>())
        .bind(visits.values().map(|figure| figure.count).collect::<Vec<_>>())
        .bind(visits.values().map(|figure| figure.failed).collect::<Vec<_>>());
    let rows = transaction.rows(add).await?;
    let mut counts: HashMap<_, i64> = HashMap::new();
    for row in &rows {
        let mut columns = Columns::of(row);
        let (bucket, at): (&str, i64) = (columns.next("bucket")?, columns.next("at")?);
        let (subject, ip): (&str, &str) = (columns.next("subject")?, columns.next("ip")?);
        counts.insert((bucket, at, subject, ip), columns.next("count")?);
    }
    let is_new = |(visit, figure): &(&Visit, &Figure)| {
        let Visit { bucket, at, subject, ip } = visit;
        counts.get(&(bucket.as_str(), at.as_millis(), &**subject, &**ip)) == Some(&figure.count)
    };
    Ok(visits.iter().filter(is_new).map(|(visit, _)| visit).collect())
}

/// Notes which sessions are open, and how many on which device.
async fn follow(transaction: &mut Transaction, sums: &Sums) -> Result<(), Fault> {
    let opened = &sums.opened;
    let devices = opened.values().map(|open| without_nul(&open.device)).collect::<Vec<_>>();
    let epochs = opened.values().map(|open| signed(open.epoch)).collect::<Result<Vec<_>, _>>()?;
    let open = sqlx::query(OPENED)
        .bind(opened.keys().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
        .bind(opened.values().map(|open| open.began.as_millis()).collect::<Vec<_>>())
        .bind(devices.iter().map(|device| &**device).collect::<Vec<_>>())
        .bind(epochs);
    transaction.run(open).await?;
    let closed: Vec<&[u8]> = sums.closed.iter().map(|id| &id.as_bytes()[..]).collect();
    transaction.run(sqlx::query(CLOSED).bind(closed)).await?;
    let mut live: BTreeMap<Arc<str>, i64> = BTreeMap::new();
    for (device, more) in &sums.live {
        *live.entry(without_nul(device)).or_default() += more;
    }
    let devices: Vec<&str> = live.keys().map(|device| &**device).collect();
    let more: Vec<i64> = live.values().copied().collect();
    transaction.run(sqlx::query(LIVE).bind(devices).bind(more)).await?;
    transaction.run(sqlx::query(IDLE).bind(sums.is_reset)).await?;
    Ok(())
}
