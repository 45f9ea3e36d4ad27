//! Events added up, before a ledger keeps the sums: for the authors of ledgers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::lengths::class_of;
use super::report::{Bucket, Report};
use crate::event::{Action, Event};
use crate::id::SessionId;
use crate::time::Timestamp;

/// What a ledger keeps of a session of a user or guest while it is open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// When it began.
    pub began: Timestamp,
    /// On what, empty where that is not known.
    pub device: Arc<str>,
    /// In which epoch of the deployment, as [`Standing`] counts them.
    pub epoch: u64,
}

/// Where the roll-ups of a ledger stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// How often everybody was signed out.
    pub epoch: u64,
    /// How many sessions are live.
    pub live: i64,
}

/// What a figure is of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// What is counted.
    pub report: Report,
    /// For how long.
    pub bucket: Bucket,
    /// From when.
    pub at: Timestamp,
    /// Of what; empty where that is not known, or for all. For [`Report::Durations`] the class.
    pub name: Arc<str>,
}

impl Place {
    /// Where one more user counts when a figure went from `before` to `after`: among those who
    /// signed in, if it is a user's and the first success in it.
    pub fn newcomer(&self, before: Figure, after: Figure) -> Option<Self> {
        let is_first = before.successes() <= 0 && after.successes() > 0;
        (self.report == Report::Users && is_first).then(|| Self {
            report: Report::Logins,
            name: "".into(),
            ..self.clone()
        })
    }
}

/// An address from which somebody tried to sign in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Visit {
    /// For how long.
    pub bucket: Bucket,
    /// From when.
    pub at: Timestamp,
    /// Who.
    pub subject: Arc<str>,
    /// Where from.
    pub ip: Arc<str>,
}

impl Visit {
    /// Where it counts among addresses. A visit that is new to the ledger is one more user there.
    pub fn place(&self) -> Place {
        let (bucket, at, name) = (self.bucket, self.at, self.ip.clone());
        Place { report: Report::Ips, bucket, at, name }
    }
}

/// What adds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figure {
    /// How many; for [`Report::Active`] how many more than before.
    pub count: i64,
    /// How many failed.
    pub failed: i64,
    /// How many different users. Only a ledger knows who is new: see [`Place::newcomer`] and
    /// [`Visit::place`].
    pub subjects: i64,
    /// How long, in milliseconds, all together.
    pub total_ms: i64,
}

impl Figure {
    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.failed = self.failed.saturating_add(other.failed);
        self.subjects = self.subjects.saturating_add(other.subjects);
        self.total_ms = self.total_ms.saturating_add(other.total_ms);
    }

    /// One more user, and nothing else.
    pub const NEWCOMER: Self = Self { count: 0, failed: 0, subjects: 1, total_ms: 0 };

    /// Of `count`, `failed`.
    pub const fn of(count: i64, failed: i64) -> Self {
        Self { count, failed, subjects: 0, total_ms: 0 }
    }

    /// What takes a visit of these figures out again.
    pub const fn forgotten(self) -> Self {
        Self { count: -self.count, failed: -self.failed, subjects: -1, total_ms: 0 }
    }

    const fn successes(self) -> i64 {
        self.count - self.failed
    }
}

/// What events add up to. A ledger adds all of it in one step, with the place up to which it has
/// read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sums {
    /// How many events were taken; those after them are for the next roll-up.
    pub taken: usize,
    /// What to add to which figure.
    pub figures: BTreeMap<Place, Figure>,
    /// What to add to which visit, for [`Report::Ips`].
    pub visits: BTreeMap<Visit, Figure>,
    /// Sessions that are open from now on.
    pub opened: BTreeMap<SessionId, Open>,
    /// Sessions that were open and are no more.
    pub closed: BTreeSet<SessionId>,
    /// What to add to the live sessions of each device.
    pub live: BTreeMap<Arc<str>, i64>,
    /// After all else: no session is live, on any device.
    pub is_reset: bool,
    /// Where the roll-ups stand then.
    pub standing: Standing,
}

