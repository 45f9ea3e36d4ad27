//! What was acknowledged, and whether the database agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use handstamp_core::chain::{Link, Sealer, verify_chain};
use handstamp_core::event::{Action, Event};
use handstamp_core::head::{Deployment, Head};
use handstamp_core::ledger::{Bucket, Ledger as _, Point, Report};
use handstamp_core::policy::{LastSeen, Standing, standing};
use handstamp_core::record::Record;
use handstamp_core::store::{Filter, Page, SessionStore};
use handstamp_core::time::{Clock, SystemClock};
use handstamp_core::{SessionId, Subject};
use handstamp_sqlite::SqliteStore;

use super::child::keys;

/// What is known of a session.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    user: String,
    count: u64,
    is_ended: bool,
}

impl Known {
    fn of(user: &str) -> Self {
        Self { user: user.to_owned(), count: 0, is_ended: false }
    }
}

/// What was acknowledged so far, and what was found to have happened besides.
#[derive(Default)]
pub(super) struct Ledger {
    sessions: BTreeMap<SessionId, Known>,
    /// Whose all sessions were ended, how often.
    ended_all: BTreeMap<String, usize>,
}

/// What the database holds.
struct Held {
    records: BTreeMap<SessionId, Record>,
    heads: BTreeMap<Subject, Head>,
    events: Vec<Event>,
    /// How many sessions began, ended and live, as reports tell it.
    reported: [u64; 3],
}

impl Ledger {
    /// Takes in a line that the program wrote.
    pub(super) fn take(&mut self, line: &str) {
        let (what, rest) = line.split_once(' ').unwrap();
        let (name, more) = rest.split_once(' ').unwrap_or((rest, ""));
        match what {
            "begun" => drop(self.sessions.insert(name.parse().unwrap(), Known::of(more))),
            "count" => self.session(name).count = more.parse().unwrap(),
            "ended" => self.session(name).is_ended = true,
            "ended-all" => {
                *self.ended_all.entry(rest.to_owned()).or_default() += 1;
                let theirs = self.sessions.values_mut().filter(|known| known.user == rest);
                theirs.for_each(|known| known.is_ended = true);
            }
            other => panic!("the program says {other}"),
        }
    }

    fn session(&mut self, id: &str) -> &mut Known {
        self.sessions.get_mut(&id.parse().unwrap()).unwrap()
    }

    /// Compares with the database in `place`, and takes over what was under way when the program
    /// was killed and came about all the same.
    pub(super) async fn agrees(&mut self, place: &Path) {
        let held = read(place).await;
        for id in self.sessions.keys() {
            assert!(held.records.contains_key(id), "session {id} was acknowledged and is lost");
        }
        events_agree(&held);
        let mut under_way = self.learn_of_all(&held.events);
        for (id, record) in &held.records {
            let user = record.subject.as_ref().unwrap().as_str();
            *under_way.entry(user.to_owned()).or_default() += self.learn(*id, user, record, &held);
        }
        // A client does one thing at a time.
        for (user, count) in under_way {
            assert!(count <= 1, "{count} changes of {user} that were not acknowledged");
        }
    }

    /// Compares one session; answers how many of its changes were not acknowledged.
    fn learn(&mut self, id: SessionId, user: &str, record: &Record, held: &Held) -> usize {
        let is_new = !self.sessions.contains_key(&id);
        let known = self.sessions.entry(id).or_insert_with(|| Known::of(user));
        if !is_live(record, held) {
            let is_new_end = !std::mem::replace(&mut known.is_ended, true);
            return usize::from(is_new) + usize::from(is_new_end);
        }
        assert!(!known.is_ended, "session {id} was ended and lives");
        let count: u64 = record.data.get("count").map_or(0, |json| json.parse().unwrap());
        let is_next = count == known.count + 1;
        assert!(is_next || count == known.count, "{id}: {count}, acknowledged {known:?}");
        known.count = count;
        usize::from(is_new) + usize::from(is_next)
    }

