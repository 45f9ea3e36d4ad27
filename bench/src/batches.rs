//! Batches of 32 changes through the store, against a plain loop of the statements that such a
//! batch is made of, on the same file system with the same pragmas.

mod plain;

use std::sync::Arc;
use std::time::{Duration, Instant};

use handstamp::chain::Sealer;
use handstamp::event::{Action, Event};
use handstamp::id::{ChangeId, EventId};
use handstamp::random::SystemRng;
use handstamp::record::Record;
use handstamp::store::{Batch, EpochRule, Group, Outcome, RecordChange, SessionStore};
use handstamp::{KeyRing, SessionConfig, SessionManager, SignIn, SqliteStore};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::options::{Case, Options, Peer};
use crate::peers::Synchronous;
use crate::peers::handstamp::store as open;
use crate::statistics::median;
use crate::{Fault, child, disk, peers, spawn};

/// Changes in a batch.
const BATCH: usize = 32;

/// Sessions that change in turn.
const SESSIONS: usize = 1024;

/// What a child has found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rate {
    /// Changes per second, each with one event.
    changes: f64,
}

/// Measures one side of the comparison for so long.
pub(crate) async fn measure(peer: Peer, case: Case, span: Duration) -> Result<Rate, Fault> {
    let synchronous = match peer {
        Peer::HandstampNormal => Synchronous::Normal,
        _ => Synchronous::Full,
    };
    let folder = disk::scratch()?;
    let store = Arc::new(open(folder.path(), synchronous).await?);
    let keys = KeyRing::generate()?;
    let records = sessions(Arc::clone(&store), keys.clone()).await?;
    let changes = if case == Case::Batch {
        commits(&store, records, &Sealer::new(keys), span).await?
    } else {
        drop(store);
        plain::changes(folder.path(), synchronous, &records, span)?
    };
    Ok(Rate { changes })
}

/// Sessions as they are after the first request, with data.
async fn sessions(store: Arc<SqliteStore>, keys: KeyRing) -> Result<Vec<Record>, Fault> {
    let manager =
        SessionManager::builder(store, SessionConfig::default(), keys).maintenance(false).build();
    let mut records = Vec::new();
    for number in 0..SESSIONS {
        let begun = manager.begin(SignIn::new(format!("user-{number}"))?).await?;
        let session = manager.load(&begun.token.to_text()).await?;
        for (key, value) in peers::VALUES {
            session.set(key, value)?;
        }
        session.commit().await?;
        records.push(session.record().ok_or("a session has a record")?.as_ref().clone());
    }
    manager.shutdown().await?;
    Ok(records)
}

async fn commits(
    store: &SqliteStore,
    mut records: Vec<Record>,
    sealer: &Sealer,
    span: Duration,
) -> Result<f64, Fault> {
    let (mut changes, mut spent) = (0, Duration::ZERO);
    while spent < span {
        for chunk in records.chunks_mut(BATCH) {
            let groups =
                chunk.iter_mut().map(|record| group(record, changes)).collect::<Result<_, _>>()?;
            let batch = Batch::new(groups, sealer.clone());
            let start = Instant::now();
            let outcomes = store.commit(batch).await?;
            spent += start.elapsed();
            if !outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))) {
                return Err("a change was not applied".into());
            }
            changes += outcomes.len();
        }
    }
    Ok(changes as f64 / spent.as_secs_f64())
}

/// Another value for one key, and an event that tells of it.
fn group(record: &mut Record, number: usize) -> Result<Group, Fault> {
    record.data.insert(peers::COUNT.into(), number.to_string().into());
    let mut group = Group::new(ChangeId::generate(&SystemRng)?);
    let expected = record.version;
    group.record = Some(RecordChange::Replace {
        record: Box::new(record.clone()),
        expected,
        epoch: EpochRule::Keep,
    });
    record.version += 1;
    group.events = vec![event(record)?];
    Ok(group)
}

fn event(record: &Record) -> Result<Event, Fault> {
    let id = EventId::generate(&SystemRng)?;
    let mut event = Event::new(id, record.last_seen, Action::SessionRefreshed, [7; 16]);
    event.session = Some(record.id);
    event.subject = record.subject.clone();
    Ok(event)
}

/// Both sides at one setting.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) commits: f64,
    pub(crate) plain: f64,
}

impl Compared {
    pub(crate) fn ratio(self) -> f64 {
        self.commits / self.plain
    }
}

/// What the parent has found, at FULL and at NORMAL.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Batches {
    pub(crate) full: Compared,
    pub(crate) normal: Compared,
}

/// Runs the children in turn, and takes medians.
pub(crate) fn compare(options: &Options) -> Result<Batches, Fault> {
    let compared = |peer| -> Result<Compared, Fault> {
        let (mut commits, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds() {
            commits.push(rate(peer, Case::Batch, options)?);
            plain.push(rate(peer, Case::Loop, options)?);
        }
        Ok(Compared { commits: median(&commits), plain: median(&plain) })
    };
    Ok(Batches { full: compared(Peer::HandstampFull)?, normal: compared(Peer::HandstampNormal)? })
}

fn rate(peer: Peer, case: Case, options: &Options) -> Result<f64, Fault> {
    let mut arguments = child::arguments(peer, case, 1);
    arguments.extend(["--millis".into(), options.span().as_millis().to_string()]);
    let rate: Rate = spawn::child(&spawn::itself()?, &arguments)?;
    Ok(rate.changes)
}

impl Batches {
    pub(crate) fn to_json(self) -> Value {
        serde_json::json!({ "full": self.full, "normal": self.normal })
    }
}