impl Sums {
    /// Adds up `events`, which come in the order of the log and follow what stands at `standing`.
    /// `find` knows the sessions that were open then. Stops after an event that ended everybody's
    /// session.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn of<E>(
        events: &[Event],
        standing: Standing,
        mut find: impl FnMut(SessionId) -> Result<Option<Open>, E>,
    ) -> Result<Self, E> {
        let mut sums = Self { standing, ..Self::default() };
        for event in events {
            sums.taken += 1;
            match event.action {
                Action::SessionStarted | Action::GuestUpgraded if event.subject.is_some() => {
                    sums.begin(event);
                    sums.sign_in(event);
                }
                Action::GuestStarted => sums.begin(event),
                Action::SignInFailed => sums.fail(event),
                Action::SessionEnded => {
                    let Some(id) = event.session else { continue };
                    let open = match sums.opened.remove(&id) {
                        None => find(id)?.filter(|_| sums.closed.insert(id)),
                        here => here,
                    };
                    open.into_iter().for_each(|open| sums.end(event, &open));
                }
                Action::DeploymentEnded => {
                    sums.reset(event);
                    return Ok(sums);
                }
                _ => {}
            }
        }
        Ok(sums)
    }

    fn begin(&mut self, event: &Event) {
        let (Some(id), Some(_)) = (event.session, &event.subject) else { return };
        let client = event.personal.as_ref().map(|personal| &personal.client);
        let device = named(client.and_then(|client| client.device.as_ref()));
        let place = client.and_then(|client| client.location.as_ref());
        let country = named(place.and_then(|place| place.country.as_ref()));
        self.count(Report::Devices, event.at, &device, Figure::of(1, 0));
        self.count(Report::Countries, event.at, &country, Figure::of(1, 0));
        self.live(event.at, &device, 1);
        let open = Open { began: event.at, device, epoch: self.standing.epoch };
        self.opened.insert(id, open);
    }

    fn sign_in(&mut self, event: &Event) {
        self.count(Report::Logins, event.at, "", Figure::of(1, 0));
        self.visit(event, Figure::of(1, 0));
    }

    fn fail(&mut self, event: &Event) {
        let reason = named(event.error.as_ref());
        self.count(Report::Logins, event.at, "", Figure::of(0, 1));
        self.count(Report::Failures, event.at, &reason, Figure::of(1, 0));
        self.visit(event, Figure::of(1, 1));
    }

    fn visit(&mut self, event: &Event, figure: Figure) {
        let subject = event.subject.as_ref().map(|subject| Arc::<str>::from(subject.as_str()));
        if let Some(subject) = &subject {
            self.count(Report::Users, event.at, subject, figure);
        }
        let client = event.personal.as_ref().map(|personal| &personal.client);
        let Some(ip) = client.and_then(|client| client.ip) else { return };
        let ip: Arc<str> = ip.to_string().into();
        self.count(Report::Ips, event.at, &ip, figure);
        let Some(subject) = subject else { return };
        for bucket in Bucket::ALL {
            let (at, subject, ip) = (bucket.start(event.at), subject.clone(), ip.clone());
            self.visits.entry(Visit { bucket, at, subject, ip }).or_default().add(figure);
        }
    }

    fn end(&mut self, event: &Event, open: &Open) {
        if open.epoch == self.standing.epoch {
            self.live(event.at, &open.device, -1);
        }
        // A tombstone may have been written long after the end.
        let lasted = event.details.get("lasted_ms").and_then(Value::as_u64);
        let by_log = event.at.since(open.began).as_millis();
        let lasted = lasted.unwrap_or_else(|| u64::try_from(by_log).unwrap_or(u64::MAX));
        let total_ms = i64::try_from(lasted).unwrap_or(i64::MAX);
        let class = format!("{:03}", class_of(lasted));
        let figure = Figure { total_ms, ..Figure::of(1, 0) };
        self.count(Report::Durations, event.at, &class, figure);
    }

    /// Every session is dead at once; its tombstone, whenever it comes, ends nothing that is live.
    fn reset(&mut self, event: &Event) {
        let live = self.standing.live;
        self.count(Report::Active, event.at, "", Figure::of(-live, 0));
        self.is_reset = true;
        self.standing = Standing { epoch: self.standing.epoch + 1, live: 0 };
    }

    fn live(&mut self, at: Timestamp, device: &Arc<str>, more: i64) {
        self.count(Report::Active, at, "", Figure::of(more, 0));
        self.standing.live += more;
        *self.live.entry(device.clone()).or_default() += more;
    }

    fn count(&mut self, report: Report, at: Timestamp, name: &str, figure: Figure) {
        for bucket in Bucket::ALL {
            let place = Place { report, bucket, at: bucket.start(at), name: name.into() };
            self.figures.entry(place).or_default().add(figure);
        }
    }
}

/// Names may come from outside, and are kept for ever.
const MOST_NAME: usize = 200;

fn named(name: Option<&Arc<str>>) -> Arc<str> {
    match name {
        None => "".into(),
        Some(name) if name.len() <= MOST_NAME => name.clone(),
        Some(name) => name[..name.floor_char_boundary(MOST_NAME)].into(),
    }
}