    /// Learns of users whose all sessions were ended without acknowledgement: one change each,
    /// whatever it ended.
    fn learn_of_all(&mut self, events: &[Event]) -> BTreeMap<String, usize> {
        let mut under_way = BTreeMap::new();
        for (user, told) in count_by_user(events) {
            let known = self.ended_all.entry(user.clone()).or_default();
            assert!(told == *known || told == *known + 1, "{user}: {told}, acknowledged {known}");
            if told > *known {
                *known = told;
                let theirs = self.sessions.values_mut().filter(|known| known.user == user);
                theirs.for_each(|known| known.is_ended = true);
                under_way.insert(user, 1);
            }
        }
        under_way
    }
}

/// The log tells exactly of what is there.
fn events_agree(held: &Held) {
    let started = sessions_of(&held.events, &Action::SessionStarted);
    let all: Vec<SessionId> = held.records.keys().copied().collect();
    assert_eq!(started, all, "exactly the sessions that began are told of, once each");
    let ended = sessions_of(&held.events, &Action::SessionEnded);
    let tombstones = held.records.values().filter(|record| record.is_tombstone());
    let tombstones: Vec<SessionId> = tombstones.map(|record| record.id).collect();
    assert_eq!(ended, tombstones, "exactly the sessions that ended are told of, once each");
    let known = [Action::SessionStarted, Action::SessionEnded, Action::SubjectEnded];
    let foreign = held.events.iter().find(|event| !known.contains(&event.action));
    assert_eq!(foreign, None, "nothing else is told of");
    let (began, over) = (all.len() as u64, ended.len() as u64);
    let counted = [began, over, began - over];
    assert_eq!(held.reported, counted, "each event is in the figures once, wherever it was killed");
}

/// What reports tell, once the rest is rolled up.
async fn reported(store: &SqliteStore) -> [u64; 3] {
    while store.roll_up(1000).await.unwrap() {}
    let now = SystemClock::new().now();
    let (from, to) = (now.minus(2 * Bucket::Week.length()), now.plus(Duration::from_secs(1)));
    let report = async |one| store.report(one, from, to, Bucket::Week).await.unwrap().points;
    let sum = |points: Vec<Point>| points.iter().map(|point| point.count).sum();
    let live = report(Report::Active).await.pop().map_or(0, |last| last.count);
    [sum(report(Report::Logins).await), sum(report(Report::Durations).await), live]
}

fn is_live(record: &Record, held: &Held) -> bool {
    let head = record.subject.as_ref().and_then(|subject| held.heads.get(subject));
    let (now, at) = (SystemClock::new().now(), record.last_seen);
    let seen = LastSeen { at, is_exact: true };
    standing(record, head, Deployment::default(), seen, now) == Standing::Live
}

/// The sessions that events of `action` tell of, sorted.
fn sessions_of(events: &[Event], action: &Action) -> Vec<SessionId> {
    let of = events.iter().filter(|event| event.action == *action);
    let mut sessions: Vec<_> = of.map(|event| event.session.unwrap()).collect();
    sessions.sort_unstable();
    sessions
}

fn count_by_user(events: &[Event]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events.iter().filter(|event| event.action == Action::SubjectEnded) {
        *counts.entry(event.subject.as_ref().unwrap().as_str().to_owned()).or_default() += 1;
    }
    counts
}

/// Opens the database, checks its chain, and reads everything.
async fn read(place: &Path) -> Held {
    let store = SqliteStore::open(place.join("sessions.db")).await.unwrap();
    let batches = store.sealed(store.meta().writer, 0, usize::MAX >> 1).await.unwrap();
    verify_chain(&Sealer::new(keys(place)), 0, Link::START, &batches).unwrap();
    let page = Page::first(100_000);
    let records = store.scan(&Filter::default(), &page).await.unwrap();
    assert_eq!(records.next, None);
    let records: BTreeMap<_, _> = records.records.into_iter().map(|it| (it.id, it)).collect();
    let subjects: BTreeSet<_> = records.values().filter_map(|it| it.subject.clone()).collect();
    let subjects: Vec<_> = subjects.into_iter().collect();
    let heads = store.heads(&subjects).await.unwrap();
    let heads = heads.into_iter().map(|head| (head.subject.clone(), head)).collect();
    let events = batches.into_iter().flat_map(|batch| batch.events).collect();
    Held { records, heads, events, reported: reported(&store).await }
}
